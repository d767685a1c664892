//! The view over HTTP: the answers that clients of the original know, and what is better.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use contracts::Timestamp;
use http_body_util::BodyExt as _;
use mypage::{
    adapters::{inbound::rest::router, outbound::memory::MemoryView},
    contract::{fact, ordered},
    projection::{Fact, OrderFact},
    query::View as _,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn order_ids(&self) -> Vec<i64> {
        let items = self.json()["_embedded"]["mypages"].clone();
        items.as_array().expect("items").iter().map(|item| item["orderId"].as_i64().expect("an id")).collect()
    }
}

async fn ask(router: &Router, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8084");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(body.to_vec()).expect("text"),
    }
}

async fn get(router: &Router, path: &str) -> Answer {
    ask(router, Method::GET, path, &[("accept", "*/*")]).await
}

async fn a_view_of(facts: Vec<OrderFact>) -> (MemoryView, Router) {
    let view = MemoryView::default();
    view.apply(facts).await.expect("applied");
    (view.clone(), router(Arc::new(view)))
}

/// As the original made it: no customer, and no exact time.
fn requested(order_id: i64) -> OrderFact {
    OrderFact { customer: None, ..ordered(order_id, "COSMOS", "", order_id) }
}

fn problem(answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let detail = answer.json()["detail"].as_str().expect("a sentence").to_owned();
    assert!(detail.contains(says), "{detail}");
}

#[tokio::test]
async fn the_documents_are_those_of_the_original() {
    let (_, router) = a_view_of(vec![]).await;
    let link = |path: &str| json!({"href": format!("http://localhost:8084{path}")});
    let root = get(&router, "/").await;
    assert_eq!(root.header("content-type"), "application/hal+json;charset=UTF-8");
    assert_eq!(root.json(), json!({"_links": {"mypages": link("/mypages"), "profile": link("/profile")}}));
    let empty = get(&router, "/mypages").await.json();
    assert_eq!(empty["_embedded"], json!({"mypages": []}));
    let links = json!({
        "self": link("/mypages"),
        "profile": link("/profile/mypages"),
        "search": link("/mypages/search"),
    });
    assert_eq!(empty["_links"], links);
    assert_eq!(get(&router, "/profile").await.status, StatusCode::OK);
    let profile = get(&router, "/profile/mypages").await;
    assert!(profile.text.contains("\"history\""), "{}", profile.text);
    let searches = get(&router, "/mypages/search").await.json();
    for name in ["findByOrderId", "findByCustomer"] {
        assert!(searches["_links"][name]["href"].as_str().expect("a link").contains(name));
    }
}

#[tokio::test]
async fn an_item_begins_as_the_originals_does() {
    let (_, router) = a_view_of(vec![requested(1), fact(1, Fact::ParcelPrepared, 1_604_646_451_007)]).await;
    let answer = get(&router, "/mypages/1").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/hal+json;charset=UTF-8");
    assert!(answer.text.starts_with(r#"{"orderId":1,"item":"COSMOS","status":"Ship","#), "{}", answer.text);
    let href = json!({"href": "http://localhost:8084/mypages/1"});
    assert_eq!(answer.json()["_links"], json!({"self": href, "mypage": href}));
    let history = json!([
        {"event": "Ordered", "status": "Ordered", "at": "1970-01-01T00:00:00.001Z"},
        {"event": "Shipped", "status": "Ship", "at": "2020-11-06T07:07:31.007Z"},
    ]);
    assert_eq!(answer.json()["history"], history);
    assert!(!answer.text.contains("customer") && !answer.text.contains("reason"), "{}", answer.text);
}

#[tokio::test]
async fn customer_and_reason_are_shown_where_known_and_the_item_may_be_missing() {
    let refused = OrderFact {
        customer: Some("김".to_owned()),
        reason: Some("no copy left".to_owned()),
        ..fact(1, Fact::Rejected, 1)
    };
    let (_, router) = a_view_of(vec![refused, fact(2, Fact::Rented, 1)]).await;
    let refused = get(&router, "/mypages/1").await.json();
    assert_eq!((&refused["customer"], &refused["reason"]), (&json!("김"), &json!("no copy left")));
    let early = get(&router, "/mypages/2").await;
    assert!(early.text.starts_with(r#"{"orderId":2,"item":null,"status":"Rent","#), "{}", early.text);
}

#[tokio::test]
async fn unknown_and_impossible_ids_are_told() {
    let (_, router) = a_view_of(vec![]).await;
    problem(&get(&router, "/mypages/99999").await, 404, "99999");
    problem(&get(&router, "/mypages/one").await, 404, "whole numbers");
    problem(&get(&router, "/elsewhere").await, 404, "/elsewhere");
}

#[tokio::test]
async fn a_client_that_polls_gets_304_until_something_is_new() {
    let (view, router) = a_view_of(vec![requested(1)]).await;
    let tag = get(&router, "/mypages/1").await.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 4, "{tag}");
    let again = ask(&router, Method::GET, "/mypages/1", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));

    view.apply(vec![requested(1)]).await.expect("applied");
    let repeated = ask(&router, Method::GET, "/mypages/1", &[("if-none-match", &tag)]).await;
    assert_eq!(repeated.status, StatusCode::NOT_MODIFIED, "a duplicate is nothing new");

    let news = [
        fact(1, Fact::Rented, 1),
        fact(1, Fact::Rented, 0),
        OrderFact { customer: Some("kim".to_owned()), at: Timestamp(1), ..requested(1) },
    ];
    let mut seen = vec![tag];
    for new in news {
        view.apply(vec![new.clone()]).await.expect("applied");
        let tag = get(&router, "/mypages/1").await.header("etag").to_owned();
        assert!(!seen.contains(&tag), "{new:?} changes what is shown");
        seen.push(tag);
    }
}

#[tokio::test]
async fn the_collection_is_paged_and_sorted() {
    let (_, router) = a_view_of((1..=45).map(requested).collect()).await;
    let first = get(&router, "/mypages").await;
    assert_eq!(first.order_ids(), (1..=20).collect::<Vec<_>>());
    let numbers = json!({"size": 20, "totalElements": 45, "totalPages": 3, "number": 0});
    assert_eq!(first.json()["page"], numbers);
    assert!(first.json()["_links"]["next"]["href"].as_str().is_some_and(|next| next.contains("page=1")));
    let last = get(&router, "/mypages?page=2&sort=id,desc").await;
    assert_eq!(last.order_ids(), [5, 4, 3, 2, 1]);
    assert_eq!(get(&router, "/mypages?page=9").await.order_ids(), [0; 0]);
    for field in ["orderId", "item", "status", "customer", "reason"] {
        assert_eq!(get(&router, &format!("/mypages?sort={field},asc&size=3")).await.order_ids(), [1, 2, 3]);
    }
    problem(&get(&router, "/mypages?sort=colour").await, 400, "colour");
}

#[tokio::test]
async fn the_searches_find() {
    let facts = (1..=5).map(|id| ordered(id, "COSMOS", if id % 2 == 0 { "kim" } else { "이영희" }, id));
    let (_, router) = a_view_of(facts.collect()).await;
    let by_order = get(&router, "/mypages/search/findByOrderId?orderId=3").await;
    assert_eq!(by_order.order_ids(), [3]);
    let own = "http://localhost:8084/mypages/search/findByOrderId?orderId=3";
    assert_eq!(by_order.json()["_links"], json!({"self": {"href": own}}));
    assert_eq!(get(&router, "/mypages/search/findByOrderId?orderId=77").await.order_ids(), [0; 0]);
    let by_customer =
        get(&router, "/mypages/search/findByCustomer?customer=%EC%9D%B4%EC%98%81%ED%9D%AC").await;
    assert_eq!(by_customer.order_ids(), [5, 3, 1], "newest first");
    let second = get(&router, "/mypages/search/findByCustomer?customer=kim&size=1&page=1").await;
    assert_eq!(second.order_ids(), [2]);
    assert_eq!(second.json()["page"]["totalElements"], 2);
    let previous = second.json()["_links"]["prev"]["href"].as_str().expect("a link").to_owned();
    assert!(previous.contains("customer=kim") && previous.contains("page=0"), "{previous}");
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_named() {
    let (_, router) = a_view_of(vec![]).await;
    let search = "/mypages/search";
    problem(&get(&router, &format!("{search}/findByOrderId")).await, 400, "`orderId`");
    problem(&get(&router, &format!("{search}/findByOrderId?orderId=x")).await, 400, "`orderId`");
    problem(&get(&router, &format!("{search}/findByCustomer")).await, 400, "`customer`");
    problem(&get(&router, &format!("{search}/findByCustomer?customer=")).await, 400, "`customer`");
    let long = "k".repeat(101);
    problem(&get(&router, &format!("{search}/findByCustomer?customer={long}")).await, 400, "at most 100");
    let longest = "k".repeat(100);
    assert_eq!(
        get(&router, &format!("{search}/findByCustomer?customer={longest}")).await.order_ids(),
        [0; 0]
    );
    problem(
        &get(&router, &format!("{search}/findByCustomer?customer=kim&sort=item")).await,
        400,
        "newest first",
    );
}

#[tokio::test]
async fn nobody_writes_the_view() {
    let (_, router) = a_view_of(vec![requested(1)]).await;
    for path in ["/mypages", "/mypages/1"] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = ask(&router, method, path, &[]).await;
            problem(&answer, 405, "The view follows the events");
            assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.contains("/orders")));
            assert_eq!(answer.header("allow"), "OPTIONS,HEAD,GET");
        }
    }
    problem(&ask(&router, Method::DELETE, "/mypages/search/findByOrderId", &[]).await, 405, "only be read");
}

#[tokio::test]
async fn head_and_options_answer() {
    let (_, router) = a_view_of(vec![requested(1)]).await;
    for path in ["/mypages", "/mypages/1", "/mypages/search/findByOrderId?orderId=1"] {
        let head = ask(&router, Method::HEAD, path, &[]).await;
        assert!(head.status.is_success() && head.text.is_empty(), "{path}: {}", head.status);
        let options = ask(&router, Method::OPTIONS, path, &[]).await;
        assert_eq!((options.status, options.header("allow")), (StatusCode::OK, "OPTIONS,HEAD,GET"), "{path}");
    }
    let head = ask(&router, Method::HEAD, "/mypages/1", &[]).await;
    assert!(head.header("link").contains("<http://localhost:8084/mypages/1>"), "{}", head.header("link"));
    assert!(!head.header("etag").is_empty());
}

#[tokio::test]
async fn json_is_sent_to_who_prefers_it() {
    let (_, router) = a_view_of(vec![requested(1)]).await;
    let json = ask(&router, Method::GET, "/mypages/1", &[("accept", "application/json")]).await;
    assert_eq!(json.header("content-type"), "application/json;charset=UTF-8");
    problem(
        &ask(&router, Method::GET, "/mypages/1", &[("accept", "text/html")]).await,
        406,
        "application/json",
    );
}

#[tokio::test]
async fn a_view_that_is_away_asks_to_come_back() {
    let (view, router) = a_view_of(vec![]).await;
    view.set_away(true);
    for path in ["/mypages", "/mypages/1", "/mypages/search/findByCustomer?customer=kim"] {
        let answer = get(&router, path).await;
        problem(&answer, 503, "cannot be read");
        assert_eq!(answer.header("retry-after"), "2");
    }
}
