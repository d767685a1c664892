//! Cancelling: what every state answers, and who wins when others are as fast.

use order::{
    adapters::outbound::sqlite::SqliteOrders,
    application::{
        CancelError, CancelOrder,
        OnRentUnavailable::Defer,
        Orders, ReactionKind,
        ports::{OrderStore as _, RentAnswer},
    },
    domain::{CancelRefused, Fact, OrderId, OrderState, Version},
};

use crate::{
    outbox::waiting_types,
    support::{
        Desk, FIRST, Interrupted, UNAVAILABLE, a_cancellation, a_file, a_library, a_reaction, away, by_rule,
        cancel, committed, orders_on, place, policy, react, with_an_order,
    },
};

#[tokio::test]
async fn an_order_can_be_cancelled_until_the_courier_has_the_parcel() {
    for state in [OrderState::Pending, OrderState::Ordered] {
        let library = with_an_order(&state).await;
        let before = library.first().await;
        let cancelled = cancel(&library.orders).await.expect("cancelled");
        assert_eq!((&cancelled.state, cancelled.version.0), (&OrderState::Cancelling, before.version.0 + 1));
        assert_eq!(library.first().await, cancelled, "what is returned is what is committed");
        assert_eq!(library.said().last(), Some(&Fact::OrderCancelled));
        let said = library.store.said().pop().expect("something said").1;
        assert_eq!((said.version, said.correlation_id.as_deref()), (cancelled.version, Some("c-2")));
    }
}

#[tokio::test]
async fn a_repeat_is_accepted_and_says_nothing() {
    for state in [OrderState::Cancelling, OrderState::Canceled] {
        let library = with_an_order(&state).await;
        let (before, said) = (library.first().await, library.said());
        assert_eq!(cancel(&library.orders).await.as_ref(), Ok(&before));
        assert_eq!((library.first().await, library.said()), (before, said));
    }
}

#[tokio::test]
async fn what_is_shipped_or_rejected_is_not_cancelled() {
    for (state, refused) in [
        (OrderState::Shipped, CancelRefused::AlreadyShipped),
        (by_rule(), CancelRefused::AlreadyRejected),
        (UNAVAILABLE, CancelRefused::AlreadyRejected),
    ] {
        let library = with_an_order(&state).await;
        let (before, said) = (library.first().await, library.said());
        assert_eq!(cancel(&library.orders).await, Err(CancelError::Refused(refused)));
        assert_eq!((library.first().await, library.said()), (before, said));
    }
}

#[tokio::test]
async fn an_order_that_is_not_there_cannot_be_cancelled() {
    let library = with_an_order(&OrderState::Ordered).await;
    let cancelled = library.orders.cancel_order(a_cancellation(OrderId(2))).await;
    assert_eq!(cancelled, Err(CancelError::Unknown));
}

#[tokio::test]
async fn a_cancellation_of_another_version_changes_nothing() {
    let library = with_an_order(&OrderState::Ordered).await;
    let seen = library.first().await;
    let of_version = |version| CancelOrder { if_version: Some(version), ..a_cancellation(FIRST) };
    for other in [Version(seen.version.0 - 1), Version(seen.version.0 + 1)] {
        let cancelled = library.orders.cancel_order(of_version(other)).await;
        assert_eq!(cancelled, Err(CancelError::Changed(seen.version)));
        assert_eq!(library.first().await, seen);
    }
    let cancelled = library.orders.cancel_order(of_version(seen.version)).await.expect("cancelled");
    assert_eq!(cancelled.state, OrderState::Cancelling);
}

#[tokio::test]
async fn a_version_that_changes_at_the_last_moment_is_noticed() {
    let library = with_an_order(&OrderState::Pending).await;
    let (faster, seen) = (library.orders.clone(), library.first().await);
    let store = Interrupted::new(library.store.clone(), move |write| {
        let faster = faster.clone();
        async move {
            if write == 1 {
                react(&faster, &[ReactionKind::Rented]).await;
            }
        }
    });
    let orders = orders_on(store, &library.desk, policy(Defer));
    let command = CancelOrder { if_version: Some(seen.version), ..a_cancellation(FIRST) };
    assert_eq!(orders.cancel_order(command).await, Err(CancelError::Changed(Version(seen.version.0 + 1))));
    assert_eq!(library.first().await.state, OrderState::Ordered);
}

#[tokio::test]
async fn a_cancellation_that_was_overtaken_is_decided_again() {
    for (faster_event, cancelled, becomes) in [
        (ReactionKind::Rented, true, OrderState::Cancelling),
        (ReactionKind::HandedOver, false, OrderState::Shipped),
    ] {
        let library = with_an_order(&OrderState::Pending).await;
        let faster = library.orders.clone();
        let store = Interrupted::new(library.store.clone(), move |write| {
            let faster = faster.clone();
            async move {
                if write == 1 {
                    react(&faster, &[faster_event]).await;
                }
            }
        });
        let orders = orders_on(store, &library.desk, policy(Defer));
        assert_eq!(cancel(&orders).await.is_ok(), cancelled, "after {faster_event:?}");
        assert_eq!(library.first().await.state, becomes);
    }
}

#[tokio::test]
async fn while_the_store_is_away_nothing_is_cancelled() {
    let library = with_an_order(&OrderState::Ordered).await;
    library.store.set_away(true);
    let cancelled = cancel(&library.orders).await;
    assert!(matches!(cancelled, Err(CancelError::Unavailable(_))), "{cancelled:?}");
    library.store.set_away(false);
    assert_eq!(library.first().await.state, OrderState::Ordered);
}

/// Cancels while `event` arrives, and tells whether it was cancelled.
async fn race(orders: &Orders, id: OrderId, event: ReactionKind) -> bool {
    let cancelling = tokio::spawn({
        let orders = orders.clone();
        async move { orders.cancel_order(a_cancellation(id)).await }
    });
    orders.on_events(vec![a_reaction(id, event)]).await.expect("applied");
    match cancelling.await.expect("no panic") {
        Ok(_) => true,
        Err(CancelError::Refused(CancelRefused::AlreadyShipped)) => false,
        Err(other) => panic!("{other}"),
    }
}

async fn what_became(store: &SqliteOrders, id: OrderId) -> (OrderState, Vec<&'static str>) {
    (committed(store, id).await.state, waiting_types(store, id).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_meets_a_confirmation() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(away());
    let orders = orders_on(store.clone(), &desk, policy(Defer));
    for _ in 0..50 {
        let id = place(&orders).await.id;
        assert!(race(&orders, id, ReactionKind::Rented).await, "both are possible");
        let (state, said) = what_became(&store, id).await;
        assert_eq!(state, OrderState::Cancelling);
        let confirmed_first = ["OrderDeferred", "Ordered", "OrderCancelled"];
        assert!(said == confirmed_first || said == ["OrderDeferred", "OrderCancelled"], "{said:?}");
    }
    assert_eq!(store.pending(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_meets_the_answer_of_rent() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(RentAnswer::Confirmed);
    let orders = orders_on(store.clone(), &desk, policy(Defer));
    let canceller = orders.clone();
    let (cancelling, mut cancelled) = tokio::sync::mpsc::unbounded_channel();
    desk.does(move |ask| {
        let canceller = canceller.clone();
        let cancel = async move { canceller.cancel_order(a_cancellation(ask.order_id)).await };
        cancelling.send(tokio::spawn(cancel)).expect("the test listens");
        std::future::ready(RentAnswer::Confirmed)
    });
    for _ in 0..50 {
        let placed = place(&orders).await;
        assert!(matches!(placed.state, OrderState::Ordered | OrderState::Cancelling), "{placed:?}");
        cancelled.recv().await.expect("a cancellation").await.expect("no panic").expect("cancelled");
        let (state, said) = what_became(&store, placed.id).await;
        assert_eq!(state, OrderState::Cancelling);
        assert!(said == ["Ordered", "OrderCancelled"] || said == ["OrderCancelled"], "{said:?}");
    }
    assert_eq!(store.pending(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_meets_the_hand_over() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(RentAnswer::Confirmed);
    let orders = orders_on(store.clone(), &desk, policy(Defer));
    for _ in 0..50 {
        let id = place(&orders).await.id;
        let cancelled = race(&orders, id, ReactionKind::HandedOver).await;
        let (state, said) = what_became(&store, id).await;
        assert_eq!(state, OrderState::Shipped, "the courier had the parcel");
        let expected = if cancelled { vec!["Ordered", "OrderCancelled"] } else { vec!["Ordered"] };
        assert_eq!(said, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_cancellations_at_the_same_moment_are_one() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(RentAnswer::Confirmed);
    let orders = orders_on(store.clone(), &desk, policy(Defer));
    for _ in 0..50 {
        let id = place(&orders).await.id;
        let other = tokio::spawn({
            let orders = orders.clone();
            async move { orders.cancel_order(a_cancellation(id)).await }
        });
        let one = orders.cancel_order(a_cancellation(id)).await.expect("cancelled");
        let other = other.await.expect("no panic").expect("cancelled");
        assert_eq!(one, other);
        let cancelled_once = (OrderState::Cancelling, vec!["Ordered", "OrderCancelled"]);
        assert_eq!(what_became(&store, id).await, cancelled_once);
    }
}

#[tokio::test]
async fn the_answer_of_delivery_ends_a_cancellation() {
    for (event, becomes) in [
        (ReactionKind::DeliveryCanceled, OrderState::Canceled),
        (ReactionKind::CancelRejected, OrderState::Shipped),
        (ReactionKind::HandedOver, OrderState::Shipped),
    ] {
        let library = a_library(Defer, RentAnswer::Confirmed);
        place(&library.orders).await;
        cancel(&library.orders).await.expect("cancelled");
        react(&library.orders, &[event]).await;
        assert_eq!(library.first().await.state, becomes);
        assert_eq!(library.said(), [Fact::Ordered, Fact::OrderCancelled], "{event:?} says nothing more");
    }
}
