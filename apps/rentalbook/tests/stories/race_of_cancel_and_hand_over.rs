use crate::harness::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn when_the_customer_cancels_while_the_courier_takes_the_parcel_exactly_one_of_them_wins() {
    let scene = Scene::open().await;
    let (mut shipped, mut canceled) = (0, 0);
    for round in 0..30 {
        let order = scene.an_order(&format!("book {round}")).await;
        let parcel = scene.a_parcel(order).await;
        // The cancel needs two events to reach the parcel; giving it a head start of none to three requests
        // lets both win in turn.
        let hand_over = async {
            for _ in 0..round % 4 {
                scene.order_status(order).await;
            }
            scene.hand_over(parcel).await
        };
        let (cancelled, handed_over) = tokio::join!(scene.cancel(order), hand_over);

        scene
            .until("the order is decided", async || {
                matches!(scene.order_status(order).await.as_str(), "Shipped" | "Order Canceled")
            })
            .await;
        match scene.order_status(order).await.as_str() {
            "Shipped" => {
                assert_eq!(handed_over.status, 200, "{handed_over:?}");
                scene.until_shown(order, "Shipped").await;
                shipped += 1;
            }
            _ => {
                assert_eq!((cancelled.status, handed_over.status), (200, 409), "{handed_over:?}");
                scene.until_shown(order, "Ship Canceled").await;
                canceled += 1;
            }
        }
    }
    assert_eq!(shipped + canceled, 30);
    scene.close().await;
}
