//! The request is refused: by a rule of rent, or because rent does not answer and the library does not defer.

use super::order::{Decision, Fact, Moment, Order, OrderState, Rejection};

/// Rejects a pending order; the reason is committed with the state. Rent undoes a rent that it committed too late.
#[must_use]
pub fn reject_order(order: &Order, rejection: Rejection, at: Moment) -> Decision {
    match &order.state {
        OrderState::Pending => {
            let idempotency_key = match rejection {
                Rejection::Rule(_) => order.idempotency_key.clone(),
                Rejection::Unavailable => None,
            };
            let rejected = order.become_state(OrderState::Rejected(rejection), at);
            Decision::Changed(Order { idempotency_key, ..rejected }, Some(Fact::OrderRejected))
        }
        OrderState::Ordered
        | OrderState::Rejected(_)
        | OrderState::Cancelling
        | OrderState::Canceled
        | OrderState::Shipped => Decision::Unchanged,
    }
}
