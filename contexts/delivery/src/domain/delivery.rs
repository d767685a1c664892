//! What a delivery is.

/// Names a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

/// Names the order that a delivery belongs to. One order has at most one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(pub i64);

/// A moment, milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

/// Counts the changes of a delivery, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub i64);

/// Who gets the parcel, as the library calls him or her: 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Customer(String);

impl Customer {
    /// Most characters.
    pub const MAX: usize = 100;

    /// The only way in. `None` where the text is empty, too long or has control characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The parcel of an order, or the memory of what will become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The order whose parcel it is.
    pub order_id: OrderId,
    /// Its own name; a remembered release has none.
    pub id: Option<DeliveryId>,
    /// Whose order it is, where that is known: whom the order names, and before it has spoken, whom the rent names.
    pub customer: Option<Customer>,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it changed.
    pub version: Version,
    /// When the parcel began; where there is none, when the memory did.
    pub created_at: Moment,
    /// When it changed last.
    pub changed_at: Moment,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// No parcel yet; its order is confirmed already, so it will not be held.
    ReleaseRemembered,
    /// Prepared, and held until its order is known to be confirmed.
    Held,
    /// Prepared, and the courier may take it.
    Released,
    /// The courier has it.
    HandedOver,
    /// It was prepared and will not be handed over.
    Canceled,
    /// There will be no parcel: the rent was cancelled before it was heard of here.
    Tombstone,
}

impl DeliveryState {
    /// Whether there is or was a parcel: only those are shown.
    #[must_use]
    pub fn is_shown(self) -> bool {
        match self {
            Self::Held | Self::Released | Self::HandedOver | Self::Canceled => true,
            Self::ReleaseRemembered | Self::Tombstone => false,
        }
    }
}

/// What delivery says to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A parcel is being prepared.
    ParcelPrepared,
    /// The courier has the parcel.
    ParcelHandedOver,
    /// There will be no parcel.
    DeliveryCanceled,
    /// Too late to cancel: the courier has the parcel.
    CancelRejected,
}

/// An event about an order, as far as a decision needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The order.
    pub order_id: OrderId,
    /// Whose order it is, where the event says so.
    pub customer: Option<Customer>,
    /// Now.
    pub at: Moment,
}

/// What a decision changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing changes and nothing is said.
    Unchanged,
    /// The delivery as it is now, and what that says, if anything.
    Changed(Delivery, Option<Fact>),
}

impl Delivery {
    /// A delivery that begins in `state`.
    pub(super) fn begin(notice: &Notice, id: Option<DeliveryId>, state: DeliveryState) -> Self {
        Self {
            order_id: notice.order_id,
            id,
            customer: notice.customer.clone(),
            state,
            version: Version(1),
            created_at: notice.at,
            changed_at: notice.at,
        }
    }

    /// What was only remembered becomes something with a name.
    pub(super) fn take_id(&self, id: DeliveryId, state: DeliveryState, at: Moment) -> Self {
        Self { id: Some(id), created_at: at, ..self.become_state(state, at) }
    }

    /// The same delivery in another state, after its order has spoken: it knows whose it is, also where it is
    /// nobody's. A rent may have been made by somebody else, for another customer.
    pub(super) fn become_state_by_order(&self, state: DeliveryState, notice: &Notice) -> Self {
        Self { customer: notice.customer.clone(), ..self.become_state(state, notice.at) }
    }

    /// The same delivery in another state.
    pub(super) fn become_state(&self, state: DeliveryState, at: Moment) -> Self {
        Self { state, version: Version(self.version.0 + 1), changed_at: at, ..self.clone() }
    }
}
