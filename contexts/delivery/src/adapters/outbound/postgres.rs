//! Deliveries in PostgreSQL, with group commit, for many processes.

use async_trait::async_trait;
use contracts::WireClock;
use platform_postgres::{
    Change, Column, Keys, Migration, OpenError, PartError, Postgres, PostgresOutbox, Row, Saved, Settings,
    StoreError, Table, tokio_postgres,
};

use super::{
    columns::{STATUS_WORDS_IN_ORDER, state_column, state_of},
    wire,
};
use crate::{
    application::ports::{Conflict, DeliveryStore, PageError, PageQuery, Save, SortField, Unavailable},
    domain::{Customer, Delivery, DeliveryId, Moment, OrderId, Version},
};

const MIGRATIONS: &[Migration] = &[include_str!("../../../migrations/postgres/0001_deliveries.sql")];

static TABLE: Table = Table {
    name: "deliveries",
    key: "order_id",
    version: "version",
    fixed: &[],
    changing: &[
        Column::number("id"),
        Column::text("customer"),
        Column::number("state"),
        Column::number("created_at"),
        Column::number("changed_at"),
    ],
    meeting: "order_id",
    // Whichever replica consumes an event of an order first begins its delivery.
    keys: Keys::Shared,
};

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
pub struct PostgresDeliveries {
    store: Postgres,
    wire_clock: WireClock,
}

impl PostgresDeliveries {
    /// Brings the database up to date and connects to it.
    pub async fn open(settings: &Settings, wire_clock: WireClock) -> Result<Self, OpenError> {
        let store = Postgres::open(settings, "delivery", MIGRATIONS, &TABLE).await?;
        Ok(Self { store, wire_clock })
    }

    /// The same for a database that need not be there yet: until it is, everything is answered at once with
    /// [`Unavailable`], and [`Postgres::state`] of [`Self::store`] says why.
    #[must_use]
    pub fn open_later(settings: &Settings, wire_clock: WireClock) -> Self {
        Self { store: Postgres::open_later(settings, "delivery", MIGRATIONS, &TABLE), wire_clock }
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

    fn change(&self, change: Save) -> Change {
        let Save { expected, was_shown, delivery, facts } = change;
        let shown_move = i64::from(delivery.state.is_shown()) - i64::from(was_shown);
        Change {
            expected: expected.map(|version| version.0),
            row: row_of(&delivery),
            messages: facts.iter().map(|said| wire::message(&delivery, said, &self.wire_clock)).collect(),
            counts: if shown_move == 0 { Vec::new() } else { vec![(TOTAL, shown_move)] },
            below: None,
            begin: None,
        }
    }

    async fn one(&self, sql: &str, key: i64) -> Result<Option<Delivery>, Unavailable> {
        let rows = self.store.query(sql, &[&key]).await?;
        rows.first().map(read_delivery).transpose()
    }
}

#[async_trait]
impl DeliveryStore for PostgresDeliveries {
    async fn next_id(&self) -> Result<DeliveryId, Unavailable> {
        Ok(DeliveryId(self.store.next_id().await?))
    }

    async fn by_id(&self, id: DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.one(select!("WHERE id = $1"), id.0).await
    }

    async fn by_order(&self, order_id: OrderId) -> Result<Option<Delivery>, Unavailable> {
        self.one(select!("WHERE order_id = $1"), order_id.0).await
    }

    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Delivery>, Unavailable> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let orders: Vec<_> = orders.iter().map(|order| order.0).collect();
        let rows = self.store.query(select!("WHERE order_id = ANY($1)"), &[&orders]).await?;
        rows.iter().map(read_delivery).collect()
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

    async fn page(&self, query: PageQuery) -> Result<(Vec<Delivery>, u64), PageError> {
        let (limit, offset) = (i64::from(query.limit), i64::try_from(query.offset).unwrap_or(i64::MAX));
        let passes = passes(&query);
        let rows = self.store.query_part(&page_sql(&query.sort), &[&limit, &offset], passes).await?;
        let deliveries = rows.iter().map(read_delivery).collect::<Result<_, _>>()?;
        Ok((deliveries, self.store.total(TOTAL).await?))
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Delivery>, Unavailable> {
        let sql = select!("WHERE order_id > $1 ORDER BY order_id LIMIT $2");
        let rows = self.store.query(sql, &[&after.0, &i64::from(limit)]).await?;
        rows.iter().map(read_delivery).collect()
    }
}

/// The columns as [`TABLE`] names them.
fn row_of(delivery: &Delivery) -> Row {
    Row {
        key: delivery.order_id.0,
        version: delivery.version.0,
        fixed: Vec::new(),
        changing: vec![
            delivery.id.map(|id| id.0).into(),
            delivery.customer.as_ref().map(Customer::as_str).into(),
            state_column(delivery.state).into(),
            delivery.created_at.0.into(),
            delivery.changed_at.0.into(),
        ],
    }
}

fn read_delivery(row: &tokio_postgres::Row) -> Result<Delivery, Unavailable> {
    let read = || {
        let state: i16 = row.try_get(3)?;
        let Some(state) = state_of(state.into()) else { return Ok(None) };
        Ok::<_, tokio_postgres::Error>(Some(Delivery {
            order_id: OrderId(row.try_get(0)?),
            id: row.try_get::<_, Option<i64>>(1)?.map(DeliveryId),
            customer: row.try_get::<_, Option<&str>>(2)?.and_then(Customer::parse),
            state,
            version: Version(row.try_get(4)?),
            created_at: Moment(row.try_get(5)?),
            changed_at: Moment(row.try_get(6)?),
        }))
    };
    let delivery = read().map_err(StoreError::from)?;
    delivery.ok_or_else(|| {
        Unavailable::Away("a delivery in the database is none that this program knows".to_owned())
    })
}

/// The condition is that of the partial indexes, word by word: only so they are taken.
fn page_sql(sort: &[(SortField, bool)]) -> String {
    const SHOWN: &str = select!("WHERE state BETWEEN 1 AND 4 ORDER BY ");
    format!("{SHOWN}{} LIMIT $1 OFFSET $2", order_by(sort))
}

fn order_by(sort: &[(SortField, bool)]) -> String {
    let mut terms: Vec<_> = sort
        .iter()
        .map(|(field, descending)| {
            let plain = if *descending { "DESC" } else { "ASC" };
            let column = match field {
                // Without a word about NULL, which their indexes do not know; what is shown has an id.
                SortField::Id => return format!("id {plain}"),
                SortField::OrderId => return format!("order_id {plain}"),
                SortField::Status => STATUS_WORDS_IN_ORDER,
                SortField::Customer => "customer",
                SortField::CreatedAt => "created_at",
                SortField::ChangedAt => "changed_at",
            };
            format!("{column} {plain} {}", if *descending { "NULLS LAST" } else { "NULLS FIRST" })
        })
        .collect();
    // Unique columns decide alone; after others the id makes the order of equals repeatable.
    if !sort.iter().any(|(field, _)| matches!(field, SortField::Id | SortField::OrderId)) {
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
        None | Some((SortField::Id | SortField::OrderId, _)) => {
            query.offset.saturating_add(u64::from(query.limit))
        }
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
