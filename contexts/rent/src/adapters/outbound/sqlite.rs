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
    Durability, Migration, OpenError, Sqlite, SqliteOutbox, StorageError, Tx,
    rusqlite::{self, Connection, OptionalExtension as _, Row},
};

use super::{
    columns::{state_columns, state_of},
    wire,
};
use crate::{
    application::ports::{Conflict, PageQuery, RentStore, Save, SortField, Unavailable},
    domain::{Customer, Moment, OrderId, Rent, RentId, Version},
};

const MIGRATIONS: &[Migration] = &[include_str!("../../../migrations/sqlite/0001_rents.sql")];

/// The kept total of the collection.
const TOTAL: &str = "rents";

/// What [`read_rent`] expects.
const COLUMNS: &str = "id, order_id, customer, state, reason, version, created_at, changed_at";

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
        let store = Sqlite::open(path, "rent", MIGRATIONS, Durability::Full)?;
        let next_id: i64 = store
            .read(|c| c.query_row("SELECT coalesce(max(id), 0) + 1 FROM rents", [], |row| row.get(0)))
            .map_err(|error| OpenError::Damaged { path: path.to_owned(), reason: error.0 })?;
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

    async fn page(&self, query: PageQuery) -> Result<(Vec<Rent>, u64), Unavailable> {
        let total = self.store.total(TOTAL)?;
        let sql =
            format!("SELECT {COLUMNS} FROM rents ORDER BY {} LIMIT ?1 OFFSET ?2", order_by(&query.sort));
        let (limit, offset) = (query.limit, i64::try_from(query.offset).unwrap_or(i64::MAX));
        let read = move |c: &Connection| c.prepare(&sql)?.query_map((limit, offset), read_rent)?.collect();
        Ok((self.store.scan(read).await?, total))
    }

    async fn scan(&self, after: RentId, limit: u32) -> Result<Vec<Rent>, Unavailable> {
        let sql = format!("SELECT {COLUMNS} FROM rents WHERE id > ?1 ORDER BY id LIMIT ?2");
        let read =
            move |c: &Connection| c.prepare_cached(&sql)?.query_map((after.0, limit), read_rent)?.collect();
        Ok(self.store.scan(read).await?)
    }
}

const BY_ORDER: &str = "SELECT id, order_id, customer, state, reason, version, created_at, changed_at
                        FROM rents WHERE order_id = ?1";

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
    messages.iter().try_for_each(|message| tx.say(message))?;
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

fn order_by(sort: &[(SortField, bool)]) -> String {
    let mut terms: Vec<_> = sort
        .iter()
        .map(|(field, descending)| {
            let column = match field {
                SortField::Id => "id",
                SortField::OrderId => "order_id",
                // The words sort as `Rent` before `Rent Canceled`.
                SortField::Status => "state > 1",
                SortField::Customer => "customer",
                SortField::Reason => "reason",
                SortField::CreatedAt => "created_at",
                SortField::ChangedAt => "changed_at",
            };
            format!("{column} {}", if *descending { "DESC" } else { "ASC" })
        })
        .collect();
    // Unique columns decide alone; after others the id makes the order of equals repeatable.
    if !sort.iter().any(|(field, _)| matches!(field, SortField::Id | SortField::OrderId)) {
        terms.push("id ASC".to_owned());
    }
    terms.join(", ")
}

impl From<StorageError> for Unavailable {
    fn from(error: StorageError) -> Self {
        Self(error.0)
    }
}
