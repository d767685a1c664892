//! How it ends if nothing fails any more and nobody asks for anything else.

use delivery::domain::DeliveryState;
use mypage::projection::Status;
use order::domain::OrderState;
use rent::domain::RentState;

use crate::{
    lending::Lending,
    state::{Consumer, Post, State},
    table::{Input, Reply},
};

/// More steps than anything can take: an order with all of its events takes fewer than 60.
const MOST_STEPS: usize = 200;

/// An end, as far as the table of agreement tells ends apart: a tombstone and a cancelled parcel are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    order: u8,
    rent_is_live: bool,
    parcel: Parcel,
    shown: Option<Status>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parcel {
    None,
    Waits(DeliveryState),
    HandedOver,
}

impl End {
    /// The end that `state` comes to; `None` where it never comes to rest.
    #[must_use]
    pub fn of(lending: &Lending, mut state: State) -> Option<Self> {
        let moved = (0..MOST_STEPS).find(|_| !step(lending, &mut state));
        moved?;
        let parcel = match lending.delivery(&state) {
            None | Some(DeliveryState::Canceled | DeliveryState::Tombstone) => Parcel::None,
            Some(DeliveryState::HandedOver) => Parcel::HandedOver,
            Some(
                waits @ (DeliveryState::ReleaseRemembered | DeliveryState::Held | DeliveryState::Released),
            ) => Parcel::Waits(waits),
        };
        Some(Self {
            order: state.order,
            rent_is_live: matches!(lending.rent(&state), Some(RentState::Rented | RentState::WithCourier)),
            parcel,
            shown: lending.shown(state.known),
        })
    }

    /// Whether the order has come to its end here.
    #[must_use]
    pub fn is_one(&self, lending: &Lending) -> bool {
        lending.orders.row(self.order).is_none_or(|order| match order.state {
            OrderState::Pending | OrderState::Cancelling => false,
            OrderState::Ordered | OrderState::Rejected(_) | OrderState::Canceled | OrderState::Shipped => {
                true
            }
        })
    }
}

/// Goes on by a step that somebody owes; whether there was one.
fn step(lending: &Lending, state: &mut State) -> bool {
    let confirm = Input::Confirm(Reply::Confirmed);
    if let Some(fact) = state.outbox.iter().next() {
        lending.publish(state, fact);
        return true;
    }
    for consumer in Consumer::ALL {
        if let Some(fact) = state.waiting[consumer as usize].iter().next() {
            lending.hear(state, consumer, fact);
            return true;
        }
    }
    match state.post {
        Post::Taken | Post::Asking => match lending.to_rent(state, confirm) {
            Some(reply) => state.post = Post::Replied(reply),
            None => return false,
        },
        Post::Replied(reply) => {
            lending.to_order(state, Input::Answered(reply));
            state.post = Post::Gone;
        }
        Post::ToCome | Post::Answered(_) | Post::Gone => return worker_step(lending, state),
    }
    true
}

fn worker_step(lending: &Lending, state: &mut State) -> bool {
    for reply in [Reply::Confirmed, Reply::Refused] {
        if state.replies[reply as usize] > 0 {
            state.replies[reply as usize] -= 1;
            lending.to_order(state, Input::Answered(reply));
            return true;
        }
    }
    if state.asking == 0 && !lending.is_pending(state) {
        return false;
    }
    // A call that is under way, or one that the worker makes because the order is pending.
    state.asking = state.asking.saturating_sub(1);
    match lending.to_rent(state, Input::Confirm(Reply::Confirmed)) {
        Some(reply) => state.replies[reply as usize] += 1,
        None => return false,
    }
    true
}
