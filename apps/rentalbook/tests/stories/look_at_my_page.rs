use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::json;

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_sees_all_requests_newest_first_with_what_has_happened_to_them() {
    let scene = Scene::open().await;
    let mut orders = Vec::new();
    for n in 0..25 {
        let customer = if n % 5 == 0 { "lee" } else { "kim" };
        let body = json!({ "item": format!("book {n}"), "customer": customer });
        orders.push(scene.send(ServiceArg::Gateway, Method::POST, "/orders", Some(body)).await.number("id"));
    }
    for order in &orders {
        scene.until_shown(*order, "Ship").await;
    }
    let path = "/mypages/search/findByCustomer?customer=lee";
    let found = scene.send(ServiceArg::Gateway, Method::GET, path, None).await.json();
    let items: Vec<_> = found["_embedded"]["mypages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["item"].clone())
        .collect();
    assert_eq!(items, ["book 20", "book 15", "book 10", "book 5", "book 0"]);

    let page =
        scene.send(ServiceArg::Gateway, Method::GET, &format!("/mypages/{}", orders[0]), None).await.json();
    let mut events: Vec<_> = page["history"]
        .as_array()
        .expect("a time line")
        .iter()
        .map(|entry| entry["event"].as_str().expect("an event").to_owned())
        .collect();
    events.sort();
    assert_eq!(events, ["Ordered", "Rented", "Shipped"]);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_polls_gets_the_page_only_when_it_has_changed() {
    let scene = Scene::open().await;
    let order = scene.an_order("COSMOS").await;
    let parcel = scene.a_parcel(order).await;
    let mut seen = Vec::new();
    for collection in ["orders", "mypages"] {
        let path = format!("/{collection}/{order}");
        let etag = scene.send(ServiceArg::Gateway, Method::GET, &path, None).await;
        let etag = etag.header("etag").expect("an ETag").to_owned();
        let headers = [("if-none-match", etag.as_str())];
        let unchanged = scene.send_with(ServiceArg::Gateway, Method::GET, &path, &headers, None).await;
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
        seen.push((path, etag));
    }
    assert_eq!(scene.hand_over(parcel).await.status, 200);
    scene.until_shown(order, "Shipped").await;
    scene.until_order(order, "Shipped").await;
    for (path, etag) in seen {
        let headers = [("accept", "application/json"), ("if-none-match", etag.as_str())];
        let changed = scene.send_with(ServiceArg::Gateway, Method::GET, &path, &headers, None).await;
        assert_eq!((changed.status, changed.text("status")), (200, "Shipped".to_owned()), "{path}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_asked_rent_first_does_not_take_an_order_over() {
    let scene = Scene::open().await;
    let strange = json!({ "orderId": 1, "status": "Rent", "customer": "a stranger" });
    let rent = scene.send(ServiceArg::Gateway, Method::POST, "/rents", Some(strange)).await;
    assert_eq!(rent.status, 201);
    scene.until_shown(1, "Ship").await;

    let body = json!({ "item": "COSMOS", "customer": "kim" });
    let order = scene.send(ServiceArg::Gateway, Method::POST, "/orders", Some(body)).await.number("id");
    assert_eq!(order, 1, "the order that the stranger has named");
    let parcel = scene.a_parcel(order).await;
    assert_eq!(scene.hand_over(parcel).await.status, 200);
    scene.until_shown(order, "Shipped").await;

    for path in [format!("/mypages/{order}"), format!("/deliveries/{parcel}")] {
        let seen = scene.send(ServiceArg::Gateway, Method::GET, &path, None).await;
        assert_eq!(seen.text("customer"), "kim", "{path}");
    }
    let of_stranger = "/mypages/search/findByCustomer?customer=a%20stranger";
    let found = scene.send(ServiceArg::Gateway, Method::GET, of_stranger, None).await.json();
    assert_eq!(found["page"]["totalElements"], 0, "{found}");
    scene.close().await;
}
