//! What is said lands in the outbox with the row that says it, as the wire wants it.

use delivery::{
    adapters::outbound::sqlite::SqliteDeliveries,
    application::{
        HandOver, Reaction, ReactionKind,
        ports::{Conflict, DeliveryStore as _, Said, Save},
    },
    domain::{Customer, Delivery, DeliveryId, DeliveryState, Fact, Moment, OrderId, Version},
};
use platform_outbox::Outbox as _;
use serde_json::Value;

use crate::{ORDER, a_file, a_hand_over, a_reaction, deliveries_on};

/// The events of an order that wait to be published, in their order: type and status.
pub(crate) async fn waiting(store: &SqliteDeliveries, order_id: OrderId) -> Vec<String> {
    let rows = store.outbox().read(0, 10_000).await.expect("a read");
    let events = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.message.value).expect("JSON"));
    let of_order = events.filter(|event| event["orderId"] == order_id.0);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    of_order.map(|event| format!("{}/{}", text(&event["eventType"]), text(&event["status"]))).collect()
}

#[tokio::test]
async fn facts_wait_in_their_order_as_the_wire_wants_them() {
    let (_folder, store) = a_file();
    let deliveries = deliveries_on(store.clone());
    let rented = Reaction {
        customer: Customer::parse("김독자"),
        correlation_id: Some("c-1".into()),
        ..a_reaction(ReactionKind::Rented)
    };
    let late = Reaction { order_id: OrderId(8), customer: None, ..a_reaction(ReactionKind::RentCanceled) };
    deliveries.on_events(vec![rented.clone(), rented]).await.expect("applied");
    let ordered = Reaction { customer: Customer::parse("김독자"), ..a_reaction(ReactionKind::Ordered) };
    deliveries.on_events(vec![late.clone(), late, ordered]).await.expect("applied");
    let command = HandOver { correlation_id: Some("c-2".into()), ..a_hand_over(DeliveryId(1)) };
    for _ in 0..2 {
        deliveries.hand_over(command.clone()).await.expect("handed over");
    }
    let canceled = a_reaction(ReactionKind::RentCanceled);
    deliveries.on_events(vec![canceled.clone(), canceled]).await.expect("applied");

    let rows = store.outbox().read(0, 10).await.expect("a read");
    let lines: Vec<_> = rows.iter().map(|row| String::from_utf8_lossy(&row.message.value)).collect();
    assert_eq!(
        lines,
        [
            r#"{"eventType":"Shipped","timestamp":"20201106160731","id":1,"orderId":7,"status":"Ship","me":true,"eventId":"delivery-1-1","version":1,"correlationId":"c-1","customer":"김독자","occurredAt":"2020-11-06T07:07:31.007Z"}"#,
            r#"{"eventType":"DeliveryCanceled","timestamp":"20201106160731","id":2,"orderId":8,"status":"Ship Canceled","me":true,"eventId":"delivery-2-1","version":1,"occurredAt":"2020-11-06T07:07:31.009Z"}"#,
            r#"{"eventType":"Shipped","timestamp":"20201106160731","id":1,"orderId":7,"status":"Shipped","me":true,"eventId":"delivery-1-3","version":3,"correlationId":"c-2","customer":"김독자","occurredAt":"2020-11-06T07:07:31.012Z"}"#,
            r#"{"eventType":"CancelRejected","timestamp":"20201106160731","id":1,"orderId":7,"status":"Shipped","me":true,"eventId":"delivery-1-4","version":4,"customer":"김독자","occurredAt":"2020-11-06T07:07:31.014Z"}"#,
            r#"{"eventType":"CancelRejected","timestamp":"20201106160731","id":1,"orderId":7,"status":"Shipped","me":true,"eventId":"delivery-1-5","version":5,"customer":"김독자","occurredAt":"2020-11-06T07:07:31.015Z"}"#,
        ]
    );
    let types = ["Shipped", "DeliveryCanceled", "Shipped", "CancelRejected", "CancelRejected"];
    for ((row, event_type), key) in rows.iter().zip(types).zip([7, 8, 7, 7, 7]) {
        assert_eq!(row.message.key, key.to_string().as_bytes());
        assert_eq!(row.message.headers.text(contracts::HEADER_EVENT_TYPE), Some(event_type));
    }
}

#[tokio::test]
async fn a_conflict_says_nothing() {
    let (_folder, store) = a_file();
    let at = Moment(1);
    let delivery = |id| Delivery {
        order_id: ORDER,
        id: Some(DeliveryId(id)),
        customer: None,
        state: DeliveryState::Held,
        version: Version(1),
        created_at: at,
        changed_at: at,
    };
    let said = Said { fact: Fact::ParcelPrepared, version: Version(1), at, correlation_id: None };
    let save =
        |id| Save { expected: None, was_shown: false, delivery: delivery(id), facts: vec![said.clone()] };
    assert_eq!(store.save_all(vec![save(1), save(2)]).await, Ok(vec![Ok(()), Err(Conflict)]));
    assert_eq!(waiting(&store, ORDER).await, ["Shipped/Ship"]);
}
