use std::time::{Duration, Instant};

use hyper::Method;
use rentalbook::{
    cli::{ServiceArg, Tool, read},
    faults::Faults,
};
use serde_json::json;

use crate::{
    harness::Scene,
    killing::program::{Program, as_tested, free_ports},
};

fn a_switch(faults: &[&str]) -> Tool {
    let faults = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
    Tool::Fault { faults }
}

async fn in_a_drill() -> Scene {
    Scene::open_with(|mut config| {
        config.faults = Some(Faults::default());
        config.rent_guard.window = 4;
        config.rent_guard.open_for = Duration::from_millis(200);
        config
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn rent_fails_as_long_as_it_is_told_to_and_health_says_what_order_makes_of_it() {
    let scene = in_a_drill().await;
    assert_eq!(scene.tool(&a_switch(&[])).await, ("no fault is on\n".to_owned(), 0));
    assert_eq!(scene.request_book("COSMOS").await.status, 201);
    let breaker = async || {
        let health = scene.send(ServiceArg::Order, Method::GET, "/actuator/health", None).await;
        assert_eq!(health.status, 200, "order is well, whatever rent is");
        health.json()["details"]["rentBreaker"].clone()
    };
    assert_eq!(breaker().await["state"], "closed");

    let switch = a_switch(&["rent.fail=100%"]);
    assert_eq!(scene.tool(&switch).await, ("rent.fail=100%\n".to_owned(), 0));
    for n in 0..10 {
        assert_eq!(scene.request_book(&format!("book {n}")).await.status, 202);
    }
    let open = breaker().await;
    assert_eq!(open["state"], "open");
    assert!(open["reason"].as_str().is_some_and(|reason| reason.contains("as the drill wants it")), "{open}");

    let over_http = scene.send(ServiceArg::Rent, Method::GET, "/actuator/faults", None).await;
    assert_eq!(over_http.status, 404, "they are switched over the socket of the data folder: {over_http:?}");

    scene.tool(&a_switch(&["rent.fail=off"])).await;
    for order in 1..=11 {
        scene.until_shown(order, "Ship").await;
    }
    scene
        .until("rent is asked as ever", async || {
            scene.request_book("later").await;
            breaker().await["state"] == "closed"
        })
        .await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rent_that_is_slow_does_what_it_was_asked_all_the_same() {
    let scene = in_a_drill().await;
    scene.tool(&a_switch(&["rent.delay=2s", "bus.delay=1ms"])).await;
    let asked = Instant::now();
    assert_eq!(scene.request_book("COSMOS").await.status, 202, "order does not wait that long");
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    scene.tool(&a_switch(&["rent.delay=off"])).await;
    scene.until_shown(1, "Ship").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_less_time_than_rent_may_take_is_answered_in_that_time() {
    let scene = in_a_drill().await;
    scene.tool(&a_switch(&["rent.delay=5s"])).await;
    let asked = Instant::now();
    let body = Some(json!({ "item": "COSMOS" }).to_string());
    let in_a_hurry = [("x-request-deadline-ms", "600")];
    let answer = scene.send_with(ServiceArg::Order, Method::POST, "/orders", &in_a_hurry, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(asked.elapsed() < Duration::from_millis(900), "{:?}", asked.elapsed());
    scene.tool(&a_switch(&["rent.delay=off"])).await;
    scene.until_shown(1, "Ship").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_takes_no_order_and_leaves_none() {
    let scene = in_a_drill().await;
    scene.tool(&a_switch(&["store.full=on"])).await;
    let refused = scene.request_book("COSMOS").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    scene.tool(&a_switch(&["store.full=off"])).await;
    assert!(scene.orders().await.is_empty());
    assert_eq!(scene.request_book("COSMOS").await.status, 201);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_store_does_not_keep_up_writes_are_turned_away_and_reads_are_not() {
    let scene = in_a_drill().await;
    scene.tool(&a_switch(&["store.delay=5ms"])).await;
    let customers = (0..300).map(|n| {
        let scene = &scene;
        async move {
            let mut turned_away = 0;
            for _ in 0..5 {
                let answer = scene
                    .send(
                        ServiceArg::Order,
                        Method::POST,
                        "/orders",
                        Some(json!({ "item": format!("book {n}") })),
                    )
                    .await;
                match answer.status {
                    201 | 202 => {}
                    503 => turned_away += usize::from(answer.text("type").ends_with(":overloaded")),
                    _ => panic!("{answer:?}"),
                }
            }
            turned_away
        }
    });
    let reads = async {
        for _ in 0..50 {
            let read = scene.send(ServiceArg::Order, Method::GET, "/orders", None).await;
            assert_eq!(read.status, 200, "{read:?}");
        }
    };
    let (turned_away, ()) = tokio::join!(futures_util::future::join_all(customers), reads);
    assert!(turned_away.iter().sum::<usize>() > 0, "300 at once are too many for 100 orders a second");
    scene.tool(&a_switch(&["store.delay=off"])).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_of_a_drill_there_are_no_faults() {
    let scene = Scene::open().await;
    let (said, code) = scene.tool(&a_switch(&["rent.fail=100%"])).await;
    assert!(code == 1 && said.contains("--drills"), "{said}");
    assert_eq!(scene.request_book("COSMOS").await.status, 201);
    scene.close().await;
    assert!(read(["rentalbook", "--fault", "store.full=on"]).is_err(), "refused without --drills");
    assert!(read(["rentalbook", "--drills", "--fault", "store.full=on"]).is_ok());
    assert!(read(["rentalbook", "--drills", "--fault", "disk.full=on"]).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_was_started_for_drills_says_so_while_no_fault_is_on() {
    for (more, says_so) in [(&["--drills"][..], true), (&[], false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let program = Program::open(&as_tested(), &folder.path().join("data"), free_ports(), more).await;
        assert_eq!(program.complaints().contains("THIS LIBRARY IS IN A DRILL"), says_so, "{more:?}");
        program.close().await;
    }
}
