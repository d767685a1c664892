use rentalbook::cli::ServiceArg;

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn while_delivery_is_stopped_books_are_rented_and_then_it_catches_up() {
    let scene = Scene::open().await;
    scene.stop(ServiceArg::Delivery).await;
    let answer = scene.send(ServiceArg::Gateway, hyper::Method::GET, "/deliveries", None).await;
    assert_eq!(answer.status, 503);
    let mut orders = Vec::new();
    for n in 0..50 {
        orders.push(scene.an_order(&format!("book {n}")).await);
    }
    let last = *orders.last().expect("orders");
    scene.until("mypage has both events", async || scene.shown(last).await.as_deref() == Some("Rent")).await;

    scene.start(ServiceArg::Delivery).await;
    for order in orders {
        scene.until_shown(order, "Ship").await;
        assert!(scene.find("deliveries", order).await.is_some());
    }
    let deliveries = scene.send(ServiceArg::Gateway, hyper::Method::GET, "/deliveries", None).await;
    assert_eq!(deliveries.json()["page"]["totalElements"], 50, "none twice");
    scene.close().await;
}
