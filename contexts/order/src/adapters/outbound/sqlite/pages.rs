//! Pages of the collection: what they are sorted by, and what has an index.

use std::borrow::Cow;

use platform_storage::{Part, Term};

use super::{
    super::columns::{STATUS_WORDS_IN_ORDER, reasons},
    COLLECTION, TOTAL,
};
use crate::application::ports::{PageQuery, SortField};

/// What is to be read for `query`.
pub(super) fn part(query: &PageQuery) -> Part {
    Part {
        select: COLLECTION,
        total: TOTAL,
        sort: terms(&query.sort),
        indexed: query.sort.first().is_none_or(|(field, _)| decides_alone(*field)),
        offset: query.offset,
        limit: query.limit,
    }
}

/// What tells any two rows apart has an index, too.
fn decides_alone(field: SortField) -> bool {
    field == SortField::Id
}

/// Up to the field that decides alone; after others, the id makes the order of equals repeatable.
fn terms(sort: &[(SortField, bool)]) -> Vec<Term> {
    let mut terms = Vec::new();
    for &(field, descending) in sort {
        terms.push(Term { column: column(field), descending });
        if decides_alone(field) {
            return terms;
        }
    }
    terms.push(Term { column: "id".into(), descending: false });
    terms
}

fn column(field: SortField) -> Cow<'static, str> {
    match field {
        SortField::Id => "id".into(),
        SortField::Item => "item".into(),
        SortField::Status => STATUS_WORDS_IN_ORDER.into(),
        SortField::Customer => "customer".into(),
        SortField::Reason => reasons().into(),
        SortField::PlacedAt => "placed_at".into(),
        SortField::ChangedAt => "changed_at".into(),
    }
}

#[cfg(test)]
mod tests {
    use contracts::WireClock;

    use super::{super::SqliteOrders, *};

    #[test]
    fn a_page_by_id_reads_only_what_it_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("order.db");
        let store = SqliteOrders::open(&path, WireClock::default()).expect("it opens");
        let plans = |sort: &[(SortField, bool)]| {
            let query = PageQuery { offset: 0, limit: 20, sort: sort.to_vec() };
            store.store.read(|c| part(&query).plans(c)).expect("plans")
        };
        let by_index =
            [vec![], vec![(SortField::Id, true)], vec![(SortField::Id, false), (SortField::Customer, false)]];
        for sort in by_index {
            for plan in plans(&sort) {
                assert!(plan.contains("SCAN orders"), "{sort:?}: {plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{sort:?} is sorted first: {plan}");
            }
        }
        let sorted = plans(&[(SortField::Customer, false)]);
        assert!(sorted.iter().all(|plan| plan.contains("TEMP B-TREE")), "the test can fail: {sorted:?}");
    }
}
