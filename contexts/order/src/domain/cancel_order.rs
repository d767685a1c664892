//! The customer cancels.

use super::order::{Decision, Fact, Moment, Order, OrderState};

/// Why an order cannot be cancelled, and what can be done instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelRefused {
    /// The courier has the parcel.
    AlreadyShipped,
    /// There is nothing to cancel.
    AlreadyRejected,
}

impl CancelRefused {
    /// For the customer.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AlreadyShipped => {
                "the book is already on its way; take it from the courier and give it back to bring it home"
            }
            Self::AlreadyRejected => "this order was refused and binds nothing; place a new one instead",
        }
    }
}

/// Cancels, until the courier has the parcel. A repeat is accepted and changes nothing: a client whose answer was
/// lost repeats it.
pub fn cancel_order(order: &Order, at: Moment) -> Result<Decision, CancelRefused> {
    match &order.state {
        OrderState::Pending | OrderState::Ordered => {
            let cancelling = order.become_state(OrderState::Cancelling, at);
            Ok(Decision::Changed(cancelling, Some(Fact::OrderCancelled)))
        }
        OrderState::Cancelling | OrderState::Canceled => Ok(Decision::Unchanged),
        OrderState::Shipped => Err(CancelRefused::AlreadyShipped),
        OrderState::Rejected(_) => Err(CancelRefused::AlreadyRejected),
    }
}
