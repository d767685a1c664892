//! The topic gets more partitions while everybody works: nothing is lost, nothing is done twice.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, future::join, stream};
use platform_bus_kafka::KafkaSettings;
use platform_testkit::{kafka::KafkaServer, until};
use rentalbook::distributed::Engines;

use super::Scene;
use crate::harness::distributed::{Distributed, engines};

/// Customers at a time.
const CUSTOMERS: usize = 8;

/// Orders before and after the topic has grown.
const ORDERS: usize = 100;

/// Requests a book, and sees a third of them through to the courier, and takes a third back.
async fn borrow(scene: &Scene, n: usize) -> i64 {
    let order = scene.an_order(&format!("book {n}")).await;
    match n % 3 {
        0 => {
            let parcel = scene.a_parcel(order).await;
            assert_eq!(scene.hand_over(parcel).await.status, 200, "order {order}");
        }
        1 => assert_eq!(scene.cancel(order).await.status, 200, "order {order}"),
        _ => {}
    }
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_grows_from_3_to_12_partitions_under_load() {
    let engines = engines();
    let kafka = KafkaSettings { partitions: 3, ..engines.kafka };
    let topic = engines.topic.clone();
    let scene = Scene::of(Distributed::open_on(Engines { kafka, ..engines }, |config| config).await);
    let parts = scene.parts().await;
    let partitions =
        async || parts.bus.positions(&parts.topic, &parts.groups[0]).await.map_or(0, |all| all.len());
    until("the topic is there", async || partitions().await == 3).await;

    let has_grown = AtomicBool::new(false);
    let growing = async {
        let some = format!("{ORDERS} orders are placed");
        scene.until(&some, async || scene.orders().await.len() >= ORDERS).await;
        let grow = tokio::task::spawn_blocking(move || KafkaServer::shared().grow(&topic, 12));
        grow.await.expect("it has grown");
        until("the new partitions are known", async || partitions().await == 12).await;
        has_grown.store(true, Ordering::Release);
    };
    // They go on until so many were placed in 12 partitions.
    let numbers = stream::iter(0..).scan(0, |after, n| {
        *after += usize::from(has_grown.load(Ordering::Acquire));
        std::future::ready((*after <= ORDERS).then_some(n))
    });
    let borrowing = numbers.map(|n| borrow(&scene, n)).buffer_unordered(CUSTOMERS).collect::<Vec<_>>();
    let (orders, ()) = join(borrowing, growing).await;

    scene.settle().await;
    for order in &orders {
        let rents = scene.find("rents", *order).await;
        let delivery = scene.find("deliveries", *order).await;
        assert!(rents.is_some() && delivery.is_some(), "order {order}");
        assert!(scene.shown(*order).await.is_some(), "order {order}");
    }
    scene.close().await;
}
