//! A service that was away for 500 orders catches up with all of them, and does nothing twice.

use futures_util::{StreamExt as _, stream};
use hyper::Method;
use rentalbook::cli::ServiceArg;

use super::Scene;

/// Orders that are taken meanwhile.
const ORDERS: usize = 500;

/// Customers at a time.
const CUSTOMERS: usize = 16;

/// Takes the orders, each of which must be answered with `status`; their ids.
async fn take_orders(scene: &Scene, status: u16) -> Vec<i64> {
    let requests = stream::iter(0..ORDERS).map(|n| async move {
        let answer = scene.request_book(&format!("book {n}")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer.number("id")
    });
    requests.buffer_unordered(CUSTOMERS).collect().await
}

async fn count(scene: &Scene, collection: &str) -> u64 {
    let path = format!("/{collection}?size=1");
    let answer = scene.send(ServiceArg::Gateway, Method::GET, &path, None).await;
    answer.json()["page"]["totalElements"].as_u64().expect("a number")
}

async fn every_order_has_one_of_each(scene: &Scene) {
    let all = u64::try_from(ORDERS).expect("a small number");
    for collection in ["orders", "rents", "deliveries", "mypages"] {
        scene.until(&format!("{collection} are there"), async || count(scene, collection).await >= all).await;
    }
    scene.settle().await;
    for collection in ["orders", "rents", "deliveries", "mypages"] {
        assert_eq!(count(scene, collection).await, all, "{collection}: none twice");
    }
}

/// All replicas of `service` are away while the orders are taken.
async fn catches_up(service: ServiceArg, status: u16) {
    let scene = Scene::open().await;
    scene.stop(service).await;
    take_orders(&scene, status).await;
    scene.start(service).await;
    every_order_has_one_of_each(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_catches_up() {
    catches_up(ServiceArg::Delivery, 201).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mypage_catches_up() {
    catches_up(ServiceArg::Mypage, 201).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rent_catches_up() {
    catches_up(ServiceArg::Rent, 202).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_catches_up_with_what_the_others_have_said() {
    let scene = Scene::open().await;
    let orders = take_orders(&scene, 201).await;
    every_order_has_one_of_each(&scene).await;
    scene.stop(ServiceArg::Order).await;
    let parcels = stream::iter(&orders).map(|order| {
        let scene = &scene;
        async move {
            let parcel = scene.a_parcel(*order).await;
            assert_eq!(scene.hand_over(parcel).await.status, 200, "order {order}");
        }
    });
    parcels.buffer_unordered(CUSTOMERS).collect::<()>().await;
    scene.start(ServiceArg::Order).await;
    every_order_has_one_of_each(&scene).await;
    for order in orders {
        assert_eq!(scene.order_status(order).await, "Shipped", "order {order}");
    }
    scene.close().await;
}
