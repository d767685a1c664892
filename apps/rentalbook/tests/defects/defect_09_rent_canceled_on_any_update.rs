//! In the original any update of a rent published `RentCanceled`.

use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::json;

use crate::harness::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn defect_09_rent_canceled_is_said_once_and_only_when_a_rent_is_cancelled() {
    let library = Scene::open().await;
    let order = library.an_order("COSMOS").await;
    let rent = library.find("rents", order).await.expect("a rent")["id"].clone();
    library.settle().await;
    let said = library.said(order).await;

    // Whatever is sent to the rent, it says nothing.
    let again = json!({ "orderId": order, "status": "Rent" });
    let answer = library.send(ServiceArg::Rent, Method::POST, "/rents", Some(again)).await;
    assert_eq!((answer.status, answer.json()["id"].clone()), (200, rent.clone()), "the same rent again");
    for (method, body) in [
        (Method::PATCH, json!({ "status": "Rent" })),
        (Method::PATCH, json!({ "orderId": 99 })),
        (Method::PUT, json!({ "orderId": order, "status": "Rent" })),
    ] {
        let answer = library.send(ServiceArg::Rent, method, &format!("/rents/{rent}"), Some(body)).await;
        assert_eq!(answer.status, 405);
    }
    assert_eq!(library.hand_over_parcel_of(order).await.status, 200);
    library.settle().await;
    assert_eq!(library.said(order).await, [&said[..], &["Shipped/Shipped".to_owned()]].concat());

    let other = library.an_order("CONTACT").await;
    library.settle().await;
    for _ in 0..3 {
        assert_eq!(library.cancel(other).await.status, 200);
        library.settle().await;
    }
    let said = library.said(other).await;
    assert_eq!(said.iter().filter(|said| *said == "RentCanceled").count(), 1, "{said:?}");
    library.close().await;
}
