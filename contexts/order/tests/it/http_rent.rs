//! Rent over HTTP, on real sockets: one that makes a second rent when it is asked twice, as the original's, and one
//! that does not, as ours.

mod bounds;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use order::{
    adapters::outbound::{guarded_desk::GuardedDesk, http_rent::HttpRent, memory::MemoryOrders},
    application::{
        OnRentUnavailable::Defer,
        Resuming,
        ports::{AlwaysOurs, AskRent, RentAnswer, RentDesk},
    },
    domain::{Customer, OrderId, OrderState},
};
use parking_lot::Mutex;
use platform_http::client::{Client, ClientConfig, ServiceAddress};
use platform_resilience::{Guard, GuardConfig};
use platform_testkit::server::Nobody;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::support::{FIRST, committed, orders_with, place, policy, until};

/// A rent that can be looked into.
#[derive(Clone, Default)]
struct Rents {
    rows: Arc<Mutex<Vec<Value>>>,
    posts: Arc<AtomicU64>,
    looks: Arc<AtomicU64>,
    heads: Arc<Mutex<Vec<HeaderMap>>>,
    asked: Arc<Mutex<Vec<Value>>>,
    /// What it answers to a POST instead of renting.
    refusal: Arc<Mutex<Option<(StatusCode, Value)>>>,
    /// While it is set, it rents and then waits with the answer.
    is_slow: Arc<Mutex<Option<Arc<Notify>>>>,
}

impl Rents {
    fn of(&self, order: i64) -> Vec<Value> {
        self.rows.lock().iter().filter(|rent| rent["orderId"] == order).cloned().collect()
    }

    fn posts(&self) -> u64 {
        self.posts.load(Ordering::Relaxed)
    }

    fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    fn has(self, order: i64, status: &str, reason: Option<&str>) -> Self {
        let mut rent = json!({"orderId": order, "status": status});
        if let Some(reason) = reason {
            rent["reason"] = reason.into();
        }
        self.rows.lock().push(rent);
        self
    }

    fn refuses(self, status: StatusCode, body: Value) -> Self {
        *self.refusal.lock() = Some((status, body));
        self
    }
}

/// As the original: it has no readiness, and every POST makes a rent.
fn the_originals(rents: &Rents) -> Router {
    Router::new()
        .route("/rents", post(rent))
        .route("/rents/search/findByOrderId", get(find))
        .with_state(rents.clone())
}

/// As ours: an order has one rent, and many are confirmed with one request.
fn ours(rents: &Rents) -> Router {
    let once = async |State(rents): State<Rents>, Json(wish): Json<Value>| {
        let known = rents.of(wish["orderId"].as_i64().expect("a number")).pop();
        match known {
            Some(known) => Json(known).into_response(),
            None => rent(State(rents), HeaderMap::new(), Json(wish)).await,
        }
    };
    let all = async |State(rents): State<Rents>, Json(wishes): Json<Value>| {
        rents.posts.fetch_add(1, Ordering::Relaxed);
        let wishes = wishes["confirmations"].as_array().expect("a list").clone();
        let refusal = rents.refusal.lock().clone();
        rents.asked.lock().extend(wishes.clone());
        if let Some((status, body)) = refusal {
            return (status, body.to_string()).into_response();
        }
        for wish in
            wishes.iter().filter(|wish| rents.of(wish["orderId"].as_i64().expect("a number")).is_empty())
        {
            rents.rows.lock().push(json!({"orderId": wish["orderId"], "status": "Rent"}));
        }
        let slow = rents.is_slow.lock().clone();
        if let Some(go) = slow {
            go.notified().await;
        }
        Json(json!({"confirmations": rents.rows.lock().clone()})).into_response()
    };
    Router::new()
        .route("/actuator/health/readiness", get(async || Json(json!({"status": "UP"}))))
        .route("/rents", post(once))
        .route("/rents/confirmations", post(all))
        .route("/rents/search/findByOrderId", get(find))
        .with_state(rents.clone())
}

async fn rent(State(rents): State<Rents>, head: HeaderMap, Json(wish): Json<Value>) -> Response {
    rents.posts.fetch_add(1, Ordering::Relaxed);
    rents.heads.lock().push(head);
    rents.asked.lock().push(wish.clone());
    if let Some((status, body)) = rents.refusal.lock().clone() {
        return (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string())
            .into_response();
    }
    rents.rows.lock().push(json!({"orderId": wish["orderId"], "status": "Rent"}));
    let slow = rents.is_slow.lock().clone();
    if let Some(go) = slow {
        go.notified().await;
    }
    // Without an id in the body, which is in the links.
    let body = json!({"orderId": wish["orderId"], "status": "Rent", "_links": {"self": {"href": "http://rent/rents/7"}}});
    (StatusCode::CREATED, Json(body)).into_response()
}

async fn find(State(rents): State<Rents>, Query(query): Query<Value>) -> Json<Value> {
    rents.looks.fetch_add(1, Ordering::Relaxed);
    let order: i64 = query["orderId"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    Json(
        json!({"_embedded": {"rents": rents.of(order)}, "_links": {"self": {"href": "http://rent/rents/search"}}}),
    )
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn client(address: SocketAddr) -> Client {
    let address = ServiceAddress::parse(&format!("http://{address}")).expect("an address");
    Client::new(&address, &ClientConfig::default())
}

async fn a_desk(app: Router) -> HttpRent {
    HttpRent::new(client(serve(app).await), Duration::from_secs(10))
}

fn a_question() -> AskRent {
    AskRent {
        order_id: OrderId(1),
        customer: Customer::parse("김독자"),
        correlation_id: Some("c-1".into()),
        repeated: false,
        answer_by: None,
    }
}

fn again() -> AskRent {
    AskRent { repeated: true, ..a_question() }
}

fn is_unavailable(answer: &RentAnswer) -> bool {
    matches!(answer, RentAnswer::Unavailable(_))
}

#[tokio::test]
async fn a_confirm_says_what_rent_has_to_know_and_any_success_is_one() {
    let rents = Rents::default();
    let desk = a_desk(the_originals(&rents)).await;
    assert_eq!(desk.confirm(a_question()).await, RentAnswer::Confirmed);
    assert_eq!(rents.asked.lock()[..], [json!({"orderId": 1, "status": "Rent", "customer": "김독자"})]);
    let nobodys = AskRent { customer: None, correlation_id: None, order_id: OrderId(2), ..a_question() };
    assert_eq!(desk.confirm(nobodys).await, RentAnswer::Confirmed);
    assert_eq!(rents.asked.lock()[1], json!({"orderId": 2, "status": "Rent"}));

    let head = rents.heads.lock()[0].clone();
    assert_eq!(head["x-request-id"], "c-1");
    let left: u64 = head["x-request-deadline-ms"].to_str().expect("text").parse().expect("a number");
    assert!((1..=10_000).contains(&left), "{left}");

    let rents = Rents::default().has(1, "Rent", None);
    assert_eq!(a_desk(ours(&rents)).await.confirm(a_question()).await, RentAnswer::Confirmed, "200");
    assert_eq!(rents.of(1).len(), 1);
}

fn questions(ids: impl Iterator<Item = i64>) -> Vec<AskRent> {
    ids.map(|id| AskRent { order_id: OrderId(id), ..a_question() }).collect()
}

#[tokio::test]
async fn many_are_asked_for_with_one_request() {
    let rents = Rents::default().has(2, "Rent Canceled", Some("overdue")).has(3, "Rent Canceled", None);
    let desk = a_desk(ours(&rents)).await;
    let refused = |reason: &str| RentAnswer::Refused(reason.to_owned());
    let expected = [refused("this order was cancelled"), RentAnswer::Confirmed, refused("overdue")];
    let answers = desk.confirm_all(questions([3, 1, 2].into_iter())).await;
    assert_eq!(answers, expected, "in the order of the questions");
    assert_eq!(rents.posts(), 1);
    let asked = json!({"orderId": 1, "status": "Rent", "customer": "김독자", "requestId": "c-1"});
    assert_eq!(rents.asked.lock()[1], asked);

    let answers = desk.confirm_all(questions(10..140)).await;
    assert_eq!((answers, rents.posts()), (vec![RentAnswer::Confirmed; 130], 4), "64 at once");
}

#[tokio::test]
async fn a_rent_that_does_not_know_such_requests_is_asked_one_by_one() {
    let rents = Rents::default();
    let requests = Arc::new(AtomicU64::new(0));
    let counted = middleware::map_request_with_state(
        requests.clone(),
        async |State(requests): State<Arc<AtomicU64>>, request: Request| {
            requests.fetch_add(u64::from(request.method() == Method::POST), Ordering::Relaxed);
            request
        },
    );
    let desk = a_desk(the_originals(&rents).layer(counted)).await;
    assert_eq!(desk.confirm_all(questions(1..4)).await, vec![RentAnswer::Confirmed; 3]);
    assert_eq!(requests.load(Ordering::Relaxed), 4, "one for all of them, which did nothing");
    assert_eq!(desk.confirm_all(questions(4..7)).await, vec![RentAnswer::Confirmed; 3]);
    assert_eq!((requests.load(Ordering::Relaxed), rents.posts()), (7, 6), "it is known now");
}

#[tokio::test]
async fn an_order_that_rent_does_not_take_takes_nothing_from_the_others() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY] {
        let rents = Rents::default();
        let strict = move |State(rents): State<Rents>, request: Request, next: Next| async move {
            let is_for_many = request.uri().path().ends_with("/confirmations");
            rents.posts.fetch_add(u64::from(is_for_many), Ordering::Relaxed);
            if is_for_many { Err(status) } else { Ok(next.run(request).await) }
        };
        let desk = a_desk(ours(&rents).layer(middleware::from_fn_with_state(rents.clone(), strict))).await;
        for (first, posts) in [(1, 3), (3, 6)] {
            assert_eq!(desk.confirm_all(questions(first..first + 2)).await, vec![RentAnswer::Confirmed; 2]);
            assert_eq!(rents.posts(), posts, "the next are asked for together again");
        }
    }
}

#[tokio::test]
async fn where_rent_is_silent_to_all_nobody_has_an_answer() {
    let rents = Rents::default();
    let desk = a_desk(ours(&rents)).await;
    for (status, body) in [
        (StatusCode::SERVICE_UNAVAILABLE, json!({})),
        (StatusCode::OK, json!({})),
        (StatusCode::OK, json!({"confirmations": [{"orderId": 1}]})),
        (StatusCode::OK, json!({"confirmations": [{"orderId": 3, "status": "Rent"}]})),
    ] {
        *rents.refusal.lock() = Some((status, body));
        let answers = desk.confirm_all(questions(1..3)).await;
        assert!(answers.iter().all(is_unavailable), "{answers:?}");
    }
    assert_eq!((rents.posts(), rents.looks()), (4, 0));

    let nobody = HttpRent::new(client(Nobody::there().address()), Duration::from_secs(10));
    assert!(nobody.confirm_all(questions(1..3)).await.iter().all(is_unavailable));
}

#[tokio::test]
async fn an_answer_for_many_that_is_lost_is_looked_for_by_each() {
    let rents = Rents::default();
    let address = that_cuts(serve(ours(&rents)).await, Arc::new(AtomicU64::new(1))).await;
    let desk = HttpRent::new(client(address), Duration::from_secs(10));
    assert_eq!(desk.confirm_all(questions(1..4)).await, vec![RentAnswer::Confirmed; 3]);
    assert_eq!((rents.posts(), rents.looks()), (1, 3), "none is asked for again");
}

#[tokio::test]
async fn what_is_not_found_after_a_lost_answer_is_not_asked_for_again() {
    let rents = Rents::default().refuses(StatusCode::OK, json!({"confirmations": []}));
    let address = that_cuts(serve(ours(&rents)).await, Arc::new(AtomicU64::new(1))).await;
    let desk = HttpRent::new(client(address), Duration::from_secs(10));
    assert!(desk.confirm_all(questions(1..4)).await.iter().all(is_unavailable));
    assert_eq!((rents.posts(), rents.looks()), (1, 3));
}

#[tokio::test]
async fn only_a_refusal_of_a_rule_refuses() {
    let problem = |kind: &str| json!({"type": kind, "status": 409, "detail": "Not rented: overdue.", "reason": "overdue"});
    let answer = async |status, body| {
        let rents = Rents::default().refuses(status, body);
        let answer = a_desk(the_originals(&rents)).await.confirm(a_question()).await;
        assert_eq!((rents.posts(), rents.looks()), (1, 0), "it has answered");
        answer
    };
    let refused = answer(StatusCode::CONFLICT, problem("urn:rentalbook:problem:rent-refused")).await;
    assert_eq!(refused, RentAnswer::Refused("overdue".to_owned()));
    for (status, body) in [
        (StatusCode::CONFLICT, problem("urn:rentalbook:problem:conflict")),
        (StatusCode::CONFLICT, json!({"message": "could not execute statement"})),
        (StatusCode::CONFLICT, json!("no object")),
        (StatusCode::INTERNAL_SERVER_ERROR, problem("urn:rentalbook:problem:rent-refused")),
        (StatusCode::SERVICE_UNAVAILABLE, json!({})),
        (StatusCode::NOT_FOUND, json!({})),
        (StatusCode::GATEWAY_TIMEOUT, json!({})),
    ] {
        let answered = answer(status, body).await;
        assert!(is_unavailable(&answered), "{status}: {answered:?}");
    }
}

#[tokio::test]
async fn a_repeat_looks_first_and_takes_what_there_is() {
    for (status, reason, expected) in [
        ("Rent", None, RentAnswer::Confirmed),
        ("Rent Canceled", None, RentAnswer::Refused("this order was cancelled".to_owned())),
        ("Rent Canceled", Some("overdue"), RentAnswer::Refused("overdue".to_owned())),
    ] {
        let rents = Rents::default().has(1, status, reason);
        assert_eq!(a_desk(the_originals(&rents)).await.confirm(again()).await, expected);
        assert_eq!((rents.posts(), rents.looks(), rents.of(1).len()), (0, 1, 1));
    }
    // Two of them, as only the original makes them.
    let rents = Rents::default().has(1, "Rent Canceled", None).has(1, "Rent", None);
    assert_eq!(a_desk(the_originals(&rents)).await.confirm(again()).await, RentAnswer::Confirmed);

    let rents = Rents::default().has(2, "Rent Canceled", None);
    assert_eq!(a_desk(the_originals(&rents)).await.confirm(again()).await, RentAnswer::Confirmed);
    assert_eq!((rents.posts(), rents.looks(), rents.of(1).len()), (1, 1, 1), "there was none");
}

#[tokio::test]
async fn a_repeat_that_cannot_look_does_not_ask() {
    let rents = Rents::default();
    let blind = Router::new().route("/rents", post(rent)).with_state(rents.clone());
    assert!(is_unavailable(&a_desk(blind).await.confirm(again()).await));
    assert_eq!(rents.posts(), 0);
}

#[tokio::test]
async fn nobody_there_is_an_answer_too() {
    let nobody = Nobody::there();
    let desk = HttpRent::new(client(nobody.address()), Duration::from_secs(10));
    assert!(is_unavailable(&desk.confirm(a_question()).await));
    assert!(is_unavailable(&desk.confirm(again()).await));
}

#[tokio::test]
async fn a_rent_that_is_slow_is_unavailable_by_the_deadline() {
    let rents = Rents::default();
    *rents.is_slow.lock() = Some(Arc::default());
    let desk = HttpRent::new(client(serve(the_originals(&rents)).await), Duration::from_millis(200));
    let before = std::time::Instant::now();
    assert!(is_unavailable(&desk.confirm(a_question()).await));
    assert!(before.elapsed() >= Duration::from_millis(200));
    assert_eq!(rents.posts(), 1);
    *rents.is_slow.lock() = None;
    assert_eq!(desk.confirm(again()).await, RentAnswer::Confirmed);
    assert_eq!((rents.posts(), rents.of(1).len()), (1, 1), "no second rent");
}

/// In front of `server`: passes on what is asked, and cuts the connection instead of bringing back the answer to as
/// many POSTs as `cuts` says.
async fn that_cuts(server: SocketAddr, cuts: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(pass_on(near, server, cuts.clone()));
        }
    });
    address
}

/// One request, whose answer ends the connection.
async fn pass_on(mut near: TcpStream, server: SocketAddr, cuts: Arc<AtomicU64>) {
    let mut request = vec![0; 64 * 1024];
    let mut length = 0;
    loop {
        length += near.read(&mut request[length..]).await.expect("a request");
        let text = String::from_utf8_lossy(&request[..length]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let announced =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= announced.unwrap_or(0) {
            break;
        }
    }
    let closing =
        String::from_utf8_lossy(&request[..length]).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let mut far = TcpStream::connect(server).await.expect("the server");
    far.write_all(closing.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    far.read_to_end(&mut answer).await.expect("an answer");
    let is_post = request.starts_with(b"POST");
    let one_less = |cuts: u64| cuts.checked_sub(1);
    if is_post && cuts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
        return;
    }
    near.write_all(&answer).await.expect("passed on");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_looked_for_and_no_second_rent_is_made() {
    let rents = Rents::default();
    let cuts = Arc::new(AtomicU64::new(1));
    let address = that_cuts(serve(the_originals(&rents)).await, cuts).await;
    let desk = HttpRent::new(client(address), Duration::from_secs(10));
    assert_eq!(desk.confirm(a_question()).await, RentAnswer::Confirmed, "within the same call");
    assert_eq!((rents.posts(), rents.looks(), rents.of(1).len()), (1, 1, 1));
}

/// In front of the router: the first requests that find anything are not answered in time.
async fn blind_at_first(State(blind): State<Arc<AtomicU64>>, request: Request, next: Next) -> Response {
    let looks = request.uri().path().starts_with("/rents/search");
    if looks && blind.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

#[tokio::test]
async fn the_worker_finds_the_rent_of_an_order_whose_answer_was_lost() {
    let rents = Rents::default();
    let blind = middleware::from_fn_with_state(Arc::new(AtomicU64::new(2)), blind_at_first);
    let server = serve(the_originals(&rents).layer(blind)).await;
    let address = that_cuts(server, Arc::new(AtomicU64::new(1))).await;
    let desk = HttpRent::new(client(address), Duration::from_secs(10));
    let desk = GuardedDesk::new(
        Arc::new(desk),
        Guard::new("rent", GuardConfig { deadline: Duration::from_secs(10), ..GuardConfig::default() }),
    );
    let store = MemoryOrders::default();
    let orders = orders_with(store.clone(), desk, policy(Defer));
    assert_eq!(place(&orders).await.state, OrderState::Pending, "nobody knows");
    assert_eq!(rents.of(1).len(), 1);

    let worker = tokio::spawn(orders.resume_orders(Resuming::default(), Arc::new(AlwaysOurs)));
    until("it is confirmed", async || committed(&store, FIRST).await.state == OrderState::Ordered).await;
    worker.abort();
    assert_eq!((rents.posts(), rents.of(1).len()), (1, 1), "no second rent");
}
