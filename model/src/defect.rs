//! Planted defects: what somebody could get wrong, put in place of what the contexts decide. The model must find
//! every one of them, else it proves nothing.

use delivery::domain::{self as delivering, Delivery, DeliveryState};
use mypage::projection::Fact;
use order::domain::{self as ordering, Order, OrderState};
use rent::domain::{Copy, Rent, RentState};

use crate::{
    configurations::{self, Configuration},
    table::{Decided, Input, Reply},
};

/// Something that somebody could get wrong.
#[derive(Clone, std::marker::Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// rent does not remember a cancellation or rejection that comes before any confirm.
    NoRentTombstone,
    /// delivery does not remember a cancellation that comes before any parcel.
    NoDeliveryTombstone,
    /// rent frees the copy at once, before delivery has spoken.
    CopyFreedAtOnce,
    /// delivery hands a parcel over although it was cancelled meanwhile: the save does not look at the version.
    HandOverAfterCancel,
    /// delivery does not hold the parcel until its order is known to be confirmed.
    ParcelNotHeld,
    /// The POST is answered from what rent has said, and not from the committed order.
    PostAnsweredFromReply,
    /// A rent that was reinstated can be cancelled again.
    ReinstatedHearsCancels,
    /// rent does not listen to rejections.
    DeafToRejections,
    /// order saves rent's answer over a cancellation that was faster: the save does not look at the version.
    CancelOverwritten,
    /// order forgets that it has said Ordered.
    OrderedSaidAgain,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NoRentTombstone,
        Self::NoDeliveryTombstone,
        Self::CopyFreedAtOnce,
        Self::HandOverAfterCancel,
        Self::ParcelNotHeld,
        Self::PostAnsweredFromReply,
        Self::ReinstatedHearsCancels,
        Self::DeafToRejections,
        Self::CancelOverwritten,
        Self::OrderedSaidAgain,
    ];

    /// Where it shows.
    #[must_use]
    pub fn shows_in(self) -> Configuration {
        match self {
            Self::ParcelNotHeld | Self::PostAnsweredFromReply | Self::DeafToRejections => {
                configurations::reject()
            }
            Self::NoRentTombstone
            | Self::NoDeliveryTombstone
            | Self::CopyFreedAtOnce
            | Self::HandOverAfterCancel
            | Self::ReinstatedHearsCancels
            | Self::CancelOverwritten
            | Self::OrderedSaidAgain => configurations::defer(),
        }
    }

    /// What order makes of an input with this defect.
    pub(crate) fn in_order(self, row: &Order, input: Input, decided: Decided<Order>) -> Decided<Order> {
        match (self, input, &row.state) {
            (Self::CancelOverwritten, Input::Answered(Reply::Confirmed), OrderState::Cancelling) => {
                let as_read = Order { state: OrderState::Pending, ..row.clone() };
                match ordering::confirm_order(&as_read, row.changed_at) {
                    ordering::Decision::Changed(order, _) => {
                        Decided { row: Some(order), says: Some(Fact::Ordered), reply: None }
                    }
                    ordering::Decision::Unchanged => decided,
                }
            }
            (Self::OrderedSaidAgain, Input::Hears(Fact::Rented), OrderState::Ordered) => {
                Decided { says: Some(Fact::Ordered), ..decided }
            }
            _ => decided,
        }
    }

    /// What rent makes of an input with this defect.
    pub(crate) fn in_rent(
        self,
        row: Option<&Rent>,
        input: Input,
        mut decided: Decided<Rent>,
    ) -> Decided<Rent> {
        let is_cancel = matches!(input, Input::Hears(Fact::Cancelled | Fact::Rejected));
        match self {
            Self::NoRentTombstone if is_cancel && row.is_none() => Decided { row: None, ..decided },
            Self::CopyFreedAtOnce if is_cancel => {
                if let Some(rent) = &mut decided.row
                    && rent.state == RentState::Canceled(Copy::Bound)
                {
                    rent.state = RentState::Canceled(Copy::Free);
                }
                decided
            }
            Self::ReinstatedHearsCancels if is_cancel => match row {
                Some(rent) if rent.state == RentState::WithCourier => {
                    let as_ever = Rent { state: RentState::Rented, ..rent.clone() };
                    crate::contexts::rent(Some(&as_ever), input, None)
                }
                Some(_) | None => decided,
            },
            Self::DeafToRejections if input == Input::Hears(Fact::Rejected) => Decided::nothing(),
            _ => decided,
        }
    }

    /// What delivery makes of an input with this defect.
    pub(crate) fn in_delivery(
        self,
        row: Option<&Delivery>,
        input: Input,
        mut decided: Decided<Delivery>,
    ) -> Decided<Delivery> {
        let has_parcel = row.is_some_and(|delivery| delivery.state.is_shown());
        match (self, input) {
            (Self::NoDeliveryTombstone, Input::Hears(Fact::RentCanceled)) if !has_parcel => {
                Decided { row: None, ..decided }
            }
            (Self::HandOverAfterCancel, Input::HandOver) => match row {
                Some(delivery) if delivery.state == DeliveryState::Canceled => {
                    let as_read = Delivery { state: DeliveryState::Released, ..delivery.clone() };
                    match delivering::hand_over(Some(&as_read), delivery.changed_at) {
                        Ok(delivering::Decision::Changed(handed_over, _)) => Decided {
                            row: Some(handed_over),
                            says: Some(Fact::ParcelHandedOver),
                            reply: None,
                        },
                        Ok(delivering::Decision::Unchanged) | Err(_) => decided,
                    }
                }
                Some(_) | None => decided,
            },
            (Self::ParcelNotHeld, Input::Hears(Fact::Rented)) => {
                if let Some(delivery) = &mut decided.row {
                    delivery.state = DeliveryState::Released;
                }
                decided
            }
            _ => decided,
        }
    }
}
