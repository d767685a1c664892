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

    /// One call: it is rent's silence to all of them that counts. Who has less time than others has to ask alone.
    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        let count = asks.len();
        let call = async {
            let answers = self.desk.confirm_all(asks).await;
            let silent = |answer: &RentAnswer| match answer {
                RentAnswer::Unavailable(reason) => Some(reason.clone()),
                RentAnswer::Confirmed | RentAnswer::Refused(_) => None,
            };
            match answers.iter().map(silent).collect::<Option<Vec<_>>>() {
                Some(mut reasons) if !reasons.is_empty() => Err(reasons.swap_remove(0)),
                _ => Ok(answers),
            }
        };
        self.guard
            .call(None, call)
            .await
            .unwrap_or_else(|error| vec![RentAnswer::Unavailable(reason(error)); count])
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
