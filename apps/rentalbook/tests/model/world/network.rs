//! Between order and rent.

use async_trait::async_trait;
use order::application::ports::{AskRent, RentAnswer, RentDesk};
use rent::application::{ConfirmError, ConfirmRent, Confirmed, Rents};

/// How a call from order to rent goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Answered,
    /// Rent has done it, and order does not hear of it.
    AnswerLost,
    NotReached,
    /// Order dies before rent is asked.
    DiedBefore,
    /// Order dies while rent answers.
    DiedAfter,
}

/// The network between order and rent.
pub(super) struct Network {
    pub(super) rents: Rents,
    pub(super) call: parking_lot::Mutex<Call>,
}

#[async_trait]
impl RentDesk for Network {
    async fn confirm(&self, ask: AskRent) -> RentAnswer {
        let answered = async |rents: &Rents| vec![rents.confirm_rent(command(ask)).await];
        self.call(1, answered).await.remove(0)
    }

    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        let number = asks.len();
        let commands = asks.into_iter().map(command).collect();
        self.call(number, async |rents: &Rents| rents.confirm_rents(commands).await).await
    }
}

impl Network {
    /// One call, however many questions it carries: all of it gets there, or nothing.
    async fn call(
        &self,
        questions: usize,
        confirm: impl AsyncFnOnce(&Rents) -> Vec<Result<Confirmed, ConfirmError>>,
    ) -> Vec<RentAnswer> {
        let silence = |why: &str| vec![RentAnswer::Unavailable(why.to_owned()); questions];
        let call = *self.call.lock();
        match call {
            Call::NotReached => return silence("not reached"),
            Call::DiedBefore => return std::future::pending().await,
            Call::Answered | Call::AnswerLost | Call::DiedAfter => {}
        }
        let answers = confirm(&self.rents).await.into_iter().map(answer).collect();
        match call {
            Call::Answered => answers,
            Call::AnswerLost => silence("the answer was lost"),
            Call::DiedAfter => std::future::pending().await,
            Call::NotReached | Call::DiedBefore => unreachable!("returned before"),
        }
    }
}

pub(crate) fn command(ask: AskRent) -> ConfirmRent {
    ConfirmRent {
        order_id: rent::domain::OrderId(ask.order_id.0),
        customer: ask.customer.and_then(|customer| rent::domain::Customer::parse(customer.as_str())),
        correlation_id: None,
    }
}

pub(crate) fn answer(answer: Result<Confirmed, ConfirmError>) -> RentAnswer {
    match answer {
        Ok(_) => RentAnswer::Confirmed,
        Err(ConfirmError::Refused(refusal)) => RentAnswer::Refused(refusal.0),
        Err(ConfirmError::Unavailable(error)) => RentAnswer::Unavailable(error.to_string()),
    }
}
