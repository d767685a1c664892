//! Deliveries in a SQLite file, with group commit.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use contracts::WireClock;
use platform_outbox::OutboxMessage;
use platform_storage::{
    Migration, OpenError, Part, PartError, Sqlite, SqliteOutbox, StorageError, Term, Tx,
    rusqlite::{self, Connection, OptionalExtension as _, Row},
};

use super::{
    columns::{STATUS_WORDS_IN_ORDER, state_column, state_of},
    wire,
};
use crate::{
    application::ports::{Conflict, DeliveryStore, PageError, PageQuery, Save, SortField, Unavailable},
    domain::{Customer, Delivery, DeliveryId, Moment, OrderId, Version},
};

const MIGRATIONS: &[Migration] = &[include_str!("../../../migrations/sqlite/0001_deliveries.sql")];

/// The kept total of the collection: what is shown.
const TOTAL: &str = "deliveries";

/// `SELECT` of what [`read_delivery`] expects.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT order_id, id, customer, state, version, created_at, changed_at FROM deliveries ",
            $rest
        )
    };
}

/// The store. Clones share it.
#[derive(Clone)]
pub struct SqliteDeliveries {
    store: Sqlite,
    next_id: Arc<AtomicI64>,
    wire_clock: WireClock,
}

impl SqliteDeliveries {
    /// Opens or creates the file.
    pub fn open(path: &Path, wire_clock: WireClock) -> Result<Self, OpenError> {
        let store = Sqlite::open(path, "delivery", MIGRATIONS)?;
        let next_id: i64 = store
            .read(|c| c.query_row("SELECT coalesce(max(id), 0) + 1 FROM deliveries", [], |row| row.get(0)))
            .map_err(|error| OpenError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { store, next_id: Arc::new(AtomicI64::new(next_id)), wire_clock })
    }

    /// Whether the file can be read and written.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.store.is_ready()
    }

    /// How many transactions this process has begun, and how many writes were committed in them.
    #[must_use]
    pub fn commits(&self) -> (u64, u64) {
        self.store.commits()
    }

    /// What waits to be published.
    #[must_use]
    pub fn outbox(&self) -> SqliteOutbox {
        self.store.outbox()
    }

    fn one(&self, sql: &str, key: i64) -> Result<Option<Delivery>, Unavailable> {
        Ok(self.store.read(|c| c.prepare_cached(sql)?.query_row([key], read_delivery).optional())?)
    }
}

#[async_trait]
impl DeliveryStore for SqliteDeliveries {
    async fn next_id(&self) -> Result<DeliveryId, Unavailable> {
        Ok(DeliveryId(self.next_id.fetch_add(1, Ordering::Relaxed)))
    }

    async fn by_id(&self, id: DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.one(select!("WHERE id = ?1"), id.0)
    }

    async fn by_order(&self, order_id: OrderId) -> Result<Option<Delivery>, Unavailable> {
        self.one(BY_ORDER, order_id.0)
    }

    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Delivery>, Unavailable> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached(BY_ORDER)?;
            let found = orders
                .iter()
                .filter_map(|order| statement.query_row([order.0], read_delivery).optional().transpose());
            found.collect()
        };
        Ok(self.store.read(read)?)
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        // Encoded here, on the caller's thread: the writer's time is what everybody waits for.
        let changes: Vec<_> = changes
            .into_iter()
            .map(|change| {
                let encode = |said| wire::message(&change.delivery, said, &self.wire_clock);
                let messages: Vec<_> = change.facts.iter().map(encode).collect();
                (change, messages)
            })
            .collect();
        let write =
            move |tx: &Tx<'_>| changes.iter().map(|(change, messages)| save(tx, change, messages)).collect();
        Ok(self.store.write(write).await?)
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Delivery>, u64), PageError> {
        Ok(self.store.part(part(&query), read_delivery).await?)
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Delivery>, Unavailable> {
        let read = move |c: &Connection| {
            c.prepare_cached(select!("WHERE order_id > ?1 ORDER BY order_id LIMIT ?2"))?
                .query_map((after.0, limit), read_delivery)?
                .collect()
        };
        Ok(self.store.scan(read).await?)
    }
}

const BY_ORDER: &str = select!("WHERE order_id = ?1");

/// The row first, and only where it was as expected; what it says only then.
fn save(tx: &Tx<'_>, change: &Save, messages: &[OutboxMessage]) -> rusqlite::Result<Result<(), Conflict>> {
    let changed = match change.expected {
        None => insert(tx, &change.delivery)?,
        Some(expected) => update(tx, expected, &change.delivery)?,
    };
    if changed == 0 {
        return Ok(Err(Conflict));
    }
    tx.count(TOTAL, i64::from(change.delivery.state.is_shown()) - i64::from(change.was_shown));
    messages.iter().for_each(|message| tx.say(message));
    Ok(Ok(()))
}

fn insert(tx: &Tx<'_>, delivery: &Delivery) -> rusqlite::Result<usize> {
    tx.prepare(
        "INSERT INTO deliveries (order_id, id, customer, state, version, created_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?
    .execute((
        delivery.order_id.0,
        delivery.id.map(|id| id.0),
        delivery.customer.as_ref().map(Customer::as_str),
        state_column(delivery.state),
        delivery.version.0,
        delivery.created_at.0,
        delivery.changed_at.0,
    ))
}

fn update(tx: &Tx<'_>, expected: Version, delivery: &Delivery) -> rusqlite::Result<usize> {
    tx.prepare(
        "UPDATE deliveries
         SET id = ?3, customer = ?4, state = ?5, version = ?6, created_at = ?7, changed_at = ?8
         WHERE order_id = ?1 AND version = ?2",
    )?
    .execute((
        delivery.order_id.0,
        expected.0,
        delivery.id.map(|id| id.0),
        delivery.customer.as_ref().map(Customer::as_str),
        state_column(delivery.state),
        delivery.version.0,
        delivery.created_at.0,
        delivery.changed_at.0,
    ))
}

fn read_delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let number = row.get(3)?;
    let state = state_of(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(3, number))?;
    Ok(Delivery {
        order_id: OrderId(row.get(0)?),
        id: row.get::<_, Option<i64>>(1)?.map(DeliveryId),
        customer: row.get_ref(2)?.as_str_or_null()?.and_then(Customer::parse),
        state,
        version: Version(row.get(4)?),
        created_at: Moment(row.get(5)?),
        changed_at: Moment(row.get(6)?),
    })
}

/// The condition is that of the partial indexes, word by word: only so they are taken.
const SHOWN: &str = select!("WHERE state BETWEEN 1 AND 4");

fn part(query: &PageQuery) -> Part {
    Part {
        select: SHOWN,
        total: TOTAL,
        sort: terms(&query.sort),
        indexed: query.sort.first().is_none_or(|(field, _)| decides_alone(*field)),
        offset: query.offset,
        limit: query.limit,
    }
}

/// What tells any two rows apart has an index, too.
fn decides_alone(field: SortField) -> bool {
    matches!(field, SortField::Id | SortField::OrderId)
}

/// Up to the field that decides alone; after others, the id makes the order of equals repeatable.
fn terms(sort: &[(SortField, bool)]) -> Vec<Term> {
    let mut terms = Vec::new();
    for &(field, descending) in sort {
        terms.push(Term { column: column(field).into(), descending });
        if decides_alone(field) {
            return terms;
        }
    }
    terms.push(Term { column: "id".into(), descending: false });
    terms
}

fn column(field: SortField) -> &'static str {
    match field {
        SortField::Id => "id",
        SortField::OrderId => "order_id",
        SortField::Status => STATUS_WORDS_IN_ORDER,
        SortField::Customer => "customer",
        SortField::CreatedAt => "created_at",
        SortField::ChangedAt => "changed_at",
    }
}

impl From<StorageError> for Unavailable {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Away(reason) => Self::Away(reason),
            StorageError::Damaged(_) => Self::Away(error.to_string()),
            StorageError::InDoubt(reason) => Self::InDoubt(reason),
        }
    }
}

impl From<PartError> for PageError {
    fn from(error: PartError) -> Self {
        match error {
            PartError::TooMany => Self::TooMany,
            PartError::Unavailable(error) => Self::Unavailable(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_by_id_or_order_id_reads_only_what_it_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("delivery.db");
        let store = SqliteDeliveries::open(&path, WireClock::default()).expect("it opens");
        let plans = |sort: &[(SortField, bool)]| {
            let query = PageQuery { offset: 0, limit: 20, sort: sort.to_vec() };
            store.store.read(|c| part(&query).plans(c)).expect("plans")
        };
        let by_index = [
            (vec![], "INDEX shown_by_id"),
            (vec![(SortField::Id, true)], "INDEX shown_by_id"),
            (vec![(SortField::OrderId, false)], "INDEX shown_by_order_id"),
            (vec![(SortField::OrderId, true)], "INDEX shown_by_order_id"),
            (vec![(SortField::OrderId, true), (SortField::Customer, false)], "INDEX shown_by_order_id"),
        ];
        for (sort, index) in by_index {
            for plan in plans(&sort) {
                assert!(plan.contains(index), "{sort:?}: {plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{sort:?} is sorted first: {plan}");
            }
        }
        let sorted = plans(&[(SortField::Customer, false)]);
        assert!(sorted.iter().all(|plan| plan.contains("TEMP B-TREE")), "the test can fail: {sorted:?}");
    }
}
