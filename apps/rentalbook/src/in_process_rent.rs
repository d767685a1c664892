//! order → rent without a network: the same port that a process of its own fills over HTTP.

use std::sync::Arc;

use async_trait::async_trait;
use order::application::ports::{AskRent, RentAnswer, RentDesk};
use rent::{
    application::{ConfirmError, ConfirmRent, Rents},
    domain::{Customer, OrderId},
};

use crate::door::Door;

/// Rent in the same process. While its door is closed it does not answer, as a stopped process would not.
pub struct InProcessRent {
    /// Rent.
    pub rents: Rents,
    /// Whether it is open.
    pub door: Arc<Door>,
}

#[async_trait]
impl RentDesk for InProcessRent {
    async fn confirm(&self, ask: AskRent) -> RentAnswer {
        if !self.door.is_open() {
            return RentAnswer::Unavailable("rent is stopped".to_owned());
        }
        let command = ConfirmRent {
            order_id: OrderId(ask.order_id.0),
            customer: ask.customer.and_then(|customer| Customer::parse(customer.as_str())),
            correlation_id: ask.correlation_id,
        };
        match self.rents.confirm_rent(command).await {
            Ok(_confirmed) => RentAnswer::Confirmed,
            Err(ConfirmError::Refused(refusal)) => RentAnswer::Refused(refusal.0),
            Err(ConfirmError::Unavailable(error)) => RentAnswer::Unavailable(error.0),
        }
    }
}
