//! The order is confirmed.

use super::delivery::{Decision, Delivery, DeliveryState, Notice};

/// Releases the parcel; before there is one, remembers that it need not be held. Whatever has become of it, the order
/// says whose it is.
#[must_use]
pub fn on_ordered(delivery: Option<&Delivery>, notice: &Notice) -> Decision {
    let Some(delivery) = delivery else {
        let remembered = Delivery::begin(notice, None, DeliveryState::ReleaseRemembered);
        return Decision::Changed(remembered, None);
    };
    let by_order = |state| Decision::Changed(delivery.become_state_by_order(state, notice), None);
    match delivery.state {
        DeliveryState::Held => by_order(DeliveryState::Released),
        DeliveryState::Canceled | DeliveryState::Tombstone if delivery.customer != notice.customer => {
            by_order(delivery.state)
        }
        DeliveryState::ReleaseRemembered
        | DeliveryState::Released
        | DeliveryState::HandedOver
        | DeliveryState::Canceled
        | DeliveryState::Tombstone => Decision::Unchanged,
    }
}
