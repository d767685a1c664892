//! What a rent is.

/// Names a rent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RentId(pub i64);

/// Names the order that a rent belongs to. One order has at most one rent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(pub i64);

/// A moment, milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

/// Counts the changes of a rent, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub i64);

/// Who borrows, as the library calls him or her: 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Customer(String);

impl Customer {
    /// Most characters.
    pub const MAX: usize = 100;

    /// The only way in. `None` where the text is empty, too long or has control characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && !text.trim().is_empty();
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The confirmation of an order, or the memory of why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rent {
    /// Its own name.
    pub id: RentId,
    /// The order that it confirms.
    pub order_id: OrderId,
    /// Whose order it is, where that is known.
    pub customer: Option<Customer>,
    /// Where it stands.
    pub state: RentState,
    /// How often it changed.
    pub version: Version,
    /// When it began.
    pub created_at: Moment,
    /// When it changed last.
    pub changed_at: Moment,
}

/// Where a rent stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RentState {
    /// A copy is bound to the order.
    Rented,
    /// A copy is bound, and the courier was faster than a cancellation. Deaf for further cancellations: a late
    /// duplicate must not cancel again.
    WithCourier,
    /// Not rented.
    Canceled(Copy),
}

/// What became of the copy of a rent that is not (or not any more) one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copy {
    /// There never was one: a rule refused, and the refusal is remembered with its reason.
    Refused(String),
    /// There never was one: the order was cancelled or refused before it was confirmed here.
    Tombstone,
    /// Still bound: until delivery has spoken, the courier may have it.
    Bound,
    /// Free for somebody else.
    Free,
}

/// What rent says to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A copy is bound to the order.
    Rented,
    /// The rent is cancelled.
    RentCanceled,
    /// The rent stands after all: the courier was faster.
    RentReinstated,
}

/// Who a decision is about when there is no rent yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id that a new rent takes.
    pub new_id: RentId,
    /// The order.
    pub order_id: OrderId,
    /// Whose order it is, where that is known.
    pub customer: Option<Customer>,
    /// Now.
    pub at: Moment,
}

/// What a decision changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing changes and nothing is said.
    Unchanged,
    /// The rent as it is now, and what that says, if anything.
    Changed(Rent, Option<Fact>),
}

impl Rent {
    /// A rent that begins in `state`.
    pub(super) fn begin(request: &Request, state: RentState) -> Self {
        Self {
            id: request.new_id,
            order_id: request.order_id,
            customer: request.customer.clone(),
            state,
            version: Version(1),
            created_at: request.at,
            changed_at: request.at,
        }
    }

    /// The same rent in another state.
    pub(super) fn become_state(&self, state: RentState, at: Moment) -> Self {
        Self { state, version: Version(self.version.0 + 1), changed_at: at, ..self.clone() }
    }
}
