//! What somebody was promised, and whether it came true.

use order::domain::{OrderState, Rejection};

/// What was answered about one order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promise {
    /// The first request's answer, and those of its repeats.
    pub(crate) answered: Vec<OrderState>,
    pub(crate) cancel_accepted: bool,
    pub(crate) cancel_unanswered: bool,
    pub(crate) handed_over: bool,
    pub(crate) hand_over_unanswered: bool,
}

impl Promise {
    /// Whether an order that was promised this may end as `state`. `shipped`: its parcel was handed over. `rejects`: the
    /// library does not defer.
    pub(crate) fn is_kept(&self, state: &OrderState, shipped: bool, rejects: bool) -> bool {
        match self {
            Self { handed_over: true, .. } => *state == OrderState::Shipped && shipped,
            Self { hand_over_unanswered: true, .. } if *state == OrderState::Shipped => shipped,
            Self { cancel_accepted: true, .. } => *state == OrderState::Canceled,
            Self { cancel_unanswered: true, .. } if *state == OrderState::Canceled => true,
            Self { answered, .. } if answered.is_empty() => {
                matches!(state, OrderState::Ordered | OrderState::Rejected(_))
            }
            Self { answered, .. } => answered.iter().all(|answer| may_end(answer, state, rejects)),
        }
    }
}

/// Whether an order that was answered so may end so, where nobody has cancelled it and no courier came.
fn may_end(answer: &OrderState, state: &OrderState, rejects: bool) -> bool {
    match answer {
        OrderState::Rejected(_) => state == answer,
        // 202 ends confirmed, or in a stated refusal: by a rule, or where a library that does not defer was killed
        // before it had an answer.
        OrderState::Pending => match state {
            OrderState::Ordered | OrderState::Rejected(Rejection::Rule(_)) => true,
            OrderState::Rejected(Rejection::Unavailable) => rejects,
            OrderState::Pending | OrderState::Cancelling | OrderState::Canceled | OrderState::Shipped => {
                false
            }
        },
        OrderState::Ordered | OrderState::Cancelling | OrderState::Canceled | OrderState::Shipped => {
            *state == OrderState::Ordered
        }
    }
}
