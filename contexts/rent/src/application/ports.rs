//! What rent needs from outside.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{Fact, Moment, OrderId, Rent, RentId, Version};

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

/// Somebody else has changed the rent since it was read: read again and decide again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

/// Something said, with what the published event needs beside the rent.
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
    /// The version that was read; `None` where there was no rent of this order.
    pub expected: Option<Version>,
    /// The rent as it is now.
    pub rent: Rent,
    /// What the change says.
    pub facts: Vec<Said>,
}

/// The fields that a collection can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    /// The rent's own id.
    Id,
    /// The order's id.
    OrderId,
    /// The status word.
    Status,
    /// The customer.
    Customer,
    /// Why a rule has refused.
    Reason,
    /// When it began.
    CreatedAt,
    /// When it changed last.
    ChangedAt,
}

/// A part of the collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// How many rents come before it.
    pub offset: u64,
    /// How many it has at most.
    pub limit: u32,
    /// By what, and whether descending; by id where empty.
    pub sort: Vec<(SortField, bool)>,
}

/// The rents. Ids grow and are never given twice.
#[async_trait]
pub trait RentStore: Send + Sync + 'static {
    /// An id that nobody else gets.
    async fn next_id(&self) -> Result<RentId, Unavailable>;

    /// One rent by its own id.
    async fn by_id(&self, id: RentId) -> Result<Option<Rent>, Unavailable>;

    /// The rent of an order.
    async fn by_order(&self, order_id: OrderId) -> Result<Option<Rent>, Unavailable>;

    /// The rents of those of `orders` that have one, in any order.
    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Rent>, Unavailable>;

    /// The only way to write: every change with what it says, in one durable transaction. The answer has a result
    /// for each: a conflict is its caller's alone, and nothing of that change is written.
    /// A call has at most one change of each rent.
    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable>;

    /// Saves one change.
    async fn save(&self, change: Save) -> Result<Result<(), Conflict>, Unavailable> {
        Ok(self.save_all(vec![change]).await?.pop().unwrap_or(Err(Conflict)))
    }

    /// A part of the collection, and how many rents there are.
    async fn page(&self, query: PageQuery) -> Result<(Vec<Rent>, u64), PageError>;

    /// At most `limit` rents with an id greater than `after`, by id: for walking all of them.
    async fn scan(&self, after: RentId, limit: u32) -> Result<Vec<Rent>, Unavailable>;
}
