//! The original skipped a poison record silently after three tries: no dead letter, no replay.

use rentalbook::cli::{Dlq, Tool};

use crate::harness::Scene;

/// Names one of our events, and can never be one.
const POISON: &str =
    r#"{"eventType":"Rented","timestamp":"20261122152030","id":"seven","orderId":1,"me":true}"#;

async fn dlq(library: &Scene, dlq: Dlq) -> String {
    let (text, code) = library.tool(&Tool::Dlq(dlq)).await;
    assert_eq!(code, 0, "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_07_a_poison_record_is_set_aside_listed_and_can_be_replayed_or_dropped() {
    let library = Scene::open().await;
    let order = library.an_order("before").await;
    library.settle().await;

    // Into the partition of the order, so that what comes after it would have to wait.
    library.publish([(Some(order), POISON)]).await;
    library.settle().await;
    let letters = library.dead_letters().await;
    let mut groups: Vec<_> = letters.iter().map(|letter| letter.group.as_str()).collect();
    groups.sort_unstable();
    assert_eq!(groups, ["delivery", "mypage", "order", "rent"], "each consumer sets it aside for itself");

    assert_eq!(library.hand_over_parcel_of(order).await.status, 200);
    library.settle().await;
    assert_eq!(library.status_in("mypages", order).await.as_deref(), Some("Shipped"), "nothing waits for it");

    let listed = dlq(&library, Dlq::List).await;
    assert!(letters.iter().all(|letter| listed.contains(&letter.id.to_string())), "{listed}");
    let id = letters[0].id.to_string();
    let shown = dlq(&library, Dlq::Show { id: id.clone() }).await;
    assert!(shown.contains(POISON) && shown.contains("not an event"), "{shown}");

    // Replayed it is tried again by everybody, and as it is still poison it comes back.
    let published = library.records().await.len();
    dlq(&library, Dlq::Replay { id: id.clone() }).await;
    library.settle().await;
    assert_eq!(library.records().await.len(), published + 1);
    let letters = library.dead_letters().await;
    assert_eq!(letters.len(), 3 + 4);
    assert!(letters.iter().all(|letter| letter.id.to_string() != id), "the replayed one is settled");
    for letter in letters {
        dlq(&library, Dlq::Drop { id: letter.id.to_string() }).await;
    }
    assert_eq!(dlq(&library, Dlq::List).await, "no dead letters\n");
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_07_among_good_records_only_the_poison_is_set_aside() {
    let library = Scene::open().await;
    let rented = |order: i64| {
        format!(
            r#"{{"eventType":"Rented","timestamp":"20261122152030","id":{order},"orderId":{order},"status":"Rent"}}"#
        )
    };
    let mut records: Vec<_> = (1..=20).map(|order| (Some(1), rented(order))).collect();
    records.insert(10, (Some(1), POISON.to_owned()));
    records.insert(5, (Some(1), "no JSON at all".to_owned()));
    library.publish(records).await;
    library.settle().await;
    assert_eq!((library.count("deliveries").await, library.count("mypages").await), (20, 20));
    assert_eq!(library.dead_letters().await.len(), 2 * 4);
    library.leave().await;
}
