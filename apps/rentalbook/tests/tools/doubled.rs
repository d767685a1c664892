//! What was said twice, and what was only published twice.

use std::path::Path;

use contracts::{Event, EventKind, TOPIC};
use platform_event_bus::{EventBus as _, NewRecord, Record};
use platform_storage::LogBus;

use super::{
    breaches::{an_event, audit, names, publish_event},
    home::Home,
    topic::{self, records},
};

/// What a relay does that was killed before it could know that it had published.
async fn publish_everything_again(data: &Path) {
    let copy = |record: Record| NewRecord { key: record.key, headers: record.headers, value: record.value };
    let again = records(data).await.into_iter().map(copy).collect();
    let bus = LogBus::open(&data.join("bus.db"), None).expect("the topic");
    bus.publish(TOPIC, again).await.expect("published");
}

/// The Rented of order 1 as a producer writes it that keeps neither versions nor names.
async fn forget_version(data: &Path) {
    topic::forge(data, |mut record| {
        if topic::is_event(&record, 1, "Rented") {
            let value = String::from_utf8(record.value.to_vec()).expect("UTF-8");
            let value = value.replace("\"version\":1,", "").replace("\"eventId\":\"rent-1-1\",", "");
            record.value = value.into();
        }
        Some(record)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rents_of_one_order_are_found_whatever_their_versions_and_a_copy_is_none() {
    let library = Home::with_four_orders().await;
    let rented = an_event(1, EventKind::Rented);

    let home = library.copy();
    let as_ours = Event { id: 77, event_id: "rent-77-1".to_owned(), version: Some(1), ..rented.clone() };
    publish_event(&home.data(), &as_ours).await;
    names(&audit(&home).await, 1, "two rents were announced", 1);

    let home = library.copy();
    forget_version(&home.data()).await;
    publish_event(&home.data(), &Event { id: 77, version: None, ..rented }).await;
    names(&audit(&home).await, 1, "two rents were announced", 1);

    let home = library.copy();
    let prepared = an_event(1, EventKind::ParcelPrepared);
    let other = Event { id: 77, event_id: "delivery-77-1".to_owned(), version: Some(1), ..prepared };
    publish_event(&home.data(), &other).await;
    names(&audit(&home).await, 1, "two parcels were announced", 1);

    let home = library.copy();
    publish_everything_again(&home.data()).await;
    let (once, twice) = (records(&library.data()).await.len(), records(&home.data()).await.len());
    assert_eq!(twice, 2 * once, "everything is there twice");
    home.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_an_event_without_a_version_are_one_event() {
    let home = Home::with_four_orders().await;
    forget_version(&home.data()).await;
    publish_everything_again(&home.data()).await;
    home.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_once_and_was_said_twice_is_found() {
    let library = Home::with_four_orders().await;
    for (order, kind, what) in [
        (3, EventKind::OrderCancelled { item: None }, "OrderCancelled was said more than once"),
        (3, EventKind::RentCanceled, "RentCanceled was said more than once"),
        (3, EventKind::DeliveryCanceled, "DeliveryCanceled was said more than once"),
        (4, EventKind::OrderRejected { item: None, reason: None }, "OrderRejected was said more than once"),
    ] {
        let home = library.copy();
        publish_event(&home.data(), &an_event(order, kind)).await;
        names(&audit(&home).await, order, what, 2);
    }
}
