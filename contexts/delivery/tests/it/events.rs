//! The consumer: what it passes over, what it waits for, what can never succeed.

use contracts::HEADER_EVENT_TYPE;
use delivery::{
    adapters::{inbound::events::Events, outbound::memory::MemoryDeliveries},
    application::ports::DeliveryStore as _,
    domain::{DeliveryId, DeliveryState},
};
use platform_event_bus::{HandleError, Handler as _, Headers, Record};

use crate::{ORDER, deliveries_on};

const ORDERED: &str = r#"{"eventType":"Ordered","id":7,"item":"COSMOS","status":"Ordered","me":true}"#;
const RENTED: &str = r#"{"eventType":"Rented","id":1,"orderId":7,"status":"Rent","me":true}"#;

fn a_record(headers: Headers, value: &str) -> Record {
    let value = value.as_bytes().to_vec().into();
    Record { partition: 3, offset: 14, published_at: 0, key: None, headers, value }
}

fn an_original_record(value: &str) -> Record {
    a_record(Headers::default(), value)
}

#[tokio::test]
async fn events_of_the_original_are_understood() {
    let store = MemoryDeliveries::default();
    let events = Events(deliveries_on(store.clone()));
    let records = [RENTED, ORDERED, RENTED, ORDERED].map(an_original_record);
    events.handle(&records).await.expect("applied");
    let delivery = store.by_order(ORDER).await.expect("a read").expect("a parcel");
    assert_eq!((delivery.state, delivery.id), (DeliveryState::Released, Some(DeliveryId(1))));
    assert_eq!(store.said().len(), 1, "a repeated record says nothing again");
}

#[tokio::test]
async fn what_concerns_others_is_passed_over() {
    let store = MemoryDeliveries::default();
    let events = Events(deliveries_on(store.clone()));
    let of_another_type = Headers::new([(HEADER_EVENT_TYPE, &b"OrderCancelled"[..])]);
    let records = [
        a_record(of_another_type, "not even JSON"),
        an_original_record(r#"{"eventType":"OrderCancelled","id":7,"status":"Order Canceled"}"#),
        an_original_record(r#"{"eventType":"SomethingNew","id":1}"#),
        // The original made a delivery of no order of this one.
        an_original_record(r#"{"a":1}"#),
    ];
    events.handle(&records).await.expect("passed over");
    assert_eq!(store.by_order(ORDER).await, Ok(None));
}

#[tokio::test]
async fn a_poison_record_is_undeliverable() {
    let events = Events(deliveries_on(MemoryDeliveries::default()));
    for poison in ["not JSON", r#"{"eventType":"Ordered"}"#, r#"{"eventType":"Rented","id":1}"#] {
        let outcome = events.handle(&[an_original_record(poison)]).await;
        assert!(matches!(outcome, Err(HandleError::Undeliverable(_))), "{poison}: {outcome:?}");
    }
}

#[tokio::test]
async fn while_the_store_is_away_events_wait() {
    let store = MemoryDeliveries::default();
    let events = Events(deliveries_on(store.clone()));
    store.set_away(true);
    let outcome = events.handle(&[an_original_record(RENTED)]).await;
    assert!(matches!(outcome, Err(HandleError::Unavailable(_))), "{outcome:?}");
    store.set_away(false);
    events.handle(&[an_original_record(RENTED)]).await.expect("applied");
    assert_eq!(store.said().len(), 1);
}
