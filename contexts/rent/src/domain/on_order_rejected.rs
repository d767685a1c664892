//! Order has refused the request for good.

use super::rent::{Copy, Decision, Fact, Rent, RentState, Request};

/// Undoes a rent whose answer came too late for its order; before any confirm it leaves a silent tombstone.
#[must_use]
pub fn on_order_rejected(rent: Option<&Rent>, request: &Request) -> Decision {
    let Some(rent) = rent else {
        return Decision::Changed(Rent::begin(request, RentState::Canceled(Copy::Tombstone)), None);
    };
    match &rent.state {
        RentState::Rented => {
            let canceled = rent.become_state(RentState::Canceled(Copy::Bound), request.at);
            Decision::Changed(canceled, Some(Fact::RentCanceled))
        }
        RentState::WithCourier
        | RentState::Canceled(Copy::Refused(_) | Copy::Tombstone | Copy::Bound | Copy::Free) => {
            Decision::Unchanged
        }
    }
}
