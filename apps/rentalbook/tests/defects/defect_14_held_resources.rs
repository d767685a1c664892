//! The original held a database connection and a thread during the call to rent; overload answered 500.

use std::time::{Duration, Instant};

use hyper::Method;
use order::application::{OnRentUnavailable, ports::OrderStore as _};
use rentalbook::cli::ServiceArg;

use crate::harness::Scene;

/// How long order waits for rent.
const DEADLINE: Duration = Duration::from_millis(500);

/// What a test may take beyond that on a machine that is busy with other things.
const SLACK: Duration = Duration::from_secs(2);

/// At the same moment.
const REQUESTS: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn defect_14_while_rent_is_slow_requests_are_answered_in_time_and_nothing_else_waits() {
    let library = Scene::open_with(|mut config| {
        config.rent_guard.deadline = DEADLINE;
        config
    })
    .await;
    let known = library.an_order("before").await;
    library.settle().await;

    let slow = library.hang("rent.db");
    let asked = Instant::now();
    let requests = futures_util::future::join_all((0..REQUESTS).map(|_| library.request_book("COSMOS")));
    let others = async {
        // While all of them wait for rent. The original had ten connections: the eleventh request waited.
        let pending = || library.stores().orders.pending();
        library.until("all are taken", async || pending() == REQUESTS).await;
        let started = Instant::now();
        for path in [
            format!("/orders/{known}"),
            "/orders".to_owned(),
            "/rents".to_owned(),
            format!("/mypages/{known}"),
        ] {
            assert_eq!(library.get(&path).await.status, 200, "{path}");
        }
        assert_eq!(library.cancel(known).await.status, 200);
        started.elapsed()
    };
    let (answers, others) = tokio::join!(requests, others);
    let took = asked.elapsed();
    drop(slow);
    assert!(took < DEADLINE + SLACK, "{took:?}");
    assert!(others < SLACK, "{others:?}");
    let not_taken = answers.iter().find(|answer| answer.status != 202);
    assert!(not_taken.is_none(), "{not_taken:?}");

    library
        .until("rent has caught up", async || {
            let all = library.get("/orders?size=1000").await.json();
            let all = all["_embedded"]["orders"].as_array().expect("a list").clone();
            all.iter().all(|order| order["status"] == "Ordered" || order["id"] == known)
        })
        .await;
    library
        .until("the cancellation is through", async || library.order_status(known).await == "Order Canceled")
        .await;
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_14_what_cannot_be_served_is_asked_to_come_back() {
    let library = Scene::open_with(|mut config| {
        config.limits.in_flight = 8;
        config.rent_guard.deadline = DEADLINE;
        config.on_rent_unavailable(OnRentUnavailable::Reject)
    })
    .await;
    let slow = library.hang("rent.db");
    let requests = futures_util::future::join_all((0..40).map(|_| library.request_book("COSMOS")));
    let health = async {
        library.until("one waits for rent", async || library.stores().orders.pending() > 0).await;
        library.send(ServiceArg::Order, Method::GET, "/actuator/health", None).await
    };
    let (answers, health) = tokio::join!(requests, health);
    drop(slow);
    assert_eq!(health.status, 200, "health is answered also while everything else is refused");
    let mut overloaded = 0;
    for answer in answers {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            answer
                .header("retry-after")
                .is_some_and(|after| after.parse::<u32>().is_ok_and(|after| after > 0))
        );
        overloaded += usize::from(answer.text("type").ends_with(":overloaded"));
    }
    // One of the places is for reads.
    assert!(
        (1..=33).contains(&overloaded),
        "{overloaded} were refused at once, the others by rent's silence"
    );
    library.settle().await;
    library.close().await;
}
