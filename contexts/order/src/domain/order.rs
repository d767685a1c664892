//! What an order is.

/// Names an order, and everything that belongs to it in every other context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(pub i64);

/// A moment, milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

/// Counts the changes of an order, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub i64);

/// What is requested: 1 to 500 characters, not only white space, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item(String);

/// Who asks, as the library calls him or her: 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Customer(String);

/// What a client sends to be able to repeat a request safely: 1 to 255 visible ASCII characters.
/// (The IETF draft *The Idempotency-Key HTTP Header Field*.)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl Item {
    /// Most characters of an item.
    pub const MAX: usize = 500;

    /// The only way in.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (is_text(text, Self::MAX) && !text.trim().is_empty()).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Customer {
    /// Most characters of a customer.
    pub const MAX: usize = 100;

    /// The only way in.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (is_text(text, Self::MAX) && !text.trim().is_empty()).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IdempotencyKey {
    /// The only way in.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 1 to `max` characters, none of them a control character.
fn is_text(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// A customer's request for an item, from the first word to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub id: OrderId,
    /// What is requested.
    pub item: Item,
    /// Who asks, where that is known.
    pub customer: Option<Customer>,
    /// Where it stands.
    pub state: OrderState,
    /// Whether Ordered has been said: it is said exactly once.
    pub ordered_said: bool,
    /// Whether `OrderDeferred` has been said: it is said at most once.
    pub deferred_said: bool,
    /// What a repeat of the request carries. Given back when the order is rejected as unavailable: otherwise a
    /// retry could never succeed.
    pub idempotency_key: Option<IdempotencyKey>,
    /// How often it changed.
    pub version: Version,
    /// When it was taken.
    pub placed_at: Moment,
    /// When it changed last.
    pub changed_at: Moment,
}

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Taken and durable; rent has not answered yet.
    Pending,
    /// Confirmed by rent.
    Ordered,
    /// Refused for good.
    Rejected(Rejection),
    /// The customer has cancelled; the others have not all agreed yet (`Order Cancel`).
    Cancelling,
    /// The cancellation is final (`Order Canceled`).
    Canceled,
    /// The courier has the parcel.
    Shipped,
}

/// Why an order was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// By a rule of rent, in its words.
    Rule(String),
    /// Rent did not answer, and the library does not defer.
    Unavailable,
}

impl Rejection {
    /// For the customer.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Rule(reason) => reason,
            Self::Unavailable => "rentals could not be confirmed at that moment; please order again",
        }
    }
}

/// What order says to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Confirmed.
    Ordered,
    /// Accepted, and confirmed as soon as rent answers.
    OrderDeferred,
    /// Refused for good.
    OrderRejected,
    /// The customer has cancelled.
    OrderCancelled,
}

/// What a decision changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing changes and nothing is said.
    Unchanged,
    /// The order as it is now, and what that says, if anything.
    Changed(Order, Option<Fact>),
}

impl Order {
    /// The same order in another state.
    pub(super) fn become_state(&self, state: OrderState, at: Moment) -> Self {
        Self { state, version: Version(self.version.0 + 1), changed_at: at, ..self.clone() }
    }

    /// The courier has the parcel. Says Ordered where it was never said: a parcel of an order that is not known as
    /// confirmed can only come from a delivery that does not hold parcels.
    pub(super) fn become_shipped(&self, at: Moment) -> Decision {
        let shipped = Self { ordered_said: true, ..self.become_state(OrderState::Shipped, at) };
        Decision::Changed(shipped, (!self.ordered_said).then_some(Fact::Ordered))
    }
}
