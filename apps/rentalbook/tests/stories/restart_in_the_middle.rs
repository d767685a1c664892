use rentalbook::cli::ServiceArg;

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_everything_goes_on_where_it_was() {
    let mut scene = Scene::open().await;
    let ordered = scene.an_order("ordered").await;
    let cancelled = scene.an_order("cancelled").await;
    scene.stop(ServiceArg::Delivery).await;
    let unseen = scene.an_order("unseen by delivery").await;
    assert_eq!(scene.cancel(cancelled).await.status, 200);
    scene.stop(ServiceArg::Rent).await;
    let pending = scene.request_book("pending").await;
    assert_eq!(pending.status, 202);

    scene.restart().await;

    scene.until_shown(ordered, "Ship").await;
    scene.until_shown(unseen, "Ship").await;
    scene.until_shown(cancelled, "Ship Canceled").await;
    scene.until_order(cancelled, "Order Canceled").await;
    scene.until_order(pending.number("id"), "Ordered").await;
    scene.until_shown(pending.number("id"), "Ship").await;
    let next = scene.an_order("after the restart").await;
    assert!(next > pending.number("id"), "ids go on");
    scene.until_shown(next, "Ship").await;
    scene.close().await;
}
