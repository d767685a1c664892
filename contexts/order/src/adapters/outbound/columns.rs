//! How an order's state is kept in columns: the same in every database.

use crate::domain::{OrderState, Rejection};

/// The columns `state` and `reason`.
pub(super) fn state_columns(state: &OrderState) -> (i64, Option<&str>) {
    match state {
        OrderState::Pending => (0, None),
        OrderState::Ordered => (1, None),
        OrderState::Rejected(Rejection::Rule(reason)) => (2, Some(reason)),
        OrderState::Rejected(Rejection::Unavailable) => (3, None),
        OrderState::Cancelling => (4, None),
        OrderState::Canceled => (5, None),
        OrderState::Shipped => (6, None),
    }
}

/// The state that these columns keep, if they keep any.
pub(super) fn state_of(state: i64, reason: Option<String>) -> Option<OrderState> {
    match (state, reason) {
        (0, None) => Some(OrderState::Pending),
        (1, None) => Some(OrderState::Ordered),
        (2, Some(reason)) => Some(OrderState::Rejected(Rejection::Rule(reason))),
        (3, None) => Some(OrderState::Rejected(Rejection::Unavailable)),
        (4, None) => Some(OrderState::Cancelling),
        (5, None) => Some(OrderState::Canceled),
        (6, None) => Some(OrderState::Shipped),
        _ => None,
    }
}

/// Order Cancel, Order Canceled, Order Rejected, Ordered, Pending, Shipped: as the words sort.
pub(super) const STATUS_WORDS_IN_ORDER: &str = "CASE state WHEN 4 THEN 0 WHEN 5 THEN 1 WHEN 2 THEN 2 WHEN 3 THEN 2 WHEN 1 THEN 3 WHEN 0 THEN 4 ELSE 5 END";

/// Unavailability has a reason, too, which is the program's and not the row's.
pub(super) fn reasons() -> String {
    format!("CASE state WHEN 3 THEN '{}' ELSE reason END", Rejection::Unavailable.reason())
}
