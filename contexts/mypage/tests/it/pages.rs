//! Pages of a large view: a flood of those that pass over many rows is bounded.

use std::time::Duration;

use mypage::{
    adapters::outbound::redb::RedbView,
    contract::ordered,
    query::{PageError, PageQuery, SortField, View as _},
};
use tokio::{
    task::{JoinSet, yield_now},
    time::timeout,
};

/// More than are passed without waiting for a turn.
const ORDERS: i64 = 4_000;

fn by_item() -> PageQuery {
    PageQuery { offset: 0, limit: 20, sort: vec![(SortField::Item, true)] }
}

#[tokio::test]
async fn a_flood_of_sorted_pages_is_answered_in_turn_or_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let view = RedbView::open(&folder.path().join("mypage.redb")).expect("it opens");
    let facts = (1..=ORDERS).map(|id| ordered(id, &format!("book {}", id % 101), "kim", id)).collect();
    view.apply(facts).await.expect("applied");

    let mut flood = JoinSet::new();
    for _ in 0..100 {
        let view = view.clone();
        flood.spawn(async move { view.page(by_item()).await });
    }
    let answers = flood.join_all().await;
    let refused = answers.iter().filter(|answer| **answer == Err(PageError::TooMany)).count();
    let answered = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|(rows, _)| rows.len() == 20));
    let answered = answered.count();
    // 2 at once, and 32 that wait.
    assert!(
        refused > 0 && answered >= 34 && refused + answered == 100,
        "{answered} answered, {refused} refused"
    );

    let mut flood: Vec<_> = (0..100).map(|_| Box::pin(view.page(by_item()))).collect();
    for asking in &mut flood {
        let _ = timeout(Duration::ZERO, asking).await;
    }
    // The two that run may have ended meanwhile, and left two places.
    let mut deep: Vec<_> = (0..3).map(|_| Box::pin(view.find_by_customer("kim", 1_000, 20))).collect();
    let mut refused = 0;
    for asking in &mut deep {
        refused += usize::from(timeout(Duration::ZERO, asking).await == Ok(Err(PageError::TooMany)));
    }
    assert!(refused > 0, "the middle of a customer's rows is a long read, too");
    let (first, _) = view.find_by_customer("kim", 0, 20).await.expect("a short read does not wait");
    assert_eq!(first[0].order_id(), ORDERS);
    drop((flood, deep));
    let room = async {
        while view.page(by_item()).await.is_err() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), room).await.expect("when all have gone there is room");
}
