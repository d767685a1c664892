//! Breaches around what is said seldom: an order that is deferred, and a cancellation that comes too late.

use contracts::EventKind;

use super::{
    breaches::{audit, names, publish, sql, unpublish},
    home::Home,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_order_that_was_lost_is_found() {
    let library = Home::with_four_orders().await;
    let deferred = || EventKind::OrderDeferred { item: Some("lost".to_owned()) };

    let home = library.copy();
    publish(&home.data(), 5, deferred()).await;
    names(&audit(&home).await, 5, "OrderDeferred was published without an order that has said it", 2);
    let home = library.copy();
    publish(&home.data(), 1, deferred()).await;
    names(&audit(&home).await, 1, "OrderDeferred was published without an order that has said it", 2);
    let home = library.copy();
    sql(&home.data(), "order.db", "UPDATE orders SET deferred_said = 1 WHERE id = 1");
    names(&audit(&home).await, 1, "the order has said OrderDeferred and it was never published", 2);
    let home = library.copy();
    sql(&home.data(), "order.db", "UPDATE orders SET state = 0 WHERE id = 1");
    names(&audit(&home).await, 1, "Ordered was published without an order that has said it", 2);
}

/// A closed library with one order, whose customer cancelled and whose courier was faster.
async fn with_a_late_cancel() -> Home {
    let home = Home::new();
    let running = home.open().await;
    let order = home.an_order("COSMOS").await;
    home.until(&format!("/mypages/{order}"), "Ship").await;
    home.done(&["stop", "rent"]).await;
    home.patch(&format!("/orders/{order}"), "Order Cancel").await;
    home.patch("/deliveries/1", "Shipped").await;
    home.done(&["start", "rent"]).await;
    home.until(&format!("/orders/{order}"), "Shipped").await;
    home.is_clean().await;
    running.close().await;
    home.empty_logs();
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rent_that_stands_again_and_a_late_cancel_are_said_by_whom_they_belong_to() {
    let library = with_a_late_cancel().await;
    library.is_clean().await;

    let home = library.copy();
    unpublish(&home.data(), 1, "RentReinstated").await;
    names(&audit(&home).await, 1, "the rent's changes were never published", 2);
    let home = library.copy();
    unpublish(&home.data(), 1, "CancelRejected").await;
    let report = audit(&home).await;
    names(&report, 1, "the rent stands again before delivery had spoken", 4);
    names(&report, 1, "the delivery's changes were never published", 2);
    let home = library.copy();
    sql(&home.data(), "rent.db", "UPDATE rents SET state = 0");
    names(&audit(&home).await, 1, "RentReinstated was published without a rent that stands again", 2);

    let library = Home::with_four_orders().await;
    let home = library.copy();
    publish(&home.data(), 1, EventKind::RentReinstated).await;
    names(&audit(&home).await, 1, "RentReinstated was published without a rent that stands again", 2);
    let home = library.copy();
    publish(&home.data(), 1, EventKind::CancelRejected).await;
    names(&audit(&home).await, 1, "CancelRejected was published for a parcel that was not handed over", 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_nothing_has_led_to_are_found() {
    let library = Home::with_four_orders().await;
    let home = library.copy();
    for table in ["DELETE FROM orders WHERE id = 1", "DELETE FROM rents WHERE order_id = 1"] {
        let file = if table.contains("orders") { "order.db" } else { "rent.db" };
        sql(&home.data(), file, table);
    }
    for event in ["Ordered", "Rented"] {
        unpublish(&home.data(), 1, event).await;
    }
    let report = audit(&home).await;
    names(&report, 1, "a parcel was prepared without a rent", 2);
    names(&report, 1, "the parcel was released before its order had said Ordered", 3);

    let home = library.copy();
    sql(&home.data(), "rent.db", "UPDATE rents SET state = 3 WHERE order_id = 1");
    names(&audit(&home).await, 1, "Rented was published without a rent", 2);
    let home = library.copy();
    unpublish(&home.data(), 3, "RentCanceled").await;
    names(&audit(&home).await, 3, "the parcel was cancelled and its rent was not", 2);
}
