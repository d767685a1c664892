//! The consumer: what it passes over, what it waits for, what can never succeed, what it applies together.

use contracts::{Event, EventKind, HEADER_EVENT_TYPE, WireClock};
use order::{
    adapters::inbound::events::Events,
    application::{OnRentUnavailable::Defer, ReactionKind, ports::OrderStore as _, ports::RentAnswer},
    domain::{Fact, OrderId, OrderState},
};
use platform_event_bus::{HandleError, Handler as _, Headers, Record};

use crate::{
    outbox::waiting_types,
    support::{
        Desk, FIRST, Interrupted, Library, a_cancellation, a_file, a_library, a_reaction, away, cancel,
        committed, orders_on, place, policy, with_an_order,
    },
};

fn a_record(headers: Headers, value: impl Into<Vec<u8>>) -> Record {
    let value = value.into().into();
    Record { partition: 3, offset: 14, published_at: 0, key: None, headers, value }
}

fn plain(value: &str) -> Record {
    a_record(Headers::default(), value)
}

/// As our own services publish it.
fn of_ours(kind: EventKind, order_id: OrderId) -> Record {
    let event = Event {
        order_id: order_id.0,
        id: 70,
        kind,
        event_id: "e-1".to_owned(),
        version: Some(1),
        correlation_id: Some("c-9".to_owned()),
        customer: None,
        occurred_at: None,
    };
    a_record(Headers::new(contracts::headers(&event)), event.encode(&WireClock::default()).to_vec())
}

const RENTED: &str =
    r#"{"eventType":"Rented","timestamp":"20201106160732","id":70,"orderId":1,"status":"Rent","me":true}"#;

/// A library with a pending order, and its consumer.
async fn a_consumer() -> (Library, Events) {
    let library = with_an_order(&OrderState::Pending).await;
    let events = Events(library.orders.clone());
    (library, events)
}

#[tokio::test]
async fn an_event_of_the_original_is_understood() {
    let (library, events) = a_consumer().await;
    events.handle(&[plain(RENTED), plain(RENTED)]).await.expect("applied");
    assert_eq!(library.first().await.state, OrderState::Ordered);
    assert_eq!(library.said(), [Fact::OrderDeferred, Fact::Ordered], "a repeated record says nothing again");
}

#[tokio::test]
async fn each_event_does_what_it_means() {
    for (kind, from, becomes) in [
        (EventKind::Rented, OrderState::Pending, OrderState::Ordered),
        (EventKind::ParcelHandedOver, OrderState::Ordered, OrderState::Shipped),
        (EventKind::CancelRejected, OrderState::Cancelling, OrderState::Shipped),
        (EventKind::DeliveryCanceled, OrderState::Cancelling, OrderState::Canceled),
        (EventKind::ParcelPrepared, OrderState::Ordered, OrderState::Ordered),
        (EventKind::RentCanceled, OrderState::Cancelling, OrderState::Cancelling),
        (EventKind::RentReinstated, OrderState::Cancelling, OrderState::Cancelling),
        (EventKind::Ordered { item: None }, OrderState::Pending, OrderState::Pending),
    ] {
        let library = with_an_order(&from).await;
        let record = of_ours(kind.clone(), FIRST);
        Events(library.orders.clone()).handle(&[record]).await.expect("applied");
        assert_eq!(library.first().await.state, becomes, "{kind:?}");
    }
}

#[tokio::test]
async fn what_follows_from_an_event_names_the_request_that_caused_it() {
    let (library, events) = a_consumer().await;
    events.handle(&[of_ours(EventKind::Rented, FIRST)]).await.expect("applied");
    let (_, said) = library.store.said().pop().expect("something said");
    assert_eq!((said.fact, said.correlation_id.as_deref()), (Fact::Ordered, Some("c-9")));
}

#[tokio::test]
async fn what_concerns_others_is_passed_over() {
    let (library, events) = a_consumer().await;
    let before = library.first().await;
    let of_another_type = Headers::new([(HEADER_EVENT_TYPE, &b"RentCanceled"[..])]);
    let records = [
        a_record(of_another_type.clone(), "not even JSON"),
        a_record(of_another_type, RENTED),
        plain(r#"{"eventType":"Ordered","id":1,"item":"COSMOS","status":"Ordered"}"#),
        plain(r#"{"eventType":"Shipped","id":70,"orderId":1,"status":"Ship"}"#),
        plain(r#"{"eventType":"Shipped","id":70,"orderId":1,"status":"Lost"}"#),
        plain(r#"{"eventType":"SomethingNew","id":1,"orderId":1}"#),
        plain(r#"{"a":1}"#),
    ];
    events.handle(&records).await.expect("passed over");
    assert_eq!(library.first().await, before);
}

#[tokio::test]
async fn a_poison_record_is_undeliverable_and_nothing_beside_it_is_applied() {
    for poison in
        ["not JSON", r#"{"eventType":"Rented","id":70}"#, r#"{"eventType":"Rented","id":70,"orderId":"1"}"#]
    {
        let (library, events) = a_consumer().await;
        let outcome = events.handle(&[plain(RENTED), plain(poison)]).await;
        assert!(matches!(outcome, Err(HandleError::Undeliverable(_))), "{poison}: {outcome:?}");
        assert_eq!(library.first().await.state, OrderState::Pending, "one record alone is set aside");
    }
}

#[tokio::test]
async fn while_the_store_is_away_events_wait() {
    let (library, events) = a_consumer().await;
    library.store.set_away(true);
    let outcome = events.handle(&[plain(RENTED)]).await;
    assert!(matches!(outcome, Err(HandleError::Unavailable(_))), "{outcome:?}");
    library.store.set_away(false);
    events.handle(&[plain(RENTED)]).await.expect("applied");
    assert_eq!(library.first().await.state, OrderState::Ordered);
}

#[tokio::test]
async fn events_of_orders_that_are_not_known_change_nothing() {
    let library = a_library(Defer, RentAnswer::Confirmed);
    let events = Events(library.orders.clone());
    let kinds = [EventKind::Rented, EventKind::ParcelHandedOver, EventKind::DeliveryCanceled];
    events.handle(&kinds.map(|kind| of_ours(kind, OrderId(99)))).await.expect("applied");
    assert_eq!((library.count().await, library.store.said().len()), (0, 0));
}

#[tokio::test]
async fn a_batch_applies_the_events_of_an_order_one_after_the_other() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(away());
    let orders = orders_on(store.clone(), &desk, policy(Defer));
    for _ in 0..3 {
        place(&orders).await;
    }
    orders.cancel_order(a_cancellation(OrderId(2))).await.expect("cancelled");
    let batch = [
        of_ours(EventKind::Rented, FIRST),
        of_ours(EventKind::DeliveryCanceled, OrderId(2)),
        of_ours(EventKind::Rented, OrderId(99)),
        of_ours(EventKind::ParcelHandedOver, FIRST),
        of_ours(EventKind::Rented, OrderId(2)),
        of_ours(EventKind::Rented, OrderId(3)),
        of_ours(EventKind::Rented, FIRST),
    ];
    Events(orders).handle(&batch).await.expect("applied");

    let first = committed(&store, FIRST).await;
    assert_eq!((first.state, first.version.0), (OrderState::Shipped, 4), "confirmed, then shipped");
    assert_eq!(waiting_types(&store, FIRST).await, ["OrderDeferred", "Ordered"]);
    assert_eq!(committed(&store, OrderId(2)).await.state, OrderState::Canceled);
    assert_eq!(committed(&store, OrderId(3)).await.state, OrderState::Ordered);
    assert_eq!(store.pending(), 0);
}

#[tokio::test]
async fn what_was_overtaken_is_decided_again_and_the_rest_of_the_batch_only_once() {
    let library = with_an_order(&OrderState::Pending).await;
    library.desk.answers(away());
    place(&library.orders).await;
    let faster = library.orders.clone();
    let store = Interrupted::new(library.store.clone(), move |write| {
        let faster = faster.clone();
        async move {
            if write == 1 {
                cancel(&faster).await.expect("cancelled");
            }
        }
    });
    let orders = orders_on(store, &library.desk, policy(Defer));
    let batch = [
        a_reaction(FIRST, ReactionKind::Rented),
        a_reaction(OrderId(2), ReactionKind::Rented),
        a_reaction(FIRST, ReactionKind::DeliveryCanceled),
    ];
    orders.on_events(batch.into()).await.expect("applied");
    let first = library.first().await;
    assert_eq!(first.state, OrderState::Canceled, "as if the cancellation had been there before");
    assert_eq!(library.said(), [Fact::OrderDeferred, Fact::OrderCancelled]);
    let second = committed(&library.store, OrderId(2)).await;
    assert_eq!((second.state, second.version.0), (OrderState::Ordered, 3));
}
