//! Rent behind a deadline and a circuit breaker: whatever rent does, order answers in time.

use std::sync::Arc;

use async_trait::async_trait;
use platform_resilience::{CallError, Guard};

use crate::application::ports::{AskRent, RentAnswer, RentDesk};

/// A [`RentDesk`] that gives up in time, and does not ask where asking is hopeless.
pub struct GuardedDesk {
    desk: Arc<dyn RentDesk>,
    guard: Guard,
}

impl GuardedDesk {
    /// Guards `desk`.
    #[must_use]
    pub fn new(desk: Arc<dyn RentDesk>, guard: Guard) -> Self {
        Self { desk, guard }
    }
}

#[async_trait]
impl RentDesk for GuardedDesk {
    async fn confirm(&self, ask: AskRent) -> RentAnswer {
        let until = ask.answer_by;
        // Only rent's silence counts against it: a refusal is an answer.
        let call = async {
            match self.desk.confirm(ask).await {
                RentAnswer::Unavailable(reason) => Err(reason),
                answer @ (RentAnswer::Confirmed | RentAnswer::Refused(_)) => Ok(answer),
            }
        };
        self.guard.call(until, call).await.unwrap_or_else(|error| RentAnswer::Unavailable(reason(error)))
    }

    /// One call, which counts as failed where rent is silent to as many of them as open the breaker; whom it has
    /// answered has an answer all the same. Who has less time than others has to ask alone.
    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        let count = asks.len();
        let call = async {
            let answers = self.desk.confirm_all(asks).await;
            let reason = self.fails(&answers);
            (answers, reason)
        };
        self.guard
            .call_for_many(None, call)
            .await
            .unwrap_or_else(|error| vec![RentAnswer::Unavailable(reason(error)); count])
    }
}

impl GuardedDesk {
    /// Why a call with these answers has failed, if it has.
    fn fails(&self, answers: &[RentAnswer]) -> Option<String> {
        let silent = answers.iter().filter_map(|answer| match answer {
            RentAnswer::Unavailable(reason) => Some(reason),
            RentAnswer::Confirmed | RentAnswer::Refused(_) => None,
        });
        let first = silent.clone().next()?;
        let too_many = self.guard.failure_rate() * answers.len() as f32;
        (silent.count() as f32 >= too_many).then(|| first.clone())
    }
}

fn reason(error: CallError<String>) -> String {
    match error {
        CallError::Failed(reason) => reason,
        CallError::Late => "rent did not answer in time".to_owned(),
        CallError::Full => "too many questions to rent are under way".to_owned(),
        CallError::Open => "rent failed too often, it is given a rest".to_owned(),
    }
}
