//! In the original the read model was writable, collections were unbounded, and DELETE orphaned.

use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::json;

use crate::harness::Scene;

const ITEMS: [&str; 4] = ["orders", "rents", "deliveries", "mypages"];

#[tokio::test(flavor = "multi_thread")]
async fn defect_13_nobody_writes_the_view_and_nothing_is_deleted_or_replaced() {
    let library = Scene::open().await;
    let order = library.an_order("COSMOS").await;
    library.settle().await;
    let before = library.find("mypages", order).await;

    let wish = json!({ "orderId": order, "item": "COSMOS", "status": "Shipped" });
    let mut refused =
        vec![(Method::POST, "/mypages".to_owned()), (Method::PATCH, format!("/mypages/{order}"))];
    for collection in ITEMS {
        for method in [Method::PUT, Method::DELETE] {
            refused.push((method.clone(), format!("/{collection}")));
            refused.push((method, format!("/{collection}/1")));
        }
    }
    for (method, path) in refused {
        let answer = library.send(ServiceArg::Gateway, method.clone(), &path, Some(wish.clone())).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        let allow = answer.header("allow").expect("Allow");
        assert!(!allow.contains(method.as_str()) && allow.contains("GET"), "{method} {path}: {allow}");
        assert!(!answer.text("detail").is_empty());
    }
    library.settle().await;
    assert_eq!(library.find("mypages", order).await, before);
    for collection in ITEMS {
        assert_eq!(library.count(collection).await, 1, "{collection}");
    }
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_13_no_collection_is_sent_whole() {
    let library = Scene::open().await;
    // Rents made directly are quick to make; each has a rent, a parcel and a row of the view.
    let rented = |order: i64| {
        (Some(order), format!(r#"{{"eventType":"Rented","id":{order},"orderId":{order},"status":"Rent"}}"#))
    };
    library.publish((1..=1_100).map(rented)).await;
    library.settle().await;
    for collection in ["deliveries", "mypages"] {
        let sent = async |query: &str| {
            let answer = library.get(&format!("/{collection}{query}")).await.json();
            assert_eq!(answer["page"]["totalElements"], 1_100, "{collection}");
            answer["_embedded"][collection].as_array().expect("a list").len()
        };
        assert_eq!(
            (sent("").await, sent("?size=1000000").await, sent("?size=1000&page=1").await),
            (20, 1_000, 100)
        );
    }
    library.leave().await;
}
