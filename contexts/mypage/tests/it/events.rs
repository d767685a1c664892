//! Records as they are on the topic, the original's among them.

use std::sync::Arc;

use bytes::Bytes;
use contracts::{Event, EventKind, Timestamp, WireClock};
use mypage::{
    adapters::{
        inbound::events::Events,
        outbound::{memory::MemoryView, redb::RedbView},
    },
    projection::{Fact, Status},
    query::View,
    rebuild::rebuild,
};
use platform_event_bus::{
    EventBus, HandleError, Handler as _, Headers, NewRecord, Record, memory::MemoryBus,
};

fn record(offset: i64, value: &str) -> Record {
    Record {
        partition: 3,
        offset,
        published_at: 1_000 + offset,
        key: None,
        headers: Headers::default(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    }
}

async fn handled(records: &[Record]) -> (MemoryView, Result<(), HandleError>) {
    let view = MemoryView::default();
    let result = Events(Arc::new(view.clone())).handle(records).await;
    (view, result)
}

#[tokio::test]
async fn the_originals_events_make_a_row() {
    let lines = [
        r#"{"eventType":"Rented","timestamp":"20201106160732","id":5,"orderId":1,"status":"Rent","me":true}"#,
        r#"{"eventType":"Ordered","timestamp":"20201106160731","id":1,"item":"COSMOS","status":"Ordered","me":true}"#,
        r#"{"eventType":"Shipped","timestamp":"20201106160733","id":9,"orderId":1,"status":"Ship","me":true}"#,
    ];
    let records: Vec<_> = (0..).zip(lines).map(|(offset, line)| record(offset, line)).collect();
    let (view, result) = handled(&records).await;
    result.expect("handled");
    let row = view.get(1).await.expect("a read").expect("a row");
    assert_eq!((row.item(), row.status()), (Some("COSMOS"), Status::Ship));
    let history: Vec<_> = row.history().iter().map(|entry| (entry.event, entry.at.0)).collect();
    assert_eq!(
        history,
        [("Rented", 1_000), ("Ordered", 1_001), ("Shipped", 1_002)],
        "as they were published"
    );
}

#[tokio::test]
async fn what_is_not_ours_is_passed_over() {
    let mut named_otherwise = record(0, "not even JSON");
    named_otherwise.headers = Headers::new([(contracts::HEADER_EVENT_TYPE, &b"BookBought"[..])]);
    let lines = [r#"{"eventType":"BookBought","id":1,"orderId":1}"#, r#"{"a":1}"#, "{}"];
    let mut records = vec![named_otherwise];
    records.extend((1..).zip(lines).map(|(offset, line)| record(offset, line)));
    let (view, result) = handled(&records).await;
    result.expect("handled");
    assert_eq!(view.total().await, Ok(0));
}

#[tokio::test]
async fn what_can_never_be_read_is_undeliverable() {
    for line in ["{", r#"{"eventType":"Rented","id":1}"#, r#"{"eventType":"Ordered","id":"one"}"#] {
        let (view, result) = handled(&[record(0, line)]).await;
        assert!(matches!(result, Err(HandleError::Undeliverable(_))), "{line}: {result:?}");
        assert_eq!(view.total().await, Ok(0));
    }
}

#[tokio::test]
async fn a_view_that_is_away_makes_the_partition_wait() {
    let view = MemoryView::default();
    view.set_away(true);
    let line = r#"{"eventType":"Rented","id":1,"orderId":1}"#;
    let result = Events(Arc::new(view)).handle(&[record(0, line)]).await;
    assert!(matches!(result, Err(HandleError::Unavailable(_))), "{result:?}");
}

/// What the fact says of its event and what the event says of itself are the same words.
#[test]
fn facts_name_the_events_that_said_them() {
    let item = || Some("COSMOS".to_owned());
    let kinds = [
        EventKind::OrderDeferred { item: item() },
        EventKind::Rented,
        EventKind::Ordered { item: item() },
        EventKind::ParcelPrepared,
        EventKind::ParcelHandedOver,
        EventKind::OrderCancelled { item: item() },
        EventKind::OrderRejected { item: item(), reason: None },
        EventKind::RentCanceled,
        EventKind::DeliveryCanceled,
        EventKind::CancelRejected,
        EventKind::RentReinstated,
    ];
    for (kind, fact) in kinds.into_iter().zip(Fact::ALL) {
        assert_eq!(fact.said_by(), (kind.event_type(), kind.status()));
        let event = event(1, kind);
        let shown = mypage::projection::OrderFact::from_event(event, Timestamp(7));
        assert_eq!((shown.fact, shown.at), (fact, Timestamp(7)));
    }
}

fn event(order_id: i64, kind: EventKind) -> Event {
    Event {
        order_id,
        id: order_id,
        kind,
        event_id: String::new(),
        version: None,
        correlation_id: None,
        customer: Some("kim".to_owned()),
        occurred_at: None,
    }
}

async fn publish(bus: &MemoryBus, event: &Event) {
    let value = event.encode(&WireClock::default());
    let record = NewRecord { key: Some(contracts::key(event.order_id)), value, ..NewRecord::default() };
    bus.publish(contracts::TOPIC, vec![record]).await.expect("published");
}

/// Lost view, group that has read everything: the rebuild finds all of it, and the poison does not stop it.
#[tokio::test]
async fn a_lost_view_is_rebuilt_from_the_topic() {
    let bus = MemoryBus::default();
    for order_id in 1..=300 {
        publish(&bus, &event(order_id, EventKind::Rented)).await;
        publish(&bus, &event(order_id, EventKind::Ordered { item: Some("COSMOS".to_owned()) })).await;
    }
    bus.publish(contracts::TOPIC, vec![NewRecord { value: "{".into(), ..NewRecord::default() }])
        .await
        .expect("published");

    let folder = tempfile::tempdir().expect("a folder");
    let view = RedbView::open(&folder.path().join("mypage.redb")).expect("it opens");
    assert_eq!(view.is_complete().await, Ok(false));
    assert_eq!(rebuild(&view, &bus, contracts::TOPIC).await.expect("rebuilt"), 600);
    assert_eq!(view.is_complete().await, Ok(true));

    let live = MemoryView::default();
    let records = bus.published(contracts::TOPIC);
    Events(Arc::new(live.clone())).handle(&records[..600]).await.expect("handled");
    let all = view.scan(None, 1_000).await.expect("a scan");
    assert_eq!(all, live.scan(None, 1_000).await.expect("a scan"));
    assert_eq!(all.len(), 300);
}
