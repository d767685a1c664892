//! What the original's producers have written is understood where it is read from a real Kafka.

use platform_event_bus::{DeadLetters, Headers, NewRecord};
use rentalbook::cli::Tool;
use serde_json::Value;

use super::Scene;

/// Order id of a rent that the recording made directly, without an order.
const WITHOUT_ORDER: i64 = 7777;

/// A record that says of itself nothing at all.
const WITHOUT_A_TYPE: &str = r#"{"a":1}"#;

/// The headers that the Java binder adds: a content type, and how the headers themselves are to be read.
const HEADERS: [(&str, &str); 2] = [
    ("contentType", "\"application/json\""),
    ("spring_json_header_types", r#"{"contentType":"java.lang.String"}"#),
];

fn lines() -> impl Iterator<Item = &'static str> {
    include_str!("../replay/original-events.jsonl").lines()
}

/// A record of its producers: no key, nothing of ours.
fn record(line: &'static str) -> NewRecord {
    let headers = Headers::new(HEADERS.map(|(name, value)| (name, value.as_bytes())));
    NewRecord { key: None, headers, value: line.into() }
}

/// The item that an order of the recording was for.
fn item_of(order: i64) -> Value {
    let events = lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let mut ordered = events.filter(|event| event["eventType"] == "Ordered" && event["id"] == order);
    ordered.next().map_or(Value::Null, |event| event["item"].clone())
}

async fn rows_are_right(scene: &Scene) {
    for order in (1..=29).chain([WITHOUT_ORDER]) {
        let status = match order {
            1 => "Shipped",
            3 => "Ship Canceled",
            _ => "Ship",
        };
        let row = scene.find("mypages", order).await.expect("a row");
        assert_eq!((&row["item"], row["status"].as_str()), (&item_of(order), Some(status)), "order {order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_consumer_understands_the_records_of_the_original() {
    let scene = Scene::open().await;
    let parts = scene.parts().await;
    // One by one, as its producers did: without a key, any partition is taken.
    for line in lines().chain([WITHOUT_A_TYPE]) {
        parts.bus.publish(&parts.topic, vec![record(line)]).await.expect("published");
    }
    scene.settle().await;

    rows_are_right(&scene).await;
    for order in (1..=29).chain([WITHOUT_ORDER]).filter(|order| *order != 3) {
        let parcel = scene.find("deliveries", order).await.expect("a parcel");
        assert_eq!(parcel["status"], "Ship", "order {order}");
    }
    let (text, code) = scene.tool(&Tool::RebuildView).await;
    assert_eq!(code, 0, "{text}");
    rows_are_right(&scene).await;

    // The services go on with orders of their own, whose ids the original has used before.
    assert_eq!(scene.request_book("ours").await.status, 201);
    scene.settle().await;
    let letters = DeadLetters::new(parts.bus.clone(), &parts.topic).list().await.expect("the letters");
    assert!(letters.is_empty(), "{letters:?}");
    // An audit would rightly report the events of orders that nobody has made here.
    scene.leave().await;
}
