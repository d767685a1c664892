use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};

use platform_resilience::{Pressure, PressureConfig};

use super::{LOOK_EVERY, Limited, Limits};
use crate::Problem;
use crate::body::RawBody;
use crate::request_id::RequestId;

fn app(limits: &Limits) -> Limited<Router> {
    let router = Router::new()
        .route("/now", get(|| async { "now" }))
        .route("/id", get(|Extension(id): Extension<RequestId>| async move { id.as_str().to_owned() }))
        .route("/slow", get(|| async { sleep(Duration::from_secs(60)).await }))
        .route("/bug", get(bug))
        .route("/failed", get(|| async { Problem::internal() }))
        .route("/away", get(|| async { Problem::unavailable("The store is away.") }))
        .route("/body", post(|body: RawBody| async move { body.bytes }))
        .route("/actuator/health", get(|| async { "UP" }));
    limits.layer(router)
}

async fn bug() {
    panic!("a bug");
}

fn to(path: &str) -> Request {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

async fn ask(app: &Limited<Router>, path: &str) -> Response {
    app.clone().oneshot(to(path)).await.unwrap_or_else(|never: Infallible| match never {})
}

#[tokio::test(start_paused = true)]
async fn one_more_than_the_limit_is_refused_at_once_but_health_is_not() {
    let app = app(&Limits { in_flight: 1, retry_after: 3, ..Limits::default() });
    let (started, running) = oneshot::channel();
    let slow = app.clone();
    let first = tokio::spawn(async move {
        let asking = ask(&slow, "/slow");
        started.send(()).unwrap();
        asking.await
    });
    running.await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(app.in_flight().count(), 1);

    let before = Instant::now();
    let refused = ask(&app, "/now").await;
    assert_eq!((refused.status().as_u16(), before.elapsed()), (503, Duration::ZERO));
    assert_eq!(refused.headers()["retry-after"], "3");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert!(refused.headers().contains_key("x-request-id"));
    assert_eq!(ask(&app, "/actuator/health").await.status().as_u16(), 200);

    first.abort();
    assert!(first.await.is_err());
    assert_eq!(app.in_flight().count(), 0, "a request that is dropped gives its place back");
    assert_eq!(ask(&app, "/now").await.status().as_u16(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_by_its_deadline() {
    let app = app(&Limits { deadline: Duration::from_secs(2), ..Limits::default() });
    let before = Instant::now();
    let late = ask(&app, "/slow").await;
    assert_eq!((late.status().as_u16(), before.elapsed().as_secs()), (504, 2));
    assert!(!late.headers().contains_key("retry-after"), "it may have happened");
    assert_eq!(app.in_flight().count(), 0);

    let mut request = to("/slow");
    request.headers_mut().insert("x-request-deadline-ms", "500".parse().unwrap());
    let before = Instant::now();
    let late = app.clone().oneshot(request).await.unwrap();
    assert_eq!(
        (late.status().as_u16(), before.elapsed().as_millis()),
        (504, 500),
        "sooner, if the caller says so"
    );
}

#[tokio::test]
async fn the_handler_and_the_client_see_the_same_id() {
    let app = app(&Limits::default());
    let response = ask(&app, "/id").await;
    let header = response.headers()["x-request-id"].clone();
    let body = axum::body::to_bytes(response.into_body(), 200).await.unwrap();
    assert_eq!(header.as_bytes(), &body[..]);

    let mut request = to("/id");
    request.headers_mut().insert("x-request-id", "mine".parse().unwrap());
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "mine");
}

#[tokio::test]
async fn a_panic_is_a_500_and_gives_its_place_back() {
    let app = app(&Limits::default());
    let response = ask(&app, "/bug").await;
    assert_eq!(response.status().as_u16(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(app.in_flight().count(), 0);
}

/// What is written to a log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Status and text of each line about a request with the id `mine`; the other tests write too.
    fn take(&self) -> Vec<(u64, String)> {
        let text = std::mem::take(&mut *self.0.lock().unwrap());
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        let mine = lines.filter(|line| line["request_id"] == "mine");
        mine.map(|line| (line["status"].as_u64().unwrap(), line["message"].as_str().unwrap().to_owned()))
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_on_our_side_has_one_line_with_its_id() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(tracing::Level::DEBUG);
    // Of the process: one of this thread would not be asked about what another test was the first to write.
    log.with_writer(move || writer.clone()).init();

    // As behind the gateway: a layer around a router that has one.
    let inner = app(&Limits { deadline: Duration::from_secs(2), ..Limits::default() });
    let app = Limits::default().layer(Router::new().fallback_service(inner));
    let full = Limits { in_flight: 0, ..Limits::default() }.layer(Router::new());
    let away = "a request was not served";
    for (app, path, said) in [
        (&app, "/bug", Some((500, "a handler panicked"))),
        (&app, "/failed", Some((500, "a request failed"))),
        (&app, "/away", Some((503, away))),
        (&app, "/slow", Some((504, away))),
        (&full, "/now", Some((503, away))),
        (&app, "/now", None),
        (&app, "/nowhere", None),
    ] {
        let mut request = to(path);
        request.headers_mut().insert("x-request-id", "mine".parse().unwrap());
        app.clone().oneshot(request).await.unwrap();
        let said: Vec<_> = said.into_iter().map(|(status, text)| (status, text.to_owned())).collect();
        assert_eq!(lines.take(), said, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_counted_by_class_and_what_was_refused_by_reason() {
    let app = app(&Limits { in_flight: 1, ..Limits::default() });
    let requests = app.requests();
    for path in ["/now", "/now", "/nowhere", "/bug", "/away", "/actuator/health"] {
        ask(&app, path).await;
    }
    let counts = || [2, 3, 4, 5].map(|class| requests.of_class(class));
    assert_eq!((counts(), requests.overload(), requests.unavailable()), ([2, 0, 1, 2], 0, 1));
    let slow = app.clone();
    let _slow = tokio::spawn(async move { ask(&slow, "/slow").await });
    while app.in_flight().count() == 0 {
        tokio::task::yield_now().await;
    }
    ask(&app, "/now").await;
    assert_eq!((counts(), requests.overload(), requests.unavailable()), ([2, 0, 1, 3], 1, 1));
}

/// A body whose first part has come; the rest when it is sent.
fn slow_body() -> (Request, oneshot::Sender<()>) {
    let (send, sent) = oneshot::channel();
    let rest = async move {
        let _ = sent.await;
        Ok::<_, Infallible>(Bytes::from_static(b"rest"))
    };
    let first = async { Ok(Bytes::from_static(b"first, ")) };
    let parts = stream::StreamExt::chain(stream::once(first), stream::once(rest));
    (Request::post("/body").body(Body::from_stream(parts)).unwrap(), send)
}

/// Asks, and returns when what can be done without the client has been done.
async fn begin(app: Limited<Router>, request: Request) -> tokio::task::JoinHandle<Response> {
    let asking = tokio::spawn(async move { app.oneshot(request).await.unwrap() });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    asking
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_sent_slowly_takes_nobodys_place() {
    // Within another one, as behind the gateway.
    let inner = app(&Limits { in_flight: 1, ..Limits::default() });
    let outer =
        Limits { in_flight: 1, ..Limits::default() }.layer(Router::new().fallback_service(inner.clone()));
    let (request, send) = slow_body();
    let slow = begin(outer.clone(), request).await;
    assert_eq!((outer.in_flight().count(), inner.in_flight().count()), (0, 0));
    assert_eq!(ask(&outer, "/now").await.status().as_u16(), 200, "others are served meanwhile");

    send.send(()).unwrap();
    let answer = slow.await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(axum::body::to_bytes(answer.into_body(), 100).await.unwrap(), "first, rest");
    assert_eq!((outer.in_flight().count(), inner.in_flight().count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_late_finds_the_place_taken() {
    let app = app(&Limits { in_flight: 1, retry_after: 3, ..Limits::default() });
    let (request, send) = slow_body();
    let slow = begin(app.clone(), request).await;
    let other = begin(app.clone(), to("/slow")).await;
    send.send(()).unwrap();
    let answer = slow.await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"3".parse().unwrap()));
    assert_eq!(app.in_flight().count(), 1, "that of the other one");
    other.abort();
    assert!(other.await.is_err());
    assert_eq!(app.in_flight().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_a_408_and_one_that_is_broken_off_leaves_nothing() {
    let app = app(&Limits { deadline: Duration::from_secs(2), ..Limits::default() });
    let (request, _send) = slow_body();
    let answer = app.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status().as_u16(), 408);
    assert_eq!(app.in_flight().count(), 0);

    let (request, _send) = slow_body();
    let gone = begin(app.clone(), request).await;
    gone.abort();
    assert!(gone.await.is_err());
    assert_eq!(app.in_flight().count(), 0);
}

/// A bound of one write, however many places there are.
fn one_write() -> Limits {
    let config = PressureConfig { always: 1, usual: 1, most: 1, ..PressureConfig::default() };
    Limits { pressure: Some(Pressure::new(config)), ..Limits::default() }
}

/// A POST whose body comes when it is sent, or is broken off.
fn with_a_late_body() -> (oneshot::Sender<Bytes>, Request) {
    let (sender, body) = oneshot::channel::<Bytes>();
    let body = Body::from_stream(stream::once(body));
    (sender, Request::builder().method("POST").uri("/body").body(body).unwrap())
}

#[tokio::test]
async fn writes_are_turned_away_before_reads() {
    let app = app(&one_write());
    let _first = app.in_flight.enter(true);
    let post = Request::builder().method("POST").uri("/body").body(Body::from("{}")).unwrap();
    assert_eq!(app.clone().oneshot(post).await.unwrap().status().as_u16(), 503);
    assert_eq!(ask(&app, "/now").await.status().as_u16(), 200);
}

#[tokio::test]
async fn who_comes_back_with_a_body_passes_the_same_bounds() {
    for (others, status) in [(0, 200), (1, 503)] {
        let app = app(&one_write());
        let (body, request) = with_a_late_body();
        let waiting = tokio::spawn(app.clone().oneshot(request));
        tokio::task::yield_now().await;
        assert_eq!(app.in_flight().count(), 0, "it waits outside");
        let _others: Vec<_> = (0..others).map(|_| app.in_flight.enter(true)).collect();
        body.send(Bytes::from_static(b"{}")).unwrap();
        assert_eq!(waiting.await.unwrap().unwrap().status().as_u16(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn the_more_are_turned_away_the_later_they_may_come_back_and_not_together() {
    let app = app(&Limits { in_flight: 1, ..Limits::default() });
    let after = async |app: &Limited<Router>| {
        let refused = ask(app, "/now").await;
        assert_eq!(refused.status().as_u16(), 503);
        refused.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(ask(&app, "/now").await.status().as_u16(), 200);
    let place = app.in_flight.enter(false);
    for _ in 0..40 {
        assert!((1..=2).contains(&after(&app).await), "nothing is known of the rush yet");
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut rush = Vec::new();
    for _ in 0..40 {
        rush.push(after(&app).await);
    }
    assert!(rush.iter().all(|seconds| (30..=60).contains(seconds)), "40 for each one: {rush:?}");
    rush.sort_unstable();
    rush.dedup();
    assert!(rush.len() > 10, "not together: {rush:?}");
    drop(place);
    tokio::time::advance(Duration::from_secs(60)).await;
    let _place = app.in_flight.enter(false);
    assert!(after(&app).await <= 2, "the rush is over");
}

#[tokio::test(start_paused = true)]
async fn when_to_come_back_with_a_write_follows_from_writes_alone() {
    let app = app(&one_write());
    let write = async || {
        let request = Request::post("/body").body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap_or_else(|never: Infallible| match never {})
    };
    assert_eq!(write().await.status().as_u16(), 200);
    let _place = app.in_flight.enter(true);
    for _ in 0..40 {
        assert_eq!(write().await.status().as_u16(), 503);
        for _ in 0..20 {
            assert_eq!(ask(&app, "/now").await.status().as_u16(), 200);
        }
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let after = write().await.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap();
    assert!((30..=60).contains(&after), "40 writes were turned away for each one that was served: {after}");
}

#[tokio::test(start_paused = true)]
async fn who_finds_a_part_away_comes_back_the_later_the_more_of_them_there_are() {
    let service = app(&Limits::default());
    let gateway = Limits::default().layer(Router::new().fallback_service(service));
    let after = async || {
        let answer = ask(&gateway, "/away").await;
        answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap()
    };
    for _ in 0..100 {
        assert_eq!(ask(&gateway, "/now").await.status().as_u16(), 200);
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    for _ in 0..100 {
        assert!((2..=4).contains(&after().await), "once, although it passes two layers");
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    // Ten a second were served until now, and eight are expected.
    let mut later = Vec::new();
    for _ in 0..40 {
        later.push(after().await);
    }
    assert!(later.iter().all(|seconds| (12..=25).contains(seconds)), "{later:?}");
    later.sort_unstable();
    later.dedup();
    assert!(later.len() > 10, "not together: {later:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_served_just_before_counts_and_not_the_quiet_night() {
    let app = app(&Limits::default());
    tokio::time::advance(Duration::from_secs(100_000)).await;
    for _ in 0..10 {
        for _ in 0..LOOK_EVERY {
            assert_eq!(ask(&app, "/now").await.status().as_u16(), 200);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let mut after = Vec::new();
    for _ in 0..2 {
        for _ in 0..LOOK_EVERY {
            let answer = ask(&app, "/away").await;
            after.push(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap());
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert!(after.iter().all(|seconds| (2..=5).contains(seconds)), "one for each one: {after:?}");
}
