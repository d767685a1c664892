//! The decisions of order: pure functions from a state and what happens to what becomes and what is said.

mod cancel_order;
mod confirm_order;
mod defer_order;
mod on_cancel_rejected;
mod on_delivery_canceled;
mod on_handed_over;
mod order;
mod place_order;
mod reject_order;

pub use cancel_order::{CancelRefused, cancel_order};
pub use confirm_order::confirm_order;
pub use defer_order::defer_order;
pub use on_cancel_rejected::on_cancel_rejected;
pub use on_delivery_canceled::on_delivery_canceled;
pub use on_handed_over::on_handed_over;
pub use order::{
    Customer, Decision, Fact, IdempotencyKey, Item, Moment, Order, OrderId, OrderState, Rejection, Version,
};
pub use place_order::{PlaceAnswer, Placement, answer_placed, place_order};
pub use reject_order::reject_order;

#[cfg(test)]
mod tests;
