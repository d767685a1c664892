//! Resuming: whatever is pending is asked for again, oldest first, and no more than that.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use order::{
    adapters::outbound::guarded_desk::GuardedDesk,
    application::{
        OnRentUnavailable::{self, Defer, Reject},
        Orders, Resuming,
        ports::{AlwaysOurs, Clock, OrderStore as _, PageQuery, RentAnswer, Turn},
    },
    domain::{Fact, Moment, Order, OrderId, OrderState},
};
use parking_lot::Mutex;
use platform_resilience::{Guard, GuardConfig, State};
use tokio::sync::watch;

use crate::support::{
    BEGIN, Library, UNAVAILABLE, a_library, away, by_rule, cancel, orders_on, orders_with, place, policy,
    refused, until,
};

/// The worker; it ends with the test.
struct Worker(tokio::task::JoinHandle<()>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts the worker, with calls one after the other.
fn a_worker(library: &Library, on_rent_unavailable: OnRentUnavailable) -> Worker {
    work(orders_on(library.store.clone(), &library.desk, policy(on_rent_unavailable)))
}

/// The same in a process that began after all that was placed.
fn a_worker_after_a_restart(library: &Library, on_rent_unavailable: OnRentUnavailable) -> Worker {
    let (store, desk) = (Arc::new(library.store.clone()), Arc::new(library.desk.clone()));
    work(Orders::new(store, desk, Arc::new(Later), policy(on_rent_unavailable)))
}

fn work(orders: Orders) -> Worker {
    let resuming = Resuming { concurrency: 1, ..Resuming::default() };
    Worker(tokio::spawn(orders.resume_orders(resuming, Arc::new(AlwaysOurs))))
}

/// A turn that the test gives and takes, of one of many processes.
struct Given(watch::Receiver<bool>);

#[async_trait]
impl Turn for Given {
    fn is_shared(&self) -> bool {
        true
    }

    async fn come(&self) {
        self.0.clone().wait_for(|ours| *ours).await.expect("the test has the other end");
    }

    async fn over(&self) {
        self.0.clone().wait_for(|ours| !*ours).await.expect("the test has the other end");
    }
}

/// A second after everything that was placed before the restart.
struct Later;

impl Clock for Later {
    fn now(&self) -> Moment {
        Moment(BEGIN + 1_000)
    }
}

/// A library with so many deferred orders.
async fn with_deferred_orders(count: usize) -> Library {
    let library = a_library(Defer, away());
    for _ in 0..count {
        place(&library.orders).await;
    }
    library
}

/// What a crash leaves: the order is committed, and rent's answer never came.
async fn with_leftovers(count: usize) -> Library {
    let library = a_library(Defer, RentAnswer::Confirmed);
    library.desk.does(|_| std::future::pending());
    for _ in 0..count {
        let _ = tokio::time::timeout(Duration::ZERO, place(&library.orders)).await;
    }
    library.desk.answers(RentAnswer::Confirmed);
    assert_eq!((library.store.pending(), library.store.said().len()), (count as u64, 0));
    library
}

impl Library {
    async fn all(&self) -> Vec<Order> {
        let query = PageQuery { offset: 0, limit: 1_000, sort: Vec::new() };
        self.orders.page(query).await.expect("a page").0
    }

    async fn are_all(&self, state: &OrderState) -> bool {
        self.all().await.iter().all(|order| order.state == *state)
    }

    /// The orders that were asked for since the first `before` questions.
    fn asked_since(&self, before: usize) -> Vec<i64> {
        self.desk.asked_for().split_off(before)
    }
}

#[tokio::test(start_paused = true)]
async fn deferred_orders_are_confirmed_oldest_first_when_rent_is_back() {
    let library = with_deferred_orders(5).await;
    let _worker = a_worker(&library, Defer);
    until("asked in vain", async || library.desk.asked().len() >= 5 + 5).await;
    assert_eq!(library.asked_since(5)[..5], [1, 2, 3, 4, 5], "while it is away they are asked for in turn");
    assert!(library.are_all(&OrderState::Pending).await);

    library.desk.answers(RentAnswer::Confirmed);
    let before = library.desk.asked().len();
    until("confirmed", async || library.are_all(&OrderState::Ordered).await).await;
    let mut asked = library.asked_since(before);
    let _whose_turn_it_was = asked.remove(0);
    assert!(asked.len() == 4 && asked.is_sorted(), "oldest first: {asked:?}");
    assert_eq!(library.store.pending(), 0);
    for (id, said) in (1..=5).map(|id| (id, said_of(&library, id))) {
        assert_eq!(said, [Fact::OrderDeferred, Fact::Ordered], "order {id}");
    }
    let resumed = library.desk.asked().pop().expect("a question");
    assert_eq!(resumed.correlation_id, Some(format!("resume-{}", resumed.order_id.0).into()));
    let repeated: Vec<_> = library.desk.asked().iter().map(|ask| ask.repeated).collect();
    assert_eq!(repeated[..5], [false; 5], "their own calls");
    assert!(repeated[5..].iter().all(|repeated| *repeated), "who was there before may have reached rent");
}

fn said_of(library: &Library, id: i64) -> Vec<Fact> {
    let said = library.store.said();
    said.iter().filter(|(of, _)| *of == OrderId(id)).map(|(_, said)| said.fact).collect()
}

#[tokio::test(start_paused = true)]
async fn while_rent_is_away_the_pauses_grow() {
    pauses_are(Resuming::default(), [100, 200, 400, 800, 1_600, 2_000, 2_000]).await;
}

#[tokio::test(start_paused = true)]
async fn no_pause_has_to_be_the_same_in_every_process() {
    let resuming = Resuming { jitter: |pause| pause.mul_f64(1.1), ..Resuming::default() };
    pauses_are(resuming, [110, 220, 440, 880, 1_760, 2_200, 2_200]).await;
}

#[tokio::test(start_paused = true)]
async fn after_an_answer_the_pauses_begin_anew() {
    let library = with_deferred_orders(5).await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    library.desk.does(move |_| {
        let mut calls = noted.lock();
        calls.push(tokio::time::Instant::now());
        // The seventh is answered, and nobody after it.
        std::future::ready(if calls.len() == 7 { RentAnswer::Confirmed } else { away() })
    });
    let orders = orders_on(library.store.clone(), &library.desk, policy(Defer));
    let _worker = Worker(tokio::spawn(orders.resume_orders(Resuming::default(), Arc::new(AlwaysOurs))));
    until("asked in vain again", async || calls.lock().len() >= 10).await;
    let calls = calls.lock().clone();
    let pauses: Vec<_> = calls.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    assert!(pauses[5] >= 2_000, "they had grown: {pauses:?}");
    assert!(pauses[6..8].iter().all(|pause| *pause < 5), "two more are asked for at once: {pauses:?}");
    assert!((100..105).contains(&pauses[8]), "and the next after the first pause: {pauses:?}");
}

/// Between the questions to a rent that is away, in milliseconds.
async fn pauses_are(resuming: Resuming, expected: [u128; 7]) {
    let library = with_deferred_orders(3).await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    library.desk.does(move |_| {
        noted.lock().push(tokio::time::Instant::now());
        std::future::ready(away())
    });
    let orders = orders_on(library.store.clone(), &library.desk, policy(Defer));
    let _worker = Worker(tokio::spawn(orders.resume_orders(resuming, Arc::new(AlwaysOurs))));
    until("asked in vain", async || calls.lock().len() >= 8).await;
    let calls = calls.lock().clone();
    let pauses: Vec<_> = calls.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    for (pause, expected) in pauses.iter().zip(expected) {
        // The timer's own grain.
        assert!((expected..expected + 5).contains(pause), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_pending_is_confirmed_after_the_restart() {
    let library = with_leftovers(3).await;
    let before = library.desk.asked().len();
    let _worker = a_worker_after_a_restart(&library, Defer);
    until("confirmed", async || library.are_all(&OrderState::Ordered).await).await;
    assert_eq!(library.asked_since(before), [1, 2, 3], "oldest first");
    assert_eq!(said_of(&library, 1), [Fact::Ordered], "it was never deferred");
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_own_call_may_be_under_way_is_left_alone_until_it_is_old() {
    let library = a_library(Defer, RentAnswer::Confirmed);
    let worker = library.orders.clone().resume_orders(Resuming::default(), Arc::new(AlwaysOurs));
    let _worker = Worker(tokio::spawn(worker));
    tokio::time::sleep(Duration::from_millis(100)).await;
    library.desk.does(|_| std::future::pending());
    let placed_at = tokio::time::Instant::now();
    let _ = tokio::time::timeout(Duration::ZERO, place(&library.orders)).await;
    library.desk.answers(RentAnswer::Confirmed);
    until("confirmed", async || library.are_all(&OrderState::Ordered).await).await;
    let waited = placed_at.elapsed();
    let grace = Resuming::default().grace;
    assert!(waited >= grace && waited < grace + Duration::from_secs(1), "{waited:?}");
    assert_eq!(library.desk.asked_for(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn where_the_library_rejects_leftovers_are_rejected_while_rent_is_away() {
    let library = with_leftovers(3).await;
    library.desk.answers(away());
    let _worker = a_worker_after_a_restart(&library, Reject);
    until("rejected", async || library.are_all(&UNAVAILABLE).await).await;
    assert_eq!(said_of(&library, 2), [Fact::OrderRejected]);
    assert_eq!(library.store.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn leftovers_are_rejected_without_a_pause_between_them() {
    let library = with_leftovers(50).await;
    library.desk.answers(away());
    let begin = tokio::time::Instant::now();
    let _worker = a_worker_after_a_restart(&library, Reject);
    until("rejected", async || library.are_all(&UNAVAILABLE).await).await;
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_order_that_rent_never_answers_does_not_hold_up_the_others() {
    let library = with_deferred_orders(5).await;
    library.desk.does(|ask| {
        let hopeless = ask.order_id == OrderId(1);
        std::future::ready(if hopeless { away() } else { RentAnswer::Confirmed })
    });
    let _worker = a_worker(&library, Defer);
    until("the others are confirmed", async || library.store.pending() == 1).await;
    assert_eq!(library.first().await.state, OrderState::Pending);
}

#[tokio::test(start_paused = true)]
async fn where_a_breaker_lets_few_through_at_first_all_are_asked_for_soon() {
    let library = with_deferred_orders(300).await;
    // Its rest is none of the paused time.
    let open_for = Duration::from_micros(100);
    let guard = Guard::new("rent", GuardConfig { open_for, ..GuardConfig::default() });
    let desk = GuardedDesk::new(Arc::new(library.desk.clone()), guard.clone());
    let orders = orders_with(library.store.clone(), desk, policy(Defer));
    let _worker = Worker(tokio::spawn(orders.resume_orders(Resuming::default(), Arc::new(AlwaysOurs))));
    until("the breaker is not closed", async || guard.breaker().state != State::Closed).await;

    library.desk.does(async |_| {
        tokio::time::sleep(Duration::from_millis(10)).await;
        RentAnswer::Confirmed
    });
    let back = tokio::time::Instant::now();
    until("confirmed", async || library.store.pending() == 0).await;
    let waited = back.elapsed();
    assert!(waited < 2 * Resuming::default().max_pause + Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rule_refuses_a_resumed_order_too() {
    let library = with_deferred_orders(2).await;
    library.desk.answers(refused());
    let _worker = a_worker(&library, Defer);
    until("rejected", async || library.are_all(&by_rule()).await).await;
    assert_eq!(said_of(&library, 2), [Fact::OrderDeferred, Fact::OrderRejected]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_cancelled_while_it_waited_is_not_asked_for() {
    let library = with_deferred_orders(2).await;
    cancel(&library.orders).await.expect("cancelled");
    library.desk.answers(RentAnswer::Confirmed);
    let _worker = a_worker(&library, Defer);
    until("confirmed", async || library.store.pending() == 0).await;
    assert_eq!(library.asked_since(2), [2]);
    assert_eq!(library.first().await.state, OrderState::Cancelling);
}

#[tokio::test(start_paused = true)]
async fn resuming_outlives_a_store_that_is_away() {
    let library = with_deferred_orders(2).await;
    library.desk.answers(RentAnswer::Confirmed);
    library.store.set_away(true);
    let _worker = a_worker(&library, Defer);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(library.asked_since(2), [0; 0], "nothing is known to be pending");
    library.store.set_away(false);
    until("confirmed", async || library.are_all(&OrderState::Ordered).await).await;
}

#[tokio::test(start_paused = true)]
async fn many_are_resumed_side_by_side_and_no_more_than_allowed() {
    let library = with_deferred_orders(40).await;
    let under_way = Arc::new(Mutex::new((0, 0)));
    let counted = Arc::clone(&under_way);
    library.desk.does(move |_| {
        let counted = Arc::clone(&counted);
        async move {
            {
                let mut counted = counted.lock();
                counted.0 += 1;
                counted.1 = counted.1.max(counted.0);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            counted.lock().0 -= 1;
            RentAnswer::Confirmed
        }
    });
    let resuming = Resuming { concurrency: 8, ..Resuming::default() };
    let worker = library.orders.clone().resume_orders(resuming, Arc::new(AlwaysOurs));
    let _worker = Worker(tokio::spawn(worker));
    until("confirmed", async || library.are_all(&OrderState::Ordered).await).await;
    assert_eq!(under_way.lock().1, 8);
    assert_eq!(library.asked_since(40).len(), 40, "each of them once");
}

#[tokio::test(start_paused = true)]
async fn only_who_has_the_turn_resumes_and_who_loses_it_stops_in_the_middle() {
    let library = with_deferred_orders(3).await;
    let under_way = Arc::new(());
    let held = Arc::clone(&under_way);
    library.desk.does(move |_| {
        let held = Arc::clone(&held);
        async move {
            let _held = held;
            std::future::pending().await
        }
    });
    let (gives, given) = watch::channel(false);
    let worker = library.orders.clone().resume_orders(Resuming::default(), Arc::new(Given(given)));
    let _worker = Worker(tokio::spawn(worker));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(library.asked_since(3), [0; 0], "it is not its turn");

    gives.send_replace(true);
    until("asked", async || library.asked_since(3) == [1]).await;
    gives.send_replace(false);
    until("the call under way is dropped", async || Arc::strong_count(&under_way) == 2).await;
    library.desk.answers(RentAnswer::Confirmed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((library.asked_since(3).len(), library.store.pending()), (1, 3), "it has stopped");

    gives.send_replace(true);
    until("confirmed", async || library.are_all(&OrderState::Ordered).await).await;
}

#[tokio::test(start_paused = true)]
async fn where_others_may_be_at_it_a_new_process_leaves_young_orders_alone() {
    let library = with_leftovers(2).await;
    let before = library.desk.asked().len();
    let (store, desk) = (Arc::new(library.store.clone()), Arc::new(library.desk.clone()));
    let (_gives, given) = watch::channel(true);
    let orders = Orders::new(store, desk, Arc::new(Later), policy(Defer));
    let _worker = Worker(tokio::spawn(orders.resume_orders(Resuming::default(), Arc::new(Given(given)))));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(library.asked_since(before), [0; 0], "another process may be asking for them right now");
}
