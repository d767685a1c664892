use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::RawQuery, routing::get};
use serde_json::json;

use super::*;

type Statuses = Arc<Mutex<Vec<&'static str>>>;

/// A mypage with these rows, that sorts as the real one does.
async fn a_mypage(statuses: &[&'static str]) -> (SocketAddr, Statuses) {
    let rows = Arc::new(Mutex::new(statuses.to_vec()));
    let shared = Arc::clone(&rows);
    let answer = async move |RawQuery(query): RawQuery| {
        let query = query.unwrap_or_default();
        let mut rows = shared.lock().expect("no test panics with it").clone();
        let total = rows.len();
        if query.contains("sort=status") {
            rows.sort_unstable();
        }
        if query.ends_with(",desc") {
            rows.reverse();
        }
        let size = query.split('&').find_map(|part| part.strip_prefix("size=")?.parse().ok());
        rows.truncate(size.unwrap_or(20));
        let rows: Vec<_> = rows.iter().map(|status| json!({ "status": status })).collect();
        Json(json!({"_embedded": {"mypages": rows}, "page": {"totalElements": total}}))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let router = Router::new().route("/mypages", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, rows)
}

#[tokio::test]
async fn one_order_far_back_that_is_not_shown_as_it_will_be_is_missing() {
    for late in ["Ordered", "Shipped"] {
        let mut statuses = vec!["Ship"; 1_000];
        statuses[3] = late;
        let (mypage, _) = a_mypage(&statuses).await;
        let missing = what_is_missing(mypage, 1_000).await.expect("it answers");
        assert_eq!(missing, Some(format!(r#"{{"status":"{late}"}}"#)));
    }
}

#[tokio::test]
async fn an_order_without_a_row_is_missing_and_a_row_without_an_order_is_a_mistake() {
    let (mypage, _) = a_mypage(&["Ship"; 3]).await;
    let missing = what_is_missing(mypage, 4).await.expect("it answers");
    assert_eq!(missing.as_deref(), Some("3 of 4 orders are shown"));
    assert!(what_is_missing(mypage, 2).await.is_err());
}

#[tokio::test]
async fn the_wait_ends_with_the_last_order() {
    let (mypage, rows) = a_mypage(&["Ship", "Rent", "Ship"]).await;
    let waiting = tokio::spawn(until_visible(mypage, 3));
    rows.lock().expect("no test panics with it")[1] = "Ship";
    assert!(waiting.await.expect("no panic").is_ok());
}
