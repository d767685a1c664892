//! The running library's own services, called as from other processes: by order's desk, and by a second gateway.

use std::time::Duration;

use axum::Router;
use gateway::{Behind, Upstream};
use order::{
    adapters::outbound::http_rent::HttpRent,
    application::ports::{AskRent, RentAnswer, RentDesk as _},
    domain::{Customer, OrderId},
};
use platform_http::{
    Limits,
    client::{Client, ClientConfig, ServiceAddress},
};
use platform_testkit::http::ask;
use rentalbook::cli::ServiceArg;
use serde_json::json;
use tower::Layer as _;

use crate::harness::Scene;

async fn client_of(scene: &Scene, service: ServiceArg) -> Client {
    let address = format!("http://{}", scene.address(service).await);
    Client::new(&ServiceAddress::parse(&address).expect("an address"), &ClientConfig::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_rent_answers_over_http_what_it_answers_in_the_same_process() {
    let scene = Scene::open_with(|mut config| {
        config.rents.suspended.extend(rent::domain::Customer::parse("late"));
        config
    })
    .await;
    let desk = HttpRent::new(client_of(&scene, ServiceArg::Rent).await, Duration::from_secs(10));
    let question = |id, customer| AskRent {
        order_id: OrderId(id),
        customer: Customer::parse(customer),
        correlation_id: Some("c-1".into()),
        repeated: false,
        answer_by: None,
    };
    let again = |question| AskRent { repeated: true, ..question };

    // What order has asked before, and what nobody has.
    let order = scene.an_order("COSMOS").await;
    for id in [order, 1_001] {
        assert_eq!(desk.confirm(question(id, "kim")).await, RentAnswer::Confirmed);
        assert_eq!(desk.confirm(again(question(id, "kim"))).await, RentAnswer::Confirmed);
        let found = scene.find("rents", id).await.expect("one rent");
        assert_eq!(found["status"], "Rent");
    }
    assert_eq!(scene.find("rents", 1_001).await.expect("one rent")["customer"], "kim");

    let refused = desk.confirm(question(1_002, "late")).await;
    let reason = "this customer may not borrow at present; ask the library's desk".to_owned();
    assert_eq!(refused, RentAnswer::Refused(reason));
    assert_eq!(desk.confirm(question(1_002, "late")).await, refused);
    assert_eq!(desk.confirm(again(question(1_002, "late"))).await, refused, "looked up");

    assert_eq!(scene.cancel(order).await.status, 200);
    scene.until_order(order, "Order Canceled").await;
    let cancelled = RentAnswer::Refused("this order was cancelled".to_owned());
    assert_eq!(desk.confirm(question(order, "kim")).await, cancelled);
    assert_eq!(desk.confirm(again(question(order, "kim"))).await, cancelled, "looked up");

    scene.stop(ServiceArg::Rent).await;
    let away = desk.confirm(question(order, "kim")).await;
    assert!(matches!(away, RentAnswer::Unavailable(_)), "{away:?}");
    scene.start(ServiceArg::Rent).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_in_another_process_is_the_same_door() {
    let scene = Scene::open().await;
    let mut upstreams = Vec::new();
    for (collection, service) in [
        ("orders", ServiceArg::Order),
        ("rents", ServiceArg::Rent),
        ("deliveries", ServiceArg::Delivery),
        ("mypages", ServiceArg::Mypage),
    ] {
        upstreams.push(Upstream { collection, service: Behind::There(client_of(&scene, service).await) });
    }
    let door = Router::new().fallback_service(Limits::default().layer(gateway::router(upstreams)));
    let host = "library.test:8088";
    let accept = ("accept", "application/json");

    let headers = [accept, ("content-type", "application/json"), ("x-request-id", "mine")];
    let body = json!({ "item": "COSMOS" }).to_string();
    let placed = ask(&door, host, "POST /orders", &headers, &body).await;
    assert_eq!((placed.status, placed.header("x-request-id")), (201, "mine"));
    assert_eq!(placed.header("location"), "http://library.test:8088/orders/1");
    scene.until_shown(1, "Ship").await;

    let shown = ask(&door, host, "GET /mypages/1", &[accept], "").await;
    let etag = shown.header("etag").to_owned();
    assert_eq!((shown.status, &shown.json()["status"]), (200, &json!("Ship")));
    let unchanged = ask(&door, host, "GET /mypages/1", &[accept, ("if-none-match", &etag)], "").await;
    assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));
    let head = ask(&door, host, "HEAD /rents/1", &[accept], "").await;
    assert_eq!((head.status, head.body.as_str()), (204, ""));
    let options = ask(&door, host, "OPTIONS /orders/1", &[], "").await;
    assert!(options.header("allow").contains("PATCH"), "{options:?}");
    ask(&door, host, "GET /deliveries/7", &[], "").await.problem(404, "not-found");
    ask(&door, host, "DELETE /rents/1", &[], "").await.problem(405, "method-not-allowed");
    let profile = ask(&door, host, "GET /profile/orders", &[], "").await;
    assert_eq!(profile.status, 200);

    scene.stop(ServiceArg::Delivery).await;
    ask(&door, host, "GET /deliveries", &[], "").await.problem(503, "unavailable");
    scene.start(ServiceArg::Delivery).await;
    scene.close().await;
}
