//! Breaches of every kind, planted into a closed library: the audit names order and invariant.

use std::{fs, path::Path};

use contracts::{Event, EventKind, TOPIC, Timestamp, WireClock};
use mypage::{adapters::outbound::redb::RedbView, projection::OrderFact, query::View as _};
use platform_event_bus::{EventBus as _, Headers, NewRecord};
use platform_storage::{LogBus, rusqlite::Connection};

use super::{
    home::{Home, copy_files},
    topic,
};

/// One change of one row.
pub(super) fn sql(data: &Path, file: &str, change: &str) {
    let connection = Connection::open(data.join(file)).expect("the file");
    assert_eq!(
        connection.execute(change, []).unwrap_or_else(|error| panic!("{change}: {error}")),
        1,
        "{change}"
    );
}

pub(super) fn an_event(order_id: i64, kind: EventKind) -> Event {
    Event {
        order_id,
        id: order_id,
        kind,
        event_id: "planted".to_owned(),
        version: Some(99),
        correlation_id: None,
        customer: None,
        occurred_at: Some(Timestamp(0)),
    }
}

pub(super) async fn publish(data: &Path, order_id: i64, kind: EventKind) {
    publish_event(data, &an_event(order_id, kind)).await;
}

pub(super) async fn publish_event(data: &Path, event: &Event) {
    let record = NewRecord {
        key: Some(contracts::key(event.order_id)),
        headers: Headers::new(contracts::headers(event)),
        value: event.encode(&WireClock::default()),
    };
    let bus = LogBus::open(&data.join("bus.db"), None).expect("the topic");
    bus.publish(TOPIC, vec![record]).await.expect("published");
}

/// Takes the only event of this type and order off the topic.
pub(super) async fn unpublish(data: &Path, order: i64, event_type: &str) {
    topic::forge(data, |record| (!topic::is_event(&record, order, event_type)).then_some(record)).await;
}

pub(super) async fn audit(home: &Home) -> String {
    let (report, code) = home.tool(&["audit"]).await;
    assert_eq!(code, 1, "{report}");
    report
}

/// The report of the audit names this order, this contradiction and this invariant.
#[track_caller]
pub(super) fn names(report: &str, order: i64, what: &str, invariant: u8) {
    let start = format!("order {order}: ");
    let end = format!("(invariant {invariant})");
    let found =
        report.lines().any(|line| line.starts_with(&start) && line.contains(what) && line.ends_with(&end));
    assert!(found, "no {start}{what} {end} in:\n{report}");
    let others =
        report.lines().filter(|line| line.starts_with("order ") && !line.starts_with(&start)).count();
    assert_eq!(others, 0, "only order {order} is concerned:\n{report}");
    assert!(report.contains("breaches\n"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_planted_breach_is_found() {
    let library = Home::with_four_orders().await;

    // Invariant 1: at most one live rent and parcel, and a copy is freed only after delivery has spoken.
    let home = library.copy();
    sql(&home.data(), "rent.db", "UPDATE rents SET state = 5 WHERE order_id = 1");
    names(&audit(&home).await, 1, "the copy was freed before delivery had spoken", 1);
    for (kind, what) in [
        (EventKind::Rented, "two rents were announced"),
        (EventKind::ParcelPrepared, "two parcels were announced"),
    ] {
        let home = library.copy();
        publish(&home.data(), 1, kind).await;
        names(&audit(&home).await, 1, what, 1);
    }
    let home = library.copy();
    publish(&home.data(), 2, EventKind::ParcelHandedOver).await;
    names(&audit(&home).await, 2, "two hand-overs were announced", 1);

    // Invariant 2: no event without its row, no row without its event.
    let home = library.copy();
    sql(&home.data(), "delivery.db", "DELETE FROM deliveries WHERE order_id = 1");
    names(&audit(&home).await, 1, "a parcel was announced that is not there", 2);
    let home = library.copy();
    sql(&home.data(), "order.db", "DELETE FROM orders WHERE id = 1");
    names(&audit(&home).await, 1, "Ordered was published without an order that has said it", 2);
    let home = library.copy();
    unpublish(&home.data(), 1, "Ordered").await;
    names(&audit(&home).await, 1, "the order has said Ordered and it was never published", 2);
    let home = library.copy();
    unpublish(&home.data(), 1, "Rented").await;
    names(&audit(&home).await, 1, "the rent's changes were never published", 2);
    let home = library.copy();
    unpublish(&home.data(), 3, "DeliveryCanceled").await;
    names(&audit(&home).await, 3, "the copy was freed before delivery had spoken", 1);

    // Invariant 3: no order is lost, none is handed over unconfirmed, Ordered is said once.
    let home = library.copy();
    publish(&home.data(), 1, EventKind::Ordered { item: Some("being prepared".to_owned()) }).await;
    names(&audit(&home).await, 1, "Ordered was said more than once", 3);
    let home = library.copy();
    unpublish(&home.data(), 2, "Ordered").await;
    names(&audit(&home).await, 2, "the parcel was handed over before its order had said Ordered", 3);

    // Invariant 4: hand-over or cancel.
    let home = library.copy();
    publish(&home.data(), 2, EventKind::DeliveryCanceled).await;
    names(&audit(&home).await, 2, "the parcel was handed over and cancelled", 4);

    // The table of agreement.
    let home = library.copy();
    sql(&home.data(), "order.db", "UPDATE orders SET state = 6 WHERE id = 1");
    names(&audit(&home).await, 1, "delivery is Some(Released) while the order is Shipped", 0);
    let home = library.copy();
    sql(&home.data(), "rent.db", "UPDATE rents SET state = 0, reason = NULL WHERE order_id = 4");
    names(&audit(&home).await, 4, "rent is Some(Rented) while the order is Rejected", 0);
    let home = library.copy();
    sql(&home.data(), "delivery.db", "UPDATE deliveries SET state = 1 WHERE order_id = 1");
    names(&audit(&home).await, 1, "delivery is Some(Held) while the order is Ordered", 0);
    let home = library.copy();
    sql(&home.data(), "rent.db", "DELETE FROM rents WHERE order_id = 3");
    names(&audit(&home).await, 3, "RentCanceled was published without a cancelled rent", 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_under_way_while_it_waits_in_the_outbox_and_a_breach_without() {
    let home = Home::with_four_orders().await;
    let data = home.data();
    sql(&data, "order.db", "UPDATE orders SET state = 4 WHERE id = 1");
    // One message, as it is kept: three pieces, each after its length. Its key is "1", the others are empty.
    let waiting = "INSERT INTO outbox (last, first, messages) VALUES (1, 1, x'00000001310000000000000000')";
    sql(&data, "order.db", waiting);
    let report = home.done(&["audit"]).await;
    assert!(report.contains("clean") && report.contains("1 orders are still under way"), "{report}");

    sql(&data, "order.db", "DELETE FROM outbox");
    names(&audit(&home).await, 1, "the order's last change was never published", 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_shows_what_never_happened_is_found() {
    let home = Home::with_four_orders().await;
    let view = RedbView::open(&home.data().join("mypage.redb")).expect("the view");
    let fact = OrderFact::from_event(an_event(1, EventKind::CancelRejected), Timestamp(0));
    view.apply(vec![fact]).await.expect("applied");
    drop(view);
    let report = audit(&home).await;
    names(&report, 1, "the view differs from the one that the topic makes", 6);
    names(&report, 1, "mypage shows Some(Shipped) while the order is Ordered", 0);

    home.done(&["rebuild-view"]).await;
    home.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_lacks_an_order_is_found() {
    let home = Home::with_four_orders().await;
    let aside = tempfile::tempdir().expect("a folder");
    copy_files(&home.data(), aside.path());
    // Built from a topic that does not know order 1.
    topic::forge(&home.data(), |record| (record.key.as_deref() != Some(b"1")).then_some(record)).await;
    fs::remove_file(home.data().join("mypage.redb")).expect("the view is gone");
    audit(&home).await;
    fs::copy(aside.path().join("bus.db"), home.data().join("bus.db")).expect("the whole topic again");

    let report = audit(&home).await;
    names(&report, 1, "the view differs from the one that the topic makes", 6);
    names(&report, 1, "mypage shows None while the order is Ordered", 0);
    home.done(&["rebuild-view"]).await;
    home.is_clean().await;
}
