//! The courier has the parcel.

use super::order::{Decision, Moment, Order, OrderState};

/// Ships the order, also one whose cancellation was slower. `Pending` and `Order Rejected` get here only beside a
/// delivery that does not hold parcels until their order is confirmed.
#[must_use]
pub fn on_handed_over(order: &Order, at: Moment) -> Decision {
    match &order.state {
        OrderState::Ordered | OrderState::Cancelling | OrderState::Pending | OrderState::Rejected(_) => {
            order.become_shipped(at)
        }
        OrderState::Canceled | OrderState::Shipped => Decision::Unchanged,
    }
}
