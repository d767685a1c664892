//! Faults of services that are processes of their own: switched in every replica while they run.

use rentalbook::{cli::Tool, faults::Faults};

use super::Scene;

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
