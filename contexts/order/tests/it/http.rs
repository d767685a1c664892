//! Order over HTTP: every answer that it can give.

use axum::Router;
use order::{
    adapters::inbound::rest::router,
    application::{
        OnRentUnavailable::{Defer, Reject},
        Policy, ReactionKind,
        ports::RentAnswer,
    },
    domain::OrderState,
};
use platform_http::Limits;
use platform_testkit::http::{self, ACCEPT, Answer, JSON};
use serde_json::{Value, json};
use tower::Layer as _;

use crate::support::{
    Library, UNAVAILABLE, a_library, away, by_rule, orders_on, policy, react, refused, with_an_order,
};

const COSMOS: &str = r#"{"item":"COSMOS","status":"Ordered"}"#;
const CANCEL: &str = r#"{"status":"Order Cancel"}"#;
const ADDRESS: &str = "http://localhost:8081/orders/1";

impl Library {
    pub(crate) async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        ask(&router(self.orders.clone()), line, headers, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[ACCEPT], "").await
    }

    async fn post(&self, body: &str) -> Answer {
        self.ask("POST /orders", &[ACCEPT, JSON], body).await
    }

    async fn patch(&self, body: &str) -> Answer {
        self.ask("PATCH /orders/1", &[ACCEPT, JSON], body).await
    }
}

async fn ask(router: &Router, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    http::ask(router, "localhost:8081", line, headers, body).await
}

fn confirming() -> Library {
    a_library(Defer, RentAnswer::Confirmed)
}

#[tokio::test]
async fn a_confirmed_order_is_created_with_its_address_and_links() {
    let answer = confirming().post(r#"{"item":"COSMOS","status":"Ordered","customer":"김독자"}"#).await;
    assert_eq!((answer.status, answer.header("location")), (201, ADDRESS));
    assert_eq!(answer.header("content-type"), "application/hal+json;charset=UTF-8");
    assert_eq!(answer.header("etag"), "\"2\"");
    assert!(answer.body.starts_with(r#"{"item":"COSMOS","status":"Ordered","#), "{}", answer.body);
    let body = answer.json();
    assert_eq!(
        (&body["id"], &body["customer"], &body["reason"]),
        (&json!(1), &json!("김독자"), &Value::Null)
    );
    let links = json!({"self": {"href": ADDRESS}, "order": {"href": ADDRESS}});
    assert_eq!(body["_links"], links);
    let placed_at = body["placedAt"].as_str().expect("a time");
    assert!(placed_at.starts_with("2020-11-06T07:07:31.") && placed_at.ends_with('Z'), "{placed_at}");
}

#[tokio::test]
async fn a_deferred_order_is_accepted_with_its_address() {
    let library = a_library(Defer, away());
    let answer = library.post(COSMOS).await;
    assert_eq!((answer.status, answer.header("location"), answer.header("etag")), (202, ADDRESS, "\"2\""));
    assert_eq!(answer.json()["status"], "Pending");
    let answer = library.ask("POST /orders", &[JSON], COSMOS).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    assert_eq!(answer.header("location"), "http://localhost:8081/orders/2");
}

#[tokio::test]
async fn an_order_that_a_rule_refuses_is_a_conflict_with_the_reason() {
    let library = a_library(Defer, refused());
    let answer = library.post(COSMOS).await;
    let detail = answer.problem(409, "order-rejected");
    assert!(detail.contains("this customer may not borrow"), "{detail}");
    let body = answer.json();
    assert_eq!((&body["reason"], &body["orderId"]), (&json!("this customer may not borrow"), &json!(1)));
    let kept = library.get("/orders/1").await.json();
    assert_eq!((&kept["status"], &kept["reason"]), (&json!("Order Rejected"), &body["reason"]));
}

#[tokio::test]
async fn an_order_that_is_rejected_as_unavailable_is_to_be_sent_again() {
    let library = a_library(Reject, away());
    let answer = library.post(COSMOS).await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "2");
    let kept = library.get("/orders/1").await.json();
    assert_eq!(kept["status"], "Order Rejected");
    assert!(kept["reason"].as_str().is_some_and(|reason| reason.contains("order again")), "{kept}");
}

#[tokio::test]
async fn too_many_that_wait_are_a_503_and_no_order() {
    let library = a_library(Defer, away());
    let full = Policy { max_pending: 0, ..policy(Defer) };
    let library = Library { orders: orders_on(library.store.clone(), &library.desk, full), ..library };
    let answer = library.post(COSMOS).await;
    let detail = answer.problem(503, "unavailable");
    assert!(detail.contains("not taken"), "{detail}");
    assert_eq!((answer.header("retry-after"), library.count().await), ("2", 0));
}

#[tokio::test]
async fn while_the_store_is_away_every_answer_is_a_503() {
    let library = with_an_order(&OrderState::Ordered).await;
    library.store.set_away(true);
    for answer in [
        library.post(COSMOS).await,
        library.get("/orders").await,
        library.get("/orders/1").await,
        library.patch(CANCEL).await,
    ] {
        answer.problem(503, "unavailable");
    }
}

#[tokio::test]
async fn who_accepts_no_answer_gets_none() {
    let library = confirming();
    let answer = library.ask("POST /orders", &[JSON], COSMOS).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.header("content-type")), (201, "", ""));
    assert_eq!((answer.header("location"), answer.header("etag")), (ADDRESS, "\"2\""));
    let answer = library.ask("PATCH /orders/1", &[JSON], CANCEL).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.header("etag")), (204, "", "\"3\""));
    assert_eq!(library.first().await.state, OrderState::Cancelling);
}

#[tokio::test]
async fn the_type_is_the_one_that_is_accepted_best() {
    let library = with_an_order(&OrderState::Ordered).await;
    let answer = library.ask("GET /orders/1", &[("accept", "application/json")], "").await;
    assert_eq!(answer.header("content-type"), "application/json;charset=UTF-8");
    for line in ["GET /orders", "GET /orders/1"] {
        library.ask(line, &[("accept", "text/html")], "").await.problem(406, "not-acceptable");
    }
    let answer = library.ask("POST /orders", &[JSON, ("accept", "text/html")], COSMOS).await;
    answer.problem(406, "not-acceptable");
    let answer = library.ask("PATCH /orders/1", &[JSON, ("accept", "text/html")], CANCEL).await;
    answer.problem(406, "not-acceptable");
    assert_eq!(library.count().await, 1, "it is told before anything is done");
    assert_eq!(library.first().await.state, OrderState::Ordered);
}

#[tokio::test]
async fn a_field_that_is_not_accepted_is_named() {
    let library = confirming();
    let long = |field: &str, n| json!({"item": "COSMOS", field: "가".repeat(n)}).to_string();
    for (body, field) in [
        ("{}", "item"),
        (r#"{"item":null}"#, "item"),
        (r#"{"item":7}"#, "item"),
        (r#"{"item":""}"#, "item"),
        (r#"{"item":" 　"}"#, "item"),
        (r#"{"item":"a\u0007b"}"#, "item"),
        (&long("item", 501), "item"),
        (r#"{"item":"a","item":"b"}"#, "item"),
        (r#"{"item":"COSMOS","customer":""}"#, "customer"),
        (r#"{"item":"COSMOS","customer":["kim"]}"#, "customer"),
        (r#"{"item":"COSMOS","customer":"a\nb"}"#, "customer"),
        (&long("customer", 101), "customer"),
        (r#"{"item":"COSMOS","status":"Shipped"}"#, "status"),
        (r#"{"item":"COSMOS","status":""}"#, "status"),
        (r#"{"item":"COSMOS","status":1}"#, "status"),
    ] {
        let answer = library.post(body).await;
        answer.problem(422, "invalid-field");
        assert_eq!(answer.json()["field"], field, "{body}");
    }
    library.post("[1]").await.problem(422, "invalid-body");
    assert_eq!((library.count().await, library.desk.asked().len()), (0, 0));
}

#[tokio::test]
async fn what_is_just_within_the_bounds_is_accepted() {
    let library = confirming();
    for body in [
        json!({"item": "가".repeat(500), "customer": "나".repeat(100)}),
        json!({"item": "a", "status": null, "customer": null}),
        json!({"item": "a", "unknown": {"field": 1}}),
    ] {
        let answer = library.post(&body.to_string()).await;
        assert_eq!((answer.status, &answer.json()["item"]), (201, &body["item"]));
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_explained() {
    let library = confirming();
    for body in ["", "{", "nonsense", "{} {}"] {
        library.post(body).await.problem(400, "malformed-json");
    }
    for content_type in ["text/plain", "application/xml", "application/jsonx"] {
        let answer = library.ask("POST /orders", &[ACCEPT, ("content-type", content_type)], COSMOS).await;
        answer.problem(415, "unsupported-media-type");
    }
    library.ask("POST /orders", &[ACCEPT], COSMOS).await.problem(415, "unsupported-media-type");
    let long = json!({"item": "COSMOS", "padding": "x".repeat(64 * 1024)}).to_string();
    library.post(&long).await.problem(413, "too-large");
    assert_eq!(library.count().await, 0);
    let answer = library.ask("POST /orders", &[("content-type", "Application/JSON; charset=utf-8")], COSMOS);
    assert_eq!(answer.await.status, 201);
}

#[tokio::test]
async fn a_repeat_with_its_key_gets_the_same_order() {
    let library = confirming();
    let key = |key| [ACCEPT, JSON, ("idempotency-key", key)];
    let first = library.ask("POST /orders", &key("k"), COSMOS).await;
    let again = library.ask("POST /orders", &key("k"), COSMOS).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((again.header("location"), again.json()), (ADDRESS, first.json()));

    library.ask("POST /orders", &key("k"), r#"{"item":"b"}"#).await.problem(422, "idempotency-key-reused");
    let other = library.ask("POST /orders", &key("other"), COSMOS).await;
    assert_eq!(other.json()["id"], 2);
    library.patch(CANCEL).await;
    let again = library.ask("POST /orders", &key("k"), COSMOS).await;
    assert_eq!((again.status, &again.json()["status"]), (201, &json!("Order Cancel")), "as it is now");

    for malformed in ["", "a b", "열쇠", &"k".repeat(256)] {
        let answer = library.ask("POST /orders", &key(malformed), COSMOS).await;
        answer.problem(400, "malformed-parameter");
        assert_eq!(answer.json()["parameter"], "Idempotency-Key");
    }
    assert_eq!(library.count().await, 2);
}

#[tokio::test]
async fn every_state_is_shown_with_its_word() {
    for (state, word) in [
        (OrderState::Pending, "Pending"),
        (OrderState::Ordered, "Ordered"),
        (by_rule(), "Order Rejected"),
        (UNAVAILABLE, "Order Rejected"),
        (OrderState::Cancelling, "Order Cancel"),
        (OrderState::Canceled, "Order Canceled"),
        (OrderState::Shipped, "Shipped"),
    ] {
        let library = with_an_order(&state).await;
        let shown = library.get("/orders/1").await.json();
        assert_eq!((&shown["status"], &shown["customer"]), (&json!(word), &json!("kim")), "{state:?}");
        assert_eq!(shown.get("reason").is_some(), matches!(state, OrderState::Rejected(_)), "{shown}");
    }
}

#[tokio::test]
async fn an_order_that_is_there_not_there_or_no_id() {
    let library = with_an_order(&OrderState::Ordered).await;
    assert_eq!(library.get("/orders/1").await.status, 200);
    for line in ["GET /orders/2", "HEAD /orders/2"] {
        assert_eq!(library.ask(line, &[ACCEPT], "").await.status, 404);
    }
    library.get("/orders/2").await.problem(404, "not-found");
    library.ask("PATCH /orders/2", &[ACCEPT, JSON], CANCEL).await.problem(404, "not-found");
    library.get("/orders/abc").await.problem(404, "not-found");
    library.ask("PATCH /orders/0", &[ACCEPT, JSON], CANCEL).await.problem(404, "not-found");
    library.get("/orders/1/item").await.problem(404, "no-such-address");
}

#[tokio::test]
async fn who_has_the_version_gets_no_body() {
    let library = with_an_order(&OrderState::Ordered).await;
    let etag = library.get("/orders/1").await.header("etag").to_owned();
    let known = [ACCEPT, ("if-none-match", etag.as_str())];
    let answer = library.ask("GET /orders/1", &known, "").await;
    assert_eq!((answer.status, answer.body.as_str(), answer.header("etag")), (304, "", etag.as_str()));
    react(&library.orders, &[ReactionKind::HandedOver]).await;
    let answer = library.ask("GET /orders/1", &known, "").await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("Shipped")));
    assert_ne!(answer.header("etag"), etag);
}

#[tokio::test]
async fn head_answers_without_a_body() {
    let library = with_an_order(&OrderState::Ordered).await;
    let answer = library.ask("HEAD /orders/1", &[ACCEPT], "").await;
    assert_eq!((answer.status, answer.body.as_str(), answer.header("etag")), (204, "", "\"2\""));
    assert!(answer.header("link").contains("/orders/1>;rel=\"order\""), "{}", answer.header("link"));
    let answer = library.ask("HEAD /orders", &[ACCEPT], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert!(answer.header("link").contains("/profile/orders>;rel=\"profile\""), "{}", answer.header("link"));
}

#[tokio::test]
async fn options_say_what_can_be_done() {
    let library = confirming();
    let answer = library.ask("OPTIONS /orders", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (200, "OPTIONS,HEAD,POST,GET"));
    let answer = library.ask("OPTIONS /orders/1", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (200, "PATCH,OPTIONS,HEAD,GET"));
    assert!(answer.header("accept-patch").contains("application/merge-patch+json"));
}

#[tokio::test]
async fn what_cannot_be_done_says_what_to_do_instead() {
    let library = with_an_order(&OrderState::Ordered).await;
    for (line, allow, instead) in [
        ("DELETE /orders/1", "PATCH,OPTIONS,HEAD,GET", "Order Cancel"),
        ("PUT /orders/1", "PATCH,OPTIONS,HEAD,GET", "Order Cancel"),
        ("POST /orders/1", "PATCH,OPTIONS,HEAD,GET", "Order Cancel"),
        ("DELETE /orders", "OPTIONS,HEAD,POST,GET", "POST to /orders"),
        ("PUT /orders", "OPTIONS,HEAD,POST,GET", "POST to /orders"),
        ("PATCH /orders", "OPTIONS,HEAD,POST,GET", "POST to /orders"),
    ] {
        let answer = library.ask(line, &[ACCEPT, JSON], COSMOS).await;
        let detail = answer.problem(405, "method-not-allowed");
        assert!(detail.contains(instead), "{line}: {detail}");
        assert_eq!(answer.header("allow"), allow, "{line}");
    }
    assert_eq!(library.first().await.state, OrderState::Ordered);
}

#[tokio::test]
async fn a_cancellation_answers_with_the_order_and_may_be_repeated() {
    let library = with_an_order(&OrderState::Ordered).await;
    for _ in 0..2 {
        let answer = library.patch(CANCEL).await;
        assert_eq!((answer.status, answer.header("etag")), (200, "\"3\""));
        assert_eq!(answer.json()["status"], "Order Cancel");
    }
}

#[tokio::test]
async fn a_cancellation_that_the_state_refuses_says_what_can_be_done() {
    for (state, slug, instead) in [
        (OrderState::Shipped, "already-shipped", "take it from the courier"),
        (by_rule(), "already-rejected", "place a new one"),
        (UNAVAILABLE, "already-rejected", "place a new one"),
    ] {
        let library = with_an_order(&state).await;
        let detail = library.patch(CANCEL).await.problem(409, slug);
        assert!(detail.contains(instead), "{detail}");
        assert_eq!(library.first().await.state, state);
    }
}

#[tokio::test]
async fn only_a_cancellation_can_be_asked_for() {
    let library = with_an_order(&OrderState::Ordered).await;
    for word in ["Pending", "Ordered", "Order Canceled", "Order Rejected", "Shipped"] {
        let answer = library.patch(&json!({"status": word}).to_string()).await;
        assert!(answer.problem(409, "not-for-customers").contains("Order Cancel"), "{word}");
        let body = json!({"status": word}).to_string();
        library.ask("PATCH /orders/99", &[ACCEPT, JSON], &body).await.problem(404, "not-found");
    }
    for (body, field) in [
        (r#"{"status":"nonsense"}"#, "status"),
        (r#"{"status":"order cancel"}"#, "status"),
        (r#"{"status":null}"#, "status"),
        (r#"{"status":1}"#, "status"),
        ("{}", "status"),
        (r#"{"item":"another"}"#, "item"),
        (r#"{"status":"Order Cancel","item":"another"}"#, "item"),
    ] {
        let answer = library.patch(body).await;
        answer.problem(422, "invalid-field");
        assert_eq!(answer.json()["field"], field, "{body}");
    }
    library.patch("{").await.problem(400, "malformed-json");
    assert_eq!(library.first().await.state, OrderState::Ordered);
}

#[tokio::test]
async fn a_cancellation_depends_on_the_version_where_the_customer_says_so() {
    let library = with_an_order(&OrderState::Ordered).await;
    for other in ["\"1\"", "\"3\"", "W/\"2\"", "nonsense"] {
        let answer = library.ask("PATCH /orders/1", &[ACCEPT, JSON, ("if-match", other)], CANCEL).await;
        answer.problem(412, "precondition-failed");
    }
    let answer = library.ask("PATCH /orders/1", &[ACCEPT, JSON, ("if-match", "\"1\",\"2\"")], CANCEL).await;
    answer.problem(400, "malformed-parameter");
    assert_eq!(library.first().await.state, OrderState::Ordered);
    let answer = library.ask("PATCH /orders/1", &[ACCEPT, JSON, ("if-match", "\"2\"")], CANCEL).await;
    assert_eq!((answer.status, answer.header("etag")), (200, "\"3\""));
    let answer = library.ask("PATCH /orders/1", &[ACCEPT, JSON, ("if-match", "*")], CANCEL).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_patch_comes_in_three_formats() {
    let operations = r#"[{"op":"replace","path":"/status","value":"Order Cancel"}]"#;
    for (format, body) in [
        ("application/json", CANCEL),
        ("application/merge-patch+json", CANCEL),
        ("application/json-patch+json", operations),
    ] {
        let library = with_an_order(&OrderState::Ordered).await;
        let answer = library.ask("PATCH /orders/1", &[ACCEPT, ("content-type", format)], body).await;
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("Order Cancel")), "{format}");
    }
    let library = with_an_order(&OrderState::Ordered).await;
    let answer = library.ask("PATCH /orders/1", &[ACCEPT, ("content-type", "text/plain")], CANCEL).await;
    answer.problem(415, "unsupported-media-type");
    assert!(answer.header("accept-patch").contains("application/json-patch+json"));
    assert_eq!(library.first().await.state, OrderState::Ordered);
}

fn ids(page: &Answer) -> Vec<i64> {
    let body = page.json();
    let orders = body["_embedded"]["orders"].as_array().expect("a collection");
    orders.iter().map(|order| order["id"].as_i64().expect("an id")).collect()
}

#[tokio::test]
async fn an_empty_collection_is_a_page_with_nothing_on_it() {
    let answer = confirming().get("/orders").await;
    assert_eq!(
        answer.body,
        r#"{"_embedded":{"orders":[]},"_links":{"self":{"href":"http://localhost:8081/orders{?page,size,sort}","templated":true},"profile":{"href":"http://localhost:8081/profile/orders"}},"page":{"size":20,"totalElements":0,"totalPages":0,"number":0}}"#
    );
}

/// Five orders: one pending, one ordered, one cancelled, one refused, one shipped.
async fn five_orders() -> Library {
    let library = confirming();
    for (item, customer, answer) in [
        ("b", Some("kim"), RentAnswer::Confirmed),
        ("a", None, away()),
        ("가", Some("김"), refused()),
        ("b", Some("lee"), RentAnswer::Confirmed),
        ("A", Some("kim"), RentAnswer::Confirmed),
    ] {
        library.desk.answers(answer);
        library.post(&json!({"item": item, "customer": customer}).to_string()).await;
    }
    react(&library.orders, &[ReactionKind::HandedOver]).await;
    library.ask("PATCH /orders/5", &[ACCEPT, JSON], CANCEL).await;
    library
}

#[tokio::test]
async fn the_collection_is_read_page_by_page() {
    let library = five_orders().await;
    let page = library.get("/orders?page=1&size=2").await;
    assert_eq!((page.status, ids(&page)), (200, vec![3, 4]));
    let body = page.json();
    assert_eq!(body["page"], json!({"size": 2, "totalElements": 5, "totalPages": 3, "number": 1}));
    for link in ["first", "prev", "self", "next", "last"] {
        assert!(body["_links"][link]["href"].is_string(), "{link}: {body}");
    }
    assert_eq!(ids(&library.get("/orders?page=2&size=2").await), [5]);
    assert_eq!(ids(&library.get("/orders?page=9&size=2").await), [0; 0]);
    assert_eq!(ids(&library.get("/orders").await), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn the_collection_is_sorted_by_every_field_that_it_shows() {
    let library = five_orders().await;
    for (sort, expected) in [
        ("id,desc", [5, 4, 3, 2, 1]),
        ("item", [5, 2, 1, 4, 3]),
        ("item,desc", [3, 1, 4, 2, 5]),
        ("status", [5, 3, 4, 2, 1]),
        ("customer", [2, 1, 5, 4, 3]),
        ("reason,desc", [3, 1, 2, 4, 5]),
        ("item&sort=id,desc", [5, 2, 4, 1, 3]),
    ] {
        assert_eq!(ids(&library.get(&format!("/orders?sort={sort}")).await), expected, "{sort}");
    }
    for sort in ["placedAt", "changedAt,desc"] {
        assert_eq!(library.get(&format!("/orders?sort={sort}")).await.status, 200, "{sort}");
    }
    let answer = library.get("/orders?sort=colour").await;
    assert!(answer.problem(400, "malformed-parameter").contains("placedAt"));
    assert_eq!(answer.json()["parameter"], "sort");
}

#[tokio::test]
async fn what_is_said_and_asked_carries_the_id_of_the_request() {
    let library = confirming();
    let limited = Router::new().fallback_service(Limits::default().layer(router(library.orders.clone())));
    for (line, id, body) in [("POST /orders", "request-1", COSMOS), ("PATCH /orders/1", "request-2", CANCEL)]
    {
        let answer = ask(&limited, line, &[JSON, ("x-request-id", id)], body).await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }
    let said = library.store.said();
    let ids: Vec<_> = said.iter().map(|(_, said)| said.correlation_id.as_deref()).collect();
    assert_eq!(ids, [Some("request-1"), Some("request-2")]);
    assert_eq!(library.desk.asked()[0].correlation_id.as_deref(), Some("request-1"));
}
