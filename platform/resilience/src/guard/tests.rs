//! What is called and what is not, and what counts against the callee.

use std::{
    future::ready,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::task::{JoinHandle, yield_now};

use super::*;
use crate::watch::State;

fn a_guard() -> Guard {
    let config =
        GuardConfig { window: 4, open_for: Duration::from_millis(20), trials: 2, ..GuardConfig::default() };
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
    assert_eq!(guard.call(None, async { Ok::<_, &str>(1) }).await, Err(CallError::Open), "nor does the next");
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
