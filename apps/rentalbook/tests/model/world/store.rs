//! The fake store of orders, where others get their turn before each step, and where the process may die: as with a real
//! one.

use std::{future::pending, sync::Arc};

use async_trait::async_trait;
use order::{
    adapters::outbound::memory::MemoryOrders,
    application::ports::{Conflict, Due, OrderStore, PageError, PageQuery, Save, Unavailable},
    domain::{IdempotencyKey, Order, OrderId},
};
use parking_lot::Mutex;
use tokio::task::yield_now;

/// When the process dies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// So many writes from now.
    pub(crate) writes: usize,
    /// Whether the last of them is there afterwards.
    pub(crate) after: bool,
}

/// Shared by the store and whoever has it die.
#[derive(Clone, Default)]
pub(super) struct Fate(Arc<Mutex<(Option<Death>, bool)>>);

impl Fate {
    /// `None`: it lives.
    pub(super) fn set(&self, death: Option<Death>) {
        *self.0.lock() = (death, false);
    }

    /// Whether it has died since that was set.
    pub(super) fn has_come(&self) -> bool {
        self.0.lock().1
    }

    /// Whether it dies with this write, and then whether after it.
    fn of_a_write(&self) -> Option<bool> {
        let (death, has_come) = &mut *self.0.lock();
        match death {
            Some(Death { writes: 0, after }) => {
                let after = *after;
                (*death, *has_come) = (None, true);
                Some(after)
            }
            Some(Death { writes, .. }) => {
                *writes -= 1;
                None
            }
            None => None,
        }
    }
}

pub(super) struct Yielding {
    pub(super) store: MemoryOrders,
    pub(super) fate: Fate,
    /// A planted defect: it does not know which order has a key.
    pub(super) forgets_keys: bool,
}

#[async_trait]
impl OrderStore for Yielding {
    async fn next_id(&self) -> Result<OrderId, Unavailable> {
        self.store.next_id().await
    }

    async fn by_id(&self, id: OrderId) -> Result<Option<Order>, Unavailable> {
        yield_now().await;
        self.store.by_id(id).await
    }

    async fn by_key(&self, key: &IdempotencyKey) -> Result<Option<Order>, Unavailable> {
        yield_now().await;
        if self.forgets_keys { Ok(None) } else { self.store.by_key(key).await }
    }

    async fn by_ids(&self, ids: &[OrderId]) -> Result<Vec<Order>, Unavailable> {
        yield_now().await;
        self.store.by_ids(ids).await
    }

    async fn save_all(&self, mut changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        yield_now().await;
        if self.forgets_keys {
            changes.iter_mut().for_each(|change| change.order.idempotency_key = None);
        }
        let dies = self.fate.of_a_write();
        if dies == Some(false) {
            return pending().await;
        }
        let saved = self.store.save_all(changes).await;
        if dies == Some(true) { pending().await } else { saved }
    }

    fn pending(&self) -> u64 {
        self.store.pending()
    }

    async fn due(&self, due: Due) -> Result<Vec<Order>, Unavailable> {
        yield_now().await;
        self.store.due(due).await
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Order>, u64), PageError> {
        self.store.page(query).await
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Order>, Unavailable> {
        self.store.scan(after, limit).await
    }
}
