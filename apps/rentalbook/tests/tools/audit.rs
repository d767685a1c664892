use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hyper::Method;
use platform_storage::rusqlite::Connection;
use serde_json::json;

use super::home::Home;
use crate::killing::client::{Manner, borrow_for_ever};

#[tokio::test(flavor = "multi_thread")]
async fn a_library_in_order_is_clean_running_and_closed() {
    let home = Home::with_four_orders().await;
    let closed = home.done(&["audit"]).await;
    assert!(closed.starts_with("4 orders and ") && closed.ends_with("events audited: clean\n"), "{closed}");
    let running = home.open().await;
    assert_eq!(home.done(&["audit"]).await, closed);
    running.close().await;
    let leftovers = std::fs::read_dir(home.data())
        .expect("the folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let leftovers: Vec<_> = leftovers.filter(|name| name.starts_with("audit")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_audits_at_once_do_not_disturb_each_other() {
    let home = Home::with_four_orders().await;
    let running = home.open().await;
    let audits = (0..4).map(|_| home.done(&["audit"]));
    for report in futures_util::future::join_all(audits).await {
        assert!(report.starts_with("4 orders and ") && report.ends_with("clean\n"), "{report}");
    }
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rent_that_somebody_asked_for_directly_is_foreign_and_no_breach() {
    let home = Home::new();
    let running = home.open().await;
    let body = json!({ "orderId": 99, "status": "Rent" });
    let answer = home.http.ask(1, Method::POST, "/rents", &[], Some(&body)).await.expect("an answer");
    assert_eq!(answer.status, 201);
    home.until("/mypages/99", "Ship").await;
    let refused =
        home.http.ask(4, Method::PATCH, "/deliveries/1", &[], Some(&json!({ "status": "Shipped" }))).await;
    assert_eq!(refused.expect("an answer").status, 409, "it is held for ever");
    let report = home.done(&["audit"]).await;
    assert!(
        report.contains("clean") && report.contains("1 rents belong to orders that are not known"),
        "{report}"
    );
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_wait_for_a_stopped_service_are_under_way_and_no_breach() {
    let home = Home::new();
    let running = home.open().await;
    home.done(&["stop", "delivery"]).await;
    for item in ["COSMOS", "CONTACT"] {
        let order = home.an_order(item).await;
        home.until(&format!("/mypages/{order}"), "Rent").await;
    }
    let report = home.done(&["audit"]).await;
    assert!(report.contains("clean") && report.contains("2 orders are still under way"), "{report}");
    home.done(&["start", "delivery"]).await;
    home.is_clean().await;
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_stays_where_it_is_while_everything_runs_is_a_breach() {
    let home = Home::with_four_orders().await;
    // 3 was cancelled and has come to its end; as if the answer of delivery had never reached order.
    let orders = Connection::open(home.data().join("order.db")).expect("the file");
    assert_eq!(orders.execute("UPDATE orders SET state = 4 WHERE id = 3", []).expect("SQL"), 1);
    drop(orders);
    let report = home.done(&["audit"]).await;
    assert!(report.contains("1 orders are still under way"), "closed, it may still move: {report}");
    let running = home.open().await;
    let (report, code) = home.tool(&["audit"]).await;
    assert_eq!(code, 1, "{report}");
    assert!(report.contains("order 3: it stays where it is") && report.contains("(invariant 8)"), "{report}");
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_help_tells_the_exit_codes_and_what_is_no_breach() {
    let help = Home::new().done(&["audit", "--help"]).await;
    for part in ["Exit code 0: no breach", "1: breaches", "under way"] {
        assert!(help.contains(part), "no {part} in {help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_orders_are_placed_cancelled_and_handed_over_no_audit_reports_a_breach() {
    let home = Home::new();
    let running = home.open().await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|n| {
            tokio::spawn(borrow_for_ever(n, n, home.http.clone(), Manner::ONE_PROCESS, Arc::clone(&stop)))
        })
        .collect();
    for _ in 0..4 {
        home.http.until_more("orders", 20).await;
        let report = home.done(&["audit"]).await;
        assert!(report.contains("audited: clean"), "{report}");
    }
    stop.store(true, Ordering::Release);
    for client in clients {
        client.await.expect("the client");
    }
    home.is_clean().await;
    running.close().await;
}
