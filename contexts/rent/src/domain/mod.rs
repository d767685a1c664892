//! The decisions of rent: pure functions from a state and what happens to what becomes and what is said.

mod confirm_rent;
mod on_cancel_rejected;
mod on_delivery_canceled;
mod on_order_cancelled;
mod on_order_rejected;
mod rent;

pub use confirm_rent::{Confirmation, Policy, RULES, Refusal, Rule, confirm_rent};
pub use on_cancel_rejected::on_cancel_rejected;
pub use on_delivery_canceled::on_delivery_canceled;
pub use on_order_cancelled::on_order_cancelled;
pub use on_order_rejected::on_order_rejected;
pub use rent::{Copy, Customer, Decision, Fact, Moment, OrderId, Rent, RentId, RentState, Request, Version};

#[cfg(test)]
mod tests;
