//! How a rent's state is kept in columns: the same in every database.

use crate::domain::{Copy, RentState};

/// The columns `state` and `reason`.
pub(super) fn state_columns(state: &RentState) -> (i64, Option<&str>) {
    match state {
        RentState::Rented => (0, None),
        RentState::WithCourier => (1, None),
        RentState::Canceled(Copy::Refused(reason)) => (2, Some(reason)),
        RentState::Canceled(Copy::Tombstone) => (3, None),
        RentState::Canceled(Copy::Bound) => (4, None),
        RentState::Canceled(Copy::Free) => (5, None),
    }
}

/// The state that these columns keep, if they keep any.
pub(super) fn state_of(state: i64, reason: Option<String>) -> Option<RentState> {
    match (state, reason) {
        (0, None) => Some(RentState::Rented),
        (1, None) => Some(RentState::WithCourier),
        (2, Some(reason)) => Some(RentState::Canceled(Copy::Refused(reason))),
        (3, None) => Some(RentState::Canceled(Copy::Tombstone)),
        (4, None) => Some(RentState::Canceled(Copy::Bound)),
        (5, None) => Some(RentState::Canceled(Copy::Free)),
        _ => None,
    }
}
