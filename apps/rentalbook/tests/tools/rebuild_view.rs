use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;

use super::home::Home;

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_built_again_under_load_is_the_live_one() {
    let home = Arc::new(Home::new());
    let running = home.open().await;
    let stop = Arc::new(AtomicBool::new(false));
    let customers: Vec<_> = (0..8)
        .map(|n| {
            let (home, stop) = (Arc::clone(&home), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut placed = 0;
                while !stop.load(Ordering::Acquire) {
                    let body =
                        json!({ "item": format!("book {placed}"), "customer": format!("customer {n}") });
                    let answer = home.place(&body).await;
                    assert_eq!(answer.status, 201, "{answer:?}");
                    if placed % 3 == 0 {
                        home.patch(&format!("/orders/{}", answer.number("id")), "Order Cancel").await;
                    }
                    placed += 1;
                }
                placed
            })
        })
        .collect();
    for _ in 0..3 {
        home.http.until_more("orders", 20).await;
        let said = home.done(&["rebuild-view"]).await;
        assert!(said.starts_with("the view is built again from "), "{said}");
    }
    stop.store(true, Ordering::Release);
    let mut placed = 0;
    for customer in customers {
        placed += customer.await.expect("a customer");
    }
    // The audit builds a view of its own from the topic and compares.
    home.is_clean().await;
    let live = home.http.all("mypages", "orderId").await;
    assert_eq!(live.len(), placed);

    home.done(&["rebuild-view"]).await;
    assert_eq!(home.http.all("mypages", "orderId").await, live);
    running.close().await;
    home.done(&["rebuild-view"]).await;
    let running = home.open().await;
    assert_eq!(home.http.all("mypages", "orderId").await, live);
    running.close().await;
}
