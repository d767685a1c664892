//! What stands between a caller and a callee that may be slow, dead or too busy.

use std::{
    fmt::Display,
    future::pending,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use recloser::{AsyncRecloser, Recloser};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::{
    jitter::lengthened,
    watch::{Breaker, Calls, Ended, Watch},
};

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
    /// How long an open breaker lets nothing through before it tries again; up to a fifth longer, see [`Guard::new`].
    pub open_for: Duration,
    /// How many calls are under way at most while the breaker tries again. One more than these have to end before it
    /// closes, or opens again.
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
            at_once: 128,
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
    /// Places of the calls that are made while the breaker is not closed: by itself, a half-open one lets through
    /// whatever comes until the first of them have ended.
    trials: Arc<Semaphore>,
    deadline: Duration,
    slow: Duration,
    failure_rate: f32,
    watch: Arc<Watch>,
}

/// What the breaker takes for a failure.
enum Failure<T, E> {
    Failed(E),
    Late,
    /// It has a result all the same.
    Slow(T, Duration),
    /// So has this.
    InPart(T, E),
}

impl Guard {
    /// A guard of `callee`, a name for the log, with a closed breaker. It rests up to a fifth longer than it is told, for
    /// as long as it lives: guards in many processes, which open together, do not all try at the same moment.
    #[must_use]
    pub fn new(callee: &'static str, config: GuardConfig) -> Self {
        let config = GuardConfig { open_for: lengthened(config.open_for), ..config };
        let breaker = Recloser::custom()
            .closed_len(config.window)
            .error_rate(config.failure_rate)
            .open_wait(config.open_for)
            .half_open_len(config.trials)
            .build();
        Self {
            breaker: AsyncRecloser::from(breaker),
            places: Arc::new(Semaphore::new(config.at_once)),
            trials: Arc::new(Semaphore::new(config.trials)),
            deadline: config.deadline,
            slow: config.deadline.mul_f64(config.slow),
            failure_rate: config.failure_rate,
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
        self.guarded(until, async { call.await.map_err(Failure::Failed) }).await
    }

    /// The same for many questions in one call: it has a result in any case, and counts as failed where it comes with
    /// a reason for that.
    ///
    /// # Errors
    /// See [`CallError`]; it never failed by itself.
    pub async fn call_for_many<T, E: Display>(
        &self,
        until: Option<Instant>,
        call: impl Future<Output = (T, Option<E>)>,
    ) -> Result<T, CallError<E>> {
        let call = async {
            match call.await {
                (result, Some(reason)) => Err(Failure::InPart(result, reason)),
                (result, None) => Ok(result),
            }
        };
        self.guarded(until, call).await
    }

    async fn guarded<T, E: Display>(
        &self,
        until: Option<Instant>,
        call: impl Future<Output = Result<T, Failure<T, E>>>,
    ) -> Result<T, CallError<E>> {
        let begun = Instant::now();
        let _trial = if self.watch.is_closed() {
            None
        } else {
            let Ok(trial) = self.trials.try_acquire() else {
                self.watch.note(begun, Ended::Held);
                return Err(CallError::Open);
            };
            Some(trial)
        };
        let Ok(_place) = self.places.try_acquire() else {
            self.watch.note(begun, Ended::Full);
            return Err(CallError::Full);
        };
        // Who gives up before an answer would be slow learns nothing about the callee: such a call is dropped together
        // with what the breaker makes of it, as anything else that ends would count, for or against.
        let (in_a_hurry, own) = match until {
            Some(until) if until < begun + self.slow => (Some(until), begun + self.deadline),
            Some(until) => (None, until.min(begun + self.deadline)),
            None => (None, begun + self.deadline),
        };
        let call = async {
            match timeout_at(own, call).await {
                Ok(Ok(result)) => match begun.elapsed() {
                    took if took > self.slow => Err(Failure::Slow(result, took)),
                    _ => Ok(result),
                },
                Ok(Err(failure)) => Err(failure),
                Err(_elapsed) => Err(Failure::Late),
            }
        };
        let call = self.breaker.call(call);
        let ended = match in_a_hurry {
            Some(until) => match timeout_at(until, call).await {
                Ok(ended) => ended,
                Err(_elapsed) => {
                    self.watch.note(begun, Ended::Hurried);
                    return Err(CallError::Late);
                }
            },
            None => call.await,
        };
        self.watch.note(
            begun,
            match &ended {
                Ok(_) => Ended::Well,
                Err(recloser::Error::Rejected) => Ended::Open,
                Err(recloser::Error::Inner(failure)) => match failure {
                    Failure::Slow(_, took) => Ended::Slow(*took),
                    Failure::InPart(_, reason) | Failure::Failed(reason) => Ended::Failed(reason),
                    Failure::Late => Ended::Late(begun.elapsed()),
                },
            },
        );
        // Else it would be known with the next call, and that one may come when the breaker is half-open already.
        if self.rejects() {
            self.watch.is_open();
        }
        match ended {
            Ok(result) => Ok(result),
            Err(recloser::Error::Rejected) => Err(CallError::Open),
            Err(recloser::Error::Inner(failure)) => match failure {
                Failure::Slow(result, _) | Failure::InPart(result, _) => Ok(result),
                Failure::Failed(error) => Err(CallError::Failed(error)),
                Failure::Late => Err(CallError::Late),
            },
        }
    }

    /// Whether the breaker lets nothing through now. It shows that only to a call; one that is dropped before it has
    /// ended does not count.
    fn rejects(&self) -> bool {
        let call = pin!(self.breaker.call(pending::<Result<(), ()>>()));
        call.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Share of failed calls at which the breaker opens, 0 to 1.
    #[must_use]
    pub fn failure_rate(&self) -> f32 {
        self.failure_rate
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
mod tests;
