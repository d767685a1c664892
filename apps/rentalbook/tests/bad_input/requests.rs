use hyper::Method;
use rentalbook::cli::ServiceArg::{self, Delivery, Gateway, Mypage, Order, Rent};
use serde_json::json;

use super::problem;
use crate::harness::{Answer, Scene};

const JSON: (&str, &str) = ("accept", "application/json");

/// Everything that is stored, to see that nothing has changed.
async fn everything(scene: &Scene) -> Vec<String> {
    let mut all = Vec::new();
    for collection in ["orders", "rents", "deliveries", "mypages"] {
        let path = format!("/{collection}?size=1000");
        let answer = scene.send(Gateway, Method::GET, &path, None).await;
        all.push(String::from_utf8(answer.body.to_vec()).expect("UTF-8"));
    }
    all
}

/// A library with an order that is being prepared and one that is shipped.
async fn a_library() -> Scene {
    let scene = Scene::open().await;
    for item in ["COSMOS", "CONTACT"] {
        let order = scene.an_order(item).await;
        scene.a_parcel(order).await;
    }
    assert_eq!(scene.hand_over(2).await.status, 200);
    scene.until_order(2, "Shipped").await;
    scene.until_shown(2, "Shipped").await;
    scene
}

async fn post(scene: &Scene, service: ServiceArg, path: &str, body: &str) -> Answer {
    scene.send_with(service, Method::POST, path, &[JSON], Some(body.to_owned())).await
}

async fn patch(scene: &Scene, service: ServiceArg, path: &str, body: &str) -> Answer {
    scene.send_with(service, Method::PATCH, path, &[JSON], Some(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_are_told_apart_from_bodies_that_are_wrong() {
    let scene = a_library().await;
    let before = everything(&scene).await;
    for (service, path) in [(Order, "/orders"), (Gateway, "/orders"), (Rent, "/rents"), (Gateway, "/rents")] {
        for body in
            ["", "{", "{\"item\":}", "nonsense", "{\"item\":\"a\"} more", "\u{feff}{}", "{'item':'a'}"]
        {
            problem(&post(&scene, service, path, body).await, 400, "malformed-json");
        }
        for body in ["[]", "\"item\"", "1", "null", "true"] {
            problem(&post(&scene, service, path, body).await, 422, "invalid-body");
        }
    }
    for (service, path) in [(Order, "/orders/1"), (Gateway, "/orders/1"), (Delivery, "/deliveries/1")] {
        problem(&patch(&scene, service, path, "{\"status\":").await, 400, "malformed-json");
        problem(&patch(&scene, service, path, "[]").await, 422, "invalid-body");
    }
    assert_eq!(everything(&scene).await, before);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_not_accepted_is_named() {
    let scene = a_library().await;
    let before = everything(&scene).await;
    let long = |n| "책".repeat(n);
    let wrong_orders = [
        (json!({}), "item"),
        (json!({ "item": null }), "item"),
        (json!({ "item": 7 }), "item"),
        (json!({ "item": ["COSMOS"] }), "item"),
        (json!({ "item": { "title": "COSMOS" } }), "item"),
        (json!({ "item": "" }), "item"),
        (json!({ "item": "   " }), "item"),
        (json!({ "item": long(501) }), "item"),
        (json!({ "item": "COS\u{0}MOS" }), "item"),
        (json!({ "item": "COS\nMOS" }), "item"),
        (json!({ "item": "COS\u{85}MOS" }), "item"),
        (json!({ "item": "COSMOS", "customer": 7 }), "customer"),
        (json!({ "item": "COSMOS", "customer": "" }), "customer"),
        (json!({ "item": "COSMOS", "customer": long(101) }), "customer"),
        (json!({ "item": "COSMOS", "customer": "k\tim" }), "customer"),
        (json!({ "item": "COSMOS", "status": "Shipped" }), "status"),
        (json!({ "item": "COSMOS", "status": 1 }), "status"),
    ];
    for (body, field) in &wrong_orders {
        for service in [Order, Gateway] {
            let answer = post(&scene, service, "/orders", &body.to_string()).await;
            let detail = problem(&answer, 422, "invalid-field");
            assert_eq!(answer.text("field"), *field, "{body}");
            assert!(detail.contains(&format!("`{field}`")), "{detail}");
        }
    }
    let twice = post(&scene, Order, "/orders", r#"{"item":"a","item":"b"}"#).await;
    problem(&twice, 422, "invalid-field");
    for (body, field) in [
        (json!({}), "orderId"),
        (json!({ "orderId": "1" }), "orderId"),
        (json!({ "orderId": 0 }), "orderId"),
        (json!({ "orderId": -1 }), "orderId"),
        (json!({ "orderId": 1.5 }), "orderId"),
        (json!({ "orderId": 1e30 }), "orderId"),
        (json!({ "orderId": 77, "status": "Ship" }), "status"),
        (json!({ "orderId": 77, "customer": long(101) }), "customer"),
    ] {
        let answer = post(&scene, Rent, "/rents", &body.to_string()).await;
        problem(&answer, 422, "invalid-field");
        assert_eq!(answer.text("field"), field, "{body}");
    }
    for path in ["/orders/1", "/deliveries/1"] {
        for (body, field) in [
            (json!({}), "status"),
            (json!({ "status": null }), "status"),
            (json!({ "status": 1 }), "status"),
            (json!({ "status": "order cancel" }), "status"),
            (json!({ "status": "Gone" }), "status"),
            (json!({ "status": "Order Cancel", "item": "other" }), "item"),
        ] {
            let answer = patch(&scene, Gateway, path, &body.to_string()).await;
            problem(&answer, 422, "invalid-field");
            assert_eq!(answer.text("field"), field, "{path} {body}");
        }
    }
    assert_eq!(everything(&scene).await, before);

    let longest = json!({ "item": long(500), "customer": long(100) });
    let taken = post(&scene, Order, "/orders", &longest.to_string()).await;
    assert_eq!(taken.status, 201, "the longest that is allowed: {taken:?}");
    scene.until_shown(taken.number("id"), "Ship").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let scene = a_library().await;
    let before = everything(&scene).await;
    for (service, collection) in [
        (Order, "orders"),
        (Rent, "rents"),
        (Delivery, "deliveries"),
        (Mypage, "mypages"),
        (Gateway, "orders"),
    ] {
        for id in ["99999", "9223372036854775807"] {
            let detail = problem(
                &scene.send(service, Method::GET, &format!("/{collection}/{id}"), None).await,
                404,
                "not-found",
            );
            assert!(detail.contains(id), "{detail}");
        }
        for id in ["abc", "0", "-1", "1.5", "1e3", "99999999999999999999", "%00", "'--", "search2"] {
            let answer = scene.send(service, Method::GET, &format!("/{collection}/{id}"), None).await;
            let detail = problem(&answer, 404, "not-found");
            assert!(detail.contains("whole numbers"), "{detail}");
        }
        problem(
            &scene.send(service, Method::GET, &format!("/{collection}/1/more"), None).await,
            404,
            "no-such-address",
        );
    }
    for path in ["/orders/99999", "/deliveries/99999", "/orders/abc", "/deliveries/abc"] {
        let body = json!({ "status": if path.starts_with("/orders") { "Order Cancel" } else { "Shipped" } });
        problem(&patch(&scene, Gateway, path, &body.to_string()).await, 404, "not-found");
    }
    for (service, path) in [(Order, "/rents"), (Gateway, "/nothing"), (Gateway, "//"), (Mypage, "/orders/1")]
    {
        problem(&scene.send(service, Method::GET, path, None).await, 404, "no-such-address");
    }
    for query in ["", "?orderId=", "?orderId=x", "?orderId=0", "?orderId=%00"] {
        let path = format!("/rents/search/findByOrderId{query}");
        problem(&scene.send(Gateway, Method::GET, &path, None).await, 400, "malformed-parameter");
    }
    for path in ["/orders?sort=secret", "/mypages/search/findByCustomer"] {
        problem(&scene.send(Gateway, Method::GET, path, None).await, 400, "malformed-parameter");
    }
    assert_eq!(everything(&scene).await, before);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_refuses_is_told_with_what_can_be_done_instead() {
    let scene = a_library().await;
    let before = everything(&scene).await;
    let refusals = [
        ("/orders/2", "Order Cancel", "already-shipped", "give it back"),
        ("/orders/1", "Shipped", "not-for-customers", "Order Cancel"),
        ("/orders/1", "Order Canceled", "not-for-customers", "Order Cancel"),
        ("/deliveries/1", "Ship Canceled", "not-for-couriers", "/orders/1"),
        ("/deliveries/2", "Ship", "not-for-couriers", "Shipped"),
    ];
    for (path, status, slug, instead) in refusals {
        let answer = patch(&scene, Gateway, path, &json!({ "status": status }).to_string()).await;
        let detail = problem(&answer, 409, slug);
        assert!(detail.contains(instead), "{detail}");
    }
    assert_eq!(everything(&scene).await, before);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_an_address_does_not_have_are_refused_with_those_that_it_has() {
    let scene = a_library().await;
    let before = everything(&scene).await;
    let own = [(Order, "orders"), (Rent, "rents"), (Delivery, "deliveries"), (Mypage, "mypages")];
    let doors =
        own.iter().flat_map(|(service, collection)| [(*service, *collection), (Gateway, *collection)]);
    for (service, collection) in doors {
        let trace = Method::from_bytes(b"BREW").expect("a method");
        for method in [Method::PUT, Method::DELETE, trace] {
            for path in
                [format!("/{collection}"), format!("/{collection}/1"), format!("/{collection}/search")]
            {
                let body = Some(json!({ "status": "Gone" }));
                let answer = scene.send(service, method.clone(), &path, body).await;
                problem(&answer, 405, "method-not-allowed");
                let allow = answer.header("allow").expect("what is allowed");
                assert!(allow.contains("GET") && !allow.contains("DELETE"), "{allow}");
            }
        }
    }
    for (method, path) in [
        (Method::POST, "/mypages"),
        (Method::PATCH, "/mypages/1"),
        (Method::POST, "/deliveries"),
        (Method::PATCH, "/rents/1"),
        (Method::PATCH, "/orders"),
        (Method::POST, "/orders/1"),
        (Method::POST, "/"),
        (Method::PUT, "/"),
        (Method::PATCH, "/profile"),
        (Method::POST, "/profile/rents"),
    ] {
        let answer = scene.send(Gateway, method, path, Some(json!({ "status": "Gone" }))).await;
        problem(&answer, 405, "method-not-allowed");
    }
    for path in ["/", "/profile", "/profile/rents"] {
        let answer = scene.send(Gateway, Method::OPTIONS, path, None).await;
        assert_eq!((answer.status, answer.header("allow")), (200, Some("OPTIONS,HEAD,GET")), "{path}");
    }
    assert_eq!(everything(&scene).await, before);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_versions_and_lengths_that_do_not_fit_are_refused() {
    let scene = a_library().await;
    let before = everything(&scene).await;
    let body = json!({ "item": "COSMOS" }).to_string();
    for accept in ["text/html", "application/xml;q=0.9", "application/json;q=0", "image/*"] {
        for (method, path) in
            [(Method::GET, "/orders"), (Method::GET, "/mypages/1"), (Method::POST, "/orders")]
        {
            let body = (method == Method::POST).then(|| body.clone());
            let answer = scene.send_with(Gateway, method, path, &[("accept", accept)], body).await;
            problem(&answer, 406, "not-acceptable");
        }
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "json"] {
        let headers = [JSON, ("content-type", kind)];
        for (method, path) in
            [(Method::POST, "/orders"), (Method::POST, "/rents"), (Method::PATCH, "/orders/1")]
        {
            let answer = scene.send_with(Gateway, method, path, &headers, Some(body.clone())).await;
            problem(&answer, 415, "unsupported-media-type");
        }
    }
    for (path, status) in [("/orders/1", "Order Cancel"), ("/deliveries/1", "Shipped")] {
        let headers = [JSON, ("if-match", "\"999\"")];
        let body = json!({ "status": status }).to_string();
        let answer = scene.send_with(Gateway, Method::PATCH, path, &headers, Some(body)).await;
        problem(&answer, 412, "precondition-failed");
    }
    for length in [64 * 1024 + 1, 1024 * 1024] {
        let body = json!({ "item": "x".repeat(length) }).to_string();
        for (service, path) in [(Order, "/orders"), (Gateway, "/orders"), (Rent, "/rents")] {
            let answer = until_answered(&scene, service, Method::POST, path, &body).await;
            let detail = problem(&answer, 413, "too-large");
            assert!(detail.contains("65536"), "{detail}");
        }
        let answer = until_answered(&scene, Gateway, Method::PATCH, "/orders/1", &body).await;
        problem(&answer, 413, "too-large");
    }
    for key in ["", &"k".repeat(256)] {
        let headers = [JSON, ("idempotency-key", key)];
        let answer = scene.send_with(Gateway, Method::POST, "/orders", &headers, Some(body.clone())).await;
        problem(&answer, 400, "malformed-parameter");
    }
    assert_eq!(everything(&scene).await, before);
    scene.close().await;
}

/// The door closes the connection on a body that it does not read, and the answer may be lost with it. Nothing is done
/// by such a request, so it is sent again.
async fn until_answered(
    scene: &Scene,
    service: ServiceArg,
    method: Method,
    path: &str,
    body: &str,
) -> Answer {
    for _ in 0..20 {
        let body = Some(body.to_owned());
        if let Some(answer) = scene.try_send_with(service, method.clone(), path, &[JSON], body).await {
            return answer;
        }
    }
    panic!("{path} never answers a body that is too large")
}
