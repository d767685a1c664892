//! Placing: what is committed and said for every answer of rent, and for every thing that is faster than it.

use std::{sync::Arc, time::Duration};

use order::{
    adapters::outbound::{guarded_desk::GuardedDesk, memory::MemoryOrders},
    application::{
        OnRentUnavailable::{self, Defer, Reject},
        Orders, PlaceError, PlaceOrder, Policy, ReactionKind,
        ports::{AskRent, OrderStore as _, PageQuery, RentAnswer, RentDesk as _},
    },
    domain::{Customer, Fact, Item, OrderId, OrderState},
};
use platform_resilience::{Guard, GuardConfig, State};
use tokio::time::Instant;

use crate::{
    outbox::waiting_types,
    support::{
        Desk, FIRST, Interrupted, Library, UNAVAILABLE, a_file, a_library, a_placement, away, by_rule,
        cancel, committed, orders_on, orders_with, place, policy, react, refused, try_to_place, until,
        with_key,
    },
};

#[tokio::test]
async fn the_answer_of_rent_decides_what_is_committed_and_said() {
    let deferred = (OrderState::Pending, vec![Fact::OrderDeferred]);
    for (on_rent_unavailable, answer, (state, said)) in [
        (Defer, RentAnswer::Confirmed, (OrderState::Ordered, vec![Fact::Ordered])),
        (Reject, RentAnswer::Confirmed, (OrderState::Ordered, vec![Fact::Ordered])),
        (Defer, refused(), (by_rule(), vec![Fact::OrderRejected])),
        (Reject, refused(), (by_rule(), vec![Fact::OrderRejected])),
        (Defer, away(), deferred),
        (Reject, away(), (UNAVAILABLE, vec![Fact::OrderRejected])),
    ] {
        let library = a_library(on_rent_unavailable, answer.clone());
        let order = place(&library.orders).await;
        assert_eq!((&order.state, library.said()), (&state, said), "{on_rent_unavailable:?}, {answer:?}");
        assert_eq!(library.first().await, order, "what is returned is what is committed");
    }
}

#[tokio::test]
async fn the_order_is_committed_before_rent_is_asked() {
    let library = a_library(Defer, RentAnswer::Confirmed);
    let store = library.store.clone();
    library.desk.does(move |ask| {
        let store = store.clone();
        async move {
            let order = committed(&store, ask.order_id).await;
            assert_eq!((order.state, store.said().len()), (OrderState::Pending, 0));
            assert_eq!(order.customer, ask.customer);
            RentAnswer::Confirmed
        }
    });
    assert_eq!(place(&library.orders).await.state, OrderState::Ordered);
    let asked = library.desk.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].order_id, asked[0].correlation_id.as_deref()), (FIRST, Some("c-1")));
}

/// A library whose rent answers so, after `meanwhile` has happened to the order.
fn while_rent_takes_its_time<F>(
    on_rent_unavailable: OnRentUnavailable,
    answer: RentAnswer,
    meanwhile: impl Fn(Orders) -> F + Send + Sync + 'static,
) -> Library
where
    F: Future<Output = ()> + Send + 'static,
{
    let library = a_library(on_rent_unavailable, answer.clone());
    let orders = library.orders.clone();
    library.desk.does(move |_| {
        let (meanwhile, answer) = (meanwhile(orders.clone()), answer.clone());
        async move {
            meanwhile.await;
            answer
        }
    });
    library
}

#[tokio::test]
async fn an_answer_that_comes_after_a_cancel_changes_nothing() {
    for on_rent_unavailable in [Defer, Reject] {
        for answer in [RentAnswer::Confirmed, refused(), away()] {
            let library = while_rent_takes_its_time(on_rent_unavailable, answer, |orders| async move {
                cancel(&orders).await.expect("cancelled");
            });
            let order = place(&library.orders).await;
            assert_eq!(order.state, OrderState::Cancelling);
            assert_eq!(library.said(), [Fact::OrderCancelled]);
            assert_eq!(library.first().await, order);
        }
    }
}

#[tokio::test]
async fn an_answer_that_comes_after_the_event_rented_changes_nothing() {
    for on_rent_unavailable in [Defer, Reject] {
        for answer in [RentAnswer::Confirmed, refused(), away()] {
            let library = while_rent_takes_its_time(on_rent_unavailable, answer, |orders| async move {
                react(&orders, &[ReactionKind::Rented]).await;
            });
            let order = place(&library.orders).await;
            assert_eq!((order.state.clone(), library.said()), (OrderState::Ordered, vec![Fact::Ordered]));
            assert_eq!(library.first().await, order);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_rent_is_given_up_at_the_deadline() {
    for (on_rent_unavailable, state) in [(Defer, OrderState::Pending), (Reject, UNAVAILABLE)] {
        let (store, desk) = (MemoryOrders::default(), Desk::answering(RentAnswer::Confirmed));
        desk.does(|_| std::future::pending());
        let guard = Guard::new(
            "rent",
            GuardConfig { deadline: Duration::from_millis(700), ..GuardConfig::default() },
        );
        let guarded = GuardedDesk::new(Arc::new(desk), guard);
        let orders = orders_with(store.clone(), guarded, policy(on_rent_unavailable));
        let asked_at = Instant::now();
        assert_eq!(place(&orders).await.state, state);
        assert_eq!(asked_at.elapsed(), Duration::from_millis(700));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rent_that_fails_too_often_is_not_asked_for_a_while() {
    let (store, desk) = (MemoryOrders::default(), Desk::answering(away()));
    let config = GuardConfig { window: 4, failure_rate: 0.5, ..GuardConfig::default() };
    let guarded = GuardedDesk::new(Arc::new(desk.clone()), Guard::new("rent", config));
    let orders = orders_with(store.clone(), guarded, policy(Defer));
    for _ in 0..20 {
        assert_eq!(place(&orders).await.state, OrderState::Pending);
    }
    assert!((2..=5).contains(&desk.asked().len()), "asked {} times", desk.asked().len());
}

#[tokio::test]
async fn a_rent_that_is_silent_to_most_of_those_who_ask_together_is_given_a_rest() {
    for (silent, opens) in [(6, true), (5, true), (4, false)] {
        let desk = Desk::answering(RentAnswer::Confirmed);
        desk.does(move |ask| {
            std::future::ready(if ask.order_id.0 <= silent { away() } else { RentAnswer::Confirmed })
        });
        let guard =
            Guard::new("rent", GuardConfig { window: 4, failure_rate: 0.5, ..GuardConfig::default() });
        let guarded = GuardedDesk::new(Arc::new(desk), guard.clone());
        let ask = |id| AskRent {
            order_id: OrderId(id),
            customer: None,
            correlation_id: None,
            repeated: false,
            answer_by: None,
        };
        for _ in 0..5 {
            let answers = guarded.confirm_all((1..=10).map(ask).collect()).await;
            let confirmed = answers.iter().filter(|answer| **answer == RentAnswer::Confirmed).count();
            assert_eq!(i64::try_from(confirmed).expect("few"), 10 - silent, "who has an answer gets it");
        }
        let answers = guarded.confirm_all((1..=10).map(ask).collect()).await;
        assert_eq!(answers.contains(&RentAnswer::Confirmed), !opens, "{silent} of 10 are silent");
        assert_eq!(guard.breaker().state == State::Open, opens);
    }
}

#[tokio::test]
async fn a_refusal_of_rent_is_an_answer_and_opens_no_breaker() {
    let (store, desk) = (MemoryOrders::default(), Desk::answering(refused()));
    let config = GuardConfig { window: 4, failure_rate: 0.5, ..GuardConfig::default() };
    let guarded = GuardedDesk::new(Arc::new(desk.clone()), Guard::new("rent", config));
    let orders = orders_with(store.clone(), guarded, policy(Defer));
    for _ in 0..20 {
        assert_eq!(place(&orders).await.state, by_rule());
    }
    assert_eq!(desk.asked().len(), 20);
}

#[tokio::test]
async fn too_many_that_wait_are_not_joined_by_another() {
    let (store, desk) = (MemoryOrders::default(), Desk::answering(away()));
    let full = Policy { max_pending: 2, ..policy(Defer) };
    let library = Library { orders: orders_on(store.clone(), &desk, full), store, desk };
    let first = library.orders.place_order(with_key("k")).await.expect("an order");
    place(&library.orders).await;
    assert_eq!(try_to_place(&library.orders).await, Err(PlaceError::TooManyPending));
    assert_eq!((library.count().await, library.desk.asked_for()), (2, vec![1, 2]), "no row and no question");
    let again = library.orders.place_order(with_key("k")).await;
    assert_eq!(again, Ok(first), "a repeat is no further order");

    react(&library.orders, &[ReactionKind::Rented]).await;
    assert_eq!(place(&library.orders).await.state, OrderState::Pending, "one has gone, one more is taken");
    assert_eq!(try_to_place(&library.orders).await, Err(PlaceError::TooManyPending));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_the_same_moment_no_more_wait_than_may() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(away());
    let orders = orders_on(store.clone(), &desk, Policy { max_pending: 3, ..policy(Defer) });
    let together = Arc::new(tokio::sync::Barrier::new(64));
    let asking: Vec<_> = (0..64)
        .map(|_| {
            let (orders, together) = (orders.clone(), Arc::clone(&together));
            tokio::spawn(async move {
                together.wait().await;
                try_to_place(&orders).await
            })
        })
        .collect();
    let (mut placed, mut refused) = (0, 0);
    for asked in asking {
        match asked.await.expect("no panic") {
            Ok(_) => placed += 1,
            Err(PlaceError::TooManyPending) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((placed, refused, store.pending()), (3, 61, 3));
}

#[tokio::test]
async fn a_repeat_gets_the_same_order_as_it_is_now_and_places_no_second() {
    let library = a_library(Defer, away());
    let first = library.orders.place_order(with_key("k")).await.expect("an order");
    assert_eq!(library.orders.place_order(with_key("k")).await.as_ref(), Ok(&first));
    react(&library.orders, &[ReactionKind::Rented]).await;
    cancel(&library.orders).await.expect("cancelled");
    let repeated = library.orders.place_order(with_key("k")).await.expect("an order");
    assert_eq!((repeated.id, repeated.state), (first.id, OrderState::Cancelling));
    assert_eq!((library.count().await, library.desk.asked_for()), (1, vec![1]));

    let other = library.orders.place_order(with_key("K")).await.expect("an order");
    let without = place(&library.orders).await;
    assert_eq!((other.id, without.id), (OrderId(2), OrderId(3)), "without the key it is another request");
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let library = a_library(Defer, RentAnswer::Confirmed);
    library.orders.place_order(with_key("k")).await.expect("an order");
    let item = Item::parse("another book").expect("an item");
    let customer = Customer::parse("lee");
    for other in [
        PlaceOrder { item, ..with_key("k") },
        PlaceOrder { customer, ..with_key("k") },
        PlaceOrder { customer: None, ..with_key("k") },
    ] {
        assert_eq!(library.orders.place_order(other).await, Err(PlaceError::KeyReused));
    }
    assert_eq!((library.count().await, library.desk.asked_for()), (1, vec![1]));
}

#[tokio::test]
async fn a_key_is_free_again_after_unavailability_and_not_after_a_rule() {
    for (answer, second) in [(away(), OrderId(2)), (refused(), FIRST)] {
        let library = a_library(Reject, answer.clone());
        library.orders.place_order(with_key("k")).await.expect("an order");
        library.desk.answers(RentAnswer::Confirmed);
        let retried = library.orders.place_order(with_key("k")).await.expect("an order");
        assert_eq!(retried.id, second, "after {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repeats_at_the_same_moment_place_one_order() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(RentAnswer::Confirmed);
    let orders = orders_on(store.clone(), &desk, policy(Defer));
    for n in 1..=10 {
        let repeats: Vec<_> = (0..16)
            .map(|_| {
                let orders = orders.clone();
                tokio::spawn(async move { orders.place_order(with_key(&format!("k-{n}"))).await })
            })
            .collect();
        let mut ids = Vec::new();
        for repeat in repeats {
            ids.push(repeat.await.expect("no panic").expect("an order").id);
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        until("confirmed", async || committed(&store, ids[0]).await.state == OrderState::Ordered).await;
        // It is said as soon as it is on the disk as well.
        until("said", async || waiting_types(&store, ids[0]).await == ["Ordered"]).await;
    }
    let query = PageQuery { offset: 0, limit: 100, sort: Vec::new() };
    let (found, total) = store.page(query).await.expect("a page");
    assert_eq!((found.len(), total, store.pending()), (10, 10, 0));
    assert_eq!(desk.asked().len(), 10, "only the one that placed the order asks rent");
}

#[tokio::test]
async fn while_the_store_is_away_no_order_is_placed() {
    let library = a_library(Defer, RentAnswer::Confirmed);
    library.store.set_away(true);
    for placement in [a_placement(), with_key("k")] {
        let placed = library.orders.place_order(placement).await;
        assert!(matches!(placed, Err(PlaceError::Unavailable(_))), "{placed:?}");
    }
    library.store.set_away(false);
    assert_eq!((library.count().await, library.desk.asked().len()), (0, 0));
    assert_eq!(place(&library.orders).await.state, OrderState::Ordered);
}

#[tokio::test]
async fn an_order_whose_answer_cannot_be_stored_is_pending_and_not_lost() {
    let library = a_library(Defer, RentAnswer::Confirmed);
    let store = library.store.clone();
    library.desk.does(move |_| {
        store.set_away(true);
        std::future::ready(RentAnswer::Confirmed)
    });
    let order = place(&library.orders).await;
    library.store.set_away(false);
    assert_eq!((&order.state, library.said()), (&OrderState::Pending, vec![]));
    assert_eq!(library.first().await, order);
}

/// A library whose store takes so long for its first write.
fn with_a_slow_store(takes: Duration) -> Library {
    let (store, desk) = (MemoryOrders::default(), Desk::answering(RentAnswer::Confirmed));
    let slow = Interrupted::new(store.clone(), move |write| async move {
        if write == 1 {
            tokio::time::sleep(takes).await;
        }
    });
    let policy = Policy { store_deadline: Duration::from_secs(5), ..policy(Defer) };
    Library { orders: orders_on(slow, &desk, policy), store, desk }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_and_in_time_places_the_order() {
    let library = with_a_slow_store(Duration::from_millis(4_999));
    assert_eq!(place(&library.orders).await.state, OrderState::Ordered);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_not_stored_in_time_is_never_stored() {
    let library = with_a_slow_store(Duration::from_secs(60));
    let asked_at = Instant::now();
    let placed = library.orders.place_order(with_key("k")).await;
    assert!(matches!(placed, Err(PlaceError::Unavailable(_))), "{placed:?}");
    assert_eq!(asked_at.elapsed(), Duration::from_secs(5));

    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!((library.count().await, library.desk.asked().len()), (0, 0));
    let retried = library.orders.place_order(with_key("k")).await.expect("an order");
    assert_eq!((retried.id, retried.state), (OrderId(2), OrderState::Ordered), "the key is free");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_being_stored_at_the_deadline_is_waited_for() {
    let (store, desk) = (MemoryOrders::default(), Desk::answering(RentAnswer::Confirmed));
    let slow = Interrupted::after(store.clone(), move |write| async move {
        if write == 1 {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    });
    let library = Library { orders: orders_on(slow, &desk, policy(Defer)), store, desk };
    let asked_at = Instant::now();
    let placed = place(&library.orders).await;
    assert_eq!((asked_at.elapsed(), placed.state), (Duration::from_secs(60), OrderState::Ordered));
}
