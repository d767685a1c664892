//! The decisions of delivery: pure functions from a state and what happens to what becomes and what is said.

mod delivery;
mod hand_over;
mod on_ordered;
mod on_rent_canceled;
mod on_rented;

pub use delivery::{
    Customer, Decision, Delivery, DeliveryId, DeliveryState, Fact, Moment, Notice, OrderId, Version,
};
pub use hand_over::{HandOverRefused, hand_over};
pub use on_ordered::on_ordered;
pub use on_rent_canceled::on_rent_canceled;
pub use on_rented::on_rented;

#[cfg(test)]
mod tests;
