//! What must hold: the invariants and the table of agreement, as far as they speak of one order.

use delivery::domain::DeliveryState;
use mypage::projection::{Fact, Status};
use order::domain::{OrderState, Rejection};
use rent::domain::{Copy, RentState};
use stateright::Property;

use crate::{
    configurations::{Bounds, Configuration},
    end::End,
    lending::Lending,
    state::{Breach, Post, State, Told},
    table::{Policy, Reply},
};

/// Invariant 1: what is said once stands for a row that exists once, Rented for the rent and Shipped/`Ship` for the
/// parcel.
pub const SAID_ONCE: &str = "nothing but CancelRejected is said twice";
/// Invariant 1.
pub const FREED_LATE: &str = "a copy is free only after DeliveryCanceled";
/// Invariant 3.
pub const CONFIRMED_FIRST: &str = "no parcel is handed over before Ordered was said";
/// Invariant 3.
pub const ANSWER_HOLDS: &str = "what the POST has answered is true and stays true";
/// Invariant 3.
pub const PROMISES_HOLD: &str = "what a repeat of the POST is answered stays true";
/// Invariant 3 and 4.
pub const FINAL: &str = "what is final stays: shipped, cancelled, rejected, reinstated";
/// Invariant 4.
pub const ONE_WINS: &str = "exactly one of hand-over and cancellation wins";
/// Invariant 5.
pub const SAME_END: &str = "when an event or a late call comes makes no difference in the end";
/// Invariant 6.
pub const VIEW_REBUILT: &str = "the view is the one that is built anew from all that was said";
/// Invariant 8.
pub const COMES_TO_REST: &str = "nothing stays Pending or Order Cancel for ever";
/// Invariants 3 and 4.
pub const AGREEMENT: &str = "at rest the table of agreement holds";

/// What counts is covered by what does not.
pub const COVERED: &str = "to whoever cannot count, it is a state of the unlimited process";

const ENDS_ORDERED: &str = "may end Ordered";
const ENDS_SHIPPED: &str = "may end Shipped";
const ENDS_SHIPPED_CANCELLED: &str = "may end Shipped although it was cancelled";
const ENDS_CANCELED: &str = "may end Order Canceled";
const ENDS_CANCELED_UNCONFIRMED: &str = "may end Order Canceled without Ordered";
const ENDS_REFUSED: &str = "may end Order Rejected by a rule";
const ENDS_UNAVAILABLE: &str = "may end Order Rejected as unavailable";
const ENDS_DIED: &str = "may end Ordered although the handler died";
const ANSWERS_DEFERRED: &str = "may be answered 202";

/// The properties of a configuration: what always holds, and, so that this says something, what can happen.
#[must_use]
pub fn of(configuration: &Configuration) -> Vec<Property<Lending>> {
    let mut properties = vec![
        Property::always(SAID_ONCE, |_, state: &State| !state.has(Breach::SaidTwice)),
        Property::always(FREED_LATE, freed_late),
        Property::always(CONFIRMED_FIRST, confirmed_first),
        Property::always(ANSWER_HOLDS, answer_holds),
        Property::always(PROMISES_HOLD, |_, state: &State| !state.has(Breach::PromiseBroken)),
        Property::always(FINAL, |_, state: &State| !state.has(Breach::FinalLeft)),
        Property::always(ONE_WINS, one_wins),
        Property::always(VIEW_REBUILT, view_rebuilt),
        Property::always(COMES_TO_REST, comes_to_rest),
        Property::always(AGREEMENT, agreement),
        Property::sometimes(ENDS_ORDERED, |lending, state: &State| ends(lending, state, OrderState::Ordered)),
        Property::sometimes(ENDS_SHIPPED, |lending, state: &State| ends(lending, state, OrderState::Shipped)),
        Property::sometimes(ENDS_SHIPPED_CANCELLED, |lending, state: &State| {
            ends(lending, state, OrderState::Shipped) && state.said.has(Fact::Cancelled)
        }),
        Property::sometimes(ENDS_CANCELED, |lending, state: &State| {
            ends(lending, state, OrderState::Canceled) && state.said.has(Fact::Ordered)
        }),
        Property::sometimes(ENDS_CANCELED_UNCONFIRMED, |lending, state: &State| {
            ends(lending, state, OrderState::Canceled) && !state.said.has(Fact::Ordered)
        }),
        Property::sometimes(ENDS_DIED, |lending, state: &State| {
            ends(lending, state, OrderState::Ordered) && state.post == Post::Gone
        }),
        Property::sometimes(ANSWERS_DEFERRED, |_, state: &State| {
            state.post == Post::Answered(Told::Deferred)
        }),
    ];
    if configuration.bounds != Bounds::Unlimited {
        properties.push(Property::always(COVERED, Lending::is_covered));
    }
    if configuration.ends_compared {
        properties.push(Property::always(SAME_END, |_, state: &State| !state.has(Breach::EndDiffers)));
    }
    if configuration.rules.contains(&Reply::Refused) {
        properties.push(Property::sometimes(ENDS_REFUSED, |lending, state: &State| {
            state.post == Post::Answered(Told::Refused)
                && rejected(lending, state, |why| matches!(why, Rejection::Rule(_)))
        }));
    }
    if configuration.policies.contains(&Policy::Reject) {
        properties.push(Property::sometimes(ENDS_UNAVAILABLE, |lending, state: &State| {
            state.post == Post::Answered(Told::Unavailable)
                && state.said.has(Fact::Rented)
                && rejected(lending, state, |why| *why == Rejection::Unavailable)
        }));
    }
    properties
}

fn ends(lending: &Lending, state: &State, end: OrderState) -> bool {
    state.is_at_rest() && lending.order(state).is_some_and(|order| order.state == end)
}

fn rejected(lending: &Lending, state: &State, why: fn(&Rejection) -> bool) -> bool {
    let order = lending.order(state).map(|order| &order.state);
    state.is_at_rest() && matches!(order, Some(OrderState::Rejected(rejection)) if why(rejection))
}

fn freed_late(lending: &Lending, state: &State) -> bool {
    let is_free = lending.rent(state) == Some(&RentState::Canceled(Copy::Free));
    !is_free || state.said.has(Fact::DeliveryCanceled)
}

fn confirmed_first(_: &Lending, state: &State) -> bool {
    !state.said.has(Fact::ParcelHandedOver) || state.said.has(Fact::Ordered)
}

fn one_wins(lending: &Lending, state: &State) -> bool {
    let is_handed_over = lending.delivery(state) == Some(DeliveryState::HandedOver);
    is_handed_over == state.said.has(Fact::ParcelHandedOver)
        && !(is_handed_over && state.said.has(Fact::DeliveryCanceled))
}

fn answer_holds(lending: &Lending, state: &State) -> bool {
    let Post::Answered(told) = state.post else { return true };
    let Some(order) = lending.order(state) else { return false };
    match told {
        Told::Taken => match order.state {
            OrderState::Ordered | OrderState::Shipped | OrderState::Cancelling | OrderState::Canceled => true,
            OrderState::Pending | OrderState::Rejected(_) => false,
        },
        // Confirmed later, cancelled by the customer, or refused with a reason; COMES_TO_REST says that it ends.
        Told::Deferred => true,
        Told::Refused => matches!(order.state, OrderState::Rejected(Rejection::Rule(_))),
        Told::Unavailable => order.state == OrderState::Rejected(Rejection::Unavailable),
    }
}

fn view_rebuilt(lending: &Lending, state: &State) -> bool {
    !state.is_at_rest() || state.known == lending.rebuilt(state)
}

/// From every state: if nothing fails from here on, everybody does what he owes, and nobody asks for anything else.
fn comes_to_rest(lending: &Lending, state: &State) -> bool {
    End::of(lending, *state).is_some_and(|end| end.is_one(lending))
}

/// Once everything is quiet. A state that rests while its order is `Pending` is not quiet: the worker takes it up.
fn agreement(lending: &Lending, state: &State) -> bool {
    if !state.is_at_rest() || lending.is_pending(state) {
        return true;
    }
    let Some(order) = lending.order(state) else { return foreign(lending, state) };
    let (rent, delivery) = (lending.rent(state), lending.delivery(state));
    let (shown, ordered_said) = (lending.shown(state.known), state.said.has(Fact::Ordered));
    let not_bound =
        matches!(rent, Some(RentState::Canceled(Copy::Refused(_) | Copy::Tombstone | Copy::Free)));
    match order.state {
        OrderState::Pending | OrderState::Cancelling => false,
        OrderState::Ordered => {
            rent == Some(&RentState::Rented)
                && delivery == Some(DeliveryState::Released)
                && shown == Some(Status::Ship)
                && ordered_said
        }
        OrderState::Shipped => {
            matches!(rent, Some(RentState::Rented | RentState::WithCourier))
                && delivery == Some(DeliveryState::HandedOver)
                && shown == Some(Status::Shipped)
                && ordered_said
        }
        OrderState::Canceled => {
            not_bound
                && matches!(delivery, Some(DeliveryState::Canceled | DeliveryState::Tombstone))
                && shown == Some(Status::ShipCanceled)
                && ordered_said == order.ordered_said
        }
        OrderState::Rejected(_) => {
            (rent.is_none() || not_bound)
                && matches!(delivery, None | Some(DeliveryState::Canceled | DeliveryState::Tombstone))
                && shown == Some(Status::OrderRejected)
                && !ordered_said
        }
    }
}

/// A rent for an order that is not there is allowed; its parcel is never handed over.
fn foreign(lending: &Lending, state: &State) -> bool {
    matches!(lending.delivery(state), None | Some(DeliveryState::Held))
}
