//! Rent does not answer, and the library confirms later.

use super::order::{Decision, Fact, Moment, Order, OrderState};

/// Keeps the order pending and says so, once.
#[must_use]
pub fn defer_order(order: &Order, at: Moment) -> Decision {
    match &order.state {
        OrderState::Pending if !order.deferred_said => {
            let deferred = Order { deferred_said: true, ..order.become_state(OrderState::Pending, at) };
            Decision::Changed(deferred, Some(Fact::OrderDeferred))
        }
        OrderState::Pending
        | OrderState::Ordered
        | OrderState::Rejected(_)
        | OrderState::Cancelling
        | OrderState::Canceled
        | OrderState::Shipped => Decision::Unchanged,
    }
}
