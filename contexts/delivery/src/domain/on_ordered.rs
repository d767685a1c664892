//! The order is confirmed.

use super::delivery::{Decision, Delivery, DeliveryState, Notice};

/// Releases the parcel; before there is one, remembers that it need not be held.
#[must_use]
pub fn on_ordered(delivery: Option<&Delivery>, notice: &Notice) -> Decision {
    let Some(delivery) = delivery else {
        let remembered = Delivery::begin(notice, None, DeliveryState::ReleaseRemembered);
        return Decision::Changed(remembered, None);
    };
    match delivery.state {
        DeliveryState::Held => {
            Decision::Changed(delivery.become_state_by(DeliveryState::Released, notice), None)
        }
        DeliveryState::ReleaseRemembered
        | DeliveryState::Released
        | DeliveryState::HandedOver
        | DeliveryState::Canceled
        | DeliveryState::Tombstone => Decision::Unchanged,
    }
}
