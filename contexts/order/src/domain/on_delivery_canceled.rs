//! Delivery has spoken: there will be no parcel.

use super::order::{Decision, Moment, Order, OrderState};

/// Makes a cancellation final.
#[must_use]
pub fn on_delivery_canceled(order: &Order, at: Moment) -> Decision {
    match &order.state {
        OrderState::Cancelling => Decision::Changed(order.become_state(OrderState::Canceled, at), None),
        OrderState::Pending
        | OrderState::Ordered
        | OrderState::Rejected(_)
        | OrderState::Canceled
        | OrderState::Shipped => Decision::Unchanged,
    }
}
