//! Delivery has spoken: there will be no parcel.

use super::rent::{Copy, Decision, Moment, Rent, RentState};

/// Frees the copy of a cancelled rent.
#[must_use]
pub fn on_delivery_canceled(rent: Option<&Rent>, at: Moment) -> Decision {
    let Some(rent) = rent else { return Decision::Unchanged };
    match &rent.state {
        RentState::Canceled(Copy::Bound) => {
            Decision::Changed(rent.become_state(RentState::Canceled(Copy::Free), at), None)
        }
        RentState::Rented
        | RentState::WithCourier
        | RentState::Canceled(Copy::Refused(_) | Copy::Tombstone | Copy::Free) => Decision::Unchanged,
    }
}
