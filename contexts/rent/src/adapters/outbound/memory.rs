//! Rents in memory: the fake for tests, held to the same contract as the real stores.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    application::ports::{Conflict, PageError, PageQuery, RentStore, Said, Save, SortField, Unavailable},
    domain::{Copy, Customer, OrderId, Rent, RentId, RentState},
};

/// A store that forgets everything when it is dropped. Clones share their rents.
#[derive(Clone, Default)]
pub struct MemoryRents(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    last_id: i64,
    rents: BTreeMap<RentId, Rent>,
    said: Vec<(OrderId, Said)>,
    away: bool,
    in_doubt: bool,
}

impl MemoryRents {
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

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, Unavailable> {
        let state = self.0.lock();
        if state.away { Err(Unavailable::Away("the store is away".to_owned())) } else { Ok(read(&state)) }
    }
}

#[async_trait]
impl RentStore for MemoryRents {
    async fn next_id(&self) -> Result<RentId, Unavailable> {
        let mut state = self.0.lock();
        state.last_id += 1;
        Ok(RentId(state.last_id))
    }

    async fn by_id(&self, id: RentId) -> Result<Option<Rent>, Unavailable> {
        self.read(|state| state.rents.get(&id).cloned())
    }

    async fn by_order(&self, order_id: OrderId) -> Result<Option<Rent>, Unavailable> {
        self.read(|state| state.rents.values().find(|rent| rent.order_id == order_id).cloned())
    }

    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Rent>, Unavailable> {
        self.read(|state| {
            state.rents.values().filter(|rent| orders.contains(&rent.order_id)).cloned().collect()
        })
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        self.read(|_| ())?;
        let mut state = self.0.lock();
        let saved = changes.into_iter().map(|change| state.save(change)).collect();
        state.told(saved)
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Rent>, u64), PageError> {
        Ok(self.read(|state| {
            let mut rents: Vec<_> = state.rents.values().cloned().collect();
            for (field, descending) in query.sort.iter().rev() {
                rents.sort_by(|a, b| {
                    let order = compare(*field, a, b);
                    if *descending { order.reverse() } else { order }
                });
            }
            let total = rents.len() as u64;
            let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
            (rents.into_iter().skip(offset).take(query.limit as usize).collect(), total)
        })?)
    }

    async fn scan(&self, after: RentId, limit: u32) -> Result<Vec<Rent>, Unavailable> {
        self.read(|state| {
            state.rents.values().filter(|rent| rent.id > after).take(limit as usize).cloned().collect()
        })
    }
}

fn compare(field: SortField, a: &Rent, b: &Rent) -> Ordering {
    match field {
        SortField::Id => a.id.cmp(&b.id),
        SortField::OrderId => a.order_id.cmp(&b.order_id),
        // The words sort as `Rent` before `Rent Canceled`.
        SortField::Status => is_canceled(a).cmp(&is_canceled(b)),
        SortField::Customer => name(a).cmp(&name(b)),
        SortField::Reason => reason(a).cmp(&reason(b)),
        SortField::CreatedAt => a.created_at.cmp(&b.created_at),
        SortField::ChangedAt => a.changed_at.cmp(&b.changed_at),
    }
}

fn name(rent: &Rent) -> Option<&str> {
    rent.customer.as_ref().map(Customer::as_str)
}

fn reason(rent: &Rent) -> Option<&str> {
    match &rent.state {
        RentState::Canceled(Copy::Refused(reason)) => Some(reason),
        RentState::Rented
        | RentState::WithCourier
        | RentState::Canceled(Copy::Tombstone | Copy::Bound | Copy::Free) => None,
    }
}

fn is_canceled(rent: &Rent) -> bool {
    matches!(rent.state, RentState::Canceled(_))
}

impl State {
    fn told<T>(&self, saved: T) -> Result<T, Unavailable> {
        let in_doubt = || Unavailable::InDoubt("the disk has failed".to_owned());
        if self.in_doubt { Err(in_doubt()) } else { Ok(saved) }
    }

    fn save(&mut self, change: Save) -> Result<(), Conflict> {
        let order_id = change.rent.order_id;
        let found = self.rents.values().find(|rent| rent.order_id == order_id).map(|rent| rent.version);
        if found != change.expected {
            return Err(Conflict);
        }
        self.last_id = self.last_id.max(change.rent.id.0);
        self.rents.insert(change.rent.id, change.rent);
        self.said.extend(change.facts.into_iter().map(|said| (order_id, said)));
        Ok(())
    }
}
