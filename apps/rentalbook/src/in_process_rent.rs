//! order → rent without a network: the same port that a process of its own fills over HTTP.

use std::sync::Arc;

use async_trait::async_trait;
use order::application::ports::{AskRent, RentAnswer, RentDesk};
use rent::{
    application::{ConfirmError, ConfirmRent, Confirmed, Rents},
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
            return is_stopped();
        }
        answer(self.rents.confirm_rent(command(ask)).await)
    }

    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        if !self.door.is_open() {
            return vec![is_stopped(); asks.len()];
        }
        let commands = asks.into_iter().map(command).collect();
        self.rents.confirm_rents(commands).await.into_iter().map(answer).collect()
    }
}

fn is_stopped() -> RentAnswer {
    RentAnswer::Unavailable("rent is stopped".to_owned())
}

fn command(ask: AskRent) -> ConfirmRent {
    ConfirmRent {
        order_id: OrderId(ask.order_id.0),
        customer: ask.customer.and_then(|customer| Customer::parse(customer.as_str())),
        correlation_id: ask.correlation_id,
    }
}

fn answer(answer: Result<Confirmed, ConfirmError>) -> RentAnswer {
    match answer {
        Ok(_confirmed) => RentAnswer::Confirmed,
        Err(ConfirmError::Refused(refusal)) => RentAnswer::Refused(refusal.0),
        Err(ConfirmError::Unavailable(error)) => RentAnswer::Unavailable(error.to_string()),
    }
}
