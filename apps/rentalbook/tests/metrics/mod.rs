//! The metrics of every service, after what is known to have happened.

use std::collections::BTreeMap;

use hyper::Method;
use rentalbook::cli::ServiceArg::{self, Delivery, Gateway, Mypage, Order, Rent};

use crate::harness::Scene;

const SERVICES: [ServiceArg; 5] = [Order, Rent, Delivery, Mypage, Gateway];

/// A `Rented` of no order: it can never be understood, whoever tries.
const POISON: &str = r#"{"eventType":"Rented","id":"seven","status":"Rent"}"#;

async fn text(scene: &Scene, service: ServiceArg) -> String {
    let answer = scene.send(service, Method::GET, "/actuator/prometheus", None).await;
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body.to_vec()).expect("text")
}

/// The number of a metric, such as `rentalbook_http_requests_total{status="2xx"}`, without the label of the service.
async fn number(scene: &Scene, service: ServiceArg, name: &str) -> f64 {
    let text = text(scene, service).await;
    let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
    let label = format!(",{labels}").replace(",}", "}");
    let line =
        text.lines().find(|line| line.starts_with(&format!("{name}{{service=")) && line.contains(&label));
    let line = line.unwrap_or_else(|| panic!("{name}{label} is not in:\n{text}"));
    line.rsplit(' ').next().expect("a number").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_has_happened() {
    let scene = Scene::open().await;
    let of = async |service, name: &str| number(&scene, service, name).await;
    for n in 0..10 {
        scene.an_order(&format!("book {n}")).await;
    }
    let refused = scene.send(Order, Method::GET, "/orders/999", None).await;
    assert_eq!(refused.status, 404);
    scene.settle().await;
    assert_eq!(of(Order, "rentalbook_http_requests_total{status=\"2xx\"}").await, 10.0);
    assert_eq!(of(Order, "rentalbook_http_requests_total{status=\"4xx\"}").await, 1.0);
    assert_eq!(of(Gateway, "rentalbook_http_requests_total{status=\"2xx\"}").await, 10.0);
    assert_eq!(of(Order, "rentalbook_orders_pending").await, 0.0);
    assert_eq!(of(Order, "rentalbook_rent_breaker_state").await, 0.0);
    for (service, group) in [(Order, "order"), (Rent, "rent"), (Delivery, "delivery"), (Mypage, "mypage")] {
        let labels = format!("{{group=\"{group}\"}}");
        assert_eq!(of(service, &format!("rentalbook_consumer_lag_records{labels}")).await, 0.0);
        assert!(of(service, &format!("rentalbook_consumer_records_total{labels}")).await >= 30.0);
        assert_eq!(of(service, &format!("rentalbook_dead_letters_total{labels}")).await, 0.0);
    }
    for service in [Order, Rent, Delivery] {
        assert_eq!(of(service, "rentalbook_outbox_rows").await, 0.0);
        let (commits, writes) = (
            of(service, "rentalbook_store_commits_total").await,
            of(service, "rentalbook_store_writes_total").await,
        );
        assert!(commits > 0.0 && writes >= commits, "{writes} in {commits}");
    }

    scene.stop(Rent).await;
    for n in 0..30 {
        assert_eq!(scene.request_book(&format!("later {n}")).await.status, 202);
    }
    assert_eq!(of(Order, "rentalbook_orders_pending").await, 30.0);
    assert_eq!(of(Order, "rentalbook_rent_breaker_state").await, 1.0);
    scene.start(Rent).await;
    scene.until("all are confirmed", async || of(Order, "rentalbook_orders_pending").await == 0.0).await;
    assert_eq!(of(Order, "rentalbook_rent_breaker_state").await, 0.0);

    scene.publish([(Some(1), POISON)]).await;
    scene
        .until("it is set aside", async || {
            of(Mypage, "rentalbook_dead_letters_total{group=\"mypage\"}").await == 1.0
        })
        .await;
    scene.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_waits_in_the_outbox() {
    let scene = Scene::open().await;
    scene.an_order("a book").await;
    scene.settle().await;
    let hanging = scene.hang("bus.db");
    for n in 0..5 {
        scene.an_order(&format!("book {n}")).await;
    }
    let rows = async || number(&scene, Order, "rentalbook_outbox_rows").await;
    assert_eq!(rows().await, 5.0, "one event of each");
    drop(hanging);
    scene.until("published", async || rows().await == 0.0).await;
    scene.close().await;
}

/// The names of the metrics with their types.
fn named(text: &str) -> impl Iterator<Item = (String, String)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented() {
    let scene = Scene::open().await;
    let mut there = BTreeMap::new();
    for service in SERVICES {
        there.extend(named(&text(&scene, service).await));
    }
    let document = include_str!("../../../../docs/operations.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `rentalbook_"));
    let documented = rows.map(|row| {
        let (name, rest) = row.split_once('`').expect("a name");
        let kind = rest.split('|').nth(1).expect("a type").trim();
        (format!("rentalbook_{name}"), kind.to_owned())
    });
    let mut documented: BTreeMap<_, _> = documented.collect();
    assert!(documented.remove("rentalbook_outbox_oldest_seconds").is_some(), "with PostgreSQL only");
    assert!(documented.remove("rentalbook_consumer_partitions").is_some(), "with Kafka only");
    assert_eq!(documented, there);
    scene.close().await;
}
