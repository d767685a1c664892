//! Many rows in one statement: what is saved, what it says and what it counts.

use std::collections::HashSet;

use futures_util::future::join4;
use tokio_postgres::{Client, Statement, types::ToSql};

use crate::{Change, Column, Kind, Row, Table, Value, error::Failure};

/// The statements of a table, prepared on a session.
pub(crate) struct Statements {
    insert: Statement,
    update: Statement,
    find: Statement,
}

/// What one transaction has saved.
#[derive(Debug, Default)]
pub(crate) struct SavedKeys {
    pub(crate) inserted: HashSet<i64>,
    pub(crate) updated: HashSet<i64>,
}

type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

impl Statements {
    pub(crate) async fn prepare(client: &Client, table: &Table) -> Result<Self, tokio_postgres::Error> {
        let Table { name, key, .. } = table;
        Ok(Self {
            insert: client.prepare(&insert_sql(table)).await?,
            update: client.prepare(&update_sql(table)).await?,
            find: client.prepare(&format!("SELECT {key} FROM {name} WHERE {key} = ANY($1)")).await?,
        })
    }

    /// Writes new rows and changed rows, in one transaction; no key may occur twice among either of them.
    pub(crate) async fn save(
        &self,
        client: &Client,
        table: &Table,
        slot: i32,
        (new, changed): (&[&Change], &[&Change]),
    ) -> Result<SavedKeys, Failure> {
        let insert = async { keys(client, &self.insert, &insert_parameters(table, slot, new)).await };
        let update = async { keys(client, &self.update, &update_parameters(table, slot, changed)).await };
        let (inserted, updated) = match (new.is_empty(), changed.is_empty()) {
            (true, true) => return Ok(SavedKeys::default()),
            // A statement alone is a transaction.
            (false, true) => (insert.await?, HashSet::new()),
            (true, false) => (HashSet::new(), update.await?),
            (false, false) => {
                // Sent together, answered together.
                let (begun, inserted, updated, committed) =
                    join4(client.batch_execute("BEGIN"), insert, update, client.batch_execute("COMMIT"))
                        .await;
                begun?;
                let both = (inserted?, updated?);
                committed?;
                both
            }
        };
        Ok(SavedKeys { inserted, updated })
    }

    /// Which of `keys` there are.
    pub(crate) async fn find(&self, client: &Client, sought: &[i64]) -> Result<HashSet<i64>, Failure> {
        keys(client, &self.find, &[Box::new(sought.to_vec())]).await
    }
}

async fn keys(
    client: &Client,
    statement: &Statement,
    parameters: &[Parameter<'_>],
) -> Result<HashSet<i64>, Failure> {
    let parameters: Vec<&(dyn ToSql + Sync)> =
        parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
    let rows = client.query(statement, &parameters).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// `$1::bigint[], $2::text[], …`
fn arrays(types: impl Iterator<Item = &'static str>) -> String {
    let arrays: Vec<_> = types.zip(1..).map(|(kind, at)| format!("${at}::{kind}[]")).collect();
    arrays.join(", ")
}

fn sql_type(column: &Column) -> &'static str {
    match column.kind {
        Kind::Number => "bigint",
        Kind::Text => "text",
        Kind::Flag => "boolean",
    }
}

fn names(columns: &[&Column]) -> String {
    columns.iter().map(|column| format!(", {}", column.name)).collect()
}

/// New rows, in the sequence in which they may meet those of others; what is in the way stays as it is.
fn insert_sql(table: &Table) -> String {
    let Table { name, key, version, meeting, .. } = table;
    let columns: Vec<_> = table.fixed.iter().chain(table.changing).collect();
    let types = ["bigint", "bigint"].into_iter().chain(columns.iter().map(|column| sql_type(column)));
    let (arrays, names) = (arrays(types), names(&columns));
    let effects = effects(key, columns.len() + 3);
    format!(
        "WITH saved AS (
             INSERT INTO {name} ({key}, {version}{names})
             SELECT {key}, {version}{names}
             FROM unnest({arrays}) WITH ORDINALITY AS new ({key}, {version}{names}, at)
             ORDER BY {meeting}, at
             ON CONFLICT DO NOTHING
             RETURNING {key}
         ), {effects}
         SELECT {key} FROM saved"
    )
}

/// Changed rows, where they are as expected. They are locked by key first: two processes that wait for each other's
/// rows would wait for ever.
fn update_sql(table: &Table) -> String {
    let Table { name, key, version, .. } = table;
    let columns: Vec<_> = table.changing.iter().collect();
    let types = ["bigint"; 3].into_iter().chain(columns.iter().map(|column| sql_type(column)));
    let (arrays, names) = (arrays(types), names(&columns));
    let wanted: String = columns.iter().map(|column| format!(", new.{}", column.name)).collect();
    let set: String = columns.iter().map(|Column { name, .. }| format!(", {name} = wanted.{name}")).collect();
    let effects = effects(key, columns.len() + 4);
    format!(
        "WITH wanted AS MATERIALIZED (
             SELECT new.{key}, new.{version}{wanted}
             FROM unnest({arrays}) AS new ({key}, expected, {version}{names})
             JOIN {name} AS found ON found.{key} = new.{key} AND found.{version} = new.expected
             ORDER BY found.{key}
             FOR UPDATE OF found
         ), saved AS (
             UPDATE {name} AS found SET {version} = wanted.{version}{set}
             FROM wanted WHERE found.{key} = wanted.{key}
             RETURNING found.{key}
         ), {effects}
         SELECT {key} FROM saved"
    )
}

/// What is true only of saved rows: their messages, in their sequence, and what they count.
///
/// `IS TRUE` keeps the condition from becoming a join, which would be a nested loop over both.
fn effects(key: &str, first: usize) -> String {
    let [m1, m2, m3, m4, slot, c1, c2, c3] = [0, 1, 2, 3, 4, 5, 6, 7].map(|at| format!("${}", first + at));
    format!(
        "said AS (
             INSERT INTO outbox (key, headers, value)
             SELECT said.key, said.headers, said.value
             FROM unnest({m1}::bigint[], {m2}::bytea[], {m3}::bytea[], {m4}::bytea[]) WITH ORDINALITY
                  AS said (saved_key, key, headers, value, at)
             WHERE (said.saved_key IN (SELECT {key} FROM saved)) IS TRUE
             ORDER BY said.at
         ), counted AS (
             INSERT INTO totals AS kept (name, slot, n)
             SELECT counted.name, {slot}::int, sum(counted.n)::bigint
             FROM unnest({c1}::bigint[], {c2}::text[], {c3}::bigint[]) AS counted (saved_key, name, n)
             WHERE (counted.saved_key IN (SELECT {key} FROM saved)) IS TRUE
             GROUP BY counted.name HAVING sum(counted.n) <> 0 ORDER BY counted.name
             ON CONFLICT (name, slot) DO UPDATE SET n = kept.n + excluded.n
         )"
    )
}

fn insert_parameters<'a>(table: &Table, slot: i32, changes: &[&'a Change]) -> Vec<Parameter<'a>> {
    let mut parameters: Vec<Parameter<'a>> = vec![
        Box::new(changes.iter().map(|change| change.row.key).collect::<Vec<_>>()),
        Box::new(changes.iter().map(|change| change.row.version).collect::<Vec<_>>()),
    ];
    parameters.extend(columns(table.fixed, changes, |row| &row.fixed));
    parameters.extend(columns(table.changing, changes, |row| &row.changing));
    add_effects(&mut parameters, slot, changes);
    parameters
}

fn update_parameters<'a>(table: &Table, slot: i32, changes: &[&'a Change]) -> Vec<Parameter<'a>> {
    let mut parameters: Vec<Parameter<'a>> = vec![
        Box::new(changes.iter().map(|change| change.row.key).collect::<Vec<_>>()),
        Box::new(changes.iter().map(|change| change.expected).collect::<Vec<_>>()),
        Box::new(changes.iter().map(|change| change.row.version).collect::<Vec<_>>()),
    ];
    parameters.extend(columns(table.changing, changes, |row| &row.changing));
    add_effects(&mut parameters, slot, changes);
    parameters
}

fn columns<'a>(
    columns: &[Column],
    changes: &[&'a Change],
    of: impl Fn(&'a Row) -> &'a [Value],
) -> Vec<Parameter<'a>> {
    let values = |at: usize| changes.iter().map(move |change| (at, change)).collect::<Vec<_>>();
    let value = |(at, change): (usize, &&'a Change)| of(&change.row).get(at);
    let array = |(at, column): (usize, &Column)| -> Parameter<'a> {
        let values = values(at).into_iter().map(value);
        match column.kind {
            Kind::Number => Box::new(values.map(number).collect::<Vec<_>>()),
            Kind::Text => Box::new(values.map(text).collect::<Vec<_>>()),
            Kind::Flag => Box::new(values.map(flag).collect::<Vec<_>>()),
        }
    };
    columns.iter().enumerate().map(array).collect()
}

// A value of another kind than its column's is none: the table's own NOT NULL refuses it, and only its caller.

fn number(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Number(number)) => *number,
        Some(Value::Text(_) | Value::Flag(_)) | None => None,
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    match value {
        Some(Value::Text(text)) => text.as_deref(),
        Some(Value::Number(_) | Value::Flag(_)) | None => None,
    }
}

fn flag(value: Option<&Value>) -> Option<bool> {
    match value {
        Some(Value::Flag(flag)) => Some(*flag),
        Some(Value::Number(_) | Value::Text(_)) | None => None,
    }
}

fn add_effects<'a>(parameters: &mut Vec<Parameter<'a>>, slot: i32, changes: &[&'a Change]) {
    let said = || {
        changes.iter().flat_map(|change| change.messages.iter().map(move |message| (change.row.key, message)))
    };
    parameters.push(Box::new(said().map(|(key, _)| key).collect::<Vec<_>>()));
    parameters.push(Box::new(said().map(|(_, message)| &message.key[..]).collect::<Vec<_>>()));
    parameters
        .push(Box::new(said().map(|(_, message)| &message.headers.as_encoded()[..]).collect::<Vec<_>>()));
    parameters.push(Box::new(said().map(|(_, message)| &message.value[..]).collect::<Vec<_>>()));
    parameters.push(Box::new(slot));
    let counted =
        || changes.iter().flat_map(|change| change.counts.iter().map(move |count| (change.row.key, count)));
    parameters.push(Box::new(counted().map(|(key, _)| key).collect::<Vec<_>>()));
    parameters.push(Box::new(counted().map(|(_, (name, _))| *name).collect::<Vec<_>>()));
    parameters.push(Box::new(counted().map(|(_, (_, n))| *n).collect::<Vec<_>>()));
}
