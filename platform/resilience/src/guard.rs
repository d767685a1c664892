//! What stands between a caller and a callee that may be slow, dead or too busy.

use std::{fmt::Display, sync::Arc, time::Duration};

use recloser::{AsyncRecloser, ErrorPredicate, Recloser};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::watch::{Breaker, Calls, Ended, Watch};

/// How a call is guarded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardConfig {
    /// How long the call may take.
    pub deadline: Duration,
    /// Share of the deadline, 0 to 1, after which a call counts as failed, although its answer is taken: a callee that
    /// is about to be late is given a rest before its callers get no answer.
    pub slow: f64,
    /// How many of the last calls are looked at.
    pub window: usize,
    /// Share of failed, late and slow calls among them, 0 to 1, at which the breaker opens.
    pub failure_rate: f32,
    /// How long an open breaker lets nothing through before it tries again.
    pub open_for: Duration,
    /// How many calls a half-open breaker tries.
    pub trials: usize,
    /// How many calls may be under way at once. One more is not made, and does not wait: a queue that nobody sees would
    /// make every caller late.
    pub at_once: usize,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(1000),
            slow: 0.8,
            window: 20,
            failure_rate: 0.5,
            open_for: Duration::from_secs(5),
            trials: 5,
            at_once: 1024,
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
    /// It was not made: as many as may be are under way.
    #[error("not called: too many calls are under way")]
    Full,
}

/// The guard of one callee. Clones share the breaker.
#[derive(Clone, Debug)]
pub struct Guard {
    breaker: AsyncRecloser,
    places: Arc<Semaphore>,
    deadline: Duration,
    slow: Duration,
    watch: Arc<Watch>,
}

/// What the breaker takes for a failure.
enum Failure<T, E> {
    Error(CallError<E>),
    /// It has a result all the same.
    Slow(T, Duration),
    /// Its caller had so little time that this says nothing about the callee.
    Hurried,
}

/// What counts against the callee.
struct IsFailure;

impl<T, E> ErrorPredicate<Failure<T, E>> for IsFailure {
    fn is_err(&self, failure: &Failure<T, E>) -> bool {
        !matches!(failure, Failure::Hurried)
    }
}

impl Guard {
    /// A guard of `callee`, a name for the log, with a closed breaker.
    #[must_use]
    pub fn new(callee: &'static str, config: GuardConfig) -> Self {
        let breaker = Recloser::custom()
            .closed_len(config.window)
            .error_rate(config.failure_rate)
            .open_wait(config.open_for)
            .half_open_len(config.trials)
            .build();
        Self {
            breaker: AsyncRecloser::from(breaker),
            places: Arc::new(Semaphore::new(config.at_once)),
            deadline: config.deadline,
            slow: config.deadline.mul_f64(config.slow),
            watch: Arc::new(Watch::new(callee, config)),
        }
    }

    /// Makes the call, if the breaker lets it and there is a place for it. It may take as long as the deadline, and not
    /// longer than `until`.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<T, E: Display>(
        &self,
        until: Option<Instant>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        let begun = Instant::now();
        let Ok(_place) = self.places.try_acquire() else {
            self.watch.note(begun, Ended::Full);
            return Err(CallError::Full);
        };
        let own = begun + self.deadline;
        let call = async {
            match timeout_at(until.map_or(own, |until| until.min(own)), call).await {
                Ok(Ok(result)) => match begun.elapsed() {
                    took if took > self.slow => Err(Failure::Slow(result, took)),
                    _ => Ok(result),
                },
                Ok(Err(error)) => Err(Failure::Error(CallError::Failed(error))),
                Err(_elapsed) if begun.elapsed() < self.slow => Err(Failure::Hurried),
                Err(_elapsed) => Err(Failure::Error(CallError::Late)),
            }
        };
        match self.breaker.call_with(IsFailure, call).await {
            Ok(result) => {
                self.watch.note(begun, Ended::Well);
                Ok(result)
            }
            Err(recloser::Error::Inner(Failure::Slow(result, took))) => {
                self.watch.note(begun, Ended::Slow(took));
                Ok(result)
            }
            Err(recloser::Error::Inner(Failure::Error(error))) => {
                self.watch.note(
                    begun,
                    match &error {
                        CallError::Failed(error) => Ended::Failed(error),
                        _ => Ended::Late(begun.elapsed()),
                    },
                );
                Err(error)
            }
            Err(recloser::Error::Inner(Failure::Hurried)) => {
                self.watch.note(begun, Ended::Hurried);
                Err(CallError::Late)
            }
            Err(recloser::Error::Rejected) => {
                self.watch.note(begun, Ended::Open);
                Err(CallError::Open)
            }
        }
    }

    /// How the breaker is, as far as the calls have shown.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        self.watch.breaker()
    }

    /// How many calls have ended how.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.watch.calls()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::watch::State;

    fn a_guard() -> Guard {
        let config = GuardConfig {
            window: 4,
            open_for: Duration::from_millis(20),
            trials: 2,
            ..GuardConfig::default()
        };
        Guard::new("callee", config)
    }

    async fn fail(guard: &Guard) -> CallError<&'static str> {
        guard.call(None, async { Err::<(), _>("no") }).await.expect_err("a failure")
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_never_ends_is_late_at_the_deadline() {
        let guard = a_guard();
        let started = tokio::time::Instant::now();
        let late = guard.call(None, pending::<Result<(), &str>>()).await;
        assert_eq!(late, Err(CallError::Late));
        assert_eq!(started.elapsed(), GuardConfig::default().deadline);
    }

    #[tokio::test]
    async fn the_breaker_opens_when_half_of_the_window_failed_and_closes_after_good_trials() {
        let guard = a_guard();
        for _ in 0..1000 {
            assert_eq!(guard.call(None, async { Ok::<_, &str>(1) }).await, Ok(1));
        }
        let mut failures = 0;
        while fail(&guard).await == CallError::Failed("no") {
            failures += 1;
            assert!(failures <= 4, "a long good past does not keep it closed");
        }
        assert_eq!(guard.breaker().state, State::Open, "the last call did not get through");
        assert_eq!(
            guard.call(None, async { Ok::<_, &str>(1) }).await,
            Err(CallError::Open),
            "nor does the next"
        );
        let closed = async {
            while guard.call(None, async { Ok::<_, &str>(1) }).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), closed).await.expect("it closes again");
        for _ in 0..10 {
            assert_eq!(guard.call(None, async { Ok::<_, &str>(1) }).await, Ok(1));
        }
        assert_eq!(guard.breaker().state, State::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_less_time_than_the_deadline_gets_an_answer_in_time() {
        let guard = a_guard();
        let until = Instant::now() + Duration::from_millis(30);
        assert_eq!(guard.call(Some(until), pending::<Result<(), &str>>()).await, Err(CallError::Late));
        assert_eq!(Instant::now(), until);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_in_a_hurry_do_not_open_the_breaker_for_the_others() {
        let guard = a_guard();
        for _ in 0..20 {
            let until = Instant::now() + Duration::from_millis(1);
            assert_eq!(guard.call(Some(until), pending::<Result<(), &str>>()).await, Err(CallError::Late));
        }
        assert_eq!(guard.call(None, ready(Ok::<_, &str>(1))).await, Ok(1));
        assert_eq!((guard.calls().late, guard.calls().well), (20, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_are_taken_and_open_the_breaker() {
        let guard = a_guard();
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(801)).await;
            Ok::<_, &str>(1)
        };
        let mut answers = 0;
        while guard.call(None, slow()).await == Ok(1) {
            answers += 1;
            assert!(answers <= 5, "they count as failures");
        }
        let breaker = guard.breaker();
        assert_eq!(breaker.state, State::Open);
        let reason = breaker.reason.expect("a reason");
        assert!(reason.contains("801 ms"), "{reason}");
        assert_eq!(guard.calls().slow, answers);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_too_many_is_not_made_and_does_not_count_against_the_callee() {
        let config = GuardConfig { at_once: 1, window: 4, ..GuardConfig::default() };
        let guard = Guard::new("callee", config);
        let slow = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok::<_, &str>(1)
        };
        let others = async {
            for _ in 0..20 {
                assert_eq!(guard.call(None, ready(Ok::<_, &str>(1))).await, Err(CallError::Full));
            }
        };
        let (first, ()) = tokio::join!(guard.call(None, slow), others);
        assert_eq!(first, Ok(1));
        assert_eq!(guard.call(None, ready(Ok::<_, &str>(1))).await, Ok(1));
        assert_eq!((guard.breaker().state, guard.calls().full), (State::Closed, 20));
    }
}
