//! A JSON Patch cancels only what its test holds for, whatever happens between the test and the write.

use axum::Router;
use order::{
    adapters::inbound::rest::router,
    application::{
        OnRentUnavailable::Defer,
        ReactionKind,
        ports::{OrderStore as _, Save},
    },
    domain::{Order, OrderState, Version},
};
use platform_testkit::http::{self, ACCEPT, Answer};
use serde_json::json;

use crate::support::{FIRST, Interrupted, Library, committed, orders_on, policy, react, with_an_order};

const JSON_PATCH: (&str, &str) = ("content-type", "application/json-patch+json");

/// Cancels where the status is this one.
fn tested(word: &str) -> String {
    json!([
        {"op": "test", "path": "/status", "value": word},
        {"op": "replace", "path": "/status", "value": "Order Cancel"},
    ])
    .to_string()
}

async fn patch(router: &Router, path: &str, body: &str) -> Answer {
    http::ask(router, "localhost:8081", &format!("PATCH {path}"), &[ACCEPT, JSON_PATCH], body).await
}

#[tokio::test]
async fn a_json_patch_may_test_before_it_cancels() {
    let library = with_an_order(&OrderState::Ordered).await;
    let router = router(library.orders.clone());
    let answer = patch(&router, "/orders/1", &tested("Pending")).await;
    assert!(answer.problem(409, "test-failed").contains("`Ordered`"));
    patch(&router, "/orders/2", &tested("Ordered")).await.problem(404, "not-found");
    for (body, slug) in [
        (r#"[{"op":"remove","path":"/status"}]"#, "invalid-body"),
        (r#"[{"op":"replace","path":"/item","value":"b"}]"#, "invalid-field"),
        (r#"{"status":"Order Cancel"}"#, "invalid-body"),
        ("[]", "invalid-field"),
    ] {
        patch(&router, "/orders/1", body).await.problem(422, slug);
    }
    assert_eq!(library.first().await.state, OrderState::Ordered);
    let answer = patch(&router, "/orders/1", &tested("Ordered")).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("Order Cancel")));
}

/// The same library, where rent's event arrives just before the first write.
fn with_a_late_event(library: &Library) -> Router {
    let faster = library.orders.clone();
    let store = Interrupted::new(library.store.clone(), move |write| {
        let faster = faster.clone();
        async move {
            if write == 1 {
                react(&faster, &[ReactionKind::Rented]).await;
            }
        }
    });
    router(orders_on(store, &library.desk, policy(Defer)))
}

/// The same library, where the order changes in something else than its status just before each of the first
/// `times` writes.
fn with_other_changes(library: &Library, times: usize) -> Router {
    let store = library.store.clone();
    let interrupted = Interrupted::new(library.store.clone(), move |write| {
        let store = store.clone();
        async move {
            if write > times {
                return;
            }
            let order = committed(&store, FIRST).await;
            let changed = Order { version: Version(order.version.0 + 1), ..order.clone() };
            let change = Save {
                expected: Some(order.version),
                was_pending: order.state == OrderState::Pending,
                pending_below: None,
                order: changed,
                facts: Vec::new(),
                revocation: None,
                redoable: false,
            };
            assert_eq!(store.save(change).await, Ok(Ok(())));
        }
    });
    router(orders_on(interrupted, &library.desk, policy(Defer)))
}

#[tokio::test]
async fn what_has_changed_since_the_test_is_tested_again() {
    let library = with_an_order(&OrderState::Pending).await;
    let answer = patch(&with_a_late_event(&library), "/orders/1", &tested("Pending")).await;
    assert!(answer.problem(409, "test-failed").contains("`Ordered`"), "what it is now");
    assert_eq!(library.first().await.state, OrderState::Ordered, "what was tested is what is cancelled");

    let library = with_an_order(&OrderState::Ordered).await;
    let answer = patch(&with_other_changes(&library, 3), "/orders/1", &tested("Ordered")).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("Order Cancel")), "its test holds");
}

#[tokio::test]
async fn a_version_that_the_client_names_is_not_tried_again() {
    let library = with_an_order(&OrderState::Ordered).await;
    let router = with_other_changes(&library, 1);
    let headers = [ACCEPT, JSON_PATCH, ("if-match", "\"2\"")];
    for _ in 0..2 {
        let answer =
            http::ask(&router, "localhost:8081", "PATCH /orders/1", &headers, &tested("Ordered")).await;
        answer.problem(412, "precondition-failed");
    }
    assert_eq!(library.first().await.state, OrderState::Ordered);
}

#[tokio::test]
async fn whom_others_are_always_faster_than_is_told_so() {
    let library = with_an_order(&OrderState::Ordered).await;
    let answer = patch(&with_other_changes(&library, usize::MAX), "/orders/1", &tested("Ordered")).await;
    answer.problem(409, "conflict");
    assert_eq!(library.first().await.state, OrderState::Ordered);
}
