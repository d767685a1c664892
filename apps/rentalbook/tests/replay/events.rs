use hyper::Method;
use rentalbook::cli::{ServiceArg, Tool};
use serde_json::Value;

use crate::harness::Scene;

/// Order id of a rent that the recording made directly, without an order.
const WITHOUT_ORDER: i64 = 7777;

fn lines() -> impl Iterator<Item = &'static str> {
    include_str!("original-events.jsonl").lines()
}

/// The row that the events of an order come to: item and status.
fn expected_row(order: i64) -> (Value, &'static str) {
    let of_order = |event: &Value| event["eventType"] == "Ordered" && event["id"] == order;
    let item = lines().map(|line| serde_json::from_str(line).expect("an event")).find(of_order);
    let status = match order {
        1 => "Shipped",
        3 => "Ship Canceled",
        _ => "Ship",
    };
    (item.map_or(Value::Null, |event: Value| event["item"].clone()), status)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_consumer_bears_the_events_of_the_original_as_it_wrote_them() {
    let library = Scene::open().await;
    // One by one, as its producers did: without key and headers, any partition is taken.
    for line in lines() {
        library.publish([(None, line)]).await;
    }
    library.settle().await;

    assert!(library.dead_letters().await.is_empty());
    rows_are_right(&library).await;
    for order in (1..=29).chain([WITHOUT_ORDER]).filter(|order| *order != 3) {
        assert_eq!(library.status_in("deliveries", order).await.as_deref(), Some("Ship"), "order {order}");
    }
    let cancelled = library.status_in("deliveries", 3).await;
    assert!(matches!(cancelled.as_deref(), None | Some("Ship Canceled")), "{cancelled:?}");
    let foreign = library.hand_over_parcel_of(WITHOUT_ORDER).await;
    assert_eq!((foreign.status, foreign.text("type").ends_with(":not-confirmed-yet")), (409, true));
    assert_eq!((library.count("orders").await, library.count("mypages").await), (0, 30));

    let (text, code) = library.tool(&Tool::RebuildView).await;
    assert_eq!(code, 0, "{text}");
    rows_are_right(&library).await;

    // The services go on with orders of their own, whose ids the original has used before.
    let order =
        library.send(ServiceArg::Order, Method::POST, "/orders", Some(serde_json::json!({"item": "ours"})));
    assert_eq!(order.await.status, 201);
    library.settle().await;
    assert!(library.dead_letters().await.is_empty());
    library.leave().await;
}

async fn rows_are_right(library: &Scene) {
    for order in (1..=29).chain([WITHOUT_ORDER]) {
        let row = library.find("mypages", order).await.expect("a row");
        let (item, status) = expected_row(order);
        assert_eq!((&row["item"], row["status"].as_str()), (&item, Some(status)), "order {order}");
    }
}
