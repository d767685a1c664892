//! A call that may be slow or fail, behind a deadline and a circuit breaker; and work that takes long, behind a
//! bulkhead.

mod bulkhead;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use recloser::{AsyncRecloser, Recloser};

pub use bulkhead::{Awaited, Bulkhead, Place, WorkError, while_awaited};

/// How a call is guarded.
#[derive(Clone, Copy, Debug)]
pub struct GuardConfig {
    /// How long the call may take.
    pub deadline: Duration,
    /// How many of the last calls are looked at.
    pub window: usize,
    /// Share of failed or late calls among them, 0 to 1, at which the breaker opens.
    pub failure_rate: f32,
    /// How long an open breaker lets nothing through before it tries again.
    pub open_for: Duration,
    /// How many calls a half-open breaker tries.
    pub trials: usize,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(1000),
            window: 20,
            failure_rate: 0.5,
            open_for: Duration::from_secs(5),
            trials: 5,
        }
    }
}

/// Why a guarded call gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// It failed by itself.
    #[error("{0}")]
    Failed(E),
    /// It took longer than the deadline and was dropped.
    #[error("no answer within the deadline")]
    Late,
    /// It was not made: too many failed before it.
    #[error("not called: the circuit breaker is open")]
    Open,
}

/// The guard of one callee. Clones share the breaker.
#[derive(Clone, Debug)]
pub struct Guard {
    breaker: AsyncRecloser,
    deadline: Duration,
    is_open: Arc<AtomicBool>,
}

impl Guard {
    /// A guard with a closed breaker.
    #[must_use]
    pub fn new(config: GuardConfig) -> Self {
        let breaker = Recloser::custom()
            .closed_len(config.window)
            .error_rate(config.failure_rate)
            .open_wait(config.open_for)
            .half_open_len(config.trials)
            .build();
        Self { breaker: AsyncRecloser::from(breaker), deadline: config.deadline, is_open: Arc::default() }
    }

    /// Makes the call, if the breaker lets it.
    pub async fn call<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, CallError<E>> {
        let within_deadline = async {
            match tokio::time::timeout(self.deadline, call).await {
                Ok(result) => result.map_err(CallError::Failed),
                Err(_elapsed) => Err(CallError::Late),
            }
        };
        let result = self.breaker.call(within_deadline).await.map_err(|error| match error {
            recloser::Error::Inner(failed) => failed,
            recloser::Error::Rejected => CallError::Open,
        });
        self.is_open.store(matches!(result, Err(CallError::Open)), Ordering::Relaxed);
        result
    }

    /// Whether the last call was not made, because the breaker was open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_guard() -> Guard {
        let config = GuardConfig {
            window: 4,
            open_for: Duration::from_millis(20),
            trials: 2,
            ..GuardConfig::default()
        };
        Guard::new(config)
    }

    async fn fail(guard: &Guard) -> CallError<&'static str> {
        guard.call(async { Err::<(), _>("no") }).await.expect_err("a failure")
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_never_ends_is_late_at_the_deadline() {
        let guard = a_guard();
        let started = tokio::time::Instant::now();
        let late = guard.call(std::future::pending::<Result<(), ()>>()).await;
        assert_eq!(late, Err(CallError::Late));
        assert_eq!(started.elapsed(), GuardConfig::default().deadline);
    }

    #[tokio::test]
    async fn the_breaker_opens_when_half_of_the_window_failed_and_closes_after_good_trials() {
        let guard = a_guard();
        for _ in 0..1000 {
            assert_eq!(guard.call(async { Ok::<_, ()>(1) }).await, Ok(1));
        }
        let mut failures = 0;
        while fail(&guard).await == CallError::Failed("no") {
            failures += 1;
            assert!(failures <= 4, "a long good past does not keep it closed");
        }
        assert!(guard.is_open(), "the last call did not get through");
        assert_eq!(guard.call(async { Ok::<_, ()>(1) }).await, Err(CallError::Open), "nor does the next");
        let closed = async {
            while guard.call(async { Ok::<_, ()>(1) }).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), closed).await.expect("it closes again");
        for _ in 0..10 {
            assert_eq!(guard.call(async { Ok::<_, ()>(1) }).await, Ok(1));
        }
        assert!(!guard.is_open());
    }
}
