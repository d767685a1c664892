//! Delivery has spoken: the courier was faster than the cancellation.

use super::order::{Decision, Moment, Order, OrderState};

/// The customer sees "already on its way". `Pending` and `Order Rejected` get here only beside a delivery that does
/// not hold parcels until their order is confirmed.
#[must_use]
pub fn on_cancel_rejected(order: &Order, at: Moment) -> Decision {
    match &order.state {
        OrderState::Cancelling | OrderState::Pending | OrderState::Rejected(_) => order.become_shipped(at),
        OrderState::Ordered | OrderState::Canceled | OrderState::Shipped => Decision::Unchanged,
    }
}
