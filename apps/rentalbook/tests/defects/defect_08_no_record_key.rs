//! The original wrote no record key: with more than one partition a `RentCanceled` could overtake its `Rented`, and a
//! cancelled book was shipped.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn defect_08_the_events_of_one_order_stay_in_order_on_twelve_partitions() {
    let library = Scene::open().await;
    let mut cancelled = Vec::new();
    for n in 0..60 {
        let order = library.an_order(&format!("book {n}")).await;
        // At once, so that all its events are on their way together.
        if n % 2 == 0 {
            assert_eq!(library.cancel(order).await.status, 200);
            cancelled.push(order);
        }
    }
    library.settle().await;

    let mut partitions: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for record in library.records().await {
        let event: Value = serde_json::from_slice(&record.value).expect("an event");
        let key = record.key.as_deref().map(String::from_utf8_lossy).expect("a key").into_owned();
        assert_eq!(event["orderId"].to_string(), key);
        partitions.entry(key).or_default().insert(record.partition);
    }
    assert!(partitions.values().all(|of_order| of_order.len() == 1), "{partitions:?}");
    let used: BTreeSet<_> = partitions.values().flatten().collect();
    assert!(used.len() > 6 && used.iter().all(|partition| **partition < 12), "{used:?}");

    for order in cancelled {
        let said = library.said(order).await;
        let place = |kind: &str| said.iter().position(|said| said == kind);
        assert!(place("Rented") < place("RentCanceled"), "{said:?}");
        assert!(place("RentCanceled") < place("DeliveryCanceled"), "{said:?}");
        assert_eq!(library.status_in("mypages", order).await.as_deref(), Some("Ship Canceled"));
        if library.find("deliveries", order).await.is_some() {
            assert_eq!(
                library.hand_over_parcel_of(order).await.status,
                409,
                "a cancelled book is not shipped"
            );
        }
    }
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_08_a_cancellation_that_overtakes_its_rent_leaves_no_parcel() {
    let library = Scene::open().await;
    // As producers without a key may have it: the other way round.
    let canceled = r#"{"eventType":"RentCanceled","timestamp":"20261122152030","id":1,"orderId":1,"status":"Rent Canceled","me":true}"#;
    let rented =
        r#"{"eventType":"Rented","timestamp":"20261122152029","id":1,"orderId":1,"status":"Rent","me":true}"#;
    library.publish([(Some(1), canceled)]).await;
    library.settle().await;
    library.publish([(Some(1), rented)]).await;
    library.settle().await;
    assert_eq!(library.find("deliveries", 1).await, None);
    assert_eq!(library.status_in("mypages", 1).await.as_deref(), Some("Ship Canceled"));
    library.leave().await;
}
