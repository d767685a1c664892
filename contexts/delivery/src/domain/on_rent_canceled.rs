//! The rent is cancelled.

use super::delivery::{Decision, Delivery, DeliveryId, DeliveryState, Fact, Notice};

/// Cancels the parcel. Before there is one it leaves a tombstone, so that a `Rented` that comes later makes none;
/// once the courier has it, it says that it is too late.
#[must_use]
pub fn on_rent_canceled(delivery: Option<&Delivery>, notice: &Notice, new_id: DeliveryId) -> Decision {
    let canceled = |delivery| Decision::Changed(delivery, Some(Fact::DeliveryCanceled));
    let Some(delivery) = delivery else {
        return canceled(Delivery::begin(notice, Some(new_id), DeliveryState::Tombstone));
    };
    match delivery.state {
        DeliveryState::ReleaseRemembered => {
            canceled(delivery.take_id(new_id, DeliveryState::Tombstone, notice.at))
        }
        DeliveryState::Held | DeliveryState::Released => {
            canceled(delivery.become_state(DeliveryState::Canceled, notice.at))
        }
        // Every time, since each may be the one that somebody waits for. The version grows, so that each of
        // these events has a name of its own.
        DeliveryState::HandedOver => {
            let still = delivery.become_state(DeliveryState::HandedOver, notice.at);
            Decision::Changed(still, Some(Fact::CancelRejected))
        }
        DeliveryState::Canceled | DeliveryState::Tombstone => Decision::Unchanged,
    }
}
