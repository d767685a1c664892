//! The original never updated the order's status when the parcel shipped.

use rentalbook::cli::ServiceArg;

use crate::harness::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn defect_01_the_orders_status_is_updated_when_the_parcel_ships() {
    let library = Scene::open().await;
    let (order, unseen) = (library.an_order("COSMOS").await, library.an_order("CONTACT").await);
    library.settle().await;
    assert_eq!(library.hand_over_parcel_of(order).await.status, 200);
    library.settle().await;
    assert_eq!(library.order_status(order).await, "Shipped");
    assert_eq!(library.status_in("mypages", order).await.as_deref(), Some("Shipped"));

    // Even where order does not hear of it at the time.
    library.stop(ServiceArg::Order).await;
    assert_eq!(library.hand_over_parcel_of(unseen).await.status, 200);
    library.start(ServiceArg::Order).await;
    library.settle().await;
    assert_eq!(library.order_status(unseen).await, "Shipped");
    library.close().await;
}
