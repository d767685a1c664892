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
        // Only rent's silence counts against it: a refusal is an answer.
        let call = async {
            match self.desk.confirm(ask).await {
                RentAnswer::Unavailable(reason) => Err(reason),
                answer @ (RentAnswer::Confirmed | RentAnswer::Refused(_)) => Ok(answer),
            }
        };
        match self.guard.call(call).await {
            Ok(answer) => answer,
            Err(CallError::Failed(reason)) => RentAnswer::Unavailable(reason),
            Err(CallError::Late) => RentAnswer::Unavailable("rent did not answer in time".to_owned()),
            Err(CallError::Open) => {
                RentAnswer::Unavailable("rent failed too often, it is given a rest".to_owned())
            }
        }
    }
}
