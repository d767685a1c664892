//! Delivery has spoken: the courier has the parcel.

use super::rent::{Copy, Decision, Fact, Moment, Rent, RentState};

/// Reinstates a rent whose cancellation came too late. Never from a tombstone, a refusal or a free copy: there is
/// no copy that the courier could have.
#[must_use]
pub fn on_cancel_rejected(rent: Option<&Rent>, at: Moment) -> Decision {
    let Some(rent) = rent else { return Decision::Unchanged };
    match &rent.state {
        RentState::Canceled(Copy::Bound) => {
            Decision::Changed(rent.become_state(RentState::WithCourier, at), Some(Fact::RentReinstated))
        }
        RentState::Rented
        | RentState::WithCourier
        | RentState::Canceled(Copy::Refused(_) | Copy::Tombstone | Copy::Free) => Decision::Unchanged,
    }
}
