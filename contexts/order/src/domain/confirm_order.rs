//! Rent has confirmed: as the answer of any call, or as the event Rented.

use super::order::{Decision, Fact, Moment, Order, OrderState};

/// Confirms a pending order. A confirmation that comes late changes nothing: rent hears what became of the order.
#[must_use]
pub fn confirm_order(order: &Order, at: Moment) -> Decision {
    match &order.state {
        OrderState::Pending => {
            let ordered = Order { ordered_said: true, ..order.become_state(OrderState::Ordered, at) };
            Decision::Changed(ordered, Some(Fact::Ordered))
        }
        OrderState::Ordered
        | OrderState::Rejected(_)
        | OrderState::Cancelling
        | OrderState::Canceled
        | OrderState::Shipped => Decision::Unchanged,
    }
}
