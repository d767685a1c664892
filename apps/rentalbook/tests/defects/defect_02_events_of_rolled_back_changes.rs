//! The original published from inside the transaction: an `Ordered` went out for an order that was rolled back.

use hyper::Method;
use order::application::OnRentUnavailable;
use rentalbook::cli::ServiceArg;
use serde_json::json;

use crate::harness::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn defect_02_a_change_that_does_not_happen_says_nothing() {
    let library = Scene::open_with(|config| config.on_rent_unavailable(OnRentUnavailable::Reject)).await;

    // Rent is away: the original rolled the order back, and Ordered was out.
    library.stop(ServiceArg::Rent).await;
    assert_eq!(library.request_book("COSMOS").await.status, 503);
    library.start(ServiceArg::Rent).await;
    library.settle().await;
    assert_eq!(library.said(1).await, ["OrderRejected"]);
    assert_eq!(library.order_status(1).await, "Order Rejected", "what was said has its row");

    // The request is wrong: there is no row, so there is no event.
    let wrong = json!({ "item": "" });
    assert_eq!(library.send(ServiceArg::Order, Method::POST, "/orders", Some(wrong)).await.status, 422);
    library.settle().await;
    assert_eq!((library.records().await.len(), library.count("orders").await), (1, 1));
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_02_of_many_who_change_the_same_order_only_the_one_who_commits_says_so() {
    let library = Scene::open().await;
    let order = library.an_order("COSMOS").await;
    library.settle().await;

    // Every one of them reads the order as it is; all but one are rolled back and look again.
    let cancels: Vec<_> = (0..40).map(|_| library.cancel(order)).collect();
    let answers = futures_util::future::join_all(cancels).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    library.settle().await;
    let said = library.said(order).await;
    for kind in ["OrderCancelled", "RentCanceled", "DeliveryCanceled"] {
        assert_eq!(said.iter().filter(|said| *said == kind).count(), 1, "{said:?}");
    }
    library.close().await;
}
