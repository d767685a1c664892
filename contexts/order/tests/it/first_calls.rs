//! First calls, gathered: the same for every order as if it had called alone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use order::{
    application::{
        OnRentUnavailable::{Defer, Reject},
        Orders,
        ports::{AskRent, RentAnswer, RentDesk},
    },
    domain::{Fact, OrderId, OrderState},
};
use parking_lot::Mutex;

use crate::support::{
    Library, UNAVAILABLE, a_library, a_placement, away, by_rule, cancel, orders_with, place, policy, refused,
    until,
};

/// A library whose first calls are gathered.
fn gathered(library: Library) -> Library {
    Library { orders: library.orders.with_gathered_calls(), ..library }
}

#[tokio::test]
async fn the_answer_of_rent_decides_as_it_does_alone() {
    for (on_rent_unavailable, answer, state, said) in [
        (Defer, RentAnswer::Confirmed, OrderState::Ordered, Fact::Ordered),
        (Defer, refused(), by_rule(), Fact::OrderRejected),
        (Defer, away(), OrderState::Pending, Fact::OrderDeferred),
        (Reject, away(), UNAVAILABLE, Fact::OrderRejected),
    ] {
        let library = gathered(a_library(on_rent_unavailable, answer));
        let order = place(&library.orders).await;
        assert_eq!((&order.state, library.said()), (&state, vec![said]));
        assert_eq!(library.first().await, order, "what is returned is what is committed");
    }
}

/// Rent that is asked for several at once: it refuses odd orders.
#[derive(Clone, Default)]
struct Together(Arc<Mutex<Vec<usize>>>);

#[async_trait]
impl RentDesk for Together {
    async fn confirm(&self, _: AskRent) -> RentAnswer {
        panic!("nobody asks alone");
    }

    async fn confirm_all(&self, asks: Vec<AskRent>) -> Vec<RentAnswer> {
        self.0.lock().push(asks.len());
        // Until here the next ones gather.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let odd = |ask: &AskRent| ask.order_id.0 % 2 == 1;
        asks.iter().map(|ask| if odd(ask) { refused() } else { RentAnswer::Confirmed }).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn many_ask_with_few_calls_and_each_gets_its_own_answer() {
    let (library, desk) = (a_library(Defer, away()), Together::default());
    let orders = orders_with(library.store.clone(), desk.clone(), policy(Defer)).with_gathered_calls();
    let placing = |orders: Orders| tokio::spawn(async move { place(&orders).await });
    let placed: Vec<_> = (0..100).map(|_| placing(orders.clone())).collect();
    for order in placed {
        let order = order.await.expect("no panic");
        let expected = if order.id.0 % 2 == 1 { by_rule() } else { OrderState::Ordered };
        assert_eq!(order.state, expected, "{:?}", order.id);
    }
    let calls = desk.0.lock().clone();
    assert_eq!(calls.iter().sum::<usize>(), 100, "each is asked for once");
    assert!(calls.len() <= 10, "{calls:?}");
    assert_eq!((library.store.said().len(), library.count().await), (100, 100));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_holds_up_nobody_else() {
    let library = gathered(a_library(Defer, RentAnswer::Confirmed));
    library.desk.does(|ask| async move {
        if ask.order_id == OrderId(1) {
            std::future::pending::<()>().await;
        }
        RentAnswer::Confirmed
    });
    let orders = library.orders.clone();
    let hanging = tokio::spawn(async move { place(&orders).await });
    until("asked", async || library.desk.asked().len() == 1).await;
    for _ in 0..10 {
        assert_eq!(place(&library.orders).await.state, OrderState::Ordered);
    }
    assert!(!hanging.is_finished());
    hanging.abort();
}

#[tokio::test]
async fn a_cancel_that_is_faster_than_the_call_is_what_is_answered() {
    let library = gathered(a_library(Defer, RentAnswer::Confirmed));
    let orders = library.orders.clone();
    library.desk.does(move |_| {
        let orders = orders.clone();
        async move {
            cancel(&orders).await.expect("cancelled");
            RentAnswer::Confirmed
        }
    });
    let placed = place(&library.orders).await;
    assert_eq!(placed.state, OrderState::Cancelling);
    assert_eq!(library.first().await, placed);
}

#[tokio::test]
async fn an_answer_that_cannot_be_stored_leaves_the_order_pending() {
    let library = gathered(a_library(Defer, RentAnswer::Confirmed));
    let store = library.store.clone();
    library.desk.does(move |_| {
        store.set_away(true);
        std::future::ready(RentAnswer::Confirmed)
    });
    let order = library.orders.place_order(a_placement()).await.expect("an order");
    library.store.set_away(false);
    assert_eq!((&order.state, library.said()), (&OrderState::Pending, vec![]));
    assert_eq!(library.first().await, order);
}
