//! Versioned migrations: each runs once, in its own transaction, and a file from the future is refused.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use crate::{OpenError, error};

/// One step of a schema: plain SQL, never changed once released.
pub type Migration = &'static str;

/// The tables that every store has: the outbox and the kept totals.
const BASE: &[Migration] = &[include_str!("../migrations/0001_base.sql")];

/// Brings the file to the newest schema of `component`.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    component: &'static str,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS schema (component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
        )
        .map_err(|error| error::open_error(path, &error))?;
    for (component, migrations) in [("storage", BASE), (component, migrations)] {
        migrate_component(connection, path, component, migrations)?;
    }
    Ok(())
}

fn migrate_component(
    connection: &mut Connection,
    path: &Path,
    component: &'static str,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| error::open_error(path, &error);
    let found: u32 = connection
        .query_row("SELECT version FROM schema WHERE component = ?1", [component], |row| row.get(0))
        .optional()
        .map_err(failed)?
        .unwrap_or(0);
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), component, found, known });
    }
    for (version, migration) in (1_u32..).zip(migrations).skip(found as usize) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        tx.execute_batch(migration).map_err(failed)?;
        tx.execute(
            "INSERT INTO schema (component, version) VALUES (?1, ?2)
             ON CONFLICT (component) DO UPDATE SET version = excluded.version",
            (component, version),
        )
        .map_err(failed)?;
        tx.commit().map_err(failed)?;
    }
    Ok(())
}
