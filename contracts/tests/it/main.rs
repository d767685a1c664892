//! The wire: golden JSON of every event, the original's records, and what decoding bears.

use contracts::{DecodeError, Event, EventKind, Timestamp, WireClock, decode, may_concern};
use proptest::prelude::*;

fn nowhere() -> String {
    "rentalbook-3-17".to_owned()
}

fn an_event(kind: EventKind) -> Event {
    let id = if kind.is_of_order() { 7 } else { 3 };
    Event {
        order_id: 7,
        id,
        kind,
        event_id: "x-3-2".to_owned(),
        version: Some(2),
        correlation_id: Some("c-1".to_owned()),
        customer: Some("김독자".to_owned()),
        occurred_at: Timestamp::from_rfc3339("2020-11-06T16:07:31.007+09:00"),
    }
}

fn every_kind() -> Vec<EventKind> {
    let item = || Some("COSMOS".to_owned());
    vec![
        EventKind::Ordered { item: item() },
        EventKind::OrderDeferred { item: item() },
        EventKind::OrderRejected { item: item(), reason: Some("because".to_owned()) },
        EventKind::OrderCancelled { item: item() },
        EventKind::Rented,
        EventKind::RentCanceled,
        EventKind::RentReinstated,
        EventKind::ParcelPrepared,
        EventKind::ParcelHandedOver,
        EventKind::DeliveryCanceled,
        EventKind::CancelRejected,
    ]
}

#[test]
fn every_event_is_written_exactly_as_the_golden_file_has_it() {
    let clock = WireClock::default();
    let written: Vec<_> = every_kind()
        .into_iter()
        .map(|kind| String::from_utf8(an_event(kind).encode(&clock).to_vec()).expect("text"))
        .collect();
    let golden: Vec<_> = include_str!("../../events/golden.jsonl").lines().collect();
    assert_eq!(written, golden);
}

#[test]
fn every_event_comes_back_as_it_was() {
    for kind in every_kind() {
        let event = an_event(kind);
        let read = decode(&event.encode(&WireClock::default()), nowhere).expect("decodes").expect("known");
        assert_eq!(read, event);
    }
}

#[test]
fn an_event_without_the_optional_parts_leaves_their_keys_out() {
    let event = Event { version: None, correlation_id: None, customer: None, ..an_event(EventKind::Rented) };
    let line = String::from_utf8(event.encode(&WireClock::default()).to_vec()).expect("text");
    for key in ["version", "correlationId", "customer", "item", "reason", "null"] {
        assert!(!line.contains(key), "{key} in {line}");
    }
}

#[test]
fn every_record_of_the_original_is_understood_and_ours_begins_like_it() {
    let clock = WireClock::default();
    for line in include_str!("original-events.jsonl").lines() {
        let event = decode(line.as_bytes(), nowhere).expect("decodes").expect("known");
        assert_eq!(event.event_id, nowhere(), "named after its place");
        let original: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let number = |key: &str| original.get(key).and_then(serde_json::Value::as_i64);
        assert_eq!(event.order_id, number("orderId").or(number("id")).expect("an id"));
        // Ours, given the same moment, starts with the same bytes.
        let local = original["timestamp"].as_str().expect("text");
        let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", local).expect("local time");
        let at = at.in_tz("Asia/Seoul").expect("a moment").timestamp().as_millisecond();
        let ours = Event { occurred_at: Some(Timestamp(at)), ..event }.encode(&clock);
        let theirs = line.strip_suffix('}').expect("an object");
        assert!(ours.starts_with(theirs.as_bytes()), "{line}\n{}", String::from_utf8_lossy(&ours));
    }
}

#[test]
fn what_is_nobodys_business_is_passed_over() {
    for record in [
        r#"{"a":1}"#,
        r#"{"eventType":null,"id":1}"#,
        r#"{"eventType":"BookBurned","id":1,"orderId":1,"status":"x"}"#,
        r#"{"eventType":"Shipped","id":1,"orderId":1,"status":"somewhere"}"#,
        r#"{"eventType":"Shipped","id":1,"orderId":1}"#,
        r#"{"eventType":"BookBurned","id":"b-1","orderId":{"any":"thing"}}"#,
        r#"{"id":"b-1"}"#,
    ] {
        assert_eq!(decode(record.as_bytes(), nowhere).expect("decodes"), None, "{record}");
    }
}

#[test]
fn what_can_never_be_understood_says_why() {
    for (record, why) in [
        ("not json", "not an event"),
        ("", "not an event"),
        ("[1]", "not an event"),
        (r#"{"eventType":"Rented","id":"one","orderId":1}"#, "invalid type"),
        (r#"{"eventType":"Rented","id":1}"#, "Rented without orderId"),
        (r#"{"eventType":"Ordered","orderId":1}"#, "Ordered without id"),
    ] {
        let error = decode(record.as_bytes(), nowhere).expect_err(record);
        assert!(error.to_string().contains(why), "{record}: {error}");
    }
    assert!(matches!(decode(br#"{"eventType":"Rented","id":1}"#, nowhere), Err(DecodeError::Missing { .. })));
}

#[test]
fn nulls_missing_and_unknown_keys_are_borne() {
    let record =
        r#"{"eventType":"Ordered","timestamp":null,"id":5,"item":null,"more":{"x":[1]},"customer":null}"#;
    let event = decode(record.as_bytes(), nowhere).expect("decodes").expect("known");
    assert_eq!((event.order_id, event.kind), (5, EventKind::Ordered { item: None }));
}

#[test]
fn a_type_header_spares_parsing_and_its_absence_does_not_hide_a_record() {
    assert!(may_concern(Some("Rented"), &["Rented", "Shipped"]));
    assert!(!may_concern(Some("Ordered"), &["Rented", "Shipped"]));
    assert!(may_concern(None, &["Rented"]));
}

proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, nowhere);
    }

    #[test]
    fn any_text_comes_back(item in ".*", customer in ".*", reason in ".*") {
        let kind = EventKind::OrderRejected { item: Some(item), reason: Some(reason) };
        let event = Event { customer: Some(customer), ..an_event(kind) };
        prop_assert_eq!(decode(&event.encode(&WireClock::default()), nowhere).expect("decodes"), Some(event));
    }
}
