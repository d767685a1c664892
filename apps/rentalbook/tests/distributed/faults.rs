//! Faults of services that are processes of their own: switched in every replica while they run.

use hyper::Method;
use platform_http::client::ServiceAddress;
use platform_testkit::server::Nobody;
use rentalbook::{
    cli::{ServiceArg, Tool},
    distributed,
    faults::Faults,
};
use serde_json::json;

use super::Scene;
use crate::harness::distributed::engines;

/// Two of each service.
const REPLICAS: usize = 8;

fn a_switch(fault: &str) -> Tool {
    Tool::Fault { faults: vec![fault.parse().expect("a fault")] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_switched_in_every_replica_while_it_runs() {
    let scene = Scene::open_with(|mut config| {
        config.faults = Some(Faults::default());
        config
    })
    .await;
    assert_eq!(scene.request_book("COSMOS").await.status, 201);

    let (said, code) = scene.tool(&a_switch("rent.fail=100%")).await;
    assert_eq!((said.matches(": rent.fail=100%\n").count(), code), (REPLICAS, 0), "{said}");
    let deferred = scene.request_book("WALDEN").await;
    assert_eq!(deferred.status, 202);

    let misread = scene
        .send(ServiceArg::Rent, Method::POST, "/actuator/faults", Some(json!({"faults": ["rent.fly"]})))
        .await;
    assert_eq!(
        (misread.status, misread.header("content-type")),
        (422, Some("application/problem+json")),
        "{misread:?}"
    );
    assert!(misread.text("detail").contains("rent.delay"), "{misread:?}");
    let removed = scene.send(ServiceArg::Rent, Method::DELETE, "/actuator/faults", None).await;
    assert_eq!((removed.status, removed.header("allow")), (405, Some("GET,HEAD,POST")), "{removed:?}");
    let gateway = scene.send(ServiceArg::Gateway, Method::GET, "/actuator/faults", None).await;
    assert_eq!(gateway.status, 404, "it has none: {gateway:?}");

    let (said, code) = scene.tool(&a_switch("rent.fail=off")).await;
    assert_eq!((said.matches(": no fault is on\n").count(), code), (REPLICAS, 0), "{said}");
    scene.until_shown(deferred.json()["id"].as_i64().expect("an id"), "Ship").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_were_not_started_for_drills_have_no_faults() {
    let scene = Scene::open().await;
    let (said, code) = scene.tool(&a_switch("rent.fail=100%")).await;
    assert_eq!((said.matches("start it with --drills").count(), code), (REPLICAS, 1), "{said}");
    assert_eq!(scene.request_book("COSMOS").await.status, 201);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_is_named_and_keeps_nobody_from_being_switched() {
    let nobody = Nobody::there();
    let there = Scene::open_with(|mut config| {
        config.faults = Some(Faults::default());
        config
    })
    .await;
    let mut peers = there.peers();
    peers.order = [nobody.address()].into_iter().collect();
    peers.mypage = ServiceAddress::parse("http://nowhere.invalid:8080").expect("an address");
    let outcome = distributed::run_tool(&a_switch("store.full=on"), &engines(), &peers).await;
    let said = outcome.text;
    assert_eq!((said.matches(": store.full=on\n").count(), outcome.code), (REPLICAS / 2, 1), "{said}");
    assert!(said.contains(&format!("order at {}: no replica could be reached", nobody.address())), "{said}");
    assert!(said.contains("mypage: no replica of it is known\n"), "{said}");
    there.close().await;
}
