//! Orders in memory: the fake for tests, held to the same contract as the real stores.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    application::ports::{
        Conflict, Due, OrderStore, PageError, PageQuery, Said, Save, SortField, Unavailable,
    },
    domain::{IdempotencyKey, Order, OrderId, OrderState},
};

/// A store that forgets everything when it is dropped. Clones share their orders.
#[derive(Clone, Default)]
pub struct MemoryOrders(Arc<Shared>);

#[derive(Default)]
struct Shared {
    last_id: AtomicI64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    orders: BTreeMap<OrderId, Order>,
    said: Vec<(OrderId, Said)>,
    away: bool,
    in_doubt: bool,
}

impl MemoryOrders {
    /// Everything that was said, in its order.
    #[must_use]
    pub fn said(&self) -> Vec<(OrderId, Said)> {
        self.0.state.lock().said.clone()
    }

    /// From now on the store writes and then fails to say so, or is well again.
    pub fn set_in_doubt(&self, in_doubt: bool) {
        self.0.state.lock().in_doubt = in_doubt;
    }

    /// From now on the store is away, or back.
    pub fn set_away(&self, away: bool) {
        self.0.state.lock().away = away;
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, Unavailable> {
        let state = self.0.state.lock();
        if state.away { Err(Unavailable::Away("the store is away".to_owned())) } else { Ok(read(&state)) }
    }
}

#[async_trait]
impl OrderStore for MemoryOrders {
    async fn next_id(&self) -> Result<OrderId, Unavailable> {
        Ok(OrderId(self.0.last_id.fetch_add(1, Ordering::Relaxed) + 1))
    }

    async fn by_id(&self, id: OrderId) -> Result<Option<Order>, Unavailable> {
        self.read(|state| state.orders.get(&id).cloned())
    }

    async fn by_key(&self, key: &IdempotencyKey) -> Result<Option<Order>, Unavailable> {
        self.read(|state| {
            state.orders.values().find(|order| order.idempotency_key.as_ref() == Some(key)).cloned()
        })
    }

    async fn by_ids(&self, ids: &[OrderId]) -> Result<Vec<Order>, Unavailable> {
        self.read(|state| ids.iter().filter_map(|id| state.orders.get(id).cloned()).collect())
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        self.read(|_| ())?;
        let mut state = self.0.state.lock();
        let saved = changes.into_iter().map(|change| state.save(change)).collect();
        state.told(saved)
    }

    fn pending(&self) -> u64 {
        self.0.state.lock().pending()
    }

    async fn due(&self, due: Due) -> Result<Vec<Order>, Unavailable> {
        let is_due = |order: &&Order| {
            order.state == OrderState::Pending && (order.deferred_said || order.placed_at < due.placed_before)
        };
        self.read(|state| state.orders.values().filter(is_due).take(due.limit as usize).cloned().collect())
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Order>, u64), PageError> {
        Ok(self.read(|state| {
            let mut orders: Vec<_> = state.orders.values().cloned().collect();
            for (field, descending) in query.sort.iter().rev() {
                orders.sort_by(|a, b| {
                    let order = match field {
                        SortField::Id => a.id.cmp(&b.id),
                        SortField::Item => a.item.as_str().cmp(b.item.as_str()),
                        SortField::Status => status_rank(a).cmp(&status_rank(b)),
                        SortField::Customer => {
                            let name = |order: &Order| order.customer.as_ref().map(|c| c.as_str().to_owned());
                            name(a).cmp(&name(b))
                        }
                        SortField::Reason => reason(a).cmp(&reason(b)),
                        SortField::PlacedAt => a.placed_at.cmp(&b.placed_at),
                        SortField::ChangedAt => a.changed_at.cmp(&b.changed_at),
                    };
                    if *descending { order.reverse() } else { order }
                });
            }
            let total = orders.len() as u64;
            let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
            (orders.into_iter().skip(offset).take(query.limit as usize).collect(), total)
        })?)
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Order>, Unavailable> {
        self.read(|state| {
            state.orders.values().filter(|order| order.id > after).take(limit as usize).cloned().collect()
        })
    }
}

fn reason(order: &Order) -> Option<&str> {
    match &order.state {
        OrderState::Rejected(rejection) => Some(rejection.reason()),
        OrderState::Pending
        | OrderState::Ordered
        | OrderState::Cancelling
        | OrderState::Canceled
        | OrderState::Shipped => None,
    }
}

/// As the status words sort.
fn status_rank(order: &Order) -> u8 {
    match order.state {
        OrderState::Cancelling => 0,
        OrderState::Canceled => 1,
        OrderState::Rejected(_) => 2,
        OrderState::Ordered => 3,
        OrderState::Pending => 4,
        OrderState::Shipped => 5,
    }
}

impl State {
    fn told<T>(&self, saved: T) -> Result<T, Unavailable> {
        let in_doubt = || Unavailable::InDoubt("the disk has failed".to_owned());
        if self.in_doubt { Err(in_doubt()) } else { Ok(saved) }
    }

    fn pending(&self) -> u64 {
        self.orders.values().filter(|order| order.state == OrderState::Pending).count() as u64
    }

    fn save(&mut self, change: Save) -> Result<(), Conflict> {
        if change.pending_below.is_some_and(|most| self.pending() >= most) {
            return Err(Conflict);
        }
        if change.revocation.is_some_and(|revocation| !revocation.begin()) {
            return Err(Conflict);
        }
        let order = change.order;
        let key_is_taken = |other: &Order| {
            other.id != order.id
                && other.idempotency_key.is_some()
                && other.idempotency_key == order.idempotency_key
        };
        let found = self.orders.get(&order.id).map(|order| order.version);
        if found != change.expected || self.orders.values().any(key_is_taken) {
            return Err(Conflict);
        }
        let id = order.id;
        self.orders.insert(id, order);
        self.said.extend(change.facts.into_iter().map(|said| (id, said)));
        Ok(())
    }
}
