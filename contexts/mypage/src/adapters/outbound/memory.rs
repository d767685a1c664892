//! The view in memory: the fake for tests, held to the same [`crate::contract`] as the real one.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    projection::{OrderFact, Row},
    query::{Page, PageError, PageQuery, Rebuild, Unavailable, View, compare},
};

/// A view that forgets everything when it is dropped. Clones share their rows.
#[derive(Clone, Default)]
pub struct MemoryView(Arc<Mutex<State>>);

type Rows = BTreeMap<i64, Row>;

#[derive(Default)]
struct State {
    rows: Rows,
    complete: bool,
    rebuilding: Option<Rows>,
    away: bool,
}

impl MemoryView {
    /// From now on the view is away, or back.
    pub fn set_away(&self, away: bool) {
        self.0.lock().away = away;
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> Result<T, Unavailable> {
        let mut state = self.0.lock();
        if state.away { Err(Unavailable("the view is away".to_owned())) } else { Ok(act(&mut state)) }
    }
}

#[async_trait]
impl View for MemoryView {
    async fn apply(&self, facts: Vec<OrderFact>) -> Result<(), Unavailable> {
        self.with(|state| {
            if let Some(rebuilding) = &mut state.rebuilding {
                learn_all(rebuilding, facts.clone());
            }
            learn_all(&mut state.rows, facts);
        })
    }

    async fn settle(&self) -> Result<(), Unavailable> {
        self.with(|_| ())
    }

    async fn get(&self, order_id: i64) -> Result<Option<Row>, Unavailable> {
        self.with(|state| state.rows.get(&order_id).cloned())
    }

    async fn page(&self, query: PageQuery) -> Result<Page, PageError> {
        Ok(self.with(|state| {
            let mut rows: Vec<_> = state.rows.values().collect();
            rows.sort_by(|a, b| compare(&query.sort, a, b));
            part(&rows, query.offset, query.limit)
        })?)
    }

    async fn find_by_customer(&self, customer: &str, offset: u64, limit: u32) -> Result<Page, PageError> {
        Ok(self.with(|state| {
            let of_customer = |row: &&Row| row.customer() == Some(customer);
            let rows: Vec<_> = state.rows.values().rev().filter(of_customer).collect();
            part(&rows, offset, limit)
        })?)
    }

    async fn scan(&self, after_order_id: Option<i64>, limit: u32) -> Result<Vec<Row>, Unavailable> {
        let is_after = |row: &&Row| after_order_id.is_none_or(|after| row.order_id() > after);
        self.with(|state| state.rows.values().filter(is_after).take(limit as usize).cloned().collect())
    }

    async fn total(&self) -> Result<u64, Unavailable> {
        self.with(|state| state.rows.len() as u64)
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.with(|_| ())
    }

    async fn is_complete(&self) -> Result<bool, Unavailable> {
        self.with(|state| state.complete)
    }

    async fn mark_complete(&self) -> Result<(), Unavailable> {
        self.with(|state| state.complete = true)
    }

    async fn begin_rebuild(&self) -> Result<Box<dyn Rebuild>, Unavailable> {
        self.with(|state| {
            if state.rebuilding.is_some() {
                return Err(Unavailable("a rebuild is already under way".to_owned()));
            }
            state.rebuilding = Some(Rows::new());
            Ok(Box::new(MemoryRebuild(self.clone())) as Box<dyn Rebuild>)
        })?
    }
}

struct MemoryRebuild(MemoryView);

#[async_trait]
impl Rebuild for MemoryRebuild {
    async fn apply(&mut self, facts: Vec<OrderFact>) -> Result<(), Unavailable> {
        self.0.with(|state| learn_all(state.rebuilding.get_or_insert_default(), facts))
    }

    async fn finish(self: Box<Self>) -> Result<(), Unavailable> {
        self.0.with(|state| {
            state.rows = state.rebuilding.take().unwrap_or_default();
            state.complete = true;
        })
    }
}

impl Drop for MemoryRebuild {
    fn drop(&mut self) {
        self.0.0.lock().rebuilding = None;
    }
}

fn learn_all(rows: &mut Rows, facts: Vec<OrderFact>) {
    for fact in facts {
        match rows.get_mut(&fact.order_id) {
            Some(row) => {
                row.learn(fact);
            }
            None => {
                rows.insert(fact.order_id, Row::begin(fact));
            }
        }
    }
}

fn part(rows: &[&Row], offset: u64, limit: u32) -> Page {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let some = rows.iter().skip(offset).take(limit as usize).map(|row| (*row).clone()).collect();
    (some, rows.len() as u64)
}
