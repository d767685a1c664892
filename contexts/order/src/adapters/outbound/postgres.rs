//! Orders in PostgreSQL, with group commit, for many processes.

use async_trait::async_trait;
use contracts::WireClock;
use platform_postgres::{
    Change, Column, Keys, Migration, OpenError, PartError, Postgres, PostgresOutbox, Row, Saved, Settings,
    StoreError, Table, tokio_postgres,
};

use super::{
    columns::{STATUS_WORDS_IN_ORDER, reasons, state_columns, state_of},
    wire,
};
use crate::{
    application::ports::{
        Conflict, Due, OrderStore, PageError, PageQuery, Save, SortField, Turn, Unavailable,
    },
    domain::{Customer, IdempotencyKey, Item, Moment, Order, OrderId, OrderState, Version},
};

const MIGRATIONS: &[Migration] = &[include_str!("../../../migrations/postgres/0001_orders.sql")];

static TABLE: Table = Table {
    name: "orders",
    key: "id",
    version: "version",
    fixed: &[Column::text("item"), Column::text("customer"), Column::number("placed_at")],
    changing: &[
        Column::number("state"),
        Column::text("reason"),
        Column::flag("ordered_said"),
        Column::flag("deferred_said"),
        Column::text("idempotency_key"),
        Column::number("changed_at"),
    ],
    meeting: "idempotency_key, id",
    keys: Keys::Own,
};

/// The kept total of the collection.
const TOTAL: &str = "orders";

/// The kept total of those that are `Pending`.
const PENDING: &str = "pending";

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

/// The store. Clones share it.
#[derive(Clone)]
pub struct PostgresOrders {
    store: Postgres,
    wire_clock: WireClock,
}

impl PostgresOrders {
    /// Brings the database up to date and connects to it.
    pub async fn open(settings: &Settings, wire_clock: WireClock) -> Result<Self, OpenError> {
        let store = Postgres::open(settings, "order", MIGRATIONS, &TABLE).await?;
        Ok(Self { store, wire_clock })
    }

    /// The same for a database that need not be there yet: until it is, everything is answered at once with
    /// [`Unavailable`], and [`Postgres::state`] of [`Self::store`] says why.
    #[must_use]
    pub fn open_later(settings: &Settings, wire_clock: WireClock) -> Self {
        Self { store: Postgres::open_later(settings, "order", MIGRATIONS, &TABLE), wire_clock }
    }

    /// What is below: how the database is, and how much was written.
    #[must_use]
    pub fn store(&self) -> &Postgres {
        &self.store
    }

    /// Whether the database answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.store.is_ready()
    }

    /// What waits to be published.
    #[must_use]
    pub fn outbox(&self) -> PostgresOutbox {
        self.store.outbox()
    }

    /// Whose turn it is to resume orders, of all processes on this database. It is waited for, or had, as long as it
    /// exists.
    #[must_use]
    pub fn turn(&self) -> PostgresTurn {
        PostgresTurn(self.store.turn())
    }

    fn change(&self, change: Save) -> Change {
        let pending_move = pending_move(&change);
        let Save { expected, order, facts, pending_below, revocation, .. } = change;
        let messages = facts.iter().map(|said| wire::message(&order, said, &self.wire_clock)).collect();
        Change {
            expected: expected.map(|version| version.0),
            row: row_of(&order),
            messages,
            counts: [(TOTAL, i64::from(expected.is_none())), (PENDING, pending_move)]
                .into_iter()
                .filter(|(_, n)| *n != 0)
                .collect(),
            below: pending_below.map(|most| (PENDING, most)),
            begin: revocation.map(|revocation| Box::new(move || revocation.begin()) as _),
        }
    }
}

/// The turn of one of many processes; see [`PostgresOrders::turn`].
pub struct PostgresTurn(platform_postgres::Turn);

#[async_trait]
impl Turn for PostgresTurn {
    fn is_shared(&self) -> bool {
        true
    }

    async fn come(&self) {
        self.0.come().await;
    }

    async fn over(&self) {
        self.0.over().await;
    }
}

#[async_trait]
impl OrderStore for PostgresOrders {
    async fn next_id(&self) -> Result<OrderId, Unavailable> {
        Ok(OrderId(self.store.next_id().await?))
    }

    async fn by_id(&self, id: OrderId) -> Result<Option<Order>, Unavailable> {
        let rows = self.store.query(select!("WHERE id = $1"), &[&id.0]).await?;
        rows.first().map(read_order).transpose()
    }

    async fn by_key(&self, key: &IdempotencyKey) -> Result<Option<Order>, Unavailable> {
        let rows = self.store.query(select!("WHERE idempotency_key = $1"), &[&key.as_str()]).await?;
        rows.first().map(read_order).transpose()
    }

    async fn by_ids(&self, ids: &[OrderId]) -> Result<Vec<Order>, Unavailable> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        let rows = self.store.query(select!("WHERE id = ANY($1)"), &[&ids]).await?;
        rows.iter().map(read_order).collect()
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        let changes = changes.into_iter().map(|change| self.change(change)).collect();
        let saved = self.store.save_all(changes).await?;
        let result = |saved| match saved {
            Saved::Yes => Ok(()),
            Saved::Conflict => Err(Conflict),
        };
        Ok(saved.into_iter().map(result).collect())
    }

    fn pending(&self) -> u64 {
        self.store.known_total(PENDING)
    }

    async fn due(&self, due: Due) -> Result<Vec<Order>, Unavailable> {
        let sql = select!("WHERE state = 0 AND (deferred_said OR placed_at < $1) ORDER BY id LIMIT $2");
        let rows = self.store.query(sql, &[&due.placed_before.0, &i64::from(due.limit)]).await?;
        rows.iter().map(read_order).collect()
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Order>, u64), PageError> {
        let sql = format!("{} ORDER BY {} LIMIT $1 OFFSET $2", select!(""), order_by(&query.sort));
        let (limit, offset) = (i64::from(query.limit), i64::try_from(query.offset).unwrap_or(i64::MAX));
        let rows = self.store.query_part(&sql, &[&limit, &offset], passes(&query)).await?;
        let orders = rows.iter().map(read_order).collect::<Result<_, _>>()?;
        Ok((orders, self.store.total(TOTAL).await?))
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Order>, Unavailable> {
        let sql = select!("WHERE id > $1 ORDER BY id LIMIT $2");
        let rows = self.store.query(sql, &[&after.0, &i64::from(limit)]).await?;
        rows.iter().map(read_order).collect()
    }
}

/// By how much the number of pending orders changes.
fn pending_move(change: &Save) -> i64 {
    i64::from(change.order.state == OrderState::Pending) - i64::from(change.was_pending)
}

/// The columns as [`TABLE`] names them.
fn row_of(order: &Order) -> Row {
    let (state, reason) = state_columns(&order.state);
    let key = order.idempotency_key.as_ref().map(IdempotencyKey::as_str);
    Row {
        key: order.id.0,
        version: order.version.0,
        fixed: vec![
            order.item.as_str().into(),
            order.customer.as_ref().map(Customer::as_str).into(),
            order.placed_at.0.into(),
        ],
        changing: vec![
            state.into(),
            reason.into(),
            order.ordered_said.into(),
            order.deferred_said.into(),
            key.into(),
            order.changed_at.0.into(),
        ],
    }
}

fn read_order(row: &tokio_postgres::Row) -> Result<Order, Unavailable> {
    let read = || {
        let (state, item): (i16, &str) = (row.try_get(3)?, row.try_get(1)?);
        let (state, item) = (state_of(state.into(), row.try_get(4)?), Item::parse(item));
        let (Some(state), Some(item)) = (state, item) else { return Ok(None) };
        Ok::<_, tokio_postgres::Error>(Some(Order {
            id: OrderId(row.try_get(0)?),
            item,
            customer: row.try_get::<_, Option<&str>>(2)?.and_then(Customer::parse),
            state,
            ordered_said: row.try_get(5)?,
            deferred_said: row.try_get(6)?,
            idempotency_key: row.try_get::<_, Option<&str>>(7)?.and_then(IdempotencyKey::parse),
            version: Version(row.try_get(8)?),
            placed_at: Moment(row.try_get(9)?),
            changed_at: Moment(row.try_get(10)?),
        }))
    };
    let order = read().map_err(StoreError::from)?;
    order.ok_or_else(|| {
        Unavailable::Away("an order in the database is none that this program knows".to_owned())
    })
}

fn order_by(sort: &[(SortField, bool)]) -> String {
    let reasons = reasons();
    let mut terms: Vec<_> = sort
        .iter()
        .map(|(field, descending)| {
            let column = match field {
                // Without a word about NULL, which its index does not know.
                SortField::Id => return format!("id {}", if *descending { "DESC" } else { "ASC" }),
                SortField::Item => "item",
                SortField::Status => STATUS_WORDS_IN_ORDER,
                SortField::Customer => "customer",
                SortField::Reason => &reasons,
                SortField::PlacedAt => "placed_at",
                SortField::ChangedAt => "changed_at",
            };
            format!("{column} {}", if *descending { "DESC NULLS LAST" } else { "ASC NULLS FIRST" })
        })
        .collect();
    // The id decides alone; after others it makes the order of equals repeatable.
    if !sort.iter().any(|(field, _)| *field == SortField::Id) {
        terms.push("id ASC".to_owned());
    }
    terms.join(", ")
}

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away(reason) => Self::Away(reason),
            StoreError::InDoubt(reason) => Self::InDoubt(reason),
        }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// How many rows are passed over: sorted by an index those before the end of the part, else all of them.
fn passes(query: &PageQuery) -> u64 {
    match query.sort.first() {
        None | Some((SortField::Id, _)) => query.offset.saturating_add(u64::from(query.limit)),
        Some(_) => u64::MAX,
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
