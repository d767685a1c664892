//! The events.

use crate::Timestamp;

/// Something that has happened to an order, a rent or a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The order that it is about: the correlation key of the whole process.
    pub order_id: i64,
    /// The publisher's own id: of the order, the rent or the delivery.
    pub id: i64,
    /// What has happened.
    pub kind: EventKind,
    /// Names this event; a repeated copy has the same name.
    pub event_id: String,
    /// The version of the publisher's aggregate after it. `None` from publishers that keep none.
    pub version: Option<i64>,
    /// The request that caused it, over all services.
    pub correlation_id: Option<String>,
    /// Whose order it is, where that is known.
    pub customer: Option<String>,
    /// When it happened. `None` from publishers that do not say it exactly.
    pub occurred_at: Option<Timestamp>,
}

/// What has happened. The wire has a type and a status for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// order: confirmed.
    Ordered {
        /// What was requested.
        item: Option<String>,
    },
    /// order: accepted while rent does not answer; it will be confirmed later.
    OrderDeferred {
        /// What was requested.
        item: Option<String>,
    },
    /// order: refused for good.
    OrderRejected {
        /// What was requested.
        item: Option<String>,
        /// Why, for the customer.
        reason: Option<String>,
    },
    /// order: the customer has cancelled.
    OrderCancelled {
        /// What was requested.
        item: Option<String>,
    },
    /// rent: a copy is bound to the order.
    Rented,
    /// rent: not rented any more; the copy stays bound until delivery has spoken.
    RentCanceled,
    /// rent: the courier was faster than the cancellation, so the rent stands.
    RentReinstated,
    /// delivery: a parcel is being prepared (`Shipped` with status `Ship`).
    ParcelPrepared,
    /// delivery: handed over to the courier (`Shipped` with status `Shipped`).
    ParcelHandedOver,
    /// delivery: there will be no parcel.
    DeliveryCanceled,
    /// delivery: too late to cancel, the courier has the parcel.
    CancelRejected,
}

/// A type and status that are none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEvent;

impl EventKind {
    /// `eventType` on the wire.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Ordered { .. } => "Ordered",
            Self::OrderDeferred { .. } => "OrderDeferred",
            Self::OrderRejected { .. } => "OrderRejected",
            Self::OrderCancelled { .. } => "OrderCancelled",
            Self::Rented => "Rented",
            Self::RentCanceled => "RentCanceled",
            Self::RentReinstated => "RentReinstated",
            Self::ParcelPrepared | Self::ParcelHandedOver => "Shipped",
            Self::DeliveryCanceled => "DeliveryCanceled",
            Self::CancelRejected => "CancelRejected",
        }
    }

    /// `status` on the wire.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Ordered { .. } => "Ordered",
            Self::OrderDeferred { .. } => "Pending",
            Self::OrderRejected { .. } => "Order Rejected",
            Self::OrderCancelled { .. } => "Order Canceled",
            Self::Rented | Self::RentReinstated => "Rent",
            Self::RentCanceled => "Rent Canceled",
            Self::ParcelPrepared => "Ship",
            Self::ParcelHandedOver | Self::CancelRejected => "Shipped",
            Self::DeliveryCanceled => "Ship Canceled",
        }
    }

    /// What was requested, where the event says it.
    #[must_use]
    pub fn item(&self) -> Option<&str> {
        match self {
            Self::Ordered { item }
            | Self::OrderDeferred { item }
            | Self::OrderRejected { item, .. }
            | Self::OrderCancelled { item } => item.as_deref(),
            Self::Rented
            | Self::RentCanceled
            | Self::RentReinstated
            | Self::ParcelPrepared
            | Self::ParcelHandedOver
            | Self::DeliveryCanceled
            | Self::CancelRejected => None,
        }
    }

    /// Whether order publishes it: then `id` is the order's.
    #[must_use]
    pub fn is_of_order(&self) -> bool {
        match self {
            Self::Ordered { .. }
            | Self::OrderDeferred { .. }
            | Self::OrderRejected { .. }
            | Self::OrderCancelled { .. } => true,
            Self::Rented
            | Self::RentCanceled
            | Self::RentReinstated
            | Self::ParcelPrepared
            | Self::ParcelHandedOver
            | Self::DeliveryCanceled
            | Self::CancelRejected => false,
        }
    }

    /// From the wire's type and status; a `Shipped` with another status than its two is unknown.
    pub(crate) fn from_wire(
        event_type: &str,
        status: Option<&str>,
        item: Option<String>,
        reason: Option<String>,
    ) -> Result<Self, UnknownEvent> {
        Ok(match (event_type, status) {
            ("Ordered", _) => Self::Ordered { item },
            ("OrderDeferred", _) => Self::OrderDeferred { item },
            ("OrderRejected", _) => Self::OrderRejected { item, reason },
            ("OrderCancelled", _) => Self::OrderCancelled { item },
            ("Rented", _) => Self::Rented,
            ("RentCanceled", _) => Self::RentCanceled,
            ("RentReinstated", _) => Self::RentReinstated,
            ("Shipped", Some("Ship")) => Self::ParcelPrepared,
            ("Shipped", Some("Shipped")) => Self::ParcelHandedOver,
            ("DeliveryCanceled", _) => Self::DeliveryCanceled,
            ("CancelRejected", _) => Self::CancelRejected,
            _ => return Err(UnknownEvent),
        })
    }
}
