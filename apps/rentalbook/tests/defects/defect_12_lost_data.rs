//! The original kept its data in memory, per replica: a restart lost all of it.

use hyper::Method;
use rentalbook::cli::ServiceArg;
use serde_json::Value;

use crate::harness::Scene;

/// Under one name, since the library has other ports after a restart and links are made of the name.
async fn all_that_is_shown(library: &Scene) -> Vec<Value> {
    let mut all = Vec::new();
    for collection in ["orders", "rents", "deliveries", "mypages"] {
        let path = format!("/{collection}?size=1000&sort=id");
        let get = (Method::GET, path.as_str());
        all.push(library.send_as(ServiceArg::Gateway, "library.test", get, &[], None).await.json());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_12_a_restart_keeps_everything() {
    let mut library = Scene::open().await;
    let mut orders = Vec::new();
    for n in 0..30 {
        orders.push(library.an_order(&format!("책 {n}")).await);
    }
    library.settle().await;
    for order in &orders[..10] {
        assert_eq!(library.hand_over_parcel_of(*order).await.status, 200);
    }
    for order in &orders[10..20] {
        assert_eq!(library.cancel(*order).await.status, 200);
    }
    library.settle().await;
    let (shown, records) = (all_that_is_shown(&library).await, library.records().await);

    for _ in 0..2 {
        library.restart().await;
        library.settle().await;
        assert_eq!(all_that_is_shown(&library).await, shown);
        assert_eq!(library.records().await, records, "nothing is said again, nothing is forgotten");
    }
    let next = library.an_order("after the restart").await;
    assert!(orders.iter().all(|order| *order < next), "ids go on");
    library.close().await;
}
