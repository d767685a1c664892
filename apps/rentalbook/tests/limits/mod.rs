//! What the library takes on, and what it does beyond it; what it tells and what it believes.

mod ending;
mod headers;
mod links;
pub(crate) mod raw;
mod starting;

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::json;

use crate::{
    harness::{Answer, Scene},
    killing::program::{as_tested, free_ports, run},
};
use raw::Hanging;

fn is_asked_to_come_back(answer: &Answer, slug: &str) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.text("type"), format!("urn:rentalbook:problem:{slug}"));
    let after = answer.header("retry-after").and_then(|after| after.parse::<u32>().ok());
    assert!(after.is_some_and(|after| after > 0), "{answer:?}");
}

/// How long a request may take, where a test is about that.
const DEADLINE: Duration = Duration::from_millis(300);

fn is_about_the_deadline(took: Duration) {
    assert!(took >= DEADLINE - Duration::from_millis(50) && took < Duration::from_secs(10), "{took:?}");
}

async fn number_of_orders(scene: &Scene) -> i64 {
    let orders = scene.send(ServiceArg::Order, Method::GET, "/orders", None).await;
    orders.json()["page"]["totalElements"].as_i64().expect("a total")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_too_many_is_refused_at_once_and_leaves_nothing() {
    let scene = Scene::open_with(|mut config| {
        config.limits.in_flight = 1;
        config.limits.deadline = Duration::from_secs(60);
        config
    })
    .await;
    let slow = scene.hang("order.db");
    let look = async || scene.send(ServiceArg::Order, Method::GET, "/orders", None).await.status;
    let meanwhile = async {
        scene.until("the only place is taken", async || look().await == 503).await;
        let start = Instant::now();
        is_asked_to_come_back(&scene.request_book("CONTACT").await, "overloaded");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let health = scene.send(ServiceArg::Order, Method::GET, "/actuator/health", None).await;
        assert_eq!(health.status, 200, "how it is, is always answered");
        let rents = scene.send(ServiceArg::Gateway, Method::GET, "/rents", None).await;
        assert_eq!(rents.status, 200, "the others are not concerned: {rents:?}");
        drop(slow);
    };
    let book = async || {
        let book = Some(json!({ "item": "COSMOS" }));
        scene.send(ServiceArg::Order, Method::POST, "/orders", book).await.status
    };
    // Whoever only looks may have the place first.
    let request = scene.until("the request is taken", async || book().await == 201);
    tokio::join!(request, meanwhile);
    assert_eq!(look().await, 200, "the place is free again");
    assert_eq!(number_of_orders(&scene).await, 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_answered_at_the_deadline() {
    let scene = Scene::open_with(|mut config| {
        config.limits.deadline = DEADLINE;
        config
    })
    .await;
    let slow = scene.hang("order.db");
    for service in [ServiceArg::Order, ServiceArg::Gateway] {
        let start = Instant::now();
        let answer = scene.send(service, Method::POST, "/orders", Some(json!({ "item": "COSMOS" }))).await;
        assert_eq!(answer.status, 504, "{answer:?}");
        assert_eq!(answer.text("type"), "urn:rentalbook:problem:deadline-exceeded");
        is_about_the_deadline(start.elapsed());
    }
    drop(slow);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_given_up_at_the_deadline() {
    let ports = free_ports();
    let scene = Scene::open_with(|mut config| {
        config.ports = ports;
        config.limits.deadline = DEADLINE;
        config
    })
    .await;
    for port in [ports[0], ports[4]] {
        let start = Instant::now();
        let answer = Hanging::begin(port).await.answer().await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("problem:too-slow"), "{answer}");
        is_about_the_deadline(start.elapsed());
    }
    assert_eq!(number_of_orders(&scene).await, 0);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_most_pending_orders_none_is_taken() {
    let scene = Scene::open_with(|mut config| {
        config.orders.max_pending = 3;
        config
    })
    .await;
    scene.stop(ServiceArg::Rent).await;
    for n in 0..3 {
        assert_eq!(scene.request_book(&format!("book {n}")).await.status, 202);
    }
    for _ in 0..3 {
        is_asked_to_come_back(&scene.request_book("one too many").await, "unavailable");
    }
    assert_eq!(number_of_orders(&scene).await, 3);

    scene.start(ServiceArg::Rent).await;
    for order in 1..=3 {
        scene.until_shown(order, "Ship").await;
    }
    let next = scene.an_order("now there is room").await;
    scene.until_shown(next, "Ship").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_at_most_a_thousand_items() {
    let scene = Scene::open().await;
    let placed = stream::iter(0..1_005)
        .map(|n| scene.request_book(if n % 2 == 0 { "COSMOS" } else { "CONTACT" }))
        .buffer_unordered(64)
        .all(|answer| async move { answer.status == 201 });
    assert!(placed.await);
    let rows = async || {
        let mypages = scene.send(ServiceArg::Mypage, Method::GET, "/mypages", None).await;
        mypages.json()["page"]["totalElements"].as_i64()
    };
    scene.until("mypage has them all", async || rows().await == Some(1_005)).await;
    let parcels = async || {
        let deliveries = scene.send(ServiceArg::Delivery, Method::GET, "/deliveries", None).await;
        deliveries.json()["page"]["totalElements"].as_i64()
    };
    scene.until("all are being prepared", async || parcels().await == Some(1_005)).await;
    for collection in ["orders", "rents", "deliveries", "mypages"] {
        let path = format!("/{collection}?size=1000000");
        let page = scene.send(ServiceArg::Gateway, Method::GET, &path, None).await.json();
        assert_eq!(page["_embedded"][collection].as_array().map(Vec::len), Some(1_000), "{collection}");
        assert_eq!(
            page["page"],
            json!({ "size": 1000, "totalElements": 1005, "totalPages": 2, "number": 0 })
        );
    }
    scene.close().await;
}

#[test]
fn every_command_explains_itself() {
    let commands: [&[&str]; 12] = [
        &[],
        &["tools"],
        &["tools", "audit"],
        &["tools", "stop"],
        &["tools", "start"],
        &["tools", "rebuild-view"],
        &["tools", "dlq"],
        &["tools", "dlq", "list"],
        &["tools", "dlq", "show"],
        &["tools", "dlq", "replay"],
        &["tools", "dlq", "drop"],
        &["help"],
    ];
    for command in commands {
        let args: Vec<_> = command.iter().copied().chain((command != ["help"]).then_some("--help")).collect();
        let output = run(&as_tested(), &args);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}");
        assert!(text.contains("Usage: rentalbook"), "{args:?}: {text}");
        assert!(text.contains("--data"), "{args:?} names the data folder: {text}");
    }
    let version = run(&as_tested(), &["--version"]);
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("rentalbook "));
}
