//! The fake store of orders, where others get their turn before each step: as with a real one.

use async_trait::async_trait;
use order::{
    adapters::outbound::memory::MemoryOrders,
    application::ports::{Conflict, Due, OrderStore, PageError, PageQuery, Save, Unavailable},
    domain::{IdempotencyKey, Order, OrderId},
};
use tokio::task::yield_now;

pub(super) struct Yielding {
    pub(super) store: MemoryOrders,
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
        self.store.save_all(changes).await
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
