//! Parts of collections: from the nearer end, so that the last page costs what the first does.

use std::{cmp::Ordering, collections::BinaryHeap, io};

use platform_resilience::Awaited;
use redb::{AccessGuard, ReadableTableMetadata as _};

use super::{
    file::ViewFile,
    rows::{OF_CUSTOMER, ROWS, Stored, restore, total_of},
};
use crate::{
    projection::Row,
    query::{Page, PageQuery, Sort, SortField, Unavailable, compare},
};

/// How a part of a collection is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Whether from the other end.
    from_end: bool,
    /// What is passed over.
    skip: u64,
    /// What is taken.
    take: u64,
}

impl Way {
    /// How many items are passed.
    pub(super) fn to_pass(self) -> u64 {
        self.skip + self.take
    }
}

/// The shorter way to the part of a collection of `total` items.
pub(super) fn from_nearer_end(offset: u64, limit: u32, total: u64) -> Way {
    let take = total.saturating_sub(offset).min(u64::from(limit));
    let behind = total.saturating_sub(offset).saturating_sub(take);
    if take == 0 || offset <= behind {
        Way { from_end: false, skip: if take == 0 { 0 } else { offset }, take }
    } else {
        Way { from_end: true, skip: behind, take }
    }
}

impl ViewFile {
    /// How many rows [`ViewFile::page`] will pass over.
    pub(super) fn rows_to_pass(&self, query: &PageQuery) -> Result<u64, Unavailable> {
        let total = self.total()?;
        Ok(match by_order_id(&query.sort) {
            Some(_) => from_nearer_end(query.offset, query.limit, total).to_pass(),
            None => total,
        })
    }

    /// See [`crate::query::View::page`].
    pub(super) fn page(&self, query: &PageQuery, awaited: &Awaited) -> Result<Page, Unavailable> {
        self.read(|tx| {
            let table = tx.open_table(ROWS)?;
            let total = table.len()?;
            let way = from_nearer_end(query.offset, query.limit, total);
            let rows = while_awaited(table.range::<i64>(..)?, awaited);
            let part = match by_order_id(&query.sort) {
                Some(descending) => {
                    along(rows, way, descending)?.into_iter().map(row).collect::<Result<_, _>>()?
                }
                None => sorted(rows, way, &query.sort)?,
            };
            Ok((part, total))
        })
    }

    /// See [`crate::query::View::find_by_customer`].
    pub(super) fn find_by_customer(
        &self,
        customer: &str,
        offset: u64,
        limit: u32,
        awaited: &Awaited,
    ) -> Result<Page, Unavailable> {
        self.read(|tx| {
            let total = total_of(tx, customer)?;
            let table = tx.open_table(ROWS)?;
            let index = tx.open_table(OF_CUSTOMER)?;
            let of_customer = index.range((customer, i64::MIN)..=(customer, i64::MAX))?;
            let entries = while_awaited(of_customer, awaited);
            let mut rows = Vec::new();
            for (key, _) in along(entries, from_nearer_end(offset, limit, total), true)? {
                let order_id = key.value().1;
                if let Some(stored) = table.get(order_id)? {
                    rows.push(restore(order_id, stored.value())?);
                }
            }
            Ok((rows, total))
        })
    }

    /// See [`crate::query::View::scan`].
    pub(super) fn scan(&self, after_order_id: Option<i64>, limit: u32) -> Result<Vec<Row>, Unavailable> {
        let Some(from) = after_order_id.map_or(Some(i64::MIN), |after| after.checked_add(1)) else {
            return Ok(Vec::new());
        };
        self.read(|tx| {
            let rows = tx.open_table(ROWS)?.range(from..)?;
            rows.take(limit as usize).map(|entry| row(entry?)).collect()
        })
    }
}

/// `entries`, and an error instead of the next one where nobody waits for them any more.
fn while_awaited<T>(
    entries: impl DoubleEndedIterator<Item = Result<T, redb::StorageError>>,
    awaited: &Awaited,
) -> impl DoubleEndedIterator<Item = Result<T, redb::Error>> {
    entries.map(|entry| {
        if awaited.is_awaited() {
            Ok(entry?)
        } else {
            Err(io::Error::new(io::ErrorKind::Interrupted, "nobody waits for it any more").into())
        }
    })
}

type Entry = (AccessGuard<'static, i64>, AccessGuard<'static, Stored<'static>>);

fn row((order_id, stored): Entry) -> Result<Row, redb::Error> {
    restore(order_id.value(), stored.value())
}

/// Whether `sort` is the order of the table, and if so whether backwards.
fn by_order_id(sort: &[Sort]) -> Option<bool> {
    match sort.first() {
        None => Some(false),
        Some((SortField::OrderId, descending)) => Some(*descending),
        Some(_) => None,
    }
}

/// Goes `way` along items, that are in ascending order.
fn along<T, E>(
    items: impl DoubleEndedIterator<Item = Result<T, E>>,
    way: Way,
    descending: bool,
) -> Result<Vec<T>, E> {
    let (skip, take) = (usize_of(way.skip), usize_of(way.take));
    // Backwards from the other end is forwards.
    let mut part: Vec<T> = if descending == way.from_end {
        items.skip(skip).take(take).collect::<Result<_, _>>()?
    } else {
        items.rev().skip(skip).take(take).collect::<Result<_, _>>()?
    };
    if way.from_end {
        part.reverse();
    }
    Ok(part)
}

/// Goes `way` along the rows as `sort` orders them; keeps no more of them than the way passes.
fn sorted(
    entries: impl Iterator<Item = Result<Entry, redb::Error>>,
    way: Way,
    sort: &[Sort],
) -> Result<Vec<Row>, redb::Error> {
    let keep = usize_of(way.to_pass());
    let mut first = BinaryHeap::new();
    for entry in entries {
        let candidate = Candidate { row: row(entry?)?, sort, from_end: way.from_end };
        if first.len() < keep {
            first.push(candidate);
        } else if first.peek().is_some_and(|last| candidate < *last) {
            first.pop();
            first.push(candidate);
        }
    }
    let rows = first.into_sorted_vec().into_iter().map(|candidate| candidate.row);
    let mut part: Vec<_> = rows.skip(usize_of(way.skip)).collect();
    if way.from_end {
        part.reverse();
    }
    Ok(part)
}

/// A row that compares as the way goes.
struct Candidate<'a> {
    row: Row,
    sort: &'a [Sort],
    from_end: bool,
}

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let ordering = compare(self.sort, &self.row, &other.row);
        if self.from_end { ordering.reverse() } else { ordering }
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate<'_> {}

fn usize_of(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use platform_resilience::Bulkhead;
    use tokio::{task::yield_now, time::timeout};

    use super::*;

    /// Every part of small collections, both ways, against plain slicing.
    #[test]
    fn the_nearer_end_leads_to_the_same_part() {
        for total in 0..9_u64 {
            for offset in 0..11 {
                for limit in 0..5 {
                    let way = from_nearer_end(offset, limit, total);
                    assert!(way.skip <= total / 2, "{way:?} is the longer way of {total}");
                    let slice = |items: Vec<u64>| -> Vec<u64> {
                        items.into_iter().skip(usize_of(offset)).take(limit as usize).collect()
                    };
                    let items = || (0..total).map(Ok::<_, ()>);
                    assert_eq!(along(items(), way, false), Ok(slice((0..total).collect())));
                    assert_eq!(along(items(), way, true), Ok(slice((0..total).rev().collect())));
                }
            }
        }
    }

    #[tokio::test]
    async fn a_read_ends_when_its_caller_has_gone() {
        let one_at_once = Bulkhead::new(1, 0);
        let endless = one_at_once.run(|awaited| {
            let rows = std::iter::repeat(()).map(Ok);
            while_awaited(rows, awaited).all(|row| row.is_ok())
        });
        assert!(timeout(Duration::ZERO, endless).await.is_err(), "there is no end of it");
        let next = async {
            while one_at_once.run(|_| ()).await.is_err() {
                yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), next).await.expect("its place is free");
    }
}
