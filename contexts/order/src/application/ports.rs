//! What order needs from outside.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::domain::{Customer, Fact, IdempotencyKey, Moment, Order, OrderId, Version};

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

/// Somebody else has changed the order since it was read, has used its idempotency key, or has taken the last place
/// among those that wait: read and decide again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

/// Something said, with what the published event needs beside the order.
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
    /// The version that was read; `None` for a new order.
    pub expected: Option<Version>,
    /// Whether the order was `Pending` when it was read: how many wait is known at any time without counting.
    pub was_pending: bool,
    /// Only while fewer orders than so many are `Pending`, else it is a conflict. Checked with the write, so that it
    /// holds for any number of requests at the same moment.
    pub pending_below: Option<u64>,
    /// The order as it is now.
    pub order: Order,
    /// What the change says.
    pub facts: Vec<Said>,
    /// With it the caller can take the change back until it is written.
    pub revocation: Option<Revocation>,
    /// Whether all of it would be done again by itself, with the same result, should a power cut take it back. Then
    /// the store may answer when it is committed, so that no crash of the process takes it back, and not wait for
    /// the disk. What it says is published only when it is on the disk.
    pub redoable: bool,
}

/// The race between a store that writes a change and a caller that will not wait for it any longer: exactly one
/// wins. So who is told "there is no order" is told the truth, whatever is killed afterwards. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Revocation(Arc<AtomicU8>);

impl Revocation {
    const WAITS: u8 = 0;
    const WRITTEN: u8 = 1;
    const REVOKED: u8 = 2;

    /// Said by the store just before it writes the change, as often as it has to begin again. `false`: the change
    /// was taken back, and must not be written.
    #[must_use]
    pub fn begin(&self) -> bool {
        self.0.fetch_max(Self::WRITTEN, Ordering::AcqRel) != Self::REVOKED
    }

    /// Said by the caller. `true`: the change will never be written. `false`: it is being written, or is already;
    /// only the store's answer says how that ended.
    #[must_use]
    pub fn revoke(&self) -> bool {
        let revoked =
            self.0.compare_exchange(Self::WAITS, Self::REVOKED, Ordering::AcqRel, Ordering::Acquire);
        revoked.is_ok() || self.0.load(Ordering::Acquire) == Self::REVOKED
    }
}

impl PartialEq for Revocation {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Revocation {}

/// The fields that a collection can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    /// The order's id.
    Id,
    /// What is requested.
    Item,
    /// The status word.
    Status,
    /// The customer.
    Customer,
    /// Why it was refused.
    Reason,
    /// When it was taken.
    PlacedAt,
    /// When it changed last.
    ChangedAt,
}

/// A part of the collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// How many orders come before it.
    pub offset: u64,
    /// How many it has at most.
    pub limit: u32,
    /// By what, and whether descending; by id where empty.
    pub sort: Vec<(SortField, bool)>,
}

/// Which pending orders the resume worker takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Orders taken before this moment, whose own call must be over by now.
    pub placed_before: Moment,
    /// How many at most; deferred orders are due at any age.
    pub limit: u32,
}

/// The orders. Ids grow and are never given twice.
#[async_trait]
pub trait OrderStore: Send + Sync + 'static {
    /// An id that nobody else gets.
    async fn next_id(&self) -> Result<OrderId, Unavailable>;

    /// One order.
    async fn by_id(&self, id: OrderId) -> Result<Option<Order>, Unavailable>;

    /// The order that holds an idempotency key.
    async fn by_key(&self, key: &IdempotencyKey) -> Result<Option<Order>, Unavailable>;

    /// Those of `ids` that exist, in any order.
    async fn by_ids(&self, ids: &[OrderId]) -> Result<Vec<Order>, Unavailable>;

    /// The only way to write: every change with what it says, in one durable transaction. The answer has a result
    /// for each: a conflict is its caller's alone, and nothing of that change is written. So it is with a change
    /// that was taken back.
    /// A call has at most one change of each order.
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

    /// How many orders are `Pending`. Asked with every request: never counted.
    fn pending(&self) -> u64;

    /// Pending orders that are due, oldest first.
    async fn due(&self, due: Due) -> Result<Vec<Order>, Unavailable>;

    /// A part of the collection, and how many orders there are.
    async fn page(&self, query: PageQuery) -> Result<(Vec<Order>, u64), PageError>;

    /// At most `limit` orders with an id greater than `after`, by id: for walking all of them.
    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Order>, Unavailable>;
}

/// The question that order asks rent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskRent {
    /// The order to confirm.
    pub order_id: OrderId,
    /// Whose order it is.
    pub customer: Option<Customer>,
    /// The request that caused it, over all services.
    pub correlation_id: Option<Arc<str>>,
    /// Whether an earlier call for this order may have reached rent: a rent that would make a second one is asked
    /// first what it has.
    pub repeated: bool,
    /// When an answer is of no use any more, if that is before the deadline that is set for every question.
    pub answer_by: Option<Instant>,
}

/// What rent answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RentAnswer {
    /// The order has a copy.
    Confirmed,
    /// A rule refuses, now and on every repeat; in rent's words.
    Refused(String),
    /// Late, failed or not asked at all: nobody knows whether there is a rent. For the log.
    Unavailable(String),
}

/// Rent, as order sees it. Asking again with the same order id is safe.
#[async_trait]
pub trait RentDesk: Send + Sync + 'static {
    /// Asks rent to confirm an order. Always answers, within the deadline that is set for it.
    async fn confirm(&self, ask: AskRent) -> RentAnswer;

    /// Asks for several at once. The answers are in the order of the questions.
    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        join_all(asks.into_iter().map(|ask| self.confirm(ask))).await
    }
}

/// Whose turn it is to resume orders: of all processes that have these orders, one at a time.
#[async_trait]
pub trait Turn: Send + Sync + 'static {
    /// Whether other processes may have these orders, too.
    fn is_shared(&self) -> bool;

    /// Returns when it is ours, however long that takes.
    async fn come(&self);

    /// Returns when it is not ours any more, or nobody knows: whatever is under way is given up.
    async fn over(&self);
}

/// The turn of a process that is the only one.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysOurs;

#[async_trait]
impl Turn for AlwaysOurs {
    fn is_shared(&self) -> bool {
        false
    }

    async fn come(&self) {}

    async fn over(&self) {
        pending().await
    }
}
