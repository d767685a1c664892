//! The original had no version and no ETag: of two who changed the same thing, one was overwritten unseen.

use hyper::Method;
use rentalbook::cli::ServiceArg;

use crate::harness::Answer;
use crate::harness::Scene;

async fn patch_if(library: &Scene, path: &str, etag: &str, word: &str) -> Answer {
    let headers = [("accept", "*/*"), ("content-type", "application/json"), ("if-match", etag)];
    let body = format!(r#"{{"status":"{word}"}}"#);
    library.send_as(ServiceArg::Gateway, "library.test", (Method::PATCH, path), &headers, Some(&body)).await
}

async fn etag(library: &Scene, path: &str) -> String {
    library.get(path).await.header("etag").expect("an ETag").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_11_a_change_of_what_has_changed_meanwhile_is_refused() {
    let library = Scene::open().await;
    let order = library.an_order("COSMOS").await;
    library.settle().await;
    let path = format!("/orders/{order}");
    let seen = etag(&library, &path).await;
    assert_eq!(library.hand_over_parcel_of(order).await.status, 200);
    library.settle().await;
    assert_ne!(etag(&library, &path).await, seen, "its change is a new version");

    let late = patch_if(&library, &path, &seen, "Order Cancel").await;
    assert_eq!((late.status, late.text("type").ends_with(":precondition-failed")), (412, true));
    assert_eq!(library.order_status(order).await, "Shipped");
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_11_of_many_who_change_the_same_version_at_once_exactly_one_succeeds() {
    let library = Scene::open().await;
    let (order, other) = (library.an_order("COSMOS").await, library.an_order("CONTACT").await);
    library.settle().await;
    let parcel = library.find("deliveries", other).await.expect("a parcel")["id"].clone();
    for (path, word) in
        [(format!("/orders/{order}"), "Order Cancel"), (format!("/deliveries/{parcel}"), "Shipped")]
    {
        let seen = etag(&library, &path).await;
        let changes: Vec<_> = (0..20).map(|_| patch_if(&library, &path, &seen, word)).collect();
        let answers = futures_util::future::join_all(changes).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [&[200][..], &[412; 19][..]].concat(), "{path}");
    }
    library.settle().await;
    library.close().await;
}
