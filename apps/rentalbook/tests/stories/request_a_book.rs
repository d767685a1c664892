use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::json;

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_requests_a_book_and_it_is_confirmed_at_once() {
    let scene = Scene::open().await;
    let body = json!({ "item": "코스모스", "customer": "김독자" });
    let answer = scene.send(ServiceArg::Order, Method::POST, "/orders", Some(body)).await;
    assert_eq!((answer.status, answer.text("status").as_str()), (201, "Ordered"));
    let order = answer.number("id");
    assert!(answer.header("location").is_some_and(|at| at.ends_with(&format!("/orders/{order}"))));

    let rent = scene.find("rents", order).await.expect("the rent is there with the answer");
    assert_eq!((rent["status"].as_str(), rent["customer"].as_str()), (Some("Rent"), Some("김독자")));

    scene.until_shown(order, "Ship").await;
    let page = scene.send(ServiceArg::Mypage, Method::GET, &format!("/mypages/{order}"), None).await;
    assert_eq!((page.text("item"), page.text("customer")), ("코스모스".to_owned(), "김독자".to_owned()));
    let delivery = scene.find("deliveries", order).await.expect("a parcel is being prepared");
    assert_eq!((delivery["status"].as_str(), delivery["customer"].as_str()), (Some("Ship"), Some("김독자")));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_with_the_same_key_is_one_order() {
    let scene = Scene::open().await;
    let send = async |item: &str| {
        let headers = [("idempotency-key", "k-1"), ("accept", "application/json")];
        let body = json!({ "item": item }).to_string();
        scene.send_with(ServiceArg::Gateway, Method::POST, "/orders", &headers, Some(body)).await
    };
    let first = send("COSMOS").await;
    let again = send("COSMOS").await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.number("id"), again.number("id"));
    assert_eq!(send("another book").await.status, 422);

    scene.until_shown(first.number("id"), "Ship").await;
    let orders = scene.send(ServiceArg::Order, Method::GET, "/orders", None).await;
    assert_eq!(orders.json()["page"]["totalElements"], 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_customer_is_refused_and_told_why() {
    let scene = Scene::open_with(|mut config| {
        config.rents.suspended.extend(rent::domain::Customer::parse("lee"));
        config
    })
    .await;
    let body = json!({ "item": "COSMOS", "customer": "lee" });
    let answer = scene.send(ServiceArg::Gateway, Method::POST, "/orders", Some(body)).await;
    assert_eq!(answer.status, 409);
    assert!(answer.text("reason").contains("may not borrow"), "{answer:?}");
    let order = answer.number("orderId");
    scene.until_shown(order, "Order Rejected").await;
    assert_eq!(scene.order_status(order).await, "Order Rejected");
    let rent = scene.find("rents", order).await.expect("the refusal is remembered");
    assert_eq!(rent["status"], "Rent Canceled");
    assert!(scene.find("deliveries", order).await.is_none());
    scene.close().await;
}
