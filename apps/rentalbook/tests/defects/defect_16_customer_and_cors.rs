//! The original had no customer on the order, and CORS `*` with credentials. (It had no authentication either; ours has
//! none yet, and listens on this machine only.)

use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::json;

use crate::harness::Answer;
use crate::harness::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn defect_16_an_order_has_its_customer_and_so_has_everything_that_follows_from_it() {
    let library = Scene::open().await;
    let body = json!({ "item": "코스모스", "customer": "김독자" });
    let order = library.send(ServiceArg::Gateway, Method::POST, "/orders", Some(body)).await;
    assert_eq!(order.text("customer"), "김독자");
    let order = order.number("id");
    library.an_order("of nobody").await;
    library.settle().await;
    for collection in ["rents", "deliveries", "mypages"] {
        assert_eq!(
            library.find(collection, order).await.expect("it is there")["customer"],
            "김독자",
            "{collection}"
        );
    }
    let mine = format!("/mypages/search/findByCustomer?customer={}", "%EA%B9%80%EB%8F%85%EC%9E%90");
    let mine = library.get(&mine).await.json();
    let mine = mine["_embedded"]["mypages"].as_array().expect("a list").clone();
    assert_eq!(
        (mine.len(), &mine[0]["orderId"]),
        (1, &json!(order)),
        "the customer sees that one and no other"
    );
    library.close().await;
}

async fn from_page_of(library: &Scene, origin: &str) -> [Answer; 2] {
    let asks = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let host = "library.test";
    let preflight =
        library.send_as(ServiceArg::Gateway, host, (Method::OPTIONS, "/orders"), &asks, None).await;
    let get = library.send_as(ServiceArg::Gateway, host, (Method::GET, "/orders"), &asks[..1], None).await;
    [preflight, get]
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_16_no_foreign_page_may_call_the_gateway_unless_it_is_named() {
    let library = Scene::open().await;
    for answer in from_page_of(&library, "https://evil.test").await {
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    library.close().await;

    let ours = "https://library.test";
    let library = Scene::open_with(|mut config| {
        config.cors_origins = vec![ours.to_owned()];
        config
    })
    .await;
    for (origin, allowed) in [(ours, Some(ours)), ("https://evil.test", None), ("null", None)] {
        for answer in from_page_of(&library, origin).await {
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{origin}");
        }
    }
    library.close().await;
}
