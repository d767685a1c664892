//! The consumer: what it passes over, what it waits for, what can never succeed.

use contracts::HEADER_EVENT_TYPE;
use platform_event_bus::{HandleError, Handler as _, Headers, Record};
use rent::{
    adapters::{inbound::events::Events, outbound::memory::MemoryRents},
    application::ports::RentStore as _,
    domain::{Copy, RentState},
};

use crate::{ORDER, rents_on};

const CANCELLED: &str = r#"{"eventType":"OrderCancelled","id":7,"item":"COSMOS","status":"Order Canceled"}"#;

fn a_record(headers: Headers, value: &str) -> Record {
    let value = value.as_bytes().to_vec().into();
    Record { partition: 3, offset: 14, published_at: 0, key: None, headers, value }
}

#[tokio::test]
async fn an_event_of_the_original_is_understood() {
    let store = MemoryRents::default();
    let events = Events(rents_on(store.clone()));
    let record = a_record(Headers::default(), CANCELLED);
    events.handle(&[record.clone(), record]).await.expect("applied");
    let rent = store.by_order(ORDER).await.expect("a read").expect("a tombstone");
    assert_eq!(rent.state, RentState::Canceled(Copy::Tombstone));
    assert_eq!(store.said().len(), 1, "a repeated record says nothing again");
}

#[tokio::test]
async fn what_concerns_others_is_passed_over() {
    let store = MemoryRents::default();
    let events = Events(rents_on(store.clone()));
    let of_another_type = Headers::new([(HEADER_EVENT_TYPE, &b"Ordered"[..])]);
    let records = [
        a_record(of_another_type, "not even JSON"),
        a_record(Headers::default(), r#"{"eventType":"Rented","id":1,"orderId":7,"status":"Rent"}"#),
        a_record(Headers::default(), r#"{"eventType":"SomethingNew","id":1}"#),
        a_record(Headers::default(), r#"{"a":1}"#),
    ];
    events.handle(&records).await.expect("passed over");
    assert_eq!(store.by_order(ORDER).await, Ok(None));
}

#[tokio::test]
async fn a_poison_record_is_undeliverable() {
    let events = Events(rents_on(MemoryRents::default()));
    for poison in
        ["not JSON", r#"{"eventType":"OrderCancelled"}"#, r#"{"eventType":"CancelRejected","id":1}"#]
    {
        let outcome = events.handle(&[a_record(Headers::default(), poison)]).await;
        assert!(matches!(outcome, Err(HandleError::Undeliverable(_))), "{poison}: {outcome:?}");
    }
}

#[tokio::test]
async fn while_the_store_is_away_events_wait() {
    let store = MemoryRents::default();
    let events = Events(rents_on(store.clone()));
    let record = a_record(Headers::default(), CANCELLED);
    store.set_away(true);
    let outcome = events.handle(std::slice::from_ref(&record)).await;
    assert!(matches!(outcome, Err(HandleError::Unavailable(_))), "{outcome:?}");
    store.set_away(false);
    events.handle(&[record]).await.expect("applied");
    assert_eq!(store.said().len(), 1);
}
