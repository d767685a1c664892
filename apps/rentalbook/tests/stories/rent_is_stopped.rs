use order::application::OnRentUnavailable;
use rentalbook::cli::ServiceArg;

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn while_rent_is_stopped_requests_are_taken_and_confirmed_as_soon_as_it_is_back() {
    let scene = Scene::open().await;
    scene.stop(ServiceArg::Rent).await;
    let mut orders = Vec::new();
    for n in 0..30 {
        let answer = scene.request_book(&format!("book {n}")).await;
        assert_eq!((answer.status, answer.text("status").as_str()), (202, "Pending"), "{answer:?}");
        assert!(answer.header("location").is_some());
        orders.push(answer.number("id"));
    }
    scene.until_shown(orders[0], "Pending").await;
    assert_eq!(scene.cancel(orders[7]).await.status, 200, "a pending request can be cancelled");

    scene.start(ServiceArg::Rent).await;
    for (n, order) in orders.into_iter().enumerate() {
        if n == 7 {
            scene.until_order(order, "Order Canceled").await;
            scene.until_shown(order, "Ship Canceled").await;
        } else {
            scene.until_order(order, "Ordered").await;
            scene.until_shown(order, "Ship").await;
        }
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_rejects_asks_to_come_back_and_leaves_nothing_behind() {
    let scene = Scene::open_with(|config| config.on_rent_unavailable(OnRentUnavailable::Reject)).await;
    scene.stop(ServiceArg::Rent).await;
    for n in 0..5 {
        let answer = scene.request_book(&format!("book {n}")).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            answer
                .header("retry-after")
                .and_then(|after| after.parse::<u32>().ok())
                .is_some_and(|after| after > 0)
        );
    }
    scene.start(ServiceArg::Rent).await;
    let orders = scene.orders().await;
    assert_eq!(orders.len(), 5);
    for order in orders {
        scene.until_shown(order, "Order Rejected").await;
        assert_eq!(scene.order_status(order).await, "Order Rejected");
        scene
            .until("rent has heard of the refusal", async || {
                scene.find("rents", order).await.is_some_and(|rent| rent["status"] == "Rent Canceled")
            })
            .await;
        assert!(scene.find("deliveries", order).await.is_none());
    }
    scene.close().await;
}
