//! Any permutation and any duplication of one order's events gives the same row, on every adapter.

use std::sync::atomic::{AtomicI64, Ordering};

use contracts::Timestamp;
use mypage::{
    adapters::outbound::{memory::MemoryView, redb::RedbView},
    contract::folded,
    projection::{Fact, OrderFact, Row},
    query::View,
};
use proptest::prelude::*;

/// Facts of one order: any kinds, moments that collide, texts that contradict each other.
fn facts() -> impl Strategy<Value = Vec<OrderFact>> {
    let text = || proptest::option::of(prop_oneof!["[a-c]", Just("대여".to_owned()), Just(String::new())]);
    let one = (0..Fact::ALL.len(), 0..4_i64, text(), text(), text()).prop_map(
        |(kind, at, item, customer, reason)| OrderFact {
            order_id: 0,
            fact: Fact::ALL[kind],
            at: Timestamp(at),
            item,
            customer,
            reason,
        },
    );
    proptest::collection::vec(one, 1..24)
}

/// The same facts in another order, some of them again, cut into batches.
fn arrivals() -> impl Strategy<Value = (Vec<OrderFact>, Vec<OrderFact>, usize)> {
    facts().prop_flat_map(|facts| {
        let again = proptest::sample::subsequence(facts.clone(), 0..=facts.len());
        let arrival = (Just(facts.clone()), again).prop_flat_map(|(mut all, again)| {
            all.extend(again);
            Just(all).prop_shuffle()
        });
        (Just(facts), arrival, 1..8_usize)
    })
}

/// Every property case has an order of its own, so that one file serves them all.
fn an_order_id() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

async fn arrive(view: &dyn View, facts: &[OrderFact], batch: usize) -> Option<Row> {
    for batch in facts.chunks(batch) {
        view.apply(batch.to_vec()).await.expect("applied");
    }
    view.get(facts[0].order_id).await.expect("a read")
}

proptest! {
    #[test]
    fn any_arrival_gives_the_same_row((facts, arrival, _) in arrivals()) {
        prop_assert_eq!(folded(&facts), folded(&arrival));
        let history = folded(&arrival).history();
        prop_assert!(history.is_sorted_by_key(|entry| entry.at));
    }

    #[test]
    fn an_order_is_whose_it_says_itself((facts, arrival, _) in arrivals()) {
        let (own, others): (Vec<_>, Vec<_>) = facts.iter().partition(|fact| fact.fact.is_of_order());
        let counts = if own.is_empty() { others } else { own };
        let smallest = counts.iter().filter_map(|fact| fact.customer.as_deref()).min();
        let row = folded(&arrival);
        prop_assert_eq!(row.customer(), smallest);
    }

    /// Merging two rows' worth of facts: what comes as one, or in two halves, is the same.
    #[test]
    fn merging_does_not_care_about_grouping((facts, arrival, cut) in arrivals()) {
        let (first, second) = arrival.split_at(cut.min(arrival.len() - 1));
        let other_way: Vec<_> = second.iter().chain(first).cloned().collect();
        prop_assert_eq!(folded(&facts), folded(&other_way));
    }
}

#[test]
fn any_arrival_gives_the_same_row_in_every_store() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let redb = RedbView::open(&folder.path().join("mypage.redb")).expect("it opens");
    let memory = MemoryView::default();
    let config = ProptestConfig { cases: 64, ..ProptestConfig::default() };
    proptest!(config, |((facts, arrival, batch) in arrivals())| {
        let order_id = an_order_id();
        let of_order = |facts: Vec<OrderFact>| -> Vec<_> {
            facts.into_iter().map(|fact| OrderFact { order_id, ..fact }).collect()
        };
        let (facts, arrival) = (of_order(facts), of_order(arrival));
        for view in [&redb as &dyn View, &memory] {
            let row = runtime.block_on(arrive(view, &arrival, batch));
            prop_assert_eq!(row, Some(folded(&facts)));
        }
    });
}
