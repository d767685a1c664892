//! The projection: facts to a row, and the row to what is shown. Pure.
//!
//! Events arrive in any order, late and more than once. So a row keeps the *set* of facts that is known about its
//! order, and merging is commutative, associative and idempotent: whatever the order of arrival, the same events
//! give the same row.

use contracts::{Event, EventKind, Timestamp};

/// Everything that can become known about an order.
///
/// The discriminants are the fixed order of facts of one moment in the history, and places in stored rows: a new
/// fact goes to the end, none is ever given another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Accepted while rent does not answer.
    Deferred = 0,
    /// A copy is bound to the order. (Before [`Fact::Ordered`]: order says its word after rent's.)
    Rented = 1,
    /// The order is confirmed.
    Ordered = 2,
    /// A parcel is being prepared.
    ParcelPrepared = 3,
    /// The courier has the parcel.
    ParcelHandedOver = 4,
    /// The customer has cancelled.
    Cancelled = 5,
    /// The order was refused for good.
    Rejected = 6,
    /// Not rented any more.
    RentCanceled = 7,
    /// There will be no parcel.
    DeliveryCanceled = 8,
    /// Too late to cancel: the courier has the parcel.
    CancelRejected = 9,
    /// So the rent stands.
    RentReinstated = 10,
}

/// The words that a row can show, in their alphabetical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The parcel is not on its way and will not be.
    OrderCanceled,
    /// Refused for good.
    OrderRejected,
    /// Confirmed.
    Ordered,
    /// Accepted, not yet confirmed.
    Pending,
    /// A copy is bound.
    Rent,
    /// The copy is not rented any more.
    RentCanceled,
    /// A parcel is being prepared.
    Ship,
    /// The parcel was called back.
    ShipCanceled,
    /// The courier has the parcel.
    Shipped,
}

impl Fact {
    /// All of them, by discriminant.
    pub const ALL: [Self; 11] = [
        Self::Deferred,
        Self::Rented,
        Self::Ordered,
        Self::ParcelPrepared,
        Self::ParcelHandedOver,
        Self::Cancelled,
        Self::Rejected,
        Self::RentCanceled,
        Self::DeliveryCanceled,
        Self::CancelRejected,
        Self::RentReinstated,
    ];

    /// Which fact is shown where several are known: the smallest rank.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::ParcelHandedOver | Self::CancelRejected | Self::RentReinstated => 1,
            Self::Rejected => 2,
            Self::DeliveryCanceled => 3,
            Self::RentCanceled => 4,
            Self::Cancelled => 5,
            Self::ParcelPrepared => 6,
            Self::Rented => 7,
            Self::Ordered => 8,
            Self::Deferred => 9,
        }
    }

    /// What a row shows whose first fact by rank is this.
    #[must_use]
    pub fn shown(self) -> Status {
        match self {
            Self::ParcelHandedOver | Self::CancelRejected | Self::RentReinstated => Status::Shipped,
            Self::Rejected => Status::OrderRejected,
            Self::DeliveryCanceled => Status::ShipCanceled,
            Self::RentCanceled => Status::RentCanceled,
            Self::Cancelled => Status::OrderCanceled,
            Self::ParcelPrepared => Status::Ship,
            Self::Rented => Status::Rent,
            Self::Ordered => Status::Ordered,
            Self::Deferred => Status::Pending,
        }
    }

    /// The event that said it: `eventType` and `status` of the wire.
    #[must_use]
    pub fn said_by(self) -> (&'static str, &'static str) {
        match self {
            Self::Deferred => ("OrderDeferred", "Pending"),
            Self::Rented => ("Rented", "Rent"),
            Self::Ordered => ("Ordered", "Ordered"),
            Self::ParcelPrepared => ("Shipped", "Ship"),
            Self::ParcelHandedOver => ("Shipped", "Shipped"),
            Self::Cancelled => ("OrderCancelled", "Order Canceled"),
            Self::Rejected => ("OrderRejected", "Order Rejected"),
            Self::RentCanceled => ("RentCanceled", "Rent Canceled"),
            Self::DeliveryCanceled => ("DeliveryCanceled", "Ship Canceled"),
            Self::CancelRejected => ("CancelRejected", "Shipped"),
            Self::RentReinstated => ("RentReinstated", "Rent"),
        }
    }

    /// Whether it is the order's own word: the order knows whose it is.
    #[must_use]
    pub fn is_of_order(self) -> bool {
        match self {
            Self::Deferred | Self::Ordered | Self::Cancelled | Self::Rejected => true,
            Self::Rented
            | Self::ParcelPrepared
            | Self::ParcelHandedOver
            | Self::RentCanceled
            | Self::DeliveryCanceled
            | Self::CancelRejected
            | Self::RentReinstated => false,
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}

impl Status {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderCanceled => "Order Canceled",
            Self::OrderRejected => "Order Rejected",
            Self::Ordered => "Ordered",
            Self::Pending => "Pending",
            Self::Rent => "Rent",
            Self::RentCanceled => "Rent Canceled",
            Self::Ship => "Ship",
            Self::ShipCanceled => "Ship Canceled",
            Self::Shipped => "Shipped",
        }
    }
}

/// What one event contributes to the row of its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFact {
    /// The order.
    pub order_id: i64,
    /// What became known.
    pub fact: Fact,
    /// When it happened.
    pub at: Timestamp,
    /// What was requested, where the event says it.
    pub item: Option<String>,
    /// Whose order it is, where the event says it.
    pub customer: Option<String>,
    /// Why it was refused, where the event says it.
    pub reason: Option<String>,
}

impl OrderFact {
    /// The contribution of `event`. One that does not say when it happened counts from when it was published.
    #[must_use]
    pub fn from_event(event: Event, published_at: Timestamp) -> Self {
        let (fact, item, reason) = match event.kind {
            EventKind::OrderDeferred { item } => (Fact::Deferred, item, None),
            EventKind::Ordered { item } => (Fact::Ordered, item, None),
            EventKind::OrderRejected { item, reason } => (Fact::Rejected, item, reason),
            EventKind::OrderCancelled { item } => (Fact::Cancelled, item, None),
            EventKind::Rented => (Fact::Rented, None, None),
            EventKind::RentCanceled => (Fact::RentCanceled, None, None),
            EventKind::RentReinstated => (Fact::RentReinstated, None, None),
            EventKind::ParcelPrepared => (Fact::ParcelPrepared, None, None),
            EventKind::ParcelHandedOver => (Fact::ParcelHandedOver, None, None),
            EventKind::DeliveryCanceled => (Fact::DeliveryCanceled, None, None),
            EventKind::CancelRejected => (Fact::CancelRejected, None, None),
        };
        Self {
            order_id: event.order_id,
            fact,
            at: event.occurred_at.unwrap_or(published_at),
            item,
            // Nobody can be looked up under an empty name.
            customer: event.customer.filter(|name| !name.is_empty()),
            reason,
        }
    }
}

/// What is known about one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    order_id: i64,
    known: Known,
    item: Option<String>,
    customer: Option<String>,
    reason: Option<String>,
}

/// When each fact happened, by its place; `None` where it is not known.
pub type Known = [Option<Timestamp>; Fact::ALL.len()];

/// One line of the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `eventType` of the event that said it.
    pub event: &'static str,
    /// Its `status`.
    pub status: &'static str,
    /// When it happened.
    pub at: Timestamp,
}

impl Row {
    /// The row of an order of which the first fact has arrived, whichever it is.
    #[must_use]
    pub fn begin(first: OrderFact) -> Self {
        let OrderFact { order_id, fact, at, item, customer, reason } = first;
        let mut known = Known::default();
        known[fact.place()] = Some(at);
        Self { order_id, known, item, customer, reason }
    }

    /// The row with `facts` of its order, and whether that is another one than `before`. `None` without a row and
    /// without facts.
    #[must_use]
    pub fn merged(before: Option<Self>, facts: &[OrderFact]) -> Option<(Self, bool)> {
        let mut facts = facts.iter().cloned();
        let (mut row, mut changed) = match before {
            Some(row) => (row, false),
            None => (Self::begin(facts.next()?), true),
        };
        for fact in facts {
            changed |= row.learn(fact);
        }
        Some((row, changed))
    }

    /// A row as a store has kept it; `None` if it has no fact, which no row has.
    #[must_use]
    pub fn restore(
        order_id: i64,
        known: Known,
        item: Option<String>,
        customer: Option<String>,
        reason: Option<String>,
    ) -> Option<Self> {
        known.iter().any(Option::is_some).then_some(Self { order_id, known, item, customer, reason })
    }

    /// Adds a fact; whether that changed anything.
    ///
    /// Where two events differ about the same thing, the earlier moment and the smaller text stay: an arbitrary
    /// choice, but one that does not depend on who came first. Whose order it is, it says itself.
    pub fn learn(&mut self, more: OrderFact) -> bool {
        debug_assert_eq!(more.order_id, self.order_id, "a fact goes to the row of its order");
        let parts = [
            self.learn_customer(more.fact, more.customer),
            keep_smaller(&mut self.known[more.fact.place()], Some(more.at)),
            keep_smaller(&mut self.item, more.item),
            keep_smaller(&mut self.reason, more.reason),
        ];
        parts.contains(&true)
    }

    /// The word of others counts until the order's own has come, and never after it, also where that names nobody:
    /// anybody can ask rent for any order, under any name.
    fn learn_customer(&mut self, fact: Fact, customer: Option<String>) -> bool {
        let order_has_spoken = self.facts().any(|(fact, _)| fact.is_of_order());
        match (order_has_spoken, fact.is_of_order()) {
            (false, true) => {
                let changed = self.customer != customer;
                self.customer = customer;
                changed
            }
            (true, false) => false,
            (true, true) | (false, false) => keep_smaller(&mut self.customer, customer),
        }
    }

    /// The order's id, and the row's.
    #[must_use]
    pub fn order_id(&self) -> i64 {
        self.order_id
    }

    /// When each fact happened.
    #[must_use]
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// What was requested; not known before an event of the order has arrived.
    #[must_use]
    pub fn item(&self) -> Option<&str> {
        self.item.as_deref()
    }

    /// Whose order it is, where that is known: by its own word, and before that has come, by that of others.
    #[must_use]
    pub fn customer(&self) -> Option<&str> {
        self.customer.as_deref()
    }

    /// Why it was refused.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What is shown: the first by rank of what is known.
    ///
    /// # Panics
    /// Never: a row begins with a fact and loses none.
    #[must_use]
    pub fn status(&self) -> Status {
        let first = self.facts().map(|(fact, _)| fact).min_by_key(|fact| fact.rank());
        first.expect("a row has at least one fact").shown()
    }

    /// The time line, oldest first; what happened in the same millisecond in a fixed order.
    #[must_use]
    pub fn history(&self) -> Vec<Entry> {
        let mut facts: Vec<_> = self.facts().map(|(fact, at)| (at, fact)).collect();
        facts.sort_unstable();
        let entry = |(at, fact): (Timestamp, Fact)| {
            let (event, status) = fact.said_by();
            Entry { event, status, at }
        };
        facts.into_iter().map(entry).collect()
    }

    fn facts(&self) -> impl Iterator<Item = (Fact, Timestamp)> {
        Fact::ALL.into_iter().filter_map(|fact| Some((fact, self.known[fact.place()]?)))
    }
}

/// Keeps the smaller of two known values; whether that is another one than before.
fn keep_smaller<T: Ord>(kept: &mut Option<T>, other: Option<T>) -> bool {
    match (&kept, &other) {
        (_, None) => false,
        (Some(known), Some(new)) if known <= new => false,
        _ => {
            *kept = other;
            true
        }
    }
}
