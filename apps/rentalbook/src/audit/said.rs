//! What was said against what is kept: invariants 1 to 4.

use contracts::EventKind;
use delivery::domain::DeliveryState;
use order::domain::OrderState;
use rent::domain::{Copy, RentState};

use super::{
    check::{Breaches, breach},
    evidence::Evidence,
    tally::Tally,
};

const ORDERED: EventKind = EventKind::Ordered { item: None };
const DEFERRED: EventKind = EventKind::OrderDeferred { item: None };
const REJECTED: EventKind = EventKind::OrderRejected { item: None, reason: None };
const CANCELLED: EventKind = EventKind::OrderCancelled { item: None };

/// Whether the topic has an event of each kind; items and reasons do not matter here.
pub(super) struct Said {
    pub(super) ordered: bool,
    deferred: bool,
    rejected: bool,
    cancelled: bool,
    rented: bool,
    rent_canceled: bool,
    rent_reinstated: bool,
    prepared: bool,
    handed_over: bool,
    delivery_canceled: bool,
    cancel_rejected: bool,
}

impl Said {
    pub(super) fn of(tally: &Tally) -> Self {
        Self {
            ordered: tally.has(&ORDERED),
            deferred: tally.has(&DEFERRED),
            rejected: tally.has(&REJECTED),
            cancelled: tally.has(&CANCELLED),
            rented: tally.has(&EventKind::Rented),
            rent_canceled: tally.has(&EventKind::RentCanceled),
            rent_reinstated: tally.has(&EventKind::RentReinstated),
            prepared: tally.has(&EventKind::ParcelPrepared),
            handed_over: tally.has(&EventKind::ParcelHandedOver),
            delivery_canceled: tally.has(&EventKind::DeliveryCanceled),
            cancel_rejected: tally.has(&EventKind::CancelRejected),
        }
    }
}

/// Invariant 2, first half: no event without its row. Rows were read after the topic and none of these states is
/// ever left for one that would not do, so this may be said at any moment.
pub(super) fn events_have_their_rows(evidence: &Evidence, breaches: &mut Breaches) {
    let said = Said::of(&evidence.tally);
    let holds = |event: bool, row: bool| !event || row;
    of_order(evidence, &said, breaches);
    of_rent(evidence, &said, breaches);
    of_delivery(evidence, &said, breaches);
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

fn of_order(evidence: &Evidence, said: &Said, breaches: &mut Breaches) {
    let order = evidence.order.as_ref();
    let mut needs = |event: bool, what: &str, row: bool| breach(breaches, 2, what, !event || row);
    needs(
        said.ordered,
        "Ordered was published without an order that has said it",
        order.is_some_and(|order| match order.state {
            OrderState::Pending | OrderState::Rejected(_) => false,
            OrderState::Ordered | OrderState::Cancelling | OrderState::Canceled | OrderState::Shipped => {
                order.ordered_said
            }
        }),
    );
    needs(
        said.deferred,
        "OrderDeferred was published without an order that has said it",
        order.is_some_and(|order| order.deferred_said),
    );
    needs(
        said.cancelled,
        "OrderCancelled was published without a cancelled order",
        order.is_some_and(|order| {
            matches!(order.state, OrderState::Cancelling | OrderState::Canceled | OrderState::Shipped)
        }),
    );
    needs(
        said.rejected,
        "OrderRejected was published without a rejected order",
        order.is_some_and(|order| matches!(order.state, OrderState::Rejected(_) | OrderState::Shipped)),
    );
}

fn of_rent(evidence: &Evidence, said: &Said, breaches: &mut Breaches) {
    let rent = evidence.rent.as_ref().map(|rent| &rent.state);
    let mut needs = |event: bool, what: &str, row: bool| breach(breaches, 2, what, !event || row);
    needs(
        said.rented,
        "Rented was published without a rent",
        match rent {
            None | Some(RentState::Canceled(Copy::Refused(_) | Copy::Tombstone)) => false,
            Some(
                RentState::Rented | RentState::WithCourier | RentState::Canceled(Copy::Bound | Copy::Free),
            ) => true,
        },
    );
    needs(
        said.rent_canceled,
        "RentCanceled was published without a cancelled rent",
        match rent {
            None | Some(RentState::Rented | RentState::Canceled(Copy::Refused(_))) => false,
            Some(
                RentState::WithCourier | RentState::Canceled(Copy::Tombstone | Copy::Bound | Copy::Free),
            ) => true,
        },
    );
    needs(
        said.rent_reinstated,
        "RentReinstated was published without a rent that stands again",
        matches!(rent, Some(RentState::WithCourier)),
    );
}

fn of_delivery(evidence: &Evidence, said: &Said, breaches: &mut Breaches) {
    let delivery = evidence.delivery.as_ref().map(|delivery| delivery.state);
    let is_handed_over = delivery == Some(DeliveryState::HandedOver);
    let mut needs = |event: bool, what: &str, row: bool| breach(breaches, 2, what, !event || row);
    needs(
        said.prepared,
        "a parcel was announced that is not there",
        delivery.is_some_and(DeliveryState::is_shown),
    );
    needs(said.handed_over, "a hand-over was announced that did not happen", is_handed_over);
    needs(
        said.delivery_canceled,
        "DeliveryCanceled was published for a parcel that was not cancelled",
        matches!(delivery, Some(DeliveryState::Canceled | DeliveryState::Tombstone)),
    );
    needs(
        said.cancel_rejected,
        "CancelRejected was published for a parcel that was not handed over",
        is_handed_over,
    );
}

/// Different events of one kind: invariant 1 where they are rents or parcels, 3 where the order is confirmed, else
/// 2, as only one of them can have the one change that says it. Delivery repeats CancelRejected.
pub(super) fn said_once(evidence: &Evidence, breaches: &mut Breaches) {
    for (kind, invariant, what) in [
        (ORDERED, 3, "Ordered was said more than once"),
        (EventKind::Rented, 1, "two rents were announced"),
        (EventKind::ParcelPrepared, 1, "two parcels were announced"),
        (EventKind::ParcelHandedOver, 1, "two hand-overs were announced"),
        (DEFERRED, 2, "OrderDeferred was said more than once"),
        (REJECTED, 2, "OrderRejected was said more than once"),
        (CANCELLED, 2, "OrderCancelled was said more than once"),
        (EventKind::RentCanceled, 2, "RentCanceled was said more than once"),
        (EventKind::RentReinstated, 2, "RentReinstated was said more than once"),
        (EventKind::DeliveryCanceled, 2, "DeliveryCanceled was said more than once"),
    ] {
        breach(breaches, invariant, what, !evidence.tally.has_twice(&kind));
    }
}

/// What follows from an event that was published before: it may be said as soon as the rows are known to be older
/// than what was read of the topic.
pub(super) fn events_follow_events(evidence: &Evidence, breaches: &mut Breaches) {
    let said = Said::of(&evidence.tally);
    let rent = evidence.rent.as_ref().map(|rent| &rent.state);
    let delivery = evidence.delivery.as_ref().map(|delivery| delivery.state);
    let holds = |row: bool, event: bool| !row || event;
    breach(
        breaches,
        1,
        "the copy was freed before delivery had spoken",
        holds(matches!(rent, Some(RentState::Canceled(Copy::Free))), said.delivery_canceled),
    );
    breach(
        breaches,
        4,
        "the rent stands again before delivery had spoken",
        holds(matches!(rent, Some(RentState::WithCourier)), said.cancel_rejected),
    );
    breach(
        breaches,
        2,
        "a parcel was prepared without a rent",
        holds(delivery.is_some_and(DeliveryState::is_shown), said.rented),
    );
    breach(
        breaches,
        3,
        "the parcel was released before its order had said Ordered",
        holds(
            matches!(
                delivery,
                Some(DeliveryState::ReleaseRemembered | DeliveryState::Released | DeliveryState::HandedOver)
            ),
            said.ordered,
        ),
    );
    breach(
        breaches,
        2,
        "the parcel was cancelled and its rent was not",
        holds(
            matches!(delivery, Some(DeliveryState::Canceled | DeliveryState::Tombstone)),
            said.rent_canceled,
        ),
    );
}

/// Invariant 2, second half: a committed change is published once the relay has run.
pub(super) fn rows_have_their_events(evidence: &Evidence, breaches: &mut Breaches) {
    let said = Said::of(&evidence.tally);
    let mut published = |what: &str, event: bool| breach(breaches, 2, what, event);
    if let Some(order) = &evidence.order {
        published(
            "the order has said Ordered and it was never published",
            !order.ordered_said || said.ordered,
        );
        published(
            "the order has said OrderDeferred and it was never published",
            !order.deferred_said || said.deferred,
        );
        let event = match order.state {
            OrderState::Pending | OrderState::Ordered | OrderState::Shipped => true,
            OrderState::Rejected(_) => said.rejected,
            OrderState::Cancelling | OrderState::Canceled => said.cancelled,
        };
        published("the order's last change was never published", event);
    }
    if let Some(rent) = &evidence.rent {
        let event = match rent.state {
            RentState::Rented => said.rented,
            RentState::WithCourier => said.rented && said.rent_canceled && said.rent_reinstated,
            RentState::Canceled(Copy::Refused(_)) => true,
            // It is silent where the order was rejected.
            RentState::Canceled(Copy::Tombstone) => said.rent_canceled || !said.cancelled,
            RentState::Canceled(Copy::Bound | Copy::Free) => said.rented && said.rent_canceled,
        };
        published("the rent's changes were never published", event);
    }
    if let Some(delivery) = &evidence.delivery {
        let event = match delivery.state {
            DeliveryState::ReleaseRemembered => true,
            DeliveryState::Held | DeliveryState::Released => said.prepared,
            // A cancellation that came too late is answered.
            DeliveryState::HandedOver => {
                said.prepared && said.handed_over && (said.cancel_rejected || !said.rent_canceled)
            }
            DeliveryState::Canceled => said.prepared && said.delivery_canceled,
            DeliveryState::Tombstone => said.delivery_canceled,
        };
        published("the delivery's changes were never published", event);
    }
}
