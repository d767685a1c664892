//! The table of agreement: where rent, delivery and mypage must be once everything is quiet.

use delivery::domain::DeliveryState;
use mypage::projection::{Row, Status};
use order::domain::OrderState;
use rent::domain::{Copy, RentState};

use super::{
    check::{Breaches, breach},
    evidence::Evidence,
    said::Said,
};

/// Compares everybody with the order. One that is `Pending` or is being cancelled has not come to an end, and one that
/// order does not know is foreign: its parcel stays held.
pub(super) fn agrees(evidence: &Evidence, breaches: &mut Breaches) {
    let said = Said::of(&evidence.tally);
    let rent = evidence.rent.as_ref().map(|rent| &rent.state);
    let delivery = evidence.delivery.as_ref().map(|delivery| delivery.state);
    let shown = evidence.row.as_ref().map(Row::status);
    let Some(order) = &evidence.order else { return };
    let mut agree = |rent_agrees: bool, delivery_agrees: bool, expected: Status, ordered: bool| {
        let against = |who: String| format!("{who} while the order is {:?}", order.state);
        breach(breaches, 0, &against(format!("rent is {rent:?}")), rent_agrees);
        breach(breaches, 0, &against(format!("delivery is {delivery:?}")), delivery_agrees);
        breach(breaches, 0, &against(format!("mypage shows {shown:?}")), shown == Some(expected));
        breach(breaches, 3, "Ordered was said, or not said, against the order's state", ordered);
    };
    let live_rent = matches!(rent, Some(RentState::Rented | RentState::WithCourier));
    match &order.state {
        OrderState::Pending | OrderState::Cancelling => {}
        OrderState::Ordered => agree(
            matches!(rent, Some(RentState::Rented)),
            matches!(delivery, Some(DeliveryState::Released)),
            Status::Ship,
            said.ordered,
        ),
        OrderState::Shipped => agree(
            live_rent,
            matches!(delivery, Some(DeliveryState::HandedOver)),
            Status::Shipped,
            said.ordered,
        ),
        OrderState::Canceled => agree(
            matches!(rent, Some(RentState::Canceled(Copy::Free | Copy::Tombstone))),
            matches!(delivery, Some(DeliveryState::Canceled | DeliveryState::Tombstone)),
            Status::ShipCanceled,
            said.ordered == order.ordered_said,
        ),
        OrderState::Rejected(_) => agree(
            !live_rent && !matches!(rent, Some(RentState::Canceled(Copy::Bound))),
            matches!(delivery, None | Some(DeliveryState::Canceled | DeliveryState::Tombstone)),
            Status::OrderRejected,
            !said.ordered,
        ),
    }
}
