//! Orders in a SQLite file, with group commit.

mod pages;

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
    Migration, OpenError, PartError, Sqlite, SqliteOutbox, StorageError, Tx,
    rusqlite::{self, Connection, OptionalExtension as _, Row},
};

use super::{
    columns::{state_columns, state_of},
    wire,
};
use crate::{
    application::ports::{Conflict, Due, OrderStore, PageError, PageQuery, Revocation, Save, Unavailable},
    domain::{Customer, IdempotencyKey, Item, Moment, Order, OrderId, OrderState, Version},
};

const MIGRATIONS: &[Migration] = &[include_str!("../../../migrations/sqlite/0001_orders.sql")];

/// The kept total of the collection.
const TOTAL: &str = "orders";

/// `SELECT` of what [`read_order`] expects.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, item, customer, state, reason, ordered_said, deferred_said, idempotency_key, version, \
             placed_at, changed_at FROM orders ",
            $rest
        )
    };
}

/// The collection, not sorted.
const COLLECTION: &str = select!("");

/// The store. Clones share it.
#[derive(Clone)]
pub struct SqliteOrders {
    store: Sqlite,
    next_id: Arc<AtomicI64>,
    pending: Arc<AtomicI64>,
    wire_clock: WireClock,
}

impl SqliteOrders {
    /// Opens or creates the file.
    pub fn open(path: &Path, wire_clock: WireClock) -> Result<Self, OpenError> {
        let store = Sqlite::open(path, "order", MIGRATIONS)?;
        let read = |sql| store.read(|c| c.query_row(sql, [], |row| row.get::<_, i64>(0)));
        let damaged =
            |error: StorageError| OpenError::Damaged { path: path.to_owned(), reason: error.to_string() };
        let next_id = read("SELECT coalesce(max(id), 0) + 1 FROM orders").map_err(damaged)?;
        let pending = read("SELECT count(*) FROM orders WHERE state = 0").map_err(damaged)?;
        Ok(Self {
            store,
            next_id: Arc::new(AtomicI64::new(next_id)),
            pending: Arc::new(AtomicI64::new(pending)),
            wire_clock,
        })
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
}

#[async_trait]
impl OrderStore for SqliteOrders {
    async fn next_id(&self) -> Result<OrderId, Unavailable> {
        Ok(OrderId(self.next_id.fetch_add(1, Ordering::Relaxed)))
    }

    async fn by_id(&self, id: OrderId) -> Result<Option<Order>, Unavailable> {
        let sql = select!("WHERE id = ?1");
        Ok(self.store.read(|c| c.prepare_cached(sql)?.query_row([id.0], read_order).optional())?)
    }

    async fn by_key(&self, key: &IdempotencyKey) -> Result<Option<Order>, Unavailable> {
        let sql = select!("WHERE idempotency_key = ?1");
        Ok(self.store.read(|c| c.prepare_cached(sql)?.query_row([key.as_str()], read_order).optional())?)
    }

    async fn by_ids(&self, ids: &[OrderId]) -> Result<Vec<Order>, Unavailable> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached(select!("WHERE id = ?1"))?;
            ids.iter()
                .filter_map(|id| statement.query_row([id.0], read_order).optional().transpose())
                .collect()
        };
        Ok(self.store.read(read)?)
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        let redoable = !changes.is_empty() && changes.iter().all(|change| change.redoable);
        // Encoded here, on the caller's thread: the writer's time is what everybody waits for.
        let changes: Vec<_> = changes
            .into_iter()
            .map(|change| {
                let messages =
                    change.facts.iter().map(|said| wire::message(&change.order, said, &self.wire_clock));
                Encoded {
                    messages: messages.collect(),
                    pending_move: pending_move(&change),
                    pending_below: change.pending_below,
                    expected: change.expected,
                    order: change.order,
                    revocation: change.revocation,
                }
            })
            .collect();
        let pending = Arc::clone(&self.pending);
        let write = move |tx: &Tx<'_>| {
            let save = |change: &Encoded| {
                // By the writer, which alone knows those before this one that are not committed yet.
                let full = |most| tx.number(&pending) >= i64::try_from(most).unwrap_or(i64::MAX);
                if change.pending_below.is_some_and(full) {
                    return Ok(Err(Conflict));
                }
                let saved = save(tx, change)?;
                if saved.is_ok() {
                    // By the writer, with the commit: a caller may have given up by then.
                    tx.add_when_committed(&pending, change.pending_move);
                }
                Ok(saved)
            };
            changes.iter().map(save).collect()
        };
        if redoable {
            return Ok(self.store.write_redoable(write).await?);
        }
        Ok(self.store.write(write).await?)
    }

    fn pending(&self) -> u64 {
        u64::try_from(self.pending.load(Ordering::Relaxed)).unwrap_or(0)
    }

    async fn due(&self, due: Due) -> Result<Vec<Order>, Unavailable> {
        let sql = select!("WHERE state = 0 AND (deferred_said = 1 OR placed_at < ?1) ORDER BY id LIMIT ?2");
        let read = move |c: &Connection| {
            c.prepare_cached(sql)?.query_map((due.placed_before.0, due.limit), read_order)?.collect()
        };
        Ok(self.store.scan(read).await?)
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Order>, u64), PageError> {
        Ok(self.store.part(pages::part(&query), read_order).await?)
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Order>, Unavailable> {
        let sql = select!("WHERE id > ?1 ORDER BY id LIMIT ?2");
        let read =
            move |c: &Connection| c.prepare_cached(sql)?.query_map((after.0, limit), read_order)?.collect();
        Ok(self.store.scan(read).await?)
    }
}

/// By how much the number of pending orders changes.
fn pending_move(change: &Save) -> i64 {
    i64::from(change.order.state == OrderState::Pending) - i64::from(change.was_pending)
}

/// A change as the writer takes it.
struct Encoded {
    expected: Option<Version>,
    order: Order,
    messages: Vec<OutboxMessage>,
    pending_move: i64,
    pending_below: Option<u64>,
    revocation: Option<Revocation>,
}

/// The row first, and only where it was as expected; what it says only then.
fn save(tx: &Tx<'_>, change: &Encoded) -> rusqlite::Result<Result<(), Conflict>> {
    if change.revocation.as_ref().is_some_and(|revocation| !revocation.begin()) {
        return Ok(Err(Conflict));
    }
    let changed = match change.expected {
        None => insert(tx, &change.order)?,
        Some(expected) => update(tx, expected, &change.order)?,
    };
    if changed == 0 {
        return Ok(Err(Conflict));
    }
    change.messages.iter().for_each(|message| tx.say(message));
    Ok(Ok(()))
}

fn insert(tx: &Tx<'_>, order: &Order) -> rusqlite::Result<usize> {
    let (state, reason) = state_columns(&order.state);
    let inserted = tx
        .prepare(
            "INSERT INTO orders (id, item, customer, state, reason, ordered_said, deferred_said, idempotency_key,
                                 version, placed_at, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        )?
        .execute((
            order.id.0,
            order.item.as_str(),
            order.customer.as_ref().map(Customer::as_str),
            state,
            reason,
            order.ordered_said,
            order.deferred_said,
            order.idempotency_key.as_ref().map(IdempotencyKey::as_str),
            order.version.0,
            order.placed_at.0,
            order.changed_at.0,
        ))?;
    tx.count(TOTAL, i64::from(inserted == 1));
    Ok(inserted)
}

fn update(tx: &Tx<'_>, expected: Version, order: &Order) -> rusqlite::Result<usize> {
    let (state, reason) = state_columns(&order.state);
    tx.prepare(
        "UPDATE orders SET state = ?3, reason = ?4, ordered_said = ?5, deferred_said = ?6, idempotency_key = ?7,
                           version = ?8, changed_at = ?9
         WHERE id = ?1 AND version = ?2",
    )?
    .execute((
        order.id.0,
        expected.0,
        state,
        reason,
        order.ordered_said,
        order.deferred_said,
        order.idempotency_key.as_ref().map(IdempotencyKey::as_str),
        order.version.0,
        order.changed_at.0,
    ))
}

fn read_order(row: &Row<'_>) -> rusqlite::Result<Order> {
    let number = row.get(3)?;
    let state = state_of(number, row.get(4)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(3, number))?;
    let item = Item::parse(row.get_ref(1)?.as_str()?).ok_or(rusqlite::Error::InvalidQuery)?;
    Ok(Order {
        id: OrderId(row.get(0)?),
        item,
        customer: row.get_ref(2)?.as_str_or_null()?.and_then(Customer::parse),
        state,
        ordered_said: row.get(5)?,
        deferred_said: row.get(6)?,
        idempotency_key: row.get_ref(7)?.as_str_or_null()?.and_then(IdempotencyKey::parse),
        version: Version(row.get(8)?),
        placed_at: Moment(row.get(9)?),
        changed_at: Moment(row.get(10)?),
    })
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
