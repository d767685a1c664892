//! What is said lands in the outbox with the row that says it, as the wire wants it.

use contracts::{Event, EventKind, Timestamp};
use order::{
    adapters::outbound::sqlite::SqliteOrders,
    application::{
        OnRentUnavailable, PlaceOrder, ReactionKind,
        ports::{Conflict, OrderStore as _, PageQuery, RentAnswer, Said, Save},
    },
    domain::{Fact, Moment, OrderId},
};
use platform_outbox::{Outbox as _, OutboxRow};

use crate::support::{
    BEGIN, Desk, FIRST, a_cancellation, a_file, a_placement, away, cancel, committed, orders_on, place,
    policy, react, refused,
};

async fn rows(store: &SqliteOrders) -> Vec<OutboxRow> {
    store.outbox().read(0, 100_000).await.expect("a read")
}

/// The events that wait to be published, in their order.
pub(crate) async fn waiting(store: &SqliteOrders) -> Vec<Event> {
    let decode = |row: &OutboxRow| {
        let nameless = || panic!("every event of ours has a name");
        contracts::decode(&row.message.value, nameless).expect("JSON").expect("an event")
    };
    rows(store).await.iter().map(decode).collect()
}

/// What waits to be published about one order.
pub(crate) async fn waiting_types(store: &SqliteOrders, id: OrderId) -> Vec<&'static str> {
    let events = waiting(store).await;
    events.iter().filter(|event| event.order_id == id.0).map(|event| event.kind.event_type()).collect()
}

#[tokio::test]
async fn facts_wait_in_their_order_as_the_wire_wants_them() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(away());
    let orders = orders_on(store.clone(), &desk, policy(OnRentUnavailable::Defer));
    place(&orders).await;
    react(&orders, &[ReactionKind::Rented, ReactionKind::Rented]).await;
    cancel(&orders).await.expect("cancelled");
    desk.answers(refused());
    orders.place_order(PlaceOrder { customer: None, ..a_placement() }).await.expect("an order");

    let item = || Some("COSMOS".to_owned());
    let reason = Some("this customer may not borrow".to_owned());
    let expected = [
        (1, EventKind::OrderDeferred { item: item() }, 2, "c-1", Some("kim")),
        (1, EventKind::Ordered { item: item() }, 3, "c-3", Some("kim")),
        (1, EventKind::OrderCancelled { item: item() }, 4, "c-2", Some("kim")),
        (2, EventKind::OrderRejected { item: item(), reason }, 2, "c-1", None),
    ];
    let events = waiting(&store).await;
    assert_eq!(events.len(), expected.len(), "{events:?}");
    for (event, (id, kind, version, correlation_id, customer)) in events.iter().zip(expected) {
        assert_eq!((event.id, event.order_id, &event.kind), (id, id, &kind));
        assert_eq!((event.event_id.clone(), event.version), (format!("order-{id}-{version}"), Some(version)));
        assert_eq!(event.correlation_id.as_deref(), Some(correlation_id));
        assert_eq!(event.customer.as_deref(), customer);
        assert!(event.occurred_at >= Some(Timestamp(BEGIN)), "{event:?}");
    }
    for (row, event) in rows(&store).await.iter().zip(&events) {
        assert_eq!(row.message.key, contracts::key(event.order_id));
        let header = row.message.headers.text(contracts::HEADER_EVENT_TYPE);
        assert_eq!(header, Some(event.kind.event_type()));
    }
}

#[tokio::test]
async fn an_event_is_one_line_with_the_keys_of_the_original_first() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(RentAnswer::Confirmed);
    let orders = orders_on(store.clone(), &desk, policy(OnRentUnavailable::Defer));
    let order = place(&orders).await;
    let at = Moment(1_604_646_451_007);
    let said = Said { fact: Fact::OrderCancelled, version: order.version, at, correlation_id: None };
    let change = Save {
        expected: Some(order.version),
        was_pending: false,
        pending_below: None,
        order,
        facts: vec![said],
        revocation: None,
        redoable: false,
    };
    assert_eq!(store.save(change).await, Ok(Ok(())));
    let rows = rows(&store).await;
    assert_eq!(
        String::from_utf8_lossy(&rows[1].message.value),
        r#"{"eventType":"OrderCancelled","timestamp":"20201106160731","id":1,"item":"COSMOS","status":"Order Canceled","me":true,"orderId":1,"eventId":"order-1-2","version":2,"customer":"kim","occurredAt":"2020-11-06T07:07:31.007Z"}"#
    );
}

#[tokio::test]
async fn a_conflict_says_nothing_and_is_counted_nowhere() {
    let (_folder, store) = a_file();
    let desk = Desk::answering(RentAnswer::Confirmed);
    let orders = orders_on(store.clone(), &desk, policy(OnRentUnavailable::Defer));
    let seen = place(&orders).await;
    orders.cancel_order(a_cancellation(FIRST)).await.expect("cancelled");
    let said_before = rows(&store).await;

    let said = Said { fact: Fact::Ordered, version: seen.version, at: Moment(1), correlation_id: None };
    let late = Save {
        expected: Some(seen.version),
        was_pending: true,
        pending_below: None,
        order: seen.clone(),
        facts: vec![said.clone()],
        revocation: None,
        redoable: false,
    };
    let second = Save {
        expected: None,
        was_pending: false,
        pending_below: None,
        order: seen,
        facts: vec![said],
        revocation: None,
        redoable: false,
    };
    assert_eq!(store.save_all(vec![late, second]).await, Ok(vec![Err(Conflict), Err(Conflict)]));
    assert_eq!(rows(&store).await, said_before);
    let (found, total) =
        store.page(PageQuery { offset: 0, limit: 10, sort: Vec::new() }).await.expect("a page");
    assert_eq!((found, total, store.pending()), (vec![committed(&store, FIRST).await], 1, 0));
}
