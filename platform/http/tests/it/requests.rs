//! Items, writes and refusals.

use serde_json::json;

use crate::service::{MYPAGES, ORDERS, RENTS, ask, service};

const ITEM: &str = "{\"item\":\"COSMOS\",\"status\":\"Ordered\",\"_links\":{\
    \"self\":{\"href\":\"http://localhost:8081/orders/1\"},\
    \"order\":{\"href\":\"http://localhost:8081/orders/1\"}}}";

#[tokio::test]
async fn an_item_comes_with_its_links_and_its_version() {
    let answer = ask(service(&ORDERS, 1), "GET /orders/1\nAccept: */*").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ITEM));
    assert_eq!(answer.header("content-type"), Some("application/hal+json;charset=UTF-8"));
    assert_eq!(answer.header("etag"), Some("\"7\""));
    let answer = ask(service(&ORDERS, 1), "GET /orders/1\nAccept: application/json").await;
    assert_eq!(answer.body, ITEM);
    assert_eq!(answer.header("content-type"), Some("application/json;charset=UTF-8"));
}

#[tokio::test]
async fn who_has_the_version_gets_no_body() {
    let answer = ask(service(&ORDERS, 1), "GET /orders/1\nIf-None-Match: \"7\"").await;
    assert_eq!((answer.status, answer.body.as_str()), (304, ""));
    assert_eq!(answer.header("etag"), Some("\"7\""));
    let answer = ask(service(&ORDERS, 1), "GET /orders/1\nIf-None-Match: \"6\"").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_id_is_known_unknown_or_none() {
    assert_eq!(ask(service(&ORDERS, 1), "GET /orders/99999").await.status, 404);
    for id in ["abc", "0", "-1", "1.5", "+1", "99999999999999999999", "%31"] {
        let answer = ask(service(&ORDERS, 1), &format!("GET /orders/{id}")).await;
        assert_eq!(answer.status, 404, "{id}");
        let problem = answer.json();
        assert_eq!(problem["type"], "urn:rentalbook:problem:not-found");
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains("whole numbers")),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn head_answers_with_links_as_recorded() {
    let answer = ask(service(&ORDERS, 1), "HEAD /orders/1\nAccept: */*").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(
        answer.header("link"),
        Some("<http://localhost:8081/orders/1>;rel=\"self\",<http://localhost:8081/orders/1>;rel=\"order\"")
    );
    assert_eq!(ask(service(&ORDERS, 1), "HEAD /orders/2").await.status, 404);

    let answer = ask(service(&ORDERS, 1), "HEAD /orders\nAccept: */*").await;
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.header("link"),
        Some(
            "<http://localhost:8081/orders>;rel=\"self\",<http://localhost:8081/profile/orders>;rel=\"profile\""
        )
    );
    let answer = ask(service(&RENTS, 1), "HEAD /rents").await;
    assert!(answer.header("link").unwrap().ends_with("/rents/search>;rel=\"search\""));
}

#[tokio::test]
async fn options_names_the_methods() {
    let answer = ask(service(&ORDERS, 1), "OPTIONS /orders").await;
    assert_eq!((answer.status, answer.header("allow")), (200, Some("OPTIONS,HEAD,POST,GET")));
    assert_eq!(answer.header("accept-patch"), None);
    let answer = ask(service(&ORDERS, 1), "OPTIONS /orders/1").await;
    assert_eq!((answer.status, answer.header("allow")), (200, Some("PATCH,OPTIONS,HEAD,GET")));
    assert!(answer.header("accept-patch").unwrap().starts_with("application/json"));
    let answer = ask(service(&MYPAGES, 1), "OPTIONS /profile").await;
    assert_eq!((answer.status, answer.header("allow")), (200, Some("OPTIONS,HEAD,GET")));
}

#[tokio::test]
async fn a_method_that_is_refused_says_what_to_do_instead() {
    for (request, allow) in [
        ("PUT /orders", "OPTIONS,HEAD,POST,GET"),
        ("DELETE /orders", "OPTIONS,HEAD,POST,GET"),
        ("PUT /orders/1", "PATCH,OPTIONS,HEAD,GET"),
        ("POST /orders/1", "PATCH,OPTIONS,HEAD,GET"),
        ("DELETE /profile", "OPTIONS,HEAD,GET"),
    ] {
        let answer = ask(service(&ORDERS, 1), request).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{request}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("with"), "{}", answer.body);
    }
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_a_problem_too() {
    let answer = ask(service(&ORDERS, 1), "GET /nope").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(
        answer.json(),
        json!({
            "type": "urn:rentalbook:problem:no-such-address",
            "title": "No such address",
            "status": 404,
            "detail": "Nothing answers at /nope. Start from the links at /."})
    );
}

#[tokio::test]
async fn who_accepts_neither_type_is_told_before_anything_is_done() {
    let answer = ask(service(&ORDERS, 1), "GET /orders/1\nAccept: text/html").await;
    assert_eq!(answer.status, 406);
}

#[tokio::test]
async fn a_new_item_has_an_address_and_is_shown_to_who_accepts_it() {
    let post = "POST /orders\nContent-Type: application/json";
    let body = "{\"item\":\"COSMOS\",\"status\":\"Ordered\"}";
    let shown = format!("{post}\nAccept: application/json, */*;q=0.5\n\n{body}");
    let answer = ask(service(&ORDERS, 0), &shown).await;
    assert_eq!((answer.status, answer.body.as_str()), (201, ITEM));
    assert_eq!(answer.header("location"), Some("http://localhost:8081/orders/1"));
    assert_eq!(answer.header("content-type"), Some("application/json;charset=UTF-8"));

    let answer = ask(service(&ORDERS, 1), &format!("{post}\n\n{body}")).await;
    assert_eq!((answer.status, answer.body.as_str()), (201, ""));
    assert_eq!(answer.header("location"), Some("http://localhost:8081/orders/2"));
    assert_eq!(answer.header("content-type"), None);
}

#[tokio::test]
async fn a_body_that_cannot_be_used_is_explained() {
    for (head, body, status, field) in [
        ("Content-Type: application/json", "{\"item\":", 400, None),
        ("Content-Type: application/json", "", 400, None),
        ("Content-Type: application/json", "{}", 422, Some("item")),
        ("Content-Type: text/plain", "x", 415, None),
    ] {
        let answer = ask(service(&ORDERS, 1), &format!("POST /orders\n{head}\n\n{body}")).await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.json()["field"].as_str(), field);
    }
}

#[tokio::test]
async fn a_change_answers_with_the_item_to_who_accepts_it() {
    let body = "{\"status\":\"Order Cancel\"}";
    let shown = format!(
        "PATCH /orders/1\nContent-Type: application/json\nAccept: application/json, */*;q=0.5\n\n{body}"
    );
    let answer = ask(service(&ORDERS, 1), &shown).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("Order Cancel")));
    let silent = format!("PATCH /orders/1\nContent-Type: application/merge-patch+json\n\n{body}");
    let answer = ask(service(&ORDERS, 1), &silent).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
}

#[tokio::test]
async fn a_change_of_another_version_is_a_412() {
    let change = |tag: &str| {
        format!(
            "PATCH /orders/1\nContent-Type: application/json\nAccept: */*\nIf-Match: {tag}\n\n{{\"status\":\"x\"}}"
        )
    };
    assert_eq!(ask(service(&ORDERS, 1), &change("\"7\"")).await.status, 200);
    assert_eq!(ask(service(&ORDERS, 1), &change("*")).await.status, 200);
    assert_eq!(ask(service(&ORDERS, 1), &change("\"6\"")).await.status, 412);
    assert_eq!(ask(service(&ORDERS, 1), &change("W/\"7\"")).await.status, 412);
}

#[tokio::test]
async fn a_patch_in_another_format_is_told_which_there_are() {
    let answer = ask(service(&ORDERS, 1), "PATCH /orders/1\nContent-Type: text/plain\n\nx").await;
    assert_eq!(answer.status, 415);
    assert!(answer.header("accept-patch").unwrap().contains("application/json-patch+json"));
}

#[tokio::test]
async fn a_search_without_its_parameter_is_a_400() {
    for query in ["", "?orderId=", "?orderId=abc", "?other=1"] {
        let answer = ask(service(&RENTS, 1), &format!("GET /rents/search/findByOrderId{query}")).await;
        assert_eq!((answer.status, answer.json()["parameter"].as_str()), (400, Some("orderId")), "{query}");
    }
    assert_eq!(ask(service(&RENTS, 1), "GET /rents/search/other").await.status, 404);
}
