use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_parcel_is_on_its_way_is_not_cancelled_any_more() {
    let scene = Scene::open().await;
    let order = scene.an_order("COSMOS").await;
    let parcel = scene.a_parcel(order).await;
    assert_eq!(scene.hand_over(parcel).await.status, 200);
    scene.until_order(order, "Shipped").await;

    let refused = scene.cancel(order).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text("detail").contains("on its way"), "{refused:?}");
    scene.until_shown(order, "Shipped").await;
    assert_eq!(scene.find("rents", order).await.expect("a rent")["status"], "Rent");
    scene.close().await;
}
