//! Rents in a SQLite file, with group commit.

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
    columns::{state_columns, state_of},
    wire,
};
use crate::{
    application::ports::{Conflict, PageError, PageQuery, RentStore, Save, SortField, Unavailable},
    domain::{Customer, Moment, OrderId, Rent, RentId, Version},
};

const MIGRATIONS: &[Migration] = &[include_str!("../../../migrations/sqlite/0001_rents.sql")];

/// The kept total of the collection.
const TOTAL: &str = "rents";

/// `SELECT` of what [`read_rent`] expects.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, order_id, customer, state, reason, version, created_at, changed_at FROM rents ",
            $rest
        )
    };
}

/// The store. Clones share it.
#[derive(Clone)]
pub struct SqliteRents {
    store: Sqlite,
    next_id: Arc<AtomicI64>,
    wire_clock: WireClock,
}

impl SqliteRents {
    /// Opens or creates the file.
    pub fn open(path: &Path, wire_clock: WireClock) -> Result<Self, OpenError> {
        let store = Sqlite::open(path, "rent", MIGRATIONS)?;
        let next_id: i64 = store
            .read(|c| c.query_row("SELECT coalesce(max(id), 0) + 1 FROM rents", [], |row| row.get(0)))
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

    fn one(&self, sql: &str, key: i64) -> Result<Option<Rent>, Unavailable> {
        Ok(self.store.read(|c| c.prepare_cached(sql)?.query_row([key], read_rent).optional())?)
    }
}

#[async_trait]
impl RentStore for SqliteRents {
    async fn next_id(&self) -> Result<RentId, Unavailable> {
        Ok(RentId(self.next_id.fetch_add(1, Ordering::Relaxed)))
    }

    async fn by_id(&self, id: RentId) -> Result<Option<Rent>, Unavailable> {
        self.one(
            "SELECT id, order_id, customer, state, reason, version, created_at, changed_at
             FROM rents WHERE id = ?1",
            id.0,
        )
    }

    async fn by_order(&self, order_id: OrderId) -> Result<Option<Rent>, Unavailable> {
        self.one(BY_ORDER, order_id.0)
    }

    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Rent>, Unavailable> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached(BY_ORDER)?;
            let found = orders
                .iter()
                .filter_map(|order| statement.query_row([order.0], read_rent).optional().transpose());
            found.collect()
        };
        Ok(self.store.read(read)?)
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        // Encoded here, on the caller's thread: the writer's time is what everybody waits for.
        let changes: Vec<_> = changes
            .into_iter()
            .map(|change| {
                let messages =
                    change.facts.iter().map(|said| wire::message(&change.rent, said, &self.wire_clock));
                (change.expected, messages.collect::<Vec<_>>(), change.rent)
            })
            .collect();
        let write = move |tx: &Tx<'_>| {
            changes.iter().map(|(expected, messages, rent)| save(tx, *expected, rent, messages)).collect()
        };
        Ok(self.store.write(write).await?)
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Rent>, u64), PageError> {
        Ok(self.store.part(part(&query), read_rent).await?)
    }

    async fn scan(&self, after: RentId, limit: u32) -> Result<Vec<Rent>, Unavailable> {
        let sql = select!("WHERE id > ?1 ORDER BY id LIMIT ?2");
        let read =
            move |c: &Connection| c.prepare_cached(sql)?.query_map((after.0, limit), read_rent)?.collect();
        Ok(self.store.scan(read).await?)
    }
}

const BY_ORDER: &str = select!("WHERE order_id = ?1");

/// The row first, and only where it was as expected; what it says only then.
fn save(
    tx: &Tx<'_>,
    expected: Option<Version>,
    rent: &Rent,
    messages: &[OutboxMessage],
) -> rusqlite::Result<Result<(), Conflict>> {
    let changed = match expected {
        None => insert(tx, rent)?,
        Some(expected) => update(tx, expected, rent)?,
    };
    if changed == 0 {
        return Ok(Err(Conflict));
    }
    messages.iter().for_each(|message| tx.say(message));
    Ok(Ok(()))
}

fn insert(tx: &Tx<'_>, rent: &Rent) -> rusqlite::Result<usize> {
    let (state, reason) = state_columns(&rent.state);
    let inserted = tx
        .prepare(
            "INSERT INTO rents (id, order_id, customer, state, reason, version, created_at, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        )?
        .execute((
            rent.id.0,
            rent.order_id.0,
            rent.customer.as_ref().map(Customer::as_str),
            state,
            reason,
            rent.version.0,
            rent.created_at.0,
            rent.changed_at.0,
        ))?;
    tx.count(TOTAL, i64::from(inserted == 1));
    Ok(inserted)
}

fn update(tx: &Tx<'_>, expected: Version, rent: &Rent) -> rusqlite::Result<usize> {
    let (state, reason) = state_columns(&rent.state);
    tx.prepare(
        "UPDATE rents SET state = ?3, reason = ?4, version = ?5, changed_at = ?6 WHERE id = ?1 AND version = ?2",
    )?
    .execute((rent.id.0, expected.0, state, reason, rent.version.0, rent.changed_at.0))
}

fn read_rent(row: &Row<'_>) -> rusqlite::Result<Rent> {
    let number = row.get(3)?;
    let state = state_of(number, row.get(4)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(3, number))?;
    Ok(Rent {
        id: RentId(row.get(0)?),
        order_id: OrderId(row.get(1)?),
        customer: row.get_ref(2)?.as_str_or_null()?.and_then(Customer::parse),
        state,
        version: Version(row.get(5)?),
        created_at: Moment(row.get(6)?),
        changed_at: Moment(row.get(7)?),
    })
}

fn part(query: &PageQuery) -> Part {
    Part {
        select: select!(""),
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
        // The words sort as `Rent` before `Rent Canceled`.
        SortField::Status => "state > 1",
        SortField::Customer => "customer",
        SortField::Reason => "reason",
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
        let path = folder.path().join("rent.db");
        let store = SqliteRents::open(&path, WireClock::default()).expect("it opens");
        let plans = |sort: &[(SortField, bool)]| {
            let query = PageQuery { offset: 0, limit: 20, sort: sort.to_vec() };
            store.store.read(|c| part(&query).plans(c)).expect("plans")
        };
        let by_index = [
            (vec![], "SCAN rents"),
            (vec![(SortField::Id, true)], "SCAN rents"),
            (vec![(SortField::OrderId, false)], "INDEX sqlite_autoindex_rents_1"),
            (vec![(SortField::OrderId, true)], "INDEX sqlite_autoindex_rents_1"),
            (
                vec![(SortField::OrderId, true), (SortField::Customer, false)],
                "INDEX sqlite_autoindex_rents_1",
            ),
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
