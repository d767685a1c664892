//! The customer has cancelled.

use super::rent::{Copy, Decision, Fact, Rent, RentState, Request};

/// Cancels the rent. Before any confirm it leaves a tombstone, so that the chain of cancelling always runs to its
/// end and a confirm that comes late is refused.
#[must_use]
pub fn on_order_cancelled(rent: Option<&Rent>, request: &Request) -> Decision {
    let tombstone = RentState::Canceled(Copy::Tombstone);
    let Some(rent) = rent else {
        return Decision::Changed(Rent::begin(request, tombstone), Some(Fact::RentCanceled));
    };
    let becomes = match &rent.state {
        RentState::Rented => RentState::Canceled(Copy::Bound),
        RentState::Canceled(Copy::Refused(_)) => tombstone,
        RentState::WithCourier | RentState::Canceled(Copy::Tombstone | Copy::Bound | Copy::Free) => {
            return Decision::Unchanged;
        }
    };
    Decision::Changed(rent.become_state(becomes, request.at), Some(Fact::RentCanceled))
}
