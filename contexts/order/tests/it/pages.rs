//! Pages of a large collection: a flood of those that have to be looked for everywhere is bounded.

use futures_util::future::join_all;
use order::{
    adapters::inbound::rest::router,
    application::{
        OnRentUnavailable,
        ports::{OrderStore as _, RentAnswer, Save},
    },
    domain::{Order, OrderId},
};
use platform_testkit::http::{self, ACCEPT};

use crate::support::{Desk, a_file, orders_on, place, policy};

/// More than are passed without waiting for a turn.
const ORDERS: i64 = 6_000;

#[tokio::test]
async fn a_flood_of_sorted_pages_is_answered_in_turn_or_refused_at_once() {
    let (_folder, store) = a_file();
    let orders =
        orders_on(store.clone(), &Desk::answering(RentAnswer::Confirmed), policy(OnRentUnavailable::Defer));
    let one = place(&orders).await;
    let another = |id| Save {
        expected: None,
        was_pending: false,
        pending_below: None,
        order: Order { id: OrderId(id), ..one.clone() },
        facts: Vec::new(),
        revocation: None,
        redoable: false,
    };
    store.save_all((2..=ORDERS).map(another).collect()).await.expect("saved");

    let router = router(orders);
    let get =
        async |path: &str| http::ask(&router, "localhost:8081", &format!("GET {path}"), &[ACCEPT], "").await;
    let flood = join_all((0..100).map(|_| get("/orders?sort=item,desc"))).await;
    let (answered, refused): (Vec<_>, Vec<_>) = flood.iter().partition(|answer| answer.status == 200);
    // 2 at once, and 32 that wait.
    assert!(answered.len() >= 34 && !refused.is_empty(), "{} were answered", answered.len());
    for answer in refused {
        assert_eq!((answer.status, answer.header("retry-after")), (503, "2"), "{}", answer.body);
        let problem = answer.json();
        assert_eq!(problem["type"], "urn:rentalbook:problem:overloaded");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Sort by id")), "{problem}");
    }
    let last = get(&format!("/orders?page={}&size=20", ORDERS / 20 - 1)).await.json();
    assert_eq!(last["_embedded"]["orders"][19]["id"], ORDERS);
    assert_eq!(get("/orders?sort=item").await.status, 200, "afterwards there is room again");
}
