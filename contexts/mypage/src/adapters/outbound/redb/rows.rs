//! The tables of rows: how a row is stored, and how facts are merged into it.

use std::collections::BTreeMap;

use contracts::Timestamp;
use redb::{
    Durability, ReadOnlyTable, ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table,
    TableDefinition, WriteTransaction,
};

use super::file::ViewFile;
use crate::{
    projection::{Fact, Known, OrderFact, Row},
    query::Unavailable,
};

/// A row as it is stored: what it has as bits (the facts by their place, the texts from [`ITEM`] on); item,
/// customer and reason; the moments of its facts, in milliseconds, by their place.
///
/// No `Option` in it: redb's next major version stores `Option<&str>` differently.
pub(super) type Stored<'a> = (u16, &'a str, &'a str, &'a str, Vec<i64>);

const ITEM: u16 = 1 << 13;
const CUSTOMER: u16 = 1 << 14;
const REASON: u16 = 1 << 15;

/// Rows by order id.
pub(super) const ROWS: TableDefinition<'_, i64, Stored<'_>> = TableDefinition::new("rows");
/// Order ids by customer.
pub(super) const OF_CUSTOMER: TableDefinition<'_, (&str, i64), ()> = TableDefinition::new("of_customer");
/// How many rows each customer has.
pub(super) const TOTALS: TableDefinition<'_, &str, u64> = TableDefinition::new("customer_totals");

pub(super) fn create_tables(tx: &WriteTransaction) -> Result<(), redb::Error> {
    Tables::open(tx).map(|_| ())
}

/// The rows as of one commit.
pub(super) type Snapshot = ReadOnlyTable<i64, Stored<'static>>;

pub(super) fn snapshot(tx: &ReadTransaction) -> Result<Snapshot, redb::Error> {
    Ok(tx.open_table(ROWS)?)
}

/// Fails where a table is missing or has other types.
pub(super) fn check_tables(tx: &ReadTransaction) -> Result<(), redb::Error> {
    tx.open_table(ROWS)?;
    tx.open_table(OF_CUSTOMER)?;
    tx.open_table(TOTALS)?;
    Ok(())
}

/// Facts by order, so that each row is read and written once per transaction, in the order of the tree.
pub(super) struct Changes(BTreeMap<i64, Vec<OrderFact>>);

impl Changes {
    pub(super) fn of(facts: Vec<OrderFact>) -> Self {
        let mut by_order = BTreeMap::<_, Vec<_>>::new();
        for fact in facts {
            by_order.entry(fact.order_id).or_default().push(fact);
        }
        Self(by_order)
    }
}

impl ViewFile {
    /// Merges `changes` in one transaction; none of it where nothing is new. See [`crate::query::View::apply`].
    pub(super) fn apply(&self, changes: &Changes) -> Result<(), Unavailable> {
        if changes.0.is_empty() {
            return Ok(());
        }
        self.write(Durability::None, |tx| {
            let mut tables = Tables::open(tx)?;
            let mut changed = false;
            for (&order_id, facts) in &changes.0 {
                changed |= tables.merge(order_id, facts)?;
            }
            Ok(changed)
        })
    }

    /// The row of an order.
    pub(super) fn get(&self, order_id: i64) -> Result<Option<Row>, Unavailable> {
        self.read_rows(|rows| rows.get(order_id)?.map(|stored| restore(order_id, stored.value())).transpose())
    }

    /// How many rows there are; redb keeps the number.
    pub(super) fn total(&self) -> Result<u64, Unavailable> {
        self.read_rows(|rows| Ok(rows.len()?))
    }

    /// How many rows a customer has.
    pub(super) fn total_of(&self, customer: &str) -> Result<u64, Unavailable> {
        self.read(|tx| total_of(tx, customer))
    }
}

/// See [`ViewFile::total_of`].
pub(super) fn total_of(tx: &ReadTransaction, customer: &str) -> Result<u64, redb::Error> {
    Ok(tx.open_table(TOTALS)?.get(customer)?.map_or(0, |total| total.value()))
}

struct Tables<'tx> {
    rows: Table<'tx, i64, Stored<'static>>,
    of_customer: Table<'tx, (&'static str, i64), ()>,
    totals: Table<'tx, &'static str, u64>,
}

impl<'tx> Tables<'tx> {
    fn open(tx: &'tx WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            rows: tx.open_table(ROWS)?,
            of_customer: tx.open_table(OF_CUSTOMER)?,
            totals: tx.open_table(TOTALS)?,
        })
    }

    /// Merges facts of one order; whether something was new.
    fn merge(&mut self, order_id: i64, facts: &[OrderFact]) -> Result<bool, redb::Error> {
        let before = self.rows.get(order_id)?.map(|stored| restore(order_id, stored.value())).transpose()?;
        let customer_before = before.as_ref().and_then(Row::customer).map(str::to_owned);
        let Some((row, changed)) = Row::merged(before, facts) else { return Ok(false) };
        if changed {
            self.rows.insert(order_id, store(&row))?;
            self.index(order_id, customer_before.as_deref(), row.customer())?;
        }
        Ok(changed)
    }

    fn index(&mut self, order_id: i64, before: Option<&str>, now: Option<&str>) -> Result<(), redb::Error> {
        if before == now {
            return Ok(());
        }
        if let Some(customer) = before {
            self.of_customer.remove((customer, order_id))?;
            let total = self.total_of(customer)?.saturating_sub(1);
            self.totals.insert(customer, total)?;
        }
        if let Some(customer) = now {
            self.of_customer.insert((customer, order_id), ())?;
            let total = self.total_of(customer)? + 1;
            self.totals.insert(customer, total)?;
        }
        Ok(())
    }

    fn total_of(&self, customer: &str) -> Result<u64, redb::Error> {
        Ok(self.totals.get(customer)?.map_or(0, |total| total.value()))
    }
}

fn store(row: &Row) -> Stored<'_> {
    let texts = [(ITEM, row.item()), (CUSTOMER, row.customer()), (REASON, row.reason())];
    let facts = row.known().iter().zip(0_u16..).map(|(at, place)| u16::from(at.is_some()) << place);
    let texts = texts.into_iter().map(|(bit, text)| if text.is_some() { bit } else { 0 });
    let has = facts.chain(texts).fold(0, |has, bit| has | bit);
    let moments = row.known().iter().flatten().map(|at| at.0).collect();
    let text = Option::unwrap_or_default;
    (has, text(row.item()), text(row.customer()), text(row.reason()), moments)
}

pub(super) fn restore(order_id: i64, stored: Stored<'_>) -> Result<Row, redb::Error> {
    let (has, item, customer, reason, moments) = stored;
    let mut moments = moments.into_iter().map(Timestamp);
    let mut known = Known::default();
    for (place, at) in known.iter_mut().enumerate() {
        if has & (1 << place) != 0 {
            *at = moments.next();
        }
    }
    let text = |bit, text: &str| (has & bit != 0).then(|| text.to_owned());
    Row::restore(order_id, known, text(ITEM, item), text(CUSTOMER, customer), text(REASON, reason))
        .ok_or_else(|| redb::Error::Corrupted(format!("the row of order {order_id} is without a fact")))
}

// The places of the facts and the bits of the texts share one number.
const _: () = assert!(Fact::ALL.len() <= 13);
