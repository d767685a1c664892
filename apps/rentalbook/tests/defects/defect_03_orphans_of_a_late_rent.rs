//! In the original, a rent that answered too late left a rent and a delivery with no order.

use std::time::Duration;

use order::application::OnRentUnavailable;
use rentalbook::config::Config;

use crate::harness::Scene;

const ORDERS: i64 = 8;

/// Rent's commit takes longer than order waits.
async fn a_library_with_a_slow_rent(policy: OnRentUnavailable) -> Scene {
    Scene::open_with(|mut config: Config| {
        config.rent_guard.deadline = Duration::from_millis(100);
        config.on_rent_unavailable(policy)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_03_a_rent_that_answers_too_late_is_undone_with_its_refused_order() {
    let library = a_library_with_a_slow_rent(OnRentUnavailable::Reject).await;
    let slow = library.hang("rent.db");
    for _ in 0..ORDERS {
        assert_eq!(library.request_book("COSMOS").await.status, 503);
    }
    drop(slow);
    library.settle().await;

    for order in 1..=ORDERS {
        let said = library.said(order).await;
        assert!(said.contains(&"Rented".to_owned()), "rent has committed after all: {said:?}");
        assert!(!said.contains(&"Ordered".to_owned()), "{said:?}");
        assert_eq!(library.order_status(order).await, "Order Rejected");
        assert_eq!(library.status_in("rents", order).await.as_deref(), Some("Rent Canceled"));
        let parcel = library.status_in("deliveries", order).await;
        assert!(matches!(parcel.as_deref(), None | Some("Ship Canceled")), "{parcel:?}");
        assert_eq!(library.status_in("mypages", order).await.as_deref(), Some("Order Rejected"));
    }
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_03_a_rent_that_answers_too_late_belongs_to_the_order_that_waits_for_it() {
    let library = a_library_with_a_slow_rent(OnRentUnavailable::Defer).await;
    let slow = library.hang("rent.db");
    for _ in 0..ORDERS {
        assert_eq!(library.request_book("COSMOS").await.status, 202);
    }
    drop(slow);
    for order in 1..=ORDERS {
        library
            .until("the late rent confirms the order", async || {
                library.order_status(order).await == "Ordered"
            })
            .await;
        library
            .until("mypage shows it", async || {
                library.status_in("mypages", order).await.as_deref() == Some("Ship")
            })
            .await;
    }
    let rows = (library.count("rents").await, library.count("deliveries").await);
    assert_eq!(rows, (ORDERS.unsigned_abs(), ORDERS.unsigned_abs()), "one of each, none twice");
    library.close().await;
}
