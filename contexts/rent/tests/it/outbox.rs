//! What is said lands in the outbox with the row that says it, as the wire wants it.

use std::sync::Arc;

use platform_outbox::Outbox as _;
use rent::{
    adapters::outbound::sqlite::SqliteRents,
    application::{
        ConfirmRent, Reaction, ReactionKind,
        ports::{Conflict, RentStore as _, Said, Save},
    },
    domain::{Fact, Moment, Rent, RentId, RentState, Version},
};
use serde_json::Value;

use crate::{ORDER, a_customer, a_file, a_reaction, rents_on};

/// The events that wait to be published, in their order.
pub(crate) async fn waiting(store: &SqliteRents) -> Vec<Value> {
    let rows = store.outbox().read(0, 10_000).await.expect("a read");
    rows.iter().map(|row| serde_json::from_slice(&row.message.value).expect("JSON")).collect()
}

/// The same, only what they are.
pub(crate) async fn waiting_types(store: &SqliteRents) -> Vec<String> {
    let text = |event: &Value| event["eventType"].as_str().expect("a text").to_owned();
    waiting(store).await.iter().map(text).collect()
}

#[tokio::test]
async fn facts_wait_in_their_order_as_the_wire_wants_them() {
    let (_folder, store) = a_file();
    let rents = rents_on(store.clone());
    let correlation_id = Some(Arc::from("c-1"));
    let command = ConfirmRent { order_id: ORDER, customer: Some(a_customer("김독자")), correlation_id };
    rents.confirm_rent(command).await.expect("a rent");
    let cancelled =
        Reaction { correlation_id: Some("c-2".into()), ..a_reaction(ReactionKind::OrderCancelled) };
    let rejected = a_reaction(ReactionKind::CancelRejected);
    rents.on_events(vec![cancelled.clone(), cancelled, rejected.clone(), rejected]).await.expect("applied");

    let rows = store.outbox().read(0, 10).await.expect("a read");
    let lines: Vec<_> = rows.iter().map(|row| String::from_utf8_lossy(&row.message.value)).collect();
    assert_eq!(
        lines,
        [
            r#"{"eventType":"Rented","timestamp":"20201106160731","id":1,"orderId":7,"status":"Rent","me":true,"eventId":"rent-1-1","version":1,"correlationId":"c-1","customer":"김독자","occurredAt":"2020-11-06T07:07:31.007Z"}"#,
            r#"{"eventType":"RentCanceled","timestamp":"20201106160731","id":1,"orderId":7,"status":"Rent Canceled","me":true,"eventId":"rent-1-2","version":2,"correlationId":"c-2","customer":"김독자","occurredAt":"2020-11-06T07:07:31.009Z"}"#,
            r#"{"eventType":"RentReinstated","timestamp":"20201106160731","id":1,"orderId":7,"status":"Rent","me":true,"eventId":"rent-1-3","version":3,"customer":"김독자","occurredAt":"2020-11-06T07:07:31.012Z"}"#,
        ]
    );
    for (row, event_type) in rows.iter().zip(["Rented", "RentCanceled", "RentReinstated"]) {
        assert_eq!(&row.message.key[..], b"7");
        assert_eq!(row.message.headers.text(contracts::HEADER_EVENT_TYPE), Some(event_type));
    }
}

#[tokio::test]
async fn a_conflict_says_nothing() {
    let (_folder, store) = a_file();
    let at = Moment(1);
    let rent = |id| Rent {
        id: RentId(id),
        order_id: ORDER,
        customer: None,
        state: RentState::Rented,
        version: Version(1),
        created_at: at,
        changed_at: at,
    };
    let said = Said { fact: Fact::Rented, version: Version(1), at, correlation_id: None };
    let save = |id| Save { expected: None, rent: rent(id), facts: vec![said.clone()] };
    assert_eq!(store.save_all(vec![save(1), save(2)]).await, Ok(vec![Ok(()), Err(Conflict)]));
    assert_eq!(waiting_types(&store).await, ["Rented"]);
}
