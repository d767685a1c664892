use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn the_courier_takes_the_parcel_and_everybody_sees_it() {
    let scene = Scene::open().await;
    let order = scene.an_order("COSMOS").await;
    let parcel = scene.a_parcel(order).await;

    let answer = scene.hand_over(parcel).await;
    assert_eq!((answer.status, answer.text("status").as_str()), (200, "Shipped"));
    let again = scene.hand_over(parcel).await;
    assert_eq!(
        (again.status, again.header("etag")),
        (200, answer.header("etag")),
        "a repeat changes nothing"
    );

    scene.until_order(order, "Shipped").await;
    scene.until_shown(order, "Shipped").await;
    assert_eq!(scene.find("rents", order).await.expect("a rent")["status"], "Rent");
    scene.close().await;
}
