//! The courier takes the parcel: the point of no return.

use super::delivery::{Decision, Delivery, DeliveryState, Fact, Moment};

/// Why a parcel is not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOverRefused {
    /// Its order is not known to be confirmed: it may still be refused.
    NotConfirmedYet,
    /// It was cancelled.
    Canceled,
    /// There is none.
    NoParcel,
}

impl HandOverRefused {
    /// For the courier.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotConfirmedYet => "its order is not confirmed yet, try again shortly",
            Self::Canceled => "its order was cancelled: do not hand this parcel over, bring it back",
            Self::NoParcel => "there is no such parcel",
        }
    }
}

/// Hands the parcel over. A repeat is accepted and changes nothing: a courier whose answer was lost repeats it.
pub fn hand_over(delivery: Option<&Delivery>, at: Moment) -> Result<Decision, HandOverRefused> {
    let delivery = delivery.ok_or(HandOverRefused::NoParcel)?;
    match delivery.state {
        DeliveryState::Released => {
            let handed_over = delivery.become_state(DeliveryState::HandedOver, at);
            Ok(Decision::Changed(handed_over, Some(Fact::ParcelHandedOver)))
        }
        DeliveryState::HandedOver => Ok(Decision::Unchanged),
        DeliveryState::Held => Err(HandOverRefused::NotConfirmedYet),
        DeliveryState::Canceled => Err(HandOverRefused::Canceled),
        DeliveryState::ReleaseRemembered | DeliveryState::Tombstone => Err(HandOverRefused::NoParcel),
    }
}
