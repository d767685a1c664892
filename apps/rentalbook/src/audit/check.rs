//! The invariants, on what is known about one order.

use contracts::EventKind;
use delivery::domain::DeliveryState;
use mypage::projection::Status;
use order::domain::OrderState;
use rent::domain::{Copy, RentState};

use super::evidence::Evidence;

/// What the evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it must be.
    Clean,
    /// Not there yet; its events are on their way.
    UnderWay,
    /// Invariant and contradiction, one or several.
    Breached(Vec<(u8, String)>),
}

/// Judges one order. `quiet`: none of its events is on its way. `all_running`: nothing may wait for a stopped service.
pub(super) fn check(evidence: &Evidence, quiet: bool, all_running: bool) -> Verdict {
    let mut breaches = Vec::new();
    events_have_their_rows(evidence, &mut breaches);
    said_once(evidence, &mut breaches);
    if !breaches.is_empty() {
        return Verdict::Breached(breaches);
    }
    let mut unfinished = Vec::new();
    rows_have_their_events(evidence, &mut unfinished);
    views_agree(evidence, &mut unfinished);
    let waits = agreement(evidence, &mut unfinished);
    match (unfinished.is_empty(), waits) {
        (true, false) => Verdict::Clean,
        _ if !quiet => Verdict::UnderWay,
        (true, true) if !all_running => Verdict::UnderWay,
        (true, true) => {
            Verdict::Breached(vec![(8, "it stays where it is although all services run".to_owned())])
        }
        (false, _) => Verdict::Breached(unfinished),
    }
}

type Breaches = Vec<(u8, String)>;

fn breach(breaches: &mut Breaches, invariant: u8, what: &str, holds: bool) {
    if !holds {
        breaches.push((invariant, what.to_owned()));
    }
}

/// Whether the topic has an event of this kind; items and reasons do not matter here.
struct Said {
    ordered: bool,
    ordered_twice: bool,
    rejected: bool,
    cancelled: bool,
    rented: bool,
    rent_canceled: bool,
    prepared: bool,
    handed_over: bool,
    delivery_canceled: bool,
}

impl Said {
    fn of(evidence: &Evidence) -> Self {
        let tally = &evidence.tally;
        let ordered = EventKind::Ordered { item: None };
        Self {
            ordered: tally.has(&ordered),
            ordered_twice: tally.has_twice(&ordered),
            rejected: tally.has(&EventKind::OrderRejected { item: None, reason: None }),
            cancelled: tally.has(&EventKind::OrderCancelled { item: None }),
            rented: tally.has(&EventKind::Rented),
            rent_canceled: tally.has(&EventKind::RentCanceled),
            prepared: tally.has(&EventKind::ParcelPrepared),
            handed_over: tally.has(&EventKind::ParcelHandedOver),
            delivery_canceled: tally.has(&EventKind::DeliveryCanceled),
        }
    }
}

/// Invariant 2, first half, and what may never be at any moment. Rows were read after the topic.
fn events_have_their_rows(evidence: &Evidence, breaches: &mut Breaches) {
    let said = Said::of(evidence);
    let order = evidence.order.as_ref();
    let rent = evidence.rent.as_ref().map(|rent| &rent.state);
    let delivery = evidence.delivery.as_ref().map(|delivery| &delivery.state);
    let holds = |event: bool, row: bool| !event || row;
    breach(
        breaches,
        2,
        "Ordered was published without an order that has said it",
        holds(said.ordered, order.is_some_and(|order| order.ordered_said)),
    );
    breach(
        breaches,
        2,
        "OrderCancelled was published without a cancelled order",
        holds(
            said.cancelled,
            order.is_some_and(|order| {
                matches!(order.state, OrderState::Cancelling | OrderState::Canceled | OrderState::Shipped)
            }),
        ),
    );
    breach(
        breaches,
        2,
        "OrderRejected was published without a rejected order",
        holds(
            said.rejected,
            order.is_some_and(|order| matches!(order.state, OrderState::Rejected(_) | OrderState::Shipped)),
        ),
    );
    breach(breaches, 2, "Rented was published without a rent", holds(said.rented, rent.is_some()));
    breach(
        breaches,
        2,
        "RentCanceled was published without a cancelled rent",
        holds(said.rent_canceled, matches!(rent, Some(RentState::Canceled(_) | RentState::WithCourier))),
    );
    let parcel = evidence.delivery.as_ref().is_some_and(|delivery| delivery.id.is_some());
    breach(breaches, 2, "a parcel was announced that is not there", holds(said.prepared, parcel));
    breach(
        breaches,
        2,
        "a hand-over was announced that did not happen",
        holds(said.handed_over, matches!(delivery, Some(DeliveryState::HandedOver))),
    );
    breach(
        breaches,
        2,
        "DeliveryCanceled was published for a parcel that was not cancelled",
        holds(
            said.delivery_canceled,
            matches!(delivery, Some(DeliveryState::Canceled | DeliveryState::Tombstone)),
        ),
    );
    breach(
        breaches,
        1,
        "the copy was freed before delivery had spoken",
        holds(matches!(rent, Some(RentState::Canceled(Copy::Free))), said.delivery_canceled),
    );
    breach(
        breaches,
        4,
        "the parcel was handed over and cancelled",
        !(said.handed_over && said.delivery_canceled),
    );
    breach(
        breaches,
        3,
        "the parcel was handed over before its order had said Ordered",
        holds(said.handed_over, said.ordered),
    );
}

fn said_once(evidence: &Evidence, breaches: &mut Breaches) {
    breach(breaches, 3, "Ordered was said more than once", !Said::of(evidence).ordered_twice);
    for (kind, what) in [
        (EventKind::Rented, "two rents were announced"),
        (EventKind::ParcelPrepared, "two parcels were announced"),
        (EventKind::ParcelHandedOver, "two hand-overs were announced"),
    ] {
        breach(breaches, 1, what, !evidence.tally.has_twice(&kind));
    }
}

/// Invariant 2, second half: a committed change is published once the relay has run.
fn rows_have_their_events(evidence: &Evidence, breaches: &mut Breaches) {
    let said = Said::of(evidence);
    let holds = |row: bool, event: bool| !row || event;
    if let Some(order) = &evidence.order {
        breach(
            breaches,
            2,
            "the order has said Ordered and it was never published",
            holds(order.ordered_said, said.ordered),
        );
        let event = match order.state {
            OrderState::Pending | OrderState::Ordered | OrderState::Shipped => true,
            OrderState::Rejected(_) => said.rejected,
            OrderState::Cancelling | OrderState::Canceled => said.cancelled,
        };
        breach(breaches, 2, "the order's last change was never published", event);
    }
    if let Some(rent) = &evidence.rent {
        let event = match rent.state {
            RentState::Rented => said.rented,
            RentState::WithCourier => said.rented && said.rent_canceled,
            RentState::Canceled(Copy::Refused(_) | Copy::Tombstone) => true,
            RentState::Canceled(Copy::Bound | Copy::Free) => said.rented && said.rent_canceled,
        };
        breach(breaches, 2, "the rent's changes were never published", event);
    }
    if let Some(delivery) = &evidence.delivery {
        let event = match delivery.state {
            DeliveryState::ReleaseRemembered => true,
            DeliveryState::Held | DeliveryState::Released => said.prepared,
            DeliveryState::HandedOver => said.prepared && said.handed_over,
            DeliveryState::Canceled => said.prepared && said.delivery_canceled,
            DeliveryState::Tombstone => said.delivery_canceled,
        };
        breach(breaches, 2, "the delivery's changes were never published", event);
    }
}

/// Invariant 6.
fn views_agree(evidence: &Evidence, breaches: &mut Breaches) {
    breach(
        breaches,
        6,
        "the view differs from the one that the topic makes",
        evidence.row == evidence.rebuilt,
    );
}

/// The table of agreement. Returns whether the order waits for something that only a running service can do.
fn agreement(evidence: &Evidence, breaches: &mut Breaches) -> bool {
    let said = Said::of(evidence);
    let rent = evidence.rent.as_ref().map(|rent| &rent.state);
    let delivery = evidence.delivery.as_ref().map(|delivery| &delivery.state);
    let shown = evidence.row.as_ref().map(mypage::projection::Row::status);
    let live_rent = matches!(rent, Some(RentState::Rented | RentState::WithCourier));
    let Some(order) = &evidence.order else {
        let handed_over = matches!(delivery, Some(DeliveryState::HandedOver));
        breach(breaches, 3, "a parcel of an unknown order was handed over", !handed_over);
        return false;
    };
    let mut agree = |rent_agrees: bool, delivery_agrees: bool, expected: Status, ordered: bool| {
        breach(breaches, 0, &format!("rent is {rent:?} while the order is {:?}", order.state), rent_agrees);
        breach(
            breaches,
            0,
            &format!("delivery is {delivery:?} while the order is {:?}", order.state),
            delivery_agrees,
        );
        breach(
            breaches,
            0,
            &format!("mypage shows {shown:?} while the order is {:?}", order.state),
            shown == Some(expected),
        );
        breach(breaches, 3, "Ordered was said, or not said, against the order's state", ordered);
    };
    match &order.state {
        OrderState::Pending | OrderState::Cancelling => return true,
        OrderState::Ordered => agree(
            matches!(rent, Some(RentState::Rented)),
            matches!(delivery, Some(DeliveryState::Released)),
            Status::Ship,
            said.ordered,
        ),
        OrderState::Shipped => {
            agree(
                live_rent,
                matches!(delivery, Some(DeliveryState::HandedOver)),
                Status::Shipped,
                said.ordered,
            );
        }
        OrderState::Canceled => agree(
            matches!(rent, Some(RentState::Canceled(Copy::Free | Copy::Tombstone))),
            matches!(delivery, Some(DeliveryState::Canceled | DeliveryState::Tombstone)),
            Status::ShipCanceled,
            said.ordered == order.ordered_said,
        ),
        OrderState::Rejected(_) => agree(
            !live_rent && !matches!(rent, Some(RentState::Canceled(Copy::Bound))),
            matches!(delivery, None | Some(DeliveryState::Canceled | DeliveryState::Tombstone)),
            Status::OrderRejected,
            !said.ordered,
        ),
    }
    false
}
