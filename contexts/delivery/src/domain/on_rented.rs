//! A copy is bound to the order.

use super::delivery::{Decision, Delivery, DeliveryId, DeliveryState, Fact, Notice};

/// Prepares a parcel, once. It is held until its order is known to be confirmed: rent may have agreed too late for
/// an order that was refused meanwhile, and what the courier has cannot be taken back.
#[must_use]
pub fn on_rented(delivery: Option<&Delivery>, notice: &Notice, new_id: DeliveryId) -> Decision {
    let prepared = |delivery| Decision::Changed(delivery, Some(Fact::ParcelPrepared));
    let Some(delivery) = delivery else {
        return prepared(Delivery::begin(notice, Some(new_id), DeliveryState::Held));
    };
    match delivery.state {
        DeliveryState::ReleaseRemembered => {
            prepared(delivery.take_id(new_id, DeliveryState::Released, notice.at))
        }
        DeliveryState::Held
        | DeliveryState::Released
        | DeliveryState::HandedOver
        | DeliveryState::Canceled
        | DeliveryState::Tombstone => Decision::Unchanged,
    }
}
