//! The lending process as data: what people can ask for, what happens, and what follows from it.
//!
//! The drawings in `docs/design/` show exactly this table, and the table is exactly what the code does: `design.rs`
//! checks both.

use contracts::EventKind;

/// Something that somebody asks for.
pub(crate) struct Command {
    /// The type in the code.
    pub(crate) name: &'static str,
    pub(crate) context: &'static str,
    /// Its file in `application/`, and in `domain/`.
    pub(crate) file: &'static str,
    /// What its decision may say by itself.
    pub(crate) says: &'static [&'static str],
}

/// What follows from what: whenever one of `whenever` has happened, `file` decides.
pub(crate) struct Policy {
    pub(crate) context: &'static str,
    /// Its file in `domain/`; in `application/` where nothing is decided but somebody is asked.
    pub(crate) file: &'static str,
    pub(crate) layer: Layer,
    /// Events that it answers; none where it answers a reply or the time.
    pub(crate) whenever: &'static [&'static str],
    /// What its decision may say.
    pub(crate) says: &'static [&'static str],
}

/// Where a policy stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Domain,
    Application,
}

/// The commands.
pub(crate) const COMMANDS: [Command; 4] = [
    Command { name: "PlaceOrder", context: "order", file: "place_order", says: &[] },
    Command { name: "CancelOrder", context: "order", file: "cancel_order", says: &["OrderCancelled"] },
    Command { name: "ConfirmRent", context: "rent", file: "confirm_rent", says: &["Rented"] },
    Command { name: "HandOver", context: "delivery", file: "hand_over", says: &["ParcelHandedOver"] },
];

/// The policies.
pub(crate) const POLICIES: [Policy; 14] = [
    // An order is taken, or is still pending later: rent is asked.
    policy("order", "confirm_order", &["Rented"], &["Ordered"]),
    policy("order", "defer_order", &[], &["OrderDeferred"]),
    policy("order", "reject_order", &[], &["OrderRejected"]),
    Policy { context: "order", file: "resume_orders", layer: Layer::Application, whenever: &[], says: &[] },
    policy("order", "on_handed_over", &["ParcelHandedOver"], &[]),
    policy("order", "on_cancel_rejected", &["CancelRejected"], &[]),
    policy("order", "on_delivery_canceled", &["DeliveryCanceled"], &[]),
    policy("rent", "on_order_cancelled", &["OrderCancelled"], &["RentCanceled"]),
    policy("rent", "on_order_rejected", &["OrderRejected"], &["RentCanceled"]),
    policy("rent", "on_delivery_canceled", &["DeliveryCanceled"], &[]),
    policy("rent", "on_cancel_rejected", &["CancelRejected"], &["RentReinstated"]),
    policy("delivery", "on_rented", &["Rented"], &["ParcelPrepared"]),
    policy("delivery", "on_ordered", &["Ordered"], &[]),
    policy("delivery", "on_rent_canceled", &["RentCanceled"], &["DeliveryCanceled", "CancelRejected"]),
];

const fn policy(
    context: &'static str,
    file: &'static str,
    whenever: &'static [&'static str],
    says: &'static [&'static str],
) -> Policy {
    Policy { context, file, layer: Layer::Domain, whenever, says }
}

/// What kind of subdomain a context is: `core` decides how good the library is at lending, `supporting` is needed
/// for it, `generic` could be bought.
pub(crate) const KINDS: [(&str, &str); 5] = [
    ("order", "core"),
    ("rent", "core"),
    ("delivery", "supporting"),
    ("mypage", "supporting"),
    ("gateway", "generic"),
];

/// What decides, with its context; the file in `domain/` that says what it is has its name.
pub(crate) const AGGREGATES: [(&str, &str); 3] =
    [("Order", "order"), ("Rent", "rent"), ("Delivery", "delivery")];

/// What is only looked at: name, and the file that answers.
pub(crate) const READ_MODELS: [(&str, &str); 4] = [
    ("MyPage", "contexts/mypage/src/projection.rs"),
    ("Orders", "contexts/order/src/application/look_up_orders.rs"),
    ("Rents", "contexts/rent/src/application/look_up_rents.rs"),
    ("Deliveries", "contexts/delivery/src/application/look_up_deliveries.rs"),
];

/// Who acts.
pub(crate) const ACTORS: [&str; 3] = ["Customer", "Courier", "Time"];

/// Files of `application/` that hold no use case of their own.
pub(crate) const SHARED_FILES: [(&str, &str); 4] = [
    ("ports", "what the use cases need from outside"),
    ("on_events", "loads, decides and saves a batch of events for all policies of the context"),
    ("first_calls", "gathers the calls of orders that are placed at about the same time"),
    ("confirm_order", "asks rent and commits the consequence, for place_order and resume_orders alike"),
];

/// The name of an event in the drawings. A new kind does not compile until it has one.
pub(crate) fn event_name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Ordered { .. } => "Ordered",
        EventKind::OrderDeferred { .. } => "OrderDeferred",
        EventKind::OrderRejected { .. } => "OrderRejected",
        EventKind::OrderCancelled { .. } => "OrderCancelled",
        EventKind::Rented => "Rented",
        EventKind::RentCanceled => "RentCanceled",
        EventKind::RentReinstated => "RentReinstated",
        EventKind::ParcelPrepared => "ParcelPrepared",
        EventKind::ParcelHandedOver => "ParcelHandedOver",
        EventKind::DeliveryCanceled => "DeliveryCanceled",
        EventKind::CancelRejected => "CancelRejected",
    }
}
