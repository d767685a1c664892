//! Deliveries in memory: the fake for tests, held to the same contract as the real stores.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    application::ports::{Conflict, DeliveryStore, PageError, PageQuery, Said, Save, SortField, Unavailable},
    domain::{Customer, Delivery, DeliveryId, DeliveryState, OrderId},
};

/// A store that forgets everything when it is dropped. Clones share their deliveries.
#[derive(Clone, Default)]
pub struct MemoryDeliveries(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    last_id: i64,
    deliveries: BTreeMap<OrderId, Delivery>,
    said: Vec<(OrderId, Said)>,
    away: bool,
    in_doubt: bool,
}

impl MemoryDeliveries {
    /// Everything that was said, in its order.
    #[must_use]
    pub fn said(&self) -> Vec<(OrderId, Said)> {
        self.0.lock().said.clone()
    }

    /// From now on the store writes and then fails to say so, or is well again.
    pub fn set_in_doubt(&self, in_doubt: bool) {
        self.0.lock().in_doubt = in_doubt;
    }

    /// From now on the store is away, or back.
    pub fn set_away(&self, away: bool) {
        self.0.lock().away = away;
    }

    fn with<T>(&self, run: impl FnOnce(&mut State) -> T) -> Result<T, Unavailable> {
        let mut state = self.0.lock();
        if state.away { Err(Unavailable::Away("the store is away".to_owned())) } else { Ok(run(&mut state)) }
    }
}

#[async_trait]
impl DeliveryStore for MemoryDeliveries {
    async fn next_id(&self) -> Result<DeliveryId, Unavailable> {
        self.with(|state| {
            state.last_id += 1;
            DeliveryId(state.last_id)
        })
    }

    async fn by_id(&self, id: DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.with(|state| state.deliveries.values().find(|delivery| delivery.id == Some(id)).cloned())
    }

    async fn by_order(&self, order_id: OrderId) -> Result<Option<Delivery>, Unavailable> {
        self.with(|state| state.deliveries.get(&order_id).cloned())
    }

    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Delivery>, Unavailable> {
        self.with(|state| orders.iter().filter_map(|order| state.deliveries.get(order)).cloned().collect())
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        self.with(|state| {
            let saved = changes.into_iter().map(|change| state.save(change)).collect();
            state.told(saved)
        })?
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Delivery>, u64), PageError> {
        Ok(self.with(|state| {
            let shown = state.deliveries.values().filter(|delivery| delivery.state.is_shown());
            let mut deliveries: Vec<_> = shown.cloned().collect();
            deliveries.sort_by_key(|delivery| delivery.id);
            for (field, descending) in query.sort.iter().rev() {
                deliveries.sort_by(|a, b| {
                    let order = compare(*field, a, b);
                    if *descending { order.reverse() } else { order }
                });
            }
            let total = deliveries.len() as u64;
            let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
            (deliveries.into_iter().skip(offset).take(query.limit as usize).collect(), total)
        })?)
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Delivery>, Unavailable> {
        self.with(|state| {
            let beyond = state.deliveries.values().filter(|delivery| delivery.order_id > after);
            beyond.take(limit as usize).cloned().collect()
        })
    }
}

fn compare(field: SortField, a: &Delivery, b: &Delivery) -> Ordering {
    match field {
        SortField::Id => a.id.cmp(&b.id),
        SortField::OrderId => a.order_id.cmp(&b.order_id),
        SortField::Status => status_rank(a.state).cmp(&status_rank(b.state)),
        SortField::Customer => name(a).cmp(&name(b)),
        SortField::CreatedAt => a.created_at.cmp(&b.created_at),
        SortField::ChangedAt => a.changed_at.cmp(&b.changed_at),
    }
}

fn name(delivery: &Delivery) -> Option<&str> {
    delivery.customer.as_ref().map(Customer::as_str)
}

/// Ship, Ship Canceled, Shipped: as the words sort. What is not shown has none.
fn status_rank(state: DeliveryState) -> Option<u8> {
    match state {
        DeliveryState::Held | DeliveryState::Released => Some(0),
        DeliveryState::Canceled => Some(1),
        DeliveryState::HandedOver => Some(2),
        DeliveryState::ReleaseRemembered | DeliveryState::Tombstone => None,
    }
}

impl State {
    fn told<T>(&self, saved: T) -> Result<T, Unavailable> {
        let in_doubt = || Unavailable::InDoubt("the disk has failed".to_owned());
        if self.in_doubt { Err(in_doubt()) } else { Ok(saved) }
    }

    fn save(&mut self, change: Save) -> Result<(), Conflict> {
        let Save { expected, delivery, facts, .. } = change;
        let order_id = delivery.order_id;
        if self.deliveries.get(&order_id).map(|found| found.version) != expected {
            return Err(Conflict);
        }
        self.last_id = self.last_id.max(delivery.id.map_or(0, |id| id.0));
        self.deliveries.insert(order_id, delivery);
        self.said.extend(facts.into_iter().map(|said| (order_id, said)));
        Ok(())
    }
}
