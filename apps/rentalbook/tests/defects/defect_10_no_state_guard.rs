//! The original had no state guard: cancel after the hand-over, ship after the cancellation, free text and un-cancel
//! were all accepted.

use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::{Value, json};

use crate::harness::Scene;

/// An order in each of the states that it can rest in.
struct Orders {
    ordered: i64,
    shipped: i64,
    canceled: i64,
    rejected: i64,
}

async fn orders_in_every_state(library: &Scene) -> Orders {
    let ordered = library.an_order("ordered").await;
    let shipped = library.an_order("shipped").await;
    let canceled = library.an_order("canceled").await;
    let rejected = json!({ "item": "rejected", "customer": "lee" });
    let rejected = library.send(ServiceArg::Gateway, Method::POST, "/orders", Some(rejected)).await;
    assert_eq!(rejected.status, 409, "lee may not borrow");
    library.settle().await;
    assert_eq!(library.hand_over_parcel_of(shipped).await.status, 200);
    assert_eq!(library.cancel(canceled).await.status, 200);
    library.settle().await;
    Orders { ordered, shipped, canceled, rejected: rejected.number("orderId") }
}

async fn patch(library: &Scene, path: &str, body: Value) -> u16 {
    library.send(ServiceArg::Gateway, Method::PATCH, path, Some(body)).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_10_every_transition_that_is_not_allowed_is_refused_and_changes_nothing() {
    let library = Scene::open_with(|mut config| {
        config.rents.suspended.extend(rent::domain::Customer::parse("lee"));
        config
    })
    .await;
    let Orders { ordered, shipped, canceled, rejected } = orders_in_every_state(&library).await;
    let said = library.records().await.len();
    let everything = async || {
        let mut all = Vec::new();
        for collection in ["orders", "rents", "deliveries", "mypages"] {
            all.push(library.get(&format!("/{collection}?sort=id")).await.json());
        }
        all
    };
    let before = everything().await;

    // Cancel after the hand-over, and what was refused.
    for order in [shipped, rejected] {
        assert_eq!(library.cancel(order).await.status, 409, "order {order}");
    }
    // Un-cancel, ship by hand, and every other word that comes about by itself.
    for order in [ordered, shipped, canceled, rejected] {
        for word in ["Ordered", "Pending", "Order Canceled", "Order Rejected", "Shipped"] {
            let status = patch(&library, &format!("/orders/{order}"), json!({ "status": word })).await;
            assert_eq!(status, 409, "order {order}: {word}");
        }
        for word in ["free text", "order cancel", "", "Ship", "Rent"] {
            let status = patch(&library, &format!("/orders/{order}"), json!({ "status": word })).await;
            assert_eq!(status, 422, "order {order}: {word}");
        }
        for body in
            [json!({ "item": "another" }), json!({}), json!({ "status": null }), json!({ "status": 1 })]
        {
            assert_eq!(patch(&library, &format!("/orders/{order}"), body.clone()).await, 422, "{body}");
        }
    }
    // Ship after the cancellation.
    assert_eq!(library.hand_over_parcel_of(canceled).await.status, 409);
    // What couriers may not ask for.
    for order in [ordered, shipped, canceled] {
        let parcel = library.find("deliveries", order).await.expect("a parcel")["id"].clone();
        let path = format!("/deliveries/{parcel}");
        for word in ["Ship", "Ship Canceled"] {
            assert_eq!(patch(&library, &path, json!({ "status": word })).await, 409, "order {order}: {word}");
        }
        for body in [
            json!({ "status": "gone" }),
            json!({ "orderId": 99 }),
            json!({ "status": "Shipped", "orderId": 9 }),
        ] {
            assert_eq!(patch(&library, &path, body.clone()).await, 422, "{body}");
        }
    }
    // A rent of a cancelled or refused order is not made again.
    for order in [canceled, rejected] {
        let body = json!({ "orderId": order, "status": "Rent" });
        assert_eq!(library.send(ServiceArg::Rent, Method::POST, "/rents", Some(body)).await.status, 409);
    }
    // An order does not begin in the middle.
    for word in ["Shipped", "Order Canceled", "free text"] {
        let body = json!({ "item": "COSMOS", "status": word });
        assert_eq!(library.send(ServiceArg::Order, Method::POST, "/orders", Some(body)).await.status, 422);
    }
    // Repeats of what was done are accepted and change nothing.
    assert_eq!(library.cancel(canceled).await.status, 200);
    assert_eq!(library.hand_over_parcel_of(shipped).await.status, 200);

    library.settle().await;
    assert_eq!(everything().await, before);
    assert_eq!(library.records().await.len(), said, "nothing was said");
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_10_a_parcel_whose_order_is_not_confirmed_is_not_handed_over() {
    let library = Scene::open().await;
    let body = json!({ "orderId": 7777, "status": "Rent" });
    assert_eq!(library.send(ServiceArg::Rent, Method::POST, "/rents", Some(body)).await.status, 201);
    library.settle().await;
    let refused = library.hand_over_parcel_of(7777).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text("detail").contains("try again shortly"), "{refused:?}");
    library.close().await;
}
