//! What can be asked of the view, and what keeps it.

use std::cmp::Ordering;

use async_trait::async_trait;

use crate::projection::{OrderFact, Row};

/// The view is away; a retry may help, and nothing of what was to be written is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the view is unavailable: {0}")]
pub struct Unavailable(pub String);

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Too many pages that pass over many rows are waited for.
    #[error("too many pages that pass over many rows are waited for")]
    TooMany,
    /// The view is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The fields that the collection can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    /// The order's id, which is the row's: fast with any number of rows. The others read all of them.
    OrderId,
    /// What was requested.
    Item,
    /// What is shown, by its word.
    Status,
    /// Whose order it is.
    Customer,
    /// Why it was refused.
    Reason,
}

impl SortField {
    /// How two rows stand to each other; what is not known comes first.
    #[must_use]
    pub fn compare(self, a: &Row, b: &Row) -> Ordering {
        match self {
            Self::OrderId => a.order_id().cmp(&b.order_id()),
            Self::Item => a.item().cmp(&b.item()),
            Self::Status => a.status().cmp(&b.status()),
            Self::Customer => a.customer().cmp(&b.customer()),
            Self::Reason => a.reason().cmp(&b.reason()),
        }
    }
}

/// By which field, and whether descending.
pub type Sort = (SortField, bool);

/// How two rows stand to each other by `sort`, and where they are equal by order id.
#[must_use]
pub fn compare(sort: &[Sort], a: &Row, b: &Row) -> Ordering {
    let by = |&(field, descending): &Sort| {
        let ordering = field.compare(a, b);
        if descending { ordering.reverse() } else { ordering }
    };
    sort.iter().map(by).find(|ordering| ordering.is_ne()).unwrap_or_else(|| a.order_id().cmp(&b.order_id()))
}

/// A part of the collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// How many rows come before it.
    pub offset: u64,
    /// How many it has at most.
    pub limit: u32,
    /// By what; by order id where empty.
    pub sort: Vec<Sort>,
}

/// Rows of a part, and how many there are of all parts. The number is kept, never counted.
pub type Page = (Vec<Row>, u64);

/// What keeps the rows.
#[async_trait]
pub trait View: Send + Sync + 'static {
    /// Adds `facts`, of any orders, in one transaction: the only way to write. Readers see it at once; it is durable
    /// when [`View::settle`] has returned after it, and may be lost where any call has failed before that.
    async fn apply(&self, facts: Vec<OrderFact>) -> Result<(), Unavailable>;

    /// Makes durable what was applied.
    async fn settle(&self) -> Result<(), Unavailable>;

    /// The row of an order.
    async fn get(&self, order_id: i64) -> Result<Option<Row>, Unavailable>;

    /// A part of all rows.
    async fn page(&self, query: PageQuery) -> Result<Page, PageError>;

    /// A part of a customer's rows, newest order first.
    async fn find_by_customer(&self, customer: &str, offset: u64, limit: u32) -> Result<Page, PageError>;

    /// At most `limit` rows of orders after `after_order_id`, by order id: for walking all of them.
    async fn scan(&self, after_order_id: Option<i64>, limit: u32) -> Result<Vec<Row>, Unavailable>;

    /// How many rows there are.
    async fn total(&self) -> Result<u64, Unavailable>;

    /// Whether it can answer.
    async fn ready(&self) -> Result<(), Unavailable>;

    /// Whether it has everything that the topic has said, up to where its group has read. A new view has not:
    /// its group may have read the topic before the view was lost. It may refuse to be read until then.
    async fn is_complete(&self) -> Result<bool, Unavailable>;

    /// From now on it is complete: it was rebuilt, or the topic has just been created.
    async fn mark_complete(&self) -> Result<(), Unavailable>;

    /// Begins a new view beside this one, which stays in use. While it is under way, [`View::apply`] goes to both.
    /// One at a time.
    async fn begin_rebuild(&self) -> Result<Box<dyn Rebuild>, Unavailable>;
}

/// A new view that is being filled beside the live one. Dropped, it is abandoned.
#[async_trait]
pub trait Rebuild: Send {
    /// Adds `facts` to the new view only.
    async fn apply(&mut self, facts: Vec<OrderFact>) -> Result<(), Unavailable>;

    /// Puts the new view, complete, into the place of the live one. Readers see the one or the other.
    async fn finish(self: Box<Self>) -> Result<(), Unavailable>;
}
