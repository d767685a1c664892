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
mod tests {
    use std::{
        future::ready,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::task::{JoinHandle, yield_now};

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
        closes_again(&guard).await;
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
    /// Makes good calls until it is closed.
    async fn closes_again(guard: &Guard) {
        let closed = async {
            while guard.breaker().state != State::Closed {
                // Whether it is let through or not.
                let _ = guard.call(None, ready(Ok::<_, &str>(1))).await;
                yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), closed).await.expect("it closes again");
    }

    /// One whose breaker has just opened, and that waits long for what it calls.
    async fn an_open_guard() -> Guard {
        let config = GuardConfig {
            deadline: Duration::from_secs(600),
            window: 4,
            open_for: Duration::from_millis(20),
            trials: 2,
            ..GuardConfig::default()
        };
        let guard = Guard::new("callee", config);
        while guard.breaker().state == State::Closed {
            fail(&guard).await;
        }
        guard
    }

    /// A call that is counted when it is made, and never ends.
    fn hanging(guard: &Guard, made: &Arc<AtomicUsize>) -> JoinHandle<Result<(), CallError<&'static str>>> {
        let (guard, made) = (guard.clone(), Arc::clone(made));
        let call = async move {
            made.fetch_add(1, Ordering::Relaxed);
            pending().await
        };
        tokio::spawn(async move { guard.call(None, call).await })
    }

    #[tokio::test]
    async fn that_the_breaker_is_open_is_known_with_the_call_that_opened_it() {
        let guard = an_open_guard().await;
        assert_eq!((guard.calls().failed, guard.calls().open), (5, 0));
    }

    #[tokio::test]
    async fn a_half_open_breaker_lets_only_its_trials_through_and_closes_all_the_same() {
        let (guard, made) = (an_open_guard().await, Arc::<AtomicUsize>::default());
        let mut trials = Vec::new();
        let tried = async {
            while made.load(Ordering::Relaxed) < 2 {
                trials.push(hanging(&guard, &made));
                yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), tried).await.expect("it is tried");
        for _ in 0..1000 {
            trials.push(hanging(&guard, &made));
            assert_eq!(guard.call(None, ready(Ok::<_, &str>(1))).await, Err(CallError::Open));
        }
        assert_eq!(made.load(Ordering::Relaxed), 2, "however many come");
        trials.iter().for_each(JoinHandle::abort);
        closes_again(&guard).await;
        for _ in 0..100 {
            trials.push(hanging(&guard, &made));
        }
        while made.load(Ordering::Relaxed) < 102 {
            yield_now().await;
        }
        trials.iter().for_each(JoinHandle::abort);
    }

    #[tokio::test]
    async fn a_half_open_breaker_opens_again_when_its_trials_fail() {
        let guard = an_open_guard().await;
        let mut failed = 0;
        let tried = async {
            while failed < 3 {
                failed += usize::from(fail(&guard).await == CallError::Failed("no"));
                yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), tried).await.expect("it is tried");
        assert_eq!(guard.breaker().state, State::Open);
        closes_again(&guard).await;
    }

    /// One that gives up when nothing can be known yet.
    async fn hurry(guard: &Guard) -> Result<(), CallError<&'static str>> {
        guard.call(Some(Instant::now() + Duration::from_millis(1)), pending()).await
    }

    #[tokio::test(start_paused = true)]
    async fn callers_in_a_hurry_do_not_keep_the_breaker_closed_for_the_others() {
        let guard = a_guard();
        for _ in 0..5 {
            assert_eq!(guard.breaker().state, State::Closed);
            for _ in 0..3 {
                assert_eq!(hurry(&guard).await, Err(CallError::Late));
            }
            assert_eq!(fail(&guard).await, CallError::Failed("no"));
        }
        assert_eq!(guard.breaker().state, State::Open);
    }

    #[tokio::test]
    async fn callers_in_a_hurry_do_not_close_a_half_open_breaker() {
        let guard = an_open_guard().await;
        let mut hurried = 0;
        let tried = async {
            while hurried < 10 {
                hurried += usize::from(hurry(&guard).await == Err(CallError::Late));
            }
        };
        tokio::time::timeout(Duration::from_secs(60), tried).await.expect("it is tried");
        assert_ne!(guard.breaker().state, State::Closed);
        for _ in 0..3 {
            assert_eq!(fail(&guard).await, CallError::Failed("no"));
        }
        assert_eq!(guard.breaker().state, State::Open, "it has looked at its trials only");
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_waited_until_an_answer_would_be_slow_has_seen_that_there_is_none() {
        let guard = a_guard();
        for _ in 0..5 {
            let until = Instant::now() + Duration::from_millis(900);
            assert_eq!(guard.call(Some(until), pending::<Result<(), &str>>()).await, Err(CallError::Late));
            assert_eq!(Instant::now(), until);
        }
        assert_eq!(guard.breaker().state, State::Open);
    }

    #[tokio::test]
    async fn a_call_for_many_has_a_result_although_it_counts_as_failed() {
        let guard = a_guard();
        for _ in 0..5 {
            assert_eq!(guard.breaker().state, State::Closed);
            let call = async { (vec![1, 2], Some("half of it is missing")) };
            assert_eq!(guard.call_for_many(None, call).await, Ok(vec![1, 2]));
        }
        let breaker = guard.breaker();
        assert_eq!(breaker.state, State::Open);
        assert_eq!(breaker.reason.as_deref(), Some("half of it is missing"));
    }
}
