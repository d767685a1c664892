use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_request_runs_back_through_rent_and_delivery() {
    let scene = Scene::open().await;
    let order = scene.an_order("COSMOS").await;
    let parcel = scene.a_parcel(order).await;

    let answer = scene.cancel(order).await;
    assert_eq!((answer.status, answer.text("status").as_str()), (200, "Order Cancel"));
    scene.until_order(order, "Order Canceled").await;
    scene.until_shown(order, "Ship Canceled").await;
    assert_eq!(scene.find("rents", order).await.expect("a rent")["status"], "Rent Canceled");
    assert_eq!(scene.find("deliveries", order).await.expect("a delivery")["status"], "Ship Canceled");

    let repeat = scene.cancel(order).await;
    assert_eq!(
        (repeat.status, repeat.text("status").as_str()),
        (200, "Order Canceled"),
        "a repeat is accepted"
    );
    let refused = scene.hand_over(parcel).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text("detail").contains("do not hand this parcel over"), "{refused:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_cancelled_at_once_never_becomes_a_parcel_that_can_be_handed_over() {
    let scene = Scene::open().await;
    let order = scene.an_order("COSMOS").await;
    assert_eq!(scene.cancel(order).await.status, 200);
    scene.until_order(order, "Order Canceled").await;
    scene.until_shown(order, "Ship Canceled").await;
    scene.close().await;
}
