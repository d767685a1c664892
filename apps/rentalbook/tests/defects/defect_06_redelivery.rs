//! In the original a redelivered event made a second delivery or a second view row.

use contracts::TOPIC;
use platform_event_bus::{EventBus as _, NewRecord};
use serde_json::Value;

use crate::harness::Scene;

/// Everything that can be seen of a library.
async fn all_that_is_shown(library: &Scene) -> Vec<Value> {
    let mut all = Vec::new();
    for collection in ["orders", "rents", "deliveries", "mypages"] {
        all.push(library.get(&format!("/{collection}?size=1000&sort=id")).await.json());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_06_a_redelivered_event_changes_nothing_and_says_nothing() {
    let library = Scene::open().await;
    let mut orders = Vec::new();
    for n in 0..12 {
        orders.push(library.an_order(&format!("book {n}")).await);
    }
    library.settle().await;
    for order in &orders[..4] {
        assert_eq!(library.hand_over_parcel_of(*order).await.status, 200);
    }
    for order in &orders[4..8] {
        assert_eq!(library.cancel(*order).await.status, 200);
    }
    library.settle().await;
    let shown = all_that_is_shown(&library).await;
    let records = library.records().await;

    // All of it again, twice: in the order it was said, and the other way round.
    let again = |record: &platform_event_bus::Record| NewRecord {
        key: record.key.clone(),
        headers: record.headers.clone(),
        value: record.value.clone(),
    };
    let bus = &library.stores().bus;
    bus.publish(TOPIC, records.iter().map(again).collect()).await.expect("published");
    library.settle().await;
    bus.publish(TOPIC, records.iter().rev().map(again).collect()).await.expect("published");
    library.settle().await;

    assert_eq!(all_that_is_shown(&library).await, shown);
    assert_eq!(library.records().await.len(), records.len() * 3, "no service has said anything new");
    assert!(library.dead_letters().await.is_empty());
    library.close().await;
}
