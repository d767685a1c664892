//! How a delivery's state is kept in a column: the same in every database.

use crate::domain::DeliveryState;

/// The column `state`.
pub(super) fn state_column(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::ReleaseRemembered => 0,
        DeliveryState::Held => 1,
        DeliveryState::Released => 2,
        DeliveryState::HandedOver => 3,
        DeliveryState::Canceled => 4,
        DeliveryState::Tombstone => 5,
    }
}

/// The state that this column keeps, if it keeps any.
pub(super) fn state_of(state: i64) -> Option<DeliveryState> {
    match state {
        0 => Some(DeliveryState::ReleaseRemembered),
        1 => Some(DeliveryState::Held),
        2 => Some(DeliveryState::Released),
        3 => Some(DeliveryState::HandedOver),
        4 => Some(DeliveryState::Canceled),
        5 => Some(DeliveryState::Tombstone),
        _ => None,
    }
}

/// Ship, Ship Canceled, Shipped: as the words sort.
pub(super) const STATUS_WORDS_IN_ORDER: &str = "CASE state WHEN 3 THEN 2 WHEN 4 THEN 1 ELSE 0 END";
