//! A store that fails while it writes: nobody is told that nothing was done, and no repeat is told more than what holds.

use order::{
    application::{
        CancelError,
        OnRentUnavailable::Defer,
        PlaceError,
        ports::{RentAnswer, Unavailable},
    },
    domain::OrderState,
};

use platform_testkit::http::{ACCEPT, JSON};

use crate::support::{FIRST, a_cancellation, a_library, cancel, with_an_order, with_key};

#[tokio::test]
async fn who_orders_while_the_store_fails_is_not_told_that_there_is_no_order() {
    let library = a_library(Defer, RentAnswer::Confirmed);
    library.store.set_in_doubt(true);
    let answer = library.ask("POST /orders", &[ACCEPT, JSON], r#"{"item":"COSMOS"}"#).await;
    let detail = answer.problem(504, "in-doubt");
    assert!(detail.contains("look before you repeat it"), "{detail}");
    library.store.set_in_doubt(false);
    assert_eq!(library.first().await.state, OrderState::Pending, "there is one");
}

#[tokio::test]
async fn who_cancels_while_the_store_fails_is_told_to_look() {
    let library = with_an_order(&OrderState::Ordered).await;
    library.store.set_in_doubt(true);
    let cancelling = r#"{"status":"Order Cancel"}"#;
    library.ask("PATCH /orders/1", &[ACCEPT, JSON], cancelling).await.problem(504, "in-doubt");
}

#[tokio::test]
async fn a_repeat_is_answered_only_from_what_the_store_has_kept() {
    let library = a_library(Defer, RentAnswer::Confirmed);
    library.orders.place_order(with_key("key")).await.expect("an order");
    library.store.set_in_doubt(true);
    let repeated = library.orders.place_order(with_key("key")).await;
    assert!(matches!(repeated, Err(PlaceError::Unavailable(Unavailable::InDoubt(_)))), "{repeated:?}");
    library.store.set_in_doubt(false);
    library.orders.place_order(with_key("key")).await.expect("the same order");

    cancel(&library.orders).await.expect("cancelled");
    library.store.set_in_doubt(true);
    let repeated = library.orders.cancel_order(a_cancellation(FIRST)).await;
    assert!(matches!(repeated, Err(CancelError::Unavailable(Unavailable::InDoubt(_)))), "{repeated:?}");
}
