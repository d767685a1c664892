//! Rents in PostgreSQL, with group commit, for many processes.

use async_trait::async_trait;
use contracts::WireClock;
use platform_postgres::{
    Change, Column, Keys, Migration, OpenError, PartError, Postgres, PostgresOutbox, Row, Saved, Settings,
    StoreError, Table, tokio_postgres,
};

use super::{
    columns::{state_columns, state_of},
    wire,
};
use crate::{
    application::ports::{Conflict, PageError, PageQuery, RentStore, Save, SortField, Unavailable},
    domain::{Customer, Moment, OrderId, Rent, RentId, Version},
};

const MIGRATIONS: &[Migration] = &[include_str!("../../../migrations/postgres/0001_rents.sql")];

static TABLE: Table = Table {
    name: "rents",
    key: "id",
    version: "version",
    fixed: &[Column::number("order_id"), Column::text("customer"), Column::number("created_at")],
    changing: &[Column::number("state"), Column::text("reason"), Column::number("changed_at")],
    meeting: "order_id",
    keys: Keys::Own,
};

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
pub struct PostgresRents {
    store: Postgres,
    wire_clock: WireClock,
}

impl PostgresRents {
    /// Brings the database up to date and connects to it.
    pub async fn open(settings: &Settings, wire_clock: WireClock) -> Result<Self, OpenError> {
        let store = Postgres::open(settings, "rent", MIGRATIONS, &TABLE).await?;
        Ok(Self { store, wire_clock })
    }

    /// The same for a database that need not be there yet: until it is, everything is answered at once with
    /// [`Unavailable`], and [`Postgres::state`] of [`Self::store`] says why.
    #[must_use]
    pub fn open_later(settings: &Settings, wire_clock: WireClock) -> Self {
        Self { store: Postgres::open_later(settings, "rent", MIGRATIONS, &TABLE), wire_clock }
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
        let Save { expected, rent, facts } = change;
        Change {
            expected: expected.map(|version| version.0),
            row: row_of(&rent),
            messages: facts.iter().map(|said| wire::message(&rent, said, &self.wire_clock)).collect(),
            counts: if expected.is_none() { vec![(TOTAL, 1)] } else { Vec::new() },
            below: None,
            begin: None,
        }
    }

    async fn one(&self, sql: &str, key: i64) -> Result<Option<Rent>, Unavailable> {
        let rows = self.store.query(sql, &[&key]).await?;
        rows.first().map(read_rent).transpose()
    }
}

#[async_trait]
impl RentStore for PostgresRents {
    async fn next_id(&self) -> Result<RentId, Unavailable> {
        Ok(RentId(self.store.next_id().await?))
    }

    async fn by_id(&self, id: RentId) -> Result<Option<Rent>, Unavailable> {
        self.one(select!("WHERE id = $1"), id.0).await
    }

    async fn by_order(&self, order_id: OrderId) -> Result<Option<Rent>, Unavailable> {
        self.one(select!("WHERE order_id = $1"), order_id.0).await
    }

    async fn by_orders(&self, orders: &[OrderId]) -> Result<Vec<Rent>, Unavailable> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let orders: Vec<_> = orders.iter().map(|order| order.0).collect();
        let rows = self.store.query(select!("WHERE order_id = ANY($1)"), &[&orders]).await?;
        rows.iter().map(read_rent).collect()
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

    async fn page(&self, query: PageQuery) -> Result<(Vec<Rent>, u64), PageError> {
        let sql = format!("{} ORDER BY {} LIMIT $1 OFFSET $2", select!(""), order_by(&query.sort));
        let (limit, offset) = (i64::from(query.limit), i64::try_from(query.offset).unwrap_or(i64::MAX));
        let rows = self.store.query_part(&sql, &[&limit, &offset], passes(&query)).await?;
        let rents = rows.iter().map(read_rent).collect::<Result<_, _>>()?;
        Ok((rents, self.store.total(TOTAL).await?))
    }

    async fn scan(&self, after: RentId, limit: u32) -> Result<Vec<Rent>, Unavailable> {
        let sql = select!("WHERE id > $1 ORDER BY id LIMIT $2");
        let rows = self.store.query(sql, &[&after.0, &i64::from(limit)]).await?;
        rows.iter().map(read_rent).collect()
    }
}

/// The columns as [`TABLE`] names them.
fn row_of(rent: &Rent) -> Row {
    let (state, reason) = state_columns(&rent.state);
    Row {
        key: rent.id.0,
        version: rent.version.0,
        fixed: vec![
            rent.order_id.0.into(),
            rent.customer.as_ref().map(Customer::as_str).into(),
            rent.created_at.0.into(),
        ],
        changing: vec![state.into(), reason.into(), rent.changed_at.0.into()],
    }
}

fn read_rent(row: &tokio_postgres::Row) -> Result<Rent, Unavailable> {
    let read = || {
        let state: i16 = row.try_get(3)?;
        let Some(state) = state_of(state.into(), row.try_get(4)?) else { return Ok(None) };
        Ok::<_, tokio_postgres::Error>(Some(Rent {
            id: RentId(row.try_get(0)?),
            order_id: OrderId(row.try_get(1)?),
            customer: row.try_get::<_, Option<&str>>(2)?.and_then(Customer::parse),
            state,
            version: Version(row.try_get(5)?),
            created_at: Moment(row.try_get(6)?),
            changed_at: Moment(row.try_get(7)?),
        }))
    };
    let rent = read().map_err(StoreError::from)?;
    rent.ok_or_else(|| Unavailable::Away("a rent in the database is none that this program knows".to_owned()))
}

fn order_by(sort: &[(SortField, bool)]) -> String {
    let mut terms: Vec<_> = sort
        .iter()
        .map(|(field, descending)| {
            let plain = if *descending { "DESC" } else { "ASC" };
            let column = match field {
                // Without a word about NULL, which their indexes do not know.
                SortField::Id => return format!("id {plain}"),
                SortField::OrderId => return format!("order_id {plain}"),
                // The words sort as `Rent` before `Rent Canceled`.
                SortField::Status => "state > 1",
                SortField::Customer => "customer",
                SortField::Reason => "reason",
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
