//! Rent over HTTP: every answer that it can give.

use axum::Router;
use platform_testkit::http::{self, ACCEPT, Answer, JSON};
use rent::{
    adapters::{inbound::rest::router, outbound::memory::MemoryRents},
    application::{ConfirmRent, ReactionKind, Rents},
};
use serde_json::{Value, json};

use crate::{ORDER, a_reaction, rents_on};

async fn ask(router: &Router, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    http::ask(router, "localhost:8082", line, headers, body).await
}

async fn get(router: &Router, path: &str) -> Answer {
    ask(router, &format!("GET {path}"), &[ACCEPT], "").await
}

async fn post(router: &Router, body: &str) -> Answer {
    ask(router, "POST /rents", &[ACCEPT, JSON], body).await
}

fn a_library() -> (MemoryRents, Rents, Router) {
    let store = MemoryRents::default();
    let rents = rents_on(store.clone());
    let router = router(rents.clone());
    (store, rents, router)
}

/// A library with a rent of [`ORDER`].
async fn a_rent() -> (MemoryRents, Rents, Router) {
    let library = a_library();
    let command = ConfirmRent { order_id: ORDER, customer: None, correlation_id: None };
    library.1.confirm_rent(command).await.expect("a rent");
    library
}

fn links(id: i64) -> Value {
    let own = format!("http://localhost:8082/rents/{id}");
    json!({"self": {"href": own}, "rent": {"href": own}})
}

#[tokio::test]
async fn a_new_rent_is_created() {
    let (store, _, router) = a_library();
    let body = r#"{"orderId":7,"status":"Rent","customer":"kim"}"#;
    let answer = post(&router, body).await;
    assert_eq!((answer.status, answer.header("location")), (201, "http://localhost:8082/rents/1"));
    assert_eq!(answer.header("content-type"), "application/hal+json;charset=UTF-8");
    assert_eq!(answer.header("etag"), "\"1\"");
    assert!(answer.body.starts_with(r#"{"orderId":7,"status":"Rent","id":1,"customer":"kim","createdAt":"#));
    assert_eq!(answer.json()["createdAt"], "2020-11-06T07:07:31.007Z");
    assert_eq!(answer.json()["changedAt"], "2020-11-06T07:07:31.007Z");
    assert_eq!(answer.json()["_links"], links(1));
    assert_eq!(store.said().len(), 1);
}

#[tokio::test]
async fn without_accept_a_new_rent_is_answered_without_a_body() {
    let (_, _, router) = a_library();
    let answer = ask(&router, "POST /rents", &[JSON], r#"{"orderId":7,"status":"Rent"}"#).await;
    assert_eq!((answer.status, answer.header("location")), (201, "http://localhost:8082/rents/1"));
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn the_same_order_again_gets_the_same_rent() {
    let (store, _, router) = a_library();
    let first = post(&router, r#"{"orderId":7}"#).await;
    for headers in [&[ACCEPT, JSON][..], &[JSON]] {
        let again = ask(&router, "POST /rents", headers, r#"{"orderId":7,"status":null}"#).await;
        assert_eq!((again.status, again.json()), (200, first.json()));
    }
    assert_eq!(store.said().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_remembered_and_says_so() {
    let (_, _, router) = a_library();
    for _ in 0..2 {
        let answer = post(&router, r#"{"orderId":7,"status":"Rent","customer":"suspended"}"#).await;
        let detail = answer.problem(409, "rent-refused");
        assert!(detail.contains("remembered"), "{detail}");
        assert_eq!(answer.json()["orderId"], 7);
        assert!(answer.json()["reason"].as_str().expect("a reason").contains("may not borrow"));
    }
    let shown = get(&router, "/rents/1").await.json();
    assert_eq!(shown["status"], "Rent Canceled");
    assert!(shown["reason"].as_str().expect("a reason").contains("may not borrow"));
}

#[tokio::test]
async fn a_cancelled_order_is_not_rented_any_more() {
    let (_, rents, router) = a_library();
    rents.on_events(vec![a_reaction(ReactionKind::OrderCancelled)]).await.expect("applied");
    let answer = post(&router, r#"{"orderId":7,"status":"Rent"}"#).await;
    assert!(answer.problem(409, "rent-refused").contains("this order was cancelled"));
    assert_eq!(get(&router, "/rents/1").await.json()["status"], "Rent Canceled");
}

#[tokio::test]
async fn what_cannot_be_a_rent_is_refused_and_nothing_is_written() {
    let (store, _, router) = a_library();
    for (body, field) in [
        (r#"{"status":"Rent"}"#, "orderId"),
        (r#"{"orderId":null}"#, "orderId"),
        (r#"{"orderId":0}"#, "orderId"),
        (r#"{"orderId":"7"}"#, "orderId"),
        (r#"{"orderId":7.5}"#, "orderId"),
        (r#"{"orderId":7,"status":"Rent Canceled"}"#, "status"),
        (r#"{"orderId":7,"status":1}"#, "status"),
        (r#"{"orderId":7,"customer":""}"#, "customer"),
        (r#"{"orderId":7,"customer":3}"#, "customer"),
    ] {
        let answer = post(&router, body).await;
        answer.problem(422, "invalid-field");
        assert_eq!(answer.json()["field"], field, "{body}");
    }
    post(&router, "{").await.problem(400, "malformed-json");
    post(&router, "[]").await.problem(422, "invalid-body");
    let text = [ACCEPT, ("content-type", "text/plain")];
    ask(&router, "POST /rents", &text, "{}").await.problem(415, "unsupported-media-type");
    let image = [("accept", "image/png"), JSON];
    ask(&router, "POST /rents", &image, r#"{"orderId":7}"#).await.problem(406, "not-acceptable");
    assert!(store.said().is_empty());
    assert_eq!(get(&router, "/rents").await.json()["page"]["totalElements"], 0);
}

async fn post_all(router: &Router, body: &str) -> Answer {
    ask(router, "POST /rents/confirmations", &[ACCEPT, JSON], body).await
}

#[tokio::test]
async fn many_orders_are_confirmed_at_once_and_each_gets_its_own_answer() {
    let (store, rents, router) = a_library();
    rents.on_events(vec![a_reaction(ReactionKind::OrderCancelled)]).await.expect("applied");
    let body = r#"{"confirmations":[
        {"orderId":9,"status":"Rent","customer":"kim","requestId":"c-9"},
        {"orderId":7,"status":"Rent"},
        {"orderId":8,"customer":"suspended"}]}"#;
    for _ in 0..2 {
        let answer = post_all(&router, body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let mut given = answer.json();
        let reason = given["confirmations"][2]["reason"].take();
        assert!(reason.as_str().expect("a reason").contains("may not borrow"));
        assert_eq!(
            given,
            json!({"confirmations": [
                {"orderId": 9, "status": "Rent"},
                {"orderId": 7, "status": "Rent Canceled", "reason": "this order was cancelled"},
                {"orderId": 8, "status": "Rent Canceled", "reason": null},
            ]})
        );
        assert_eq!(get(&router, "/rents").await.json()["page"]["totalElements"], 3);
    }
    let (_, said) = store.said().pop().expect("one was rented");
    assert_eq!(said.correlation_id.as_deref(), Some("c-9"));
    assert_eq!(store.said().len(), 2, "the cancel, and the rent of 9, once");
}

#[tokio::test]
async fn of_many_orders_none_is_confirmed_where_one_is_not_understood() {
    let (store, _, router) = a_library();
    let too_many: Vec<_> = (1..=65).map(|id| json!({"orderId": id})).collect();
    let too_many = json!({"confirmations": too_many}).to_string();
    for (body, field) in [
        (r#"{"orderId":7}"#, "confirmations"),
        (r#"{"confirmations":[]}"#, "confirmations"),
        (too_many.as_str(), "confirmations"),
        (r#"{"confirmations":[{"orderId":7},{"orderId":7}]}"#, "confirmations[1].orderId"),
        (r#"{"confirmations":[{"orderId":7},{}]}"#, "confirmations[1].orderId"),
        (r#"{"confirmations":[{"orderId":7},{"orderId":8,"customer":""}]}"#, "confirmations[1].customer"),
        (
            r#"{"confirmations":[{"orderId":7},{"orderId":8,"status":"Rent Canceled"}]}"#,
            "confirmations[1].status",
        ),
        (r#"{"confirmations":[{"orderId":7},{"orderId":8,"requestId":""}]}"#, "confirmations[1].requestId"),
    ] {
        let answer = post_all(&router, body).await;
        answer.problem(422, "invalid-field");
        assert_eq!(answer.json()["field"], field, "{body}");
    }
    assert!(store.said().is_empty());
    let read = ask(&router, "GET /rents/confirmations", &[ACCEPT], "").await;
    assert!(read.problem(405, "method-not-allowed").contains("found under /rents"));
    assert_eq!(read.header("allow"), "OPTIONS,POST");
}

#[tokio::test]
async fn a_rent_is_not_changed_from_outside() {
    let (_, _, router) = a_rent().await;
    for method in ["PATCH", "PUT", "DELETE", "POST"] {
        let answer =
            ask(&router, &format!("{method} /rents/1"), &[ACCEPT, JSON], r#"{"status":"Rent"}"#).await;
        assert!(answer.problem(405, "method-not-allowed").contains("Cancel the order"));
        assert_eq!(answer.header("allow"), "OPTIONS,HEAD,GET");
    }
    for method in ["PATCH", "PUT", "DELETE"] {
        let answer = ask(&router, &format!("{method} /rents"), &[ACCEPT], "").await;
        assert!(answer.problem(405, "method-not-allowed").contains("POST to /rents"));
        assert_eq!(answer.header("allow"), "OPTIONS,HEAD,POST,GET");
    }
}

#[tokio::test]
async fn a_rent_is_shown_and_shown_again_only_when_it_has_changed() {
    let (_, rents, router) = a_rent().await;
    let first = get(&router, "/rents/1").await;
    assert_eq!((first.status, first.header("etag")), (200, "\"1\""));
    let known = [ACCEPT, ("if-none-match", "\"1\"")];
    let same = ask(&router, "GET /rents/1", &known, "").await;
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    rents.on_events(vec![a_reaction(ReactionKind::OrderCancelled)]).await.expect("applied");
    let changed = ask(&router, "GET /rents/1", &known, "").await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
    assert_eq!(changed.json()["status"], "Rent Canceled");
    assert!(changed.json().get("reason").is_none(), "only a rule gives a reason");

    let head = ask(&router, "HEAD /rents/1", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (204, ""));
    assert!(head.header("link").starts_with("<http://localhost:8082/rents/1>;rel=\"self\""));
    let options = ask(&router, "OPTIONS /rents/1", &[], "").await;
    assert_eq!((options.status, options.header("allow")), (200, "OPTIONS,HEAD,GET"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (_, _, router) = a_rent().await;
    get(&router, "/rents/99999").await.problem(404, "not-found");
    get(&router, "/rents/x").await.problem(404, "not-found");
    get(&router, "/nothing").await.problem(404, "no-such-address");
    assert_eq!(ask(&router, "HEAD /rents/99999", &[], "").await.status, 404);
}

#[tokio::test]
async fn the_collection_is_paged_and_sorted() {
    let (_, _, router) = a_library();
    let empty = get(&router, "/rents").await;
    assert_eq!(
        empty.json(),
        json!({
            "_embedded": {"rents": []},
            "_links": {
                "self": {"href": "http://localhost:8082/rents{?page,size,sort}", "templated": true},
                "profile": {"href": "http://localhost:8082/profile/rents"},
                "search": {"href": "http://localhost:8082/rents/search"},
            },
            "page": {"size": 20, "totalElements": 0, "totalPages": 0, "number": 0},
        })
    );
    for order_id in [30, 10, 20] {
        post(&router, &format!(r#"{{"orderId":{order_id}}}"#)).await;
    }
    let orders = async |query: &str| -> Vec<Value> {
        let page = get(&router, &format!("/rents?{query}")).await.json();
        let items = page["_embedded"]["rents"].as_array().expect("items").clone();
        items.iter().map(|item| item["orderId"].clone()).collect()
    };
    assert_eq!(orders("").await, [30, 10, 20]);
    assert_eq!(orders("sort=orderId").await, [10, 20, 30]);
    assert_eq!(orders("sort=id,desc&size=2").await, [20, 10]);
    assert_eq!(orders("sort=id,desc&size=2&page=1").await, [30]);
    for field in ["orderId", "status", "id", "customer", "reason", "createdAt", "changedAt"] {
        assert_eq!(orders(&format!("sort={field},desc")).await.len(), 3, "{field}");
    }
    get(&router, "/rents?sort=nothing").await.problem(400, "malformed-parameter");
    let head = ask(&router, "HEAD /rents", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (204, ""));
    assert_eq!(ask(&router, "OPTIONS /rents", &[], "").await.header("allow"), "OPTIONS,HEAD,POST,GET");
}

#[tokio::test]
async fn a_rent_is_found_by_its_order() {
    let (_, _, router) = a_rent().await;
    let path = "/rents/search/findByOrderId?orderId=7";
    let found = get(&router, path).await.json();
    assert_eq!(found["_embedded"]["rents"][0]["orderId"], 7);
    assert_eq!(found["_embedded"]["rents"][0]["_links"], links(1));
    assert_eq!(found["_links"], json!({"self": {"href": format!("http://localhost:8082{path}")}}));
    for none in ["orderId=99999", "orderId=7&page=1"] {
        let none = get(&router, &format!("/rents/search/findByOrderId?{none}")).await.json();
        assert_eq!(none["_embedded"]["rents"], json!([]));
    }
    for bad in ["", "?orderId=", "?orderId=x"] {
        get(&router, &format!("/rents/search/findByOrderId{bad}")).await.problem(400, "malformed-parameter");
    }
    let write = ask(&router, "POST /rents/search/findByOrderId?orderId=7", &[], "").await;
    write.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn the_documents_lead_the_way() {
    let (_, _, router) = a_library();
    assert_eq!(
        get(&router, "/").await.json(),
        json!({"_links": {
            "rents": {"href": "http://localhost:8082/rents{?page,size,sort}", "templated": true},
            "profile": {"href": "http://localhost:8082/profile"},
        }})
    );
    let search = get(&router, "/rents/search").await.json();
    let template = "http://localhost:8082/rents/search/findByOrderId{?orderId}";
    assert_eq!(search["_links"]["findByOrderId"], json!({"href": template, "templated": true}));
    for path in ["/profile", "/profile/rents"] {
        assert_eq!(get(&router, path).await.status, 200);
    }
}

#[tokio::test]
async fn while_the_store_is_away_clients_are_asked_to_come_back() {
    let (store, _, router) = a_rent().await;
    store.set_away(true);
    let rents = ["GET /rents", "GET /rents/1", "GET /rents/search/findByOrderId?orderId=7", "POST /rents"];
    for line in rents {
        let answer = ask(&router, line, &[ACCEPT, JSON], r#"{"orderId":7}"#).await;
        answer.problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "2", "{line}");
    }
    post_all(&router, r#"{"confirmations":[{"orderId":7},{"orderId":8}]}"#).await.problem(503, "unavailable");
    store.set_away(false);
    assert_eq!(get(&router, "/rents/1").await.status, 200);
}

#[tokio::test]
async fn who_asks_while_the_store_fails_is_not_told_that_there_is_no_rent() {
    let (store, _, router) = a_library();
    store.set_in_doubt(true);
    let answer = ask(&router, "POST /rents", &[ACCEPT, JSON], r#"{"orderId":7}"#).await;
    let detail = answer.problem(504, "in-doubt");
    assert!(detail.contains("look before you repeat it"), "{detail}");
    store.set_in_doubt(false);
    assert_eq!(get(&router, "/rents/1").await.json()["status"], "Rent");
}

#[tokio::test]
async fn the_id_of_a_request_goes_on_with_what_it_causes() {
    let (store, _, router) = a_library();
    let router = router.layer(platform_http::Limits::default());
    let headers = [ACCEPT, JSON, ("x-request-id", "c-1")];
    ask(&router, "POST /rents", &headers, r#"{"orderId":7}"#).await;
    let (_, said) = store.said().remove(0);
    assert_eq!(said.correlation_id.as_deref(), Some("c-1"));
}
