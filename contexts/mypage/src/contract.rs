//! What every view must do: one suite for the adapters and the fake.

use std::sync::Arc;

use contracts::Timestamp;

use crate::{
    projection::{Fact, OrderFact, Row, Status},
    query::{PageQuery, Sort, SortField, View},
};

/// Runs the suite. `reopen` gives the same view again as after a restart of the process (the fake, which has no
/// restart, gives a clone). The view must be empty at first.
///
/// # Panics
/// Where the view breaks the contract.
pub async fn run(reopen: impl AsyncFn() -> Arc<dyn View>) {
    a_new_view_is_not_complete_and_shows_nothing(&*reopen().await).await;
    the_smallest_rank_is_shown(&*reopen().await).await;
    arrival_does_not_matter(&*reopen().await).await;
    nothing_of_an_empty_batch(&*reopen().await).await;
    parts_and_totals(&*reopen().await).await;
    sorting_by_every_field(&*reopen().await).await;
    a_customers_orders_newest_first(&*reopen().await).await;
    a_customer_that_changes_moves(&*reopen().await).await;
    an_order_is_whose_it_says(&*reopen().await).await;
    a_walk_over_all_rows(&*reopen().await).await;
    a_restart_keeps_everything(&reopen).await;
    a_rebuilt_view_equals_the_live_one(&reopen).await;
    an_abandoned_rebuild_changes_nothing(&reopen).await;
}

/// A fact of an order, without texts.
#[must_use]
pub fn fact(order_id: i64, fact: Fact, at: i64) -> OrderFact {
    OrderFact { order_id, fact, at: Timestamp(at), item: None, customer: None, reason: None }
}

/// An order was confirmed: its item and customer become known.
#[must_use]
pub fn ordered(order_id: i64, item: &str, customer: &str, at: i64) -> OrderFact {
    let texts = (Some(item.to_owned()), Some(customer.to_owned()));
    OrderFact { item: texts.0, customer: texts.1, ..fact(order_id, Fact::Ordered, at) }
}

/// The row that `facts` of one order make, in the order they have here.
///
/// # Panics
/// Without facts.
#[must_use]
pub fn folded(facts: &[OrderFact]) -> Row {
    let (first, rest) = facts.split_first().expect("facts");
    let mut row = Row::begin(first.clone());
    for fact in rest {
        row.learn(fact.clone());
    }
    row
}

/// The rank table: the facts of each rank, and what they show.
pub const RANKS: [(&[Fact], Status); 9] = [
    (&[Fact::ParcelHandedOver, Fact::CancelRejected, Fact::RentReinstated], Status::Shipped),
    (&[Fact::Rejected], Status::OrderRejected),
    (&[Fact::DeliveryCanceled], Status::ShipCanceled),
    (&[Fact::RentCanceled], Status::RentCanceled),
    (&[Fact::Cancelled], Status::OrderCanceled),
    (&[Fact::ParcelPrepared], Status::Ship),
    (&[Fact::Rented], Status::Rent),
    (&[Fact::Ordered], Status::Ordered),
    (&[Fact::Deferred], Status::Pending),
];

async fn ids(view: &dyn View, query: PageQuery) -> Vec<i64> {
    view.page(query).await.expect("a page").0.iter().map(Row::order_id).collect()
}

async fn all(view: &dyn View) -> Vec<Row> {
    view.scan(None, 100_000).await.expect("a scan")
}

/// Whether it refuses to be read until it is complete, or is empty until then, is its own affair.
async fn a_new_view_is_not_complete_and_shows_nothing(view: &dyn View) {
    assert_eq!(view.is_complete().await, Ok(false));
    assert!(matches!(view.get(1).await, Ok(None) | Err(_)), "there is nothing that could be shown");
    view.mark_complete().await.expect("marked");
    assert_eq!(view.is_complete().await, Ok(true));
    view.ready().await.expect("ready");
    assert_eq!(view.total().await, Ok(0));
    assert_eq!(view.get(1).await, Ok(None));
    assert_eq!(view.page(PageQuery { limit: 20, ..PageQuery::default() }).await, Ok((vec![], 0)));
    assert_eq!(view.find_by_customer("kim", 0, 20).await, Ok((vec![], 0)));
    assert_eq!(all(view).await, []);
}

/// Every fact alone, and every fact with everything of a greater rank, in both orders of arrival.
async fn the_smallest_rank_is_shown(view: &dyn View) {
    let mut order_id = 0;
    for (rank, (facts, shown)) in RANKS.iter().enumerate() {
        for &one in *facts {
            let weaker = RANKS[rank + 1..].iter().flat_map(|(facts, _)| *facts).map(|&weaker| (weaker, 5));
            let mut known: Vec<_> = std::iter::once((one, 5)).chain(weaker).collect();
            for arrival in [&[(one, 5)][..], &known.clone(), {
                known.reverse();
                &known
            }] {
                order_id += 1;
                for &(kind, at) in arrival {
                    view.apply(vec![fact(order_id, kind, at)]).await.expect("applied");
                }
                let row = view.get(order_id).await.expect("a read").expect("a row");
                assert_eq!(row.status(), *shown, "{arrival:?}");
                assert_eq!(row.history().len(), arrival.len(), "one entry per fact");
            }
        }
    }
    assert_eq!(view.total().await, Ok(33));
}

/// A full set of facts, forwards, backwards, rotated, twice, one by one and in one batch.
async fn arrival_does_not_matter(view: &dyn View) {
    let facts: Vec<_> = Fact::ALL
        .iter()
        .zip(0..)
        .map(|(&kind, n)| OrderFact {
            item: Some(format!("item {}", 20 - n)),
            customer: Some(format!("customer {}", 20 - n)),
            reason: (kind == Fact::Rejected).then(|| "no copy left".to_owned()),
            ..fact(0, kind, 1_000 - n)
        })
        .collect();
    let mut expected = None;
    for turn in 0..facts.len() {
        for batch in [1, 4, 22] {
            let order_id = 1_000 + i64::try_from(turn * 100 + batch).expect("small");
            let mut arrival: Vec<_> =
                facts.iter().cloned().map(|fact| OrderFact { order_id, ..fact }).collect();
            arrival.rotate_left(turn);
            arrival.extend(arrival.clone().into_iter().rev());
            for batch in arrival.chunks(batch) {
                view.apply(batch.to_vec()).await.expect("applied");
            }
            let row = view.get(order_id).await.expect("a read").expect("a row");
            let seen =
                (row.status(), row.history(), row.item().map(str::to_owned), row.reason().map(str::to_owned));
            assert_eq!(row, folded(&arrival), "what comes back is what was merged");
            assert_eq!(&seen, expected.get_or_insert_with(|| seen.clone()));
        }
    }
    assert_eq!(view.find_by_customer("customer 14", 0, 1).await.expect("a page").1, 33, "of the order's own");
    assert_eq!(view.find_by_customer("customer 10", 0, 1).await.expect("a page").1, 0, "of a rent");
    assert_eq!(view.find_by_customer("customer 20", 0, 1).await.expect("a page").1, 0);
}

async fn nothing_of_an_empty_batch(view: &dyn View) {
    let before = all(view).await;
    view.apply(vec![]).await.expect("applied");
    assert_eq!(all(view).await, before);
}

async fn parts_and_totals(view: &dyn View) {
    let total = view.total().await.expect("a total");
    let forwards: Vec<_> = all(view).await.iter().map(Row::order_id).collect();
    assert_eq!(forwards.len() as u64, total);
    assert!(forwards.is_sorted());
    let backwards: Vec<_> = forwards.iter().rev().copied().collect();
    for offset in [0, 1, 7, total / 2, total - 3, total - 1, total, total + 5, u64::MAX] {
        for limit in [0, 1, 20, 1_000] {
            let part = |ids: &[i64]| -> Vec<i64> {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                ids.iter().skip(from).take(limit as usize).copied().collect()
            };
            for (sort, all) in [
                (vec![], &forwards),
                (vec![(SortField::OrderId, false)], &forwards),
                (vec![(SortField::OrderId, true), (SortField::Item, false)], &backwards),
            ] {
                let query = PageQuery { offset, limit, sort };
                assert_eq!(view.page(query.clone()).await.expect("a page").1, total);
                assert_eq!(ids(view, query.clone()).await, part(all), "{query:?}");
            }
        }
    }
}

async fn sorting_by_every_field(view: &dyn View) {
    let rows = all(view).await;
    let fields =
        [SortField::Item, SortField::Status, SortField::Customer, SortField::Reason, SortField::OrderId];
    let pairs = fields.iter().flat_map(|&a| fields.iter().map(move |&b| vec![(a, true), (b, false)]));
    for sort in fields.iter().map(|&field| vec![(field, false)]).chain(pairs) {
        let expected = sorted(&rows, &sort);
        let half = expected.len() as u64 / 2;
        for (offset, limit) in [(0, 7), (half, 5), (expected.len() as u64 - 5, 20)] {
            let from = usize::try_from(offset).expect("small");
            let part: Vec<_> = expected.iter().skip(from).take(limit as usize).copied().collect();
            assert_eq!(ids(view, PageQuery { offset, limit, sort: sort.clone() }).await, part, "{sort:?}");
        }
    }
}

/// Said once more, plainly, so that an adapter that uses the same comparison the wrong way round is found.
fn sorted(rows: &[Row], sort: &[Sort]) -> Vec<i64> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|row| row.order_id());
    for (field, descending) in sort.iter().rev() {
        let key = |row: &Row| match field {
            SortField::OrderId => Some(format!("{:020}", row.order_id())),
            SortField::Item => row.item().map(str::to_owned),
            SortField::Status => Some(row.status().as_str().to_owned()),
            SortField::Customer => row.customer().map(str::to_owned),
            SortField::Reason => row.reason().map(str::to_owned),
        };
        if *descending {
            rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
        } else {
            rows.sort_by_key(|row| key(row));
        }
    }
    rows.iter().map(|row| row.order_id()).collect()
}

async fn a_customers_orders_newest_first(view: &dyn View) {
    let of_lee = (5_001..5_008).map(|id| ordered(id, "COSMOS", "lee", 1));
    let of_others =
        (5_001..5_008).map(|id| ordered(id + 100, "COSMOS", if id % 2 == 0 { "le" } else { "leeo" }, 1));
    view.apply(of_lee.chain(of_others).collect()).await.expect("applied");
    for (offset, limit, expected) in [
        (0, 3, &[5_007, 5_006, 5_005][..]),
        (2, 2, &[5_005, 5_004]),
        (5, 20, &[5_002, 5_001]),
        (7, 20, &[]),
        (u64::MAX, 20, &[]),
        (0, 0, &[]),
    ] {
        let (rows, total) = view.find_by_customer("lee", offset, limit).await.expect("a page");
        assert_eq!(rows.iter().map(Row::order_id).collect::<Vec<_>>(), expected);
        assert_eq!(total, 7);
        assert!(rows.iter().all(|row| row.customer() == Some("lee") && row.item() == Some("COSMOS")));
    }
    assert_eq!(view.find_by_customer("nobody", 0, 20).await, Ok((vec![], 0)));
}

async fn a_customer_that_changes_moves(view: &dyn View) {
    view.apply(vec![ordered(6_000, "COSMOS", "zoe", 1)]).await.expect("applied");
    assert_eq!(view.find_by_customer("zoe", 0, 20).await.expect("a page").1, 1);
    view.apply(vec![ordered(6_000, "COSMOS", "zoa", 1)]).await.expect("applied");
    assert_eq!(view.find_by_customer("zoe", 0, 20).await, Ok((vec![], 0)));
    let (rows, total) = view.find_by_customer("zoa", 0, 20).await.expect("a page");
    assert_eq!((rows.len(), total), (1, 1));
}

/// Anybody can ask rent for an order under any name; the order says whose it is, early or late.
async fn an_order_is_whose_it_says(view: &dyn View) {
    let rented =
        |order_id| OrderFact { customer: Some("a stranger".into()), ..fact(order_id, Fact::Rented, 1) };
    let of_stranger = async || view.find_by_customer("a stranger", 0, 20).await.expect("a page").1;
    view.apply(vec![rented(6_101)]).await.expect("applied");
    assert_eq!(of_stranger().await, 1, "nobody else is known yet");
    view.apply(vec![ordered(6_101, "COSMOS", "zoo", 2)]).await.expect("applied");
    view.apply(vec![ordered(6_102, "COSMOS", "zoo", 2), rented(6_102), rented(6_101)])
        .await
        .expect("applied");
    view.apply(vec![rented(6_103), fact(6_103, Fact::Cancelled, 2), rented(6_103)]).await.expect("applied");
    assert_eq!(of_stranger().await, 0, "also where the order is nobody's");
    assert_eq!(view.find_by_customer("zoo", 0, 20).await.expect("a page").1, 2);
}

async fn a_walk_over_all_rows(view: &dyn View) {
    view.apply(vec![fact(-7, Fact::Rented, 1), fact(i64::MAX, Fact::Rented, 1)]).await.expect("applied");
    let mut walked = Vec::new();
    let mut after = None;
    loop {
        let rows = view.scan(after, 10).await.expect("a scan");
        let Some(last) = rows.last() else { break };
        after = Some(last.order_id());
        walked.extend(rows);
    }
    assert_eq!(walked, all(view).await);
    assert_eq!(walked.len() as u64, view.total().await.expect("a total"));
}

async fn a_restart_keeps_everything(reopen: &impl AsyncFn() -> Arc<dyn View>) {
    let before = all(&*reopen().await).await;
    reopen().await.settle().await.expect("settled");
    reopen().await.mark_complete().await.expect("marked");
    let view = reopen().await;
    assert_eq!(all(&*view).await, before);
    assert_eq!(view.is_complete().await, Ok(true));
}

/// The topic in an order of its own, while the consumer brings new facts, one of them also replayed.
async fn a_rebuilt_view_equals_the_live_one(reopen: &impl AsyncFn() -> Arc<dyn View>) {
    let view = reopen().await;
    let topic: Vec<_> = all(&*view).await.iter().rev().flat_map(facts_of).collect();
    let news = [ordered(7_001, "EARTH", "park", 3), fact(7_001, Fact::Rented, 2), fact(1, Fact::Rejected, 9)];

    let mut rebuild = view.begin_rebuild().await.expect("a rebuild");
    assert!(view.begin_rebuild().await.is_err(), "one at a time");
    let (first, second) = topic.split_at(topic.len() / 2);
    rebuild.apply(first.to_vec()).await.expect("applied");
    view.apply(news[..2].to_vec()).await.expect("applied");
    assert!(view.get(7_001).await.expect("a read").is_some(), "the live view goes on");
    assert_eq!(view.get(1).await.expect("a read").map(|row| row.status()), Some(Status::Shipped));
    rebuild.apply(second.to_vec()).await.expect("applied");
    rebuild.apply(news[1..2].to_vec()).await.expect("applied");
    view.apply(news[2..].to_vec()).await.expect("applied");
    let live = all(&*view).await;
    rebuild.finish().await.expect("finished");

    assert_eq!(all(&*view).await, live);
    assert_eq!(view.total().await, Ok(live.len() as u64));
    assert_eq!(view.find_by_customer("lee", 0, 1).await.expect("a page").1, 7);
    assert_eq!(view.is_complete().await, Ok(true));
    view.apply(vec![fact(7_002, Fact::Ordered, 1)]).await.expect("applied");
    drop(view);
    assert_eq!(reopen().await.total().await, Ok(live.len() as u64 + 1));
}

async fn an_abandoned_rebuild_changes_nothing(reopen: &impl AsyncFn() -> Arc<dyn View>) {
    let view = reopen().await;
    let before = all(&*view).await;
    let mut rebuild = view.begin_rebuild().await.expect("a rebuild");
    rebuild.apply(vec![fact(8_001, Fact::Ordered, 1)]).await.expect("applied");
    drop(rebuild);
    assert_eq!(all(&*view).await, before);
    let again = view.begin_rebuild().await.expect("another rebuild");
    again.finish().await.expect("finished");
    assert_eq!(view.total().await, Ok(0), "the next one begins anew");
}

/// The facts that make `row`.
fn facts_of(row: &Row) -> Vec<OrderFact> {
    let known = Fact::ALL.into_iter().zip(row.known()).filter_map(|(kind, at)| Some((kind, (*at)?)));
    let text = |text: Option<&str>| text.map(str::to_owned);
    known
        .map(|(kind, at)| OrderFact {
            item: text(row.item()),
            customer: text(row.customer()),
            reason: text(row.reason()),
            ..fact(row.order_id(), kind, at.0)
        })
        .collect()
}
