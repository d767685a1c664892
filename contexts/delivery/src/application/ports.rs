//! What delivery needs from outside.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{Delivery, DeliveryId, Fact, Moment, OrderId, Version};

/// The time of day.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Moment;
}

/// The store is away; a retry may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Nothing was written.
    #[error("{0}")]
    Away(String),
    /// The store failed while it wrote: the change may have happened.
    #[error("{0}")]
    InDoubt(String),
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Too many pages that read the whole collection are waited for. A page by id is always to be had.
    #[error("too many pages that read the whole collection are waited for")]
    TooMany,
    /// The store is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Somebody else has changed the delivery since it was read: read again and decide again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

/// Something said, with what the published event needs beside the delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What.
    pub fact: Fact,
    /// The version that the change made.
    pub version: Version,
    /// When.
    pub at: Moment,
    /// The request that caused it, over all services.
    pub correlation_id: Option<Arc<str>>,
}

/// A change that is to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// The version that was read; `None` where there was nothing about this order.
    pub expected: Option<Version>,
    /// Whether what was read was shown: how many are is known at any time without counting.
    pub was_shown: bool,
    /// The delivery as it is now.
    pub delivery: Delivery,
    /// What the change says.
    pub facts: Vec<Said>,
}

/// The fields that a collection can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    /// The delivery's own id.
    Id,
    /// The order's id.
    OrderId,
    /// The status word.
    Status,
    /// The customer.
    Customer,
    /// When the parcel began.
    CreatedAt,
    /// When it changed last.
    ChangedAt,
}

/// A part of the collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// How many deliveries come before it.
    pub offset: u64,
    /// How many it has at most.
    pub limit: u32,
    /// By what, and whether descending; by id where empty.
    pub sort: Vec<(SortField, bool)>,
}

/// The deliveries, and what is remembered beside them. Ids grow and are never given twice.
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// An id that nobody else gets.
    async fn next_id(&self) -> Result<DeliveryId, Unavailable>;

    /// One delivery by its own id, shown or not.
    async fn by_id(&self, id: DeliveryId) -> Result<Option<Delivery>, Unavailable>;

    /// The delivery of an order, shown or not.
    async fn by_order(&self, order_id: OrderId) -> Result<Option<Delivery>, Unavailable>;

    /// The deliveries of those of `orders` that have one, shown or not, in any order.
    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Delivery>, Unavailable>;

    /// The only way to write: every change with what it says, in one durable transaction. The answer has a result
    /// for each: a conflict is its caller's alone, and nothing of that change is written.
    /// A call has at most one change of each delivery.
    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable>;

    /// Returns when everything that was read before is as durable as what is saved. A store may show a commit before the
    /// disk has it: so who answers a repeat from a row alone, as something that holds, asks for this first.
    async fn settled(&self) -> Result<(), Unavailable> {
        self.save_all(Vec::new()).await.map(drop)
    }

    /// Saves one change.
    async fn save(&self, change: Save) -> Result<Result<(), Conflict>, Unavailable> {
        Ok(self.save_all(vec![change]).await?.pop().unwrap_or(Err(Conflict)))
    }

    /// A part of the collection, and how many deliveries there are; only those that are shown.
    async fn page(&self, query: PageQuery) -> Result<(Vec<Delivery>, u64), PageError>;

    /// At most `limit` deliveries, shown or not, of orders greater than `after`, by order: for walking all of them.
    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Delivery>, Unavailable>;
}
