//! Versioned migrations: each runs once, whoever comes first; a database from the future is refused.

use tokio_postgres::Client;

use crate::{
    OpenError, Settings,
    connect::{Purpose, connect},
    error::Unreached,
    locks::{self, Lock},
};

/// One step of a schema: plain SQL, never changed once released.
pub type Migration = &'static str;

/// The tables that every store has: the outbox, the kept totals, the ids.
const BASE: &[Migration] =
    &[include_str!("../migrations/0001_base.sql"), include_str!("../migrations/0002_waiting_since.sql")];

/// Brings the database to the newest schema of `component`. Processes that start together wait for each other.
pub(crate) async fn migrate(
    settings: &Settings,
    component: &'static str,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    let unusable = |unreached| unusable(settings, unreached);
    let client = connect(settings, Purpose::Migrating, None).await.map_err(unusable)?;
    let failed = |error: tokio_postgres::Error| unusable(error.into());
    // All of it or nothing: half a schema would be in everybody's way.
    client.batch_execute("BEGIN").await.map_err(failed)?;
    locks::wait_in_transaction(&client, Lock::Schema).await.map_err(failed)?;
    client
        .batch_execute("CREATE TABLE IF NOT EXISTS schema (component text PRIMARY KEY, version int NOT NULL)")
        .await
        .map_err(failed)?;
    for (component, migrations) in [("platform", BASE), (component, migrations)] {
        let found = version(&client, component).await.map_err(failed)?;
        let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
        if found > known {
            return Err(OpenError::Newer { database: settings.database.clone(), component, found, known });
        }
        if found < known {
            for migration in &migrations[found as usize..] {
                client.batch_execute(migration).await.map_err(failed)?;
            }
            remember(&client, component, known).await.map_err(failed)?;
        }
    }
    client.batch_execute("COMMIT").await.map_err(failed)
}

async fn version(client: &Client, component: &str) -> Result<u32, tokio_postgres::Error> {
    let row = client.query_opt("SELECT version FROM schema WHERE component = $1", &[&component]).await?;
    let version: i32 = row.map_or(Ok(0), |row| row.try_get(0))?;
    Ok(u32::try_from(version).unwrap_or(0))
}

async fn remember(client: &Client, component: &str, version: u32) -> Result<(), tokio_postgres::Error> {
    let sql = "INSERT INTO schema (component, version) VALUES ($1, $2)
               ON CONFLICT (component) DO UPDATE SET version = excluded.version";
    let version = i32::try_from(version).unwrap_or(i32::MAX);
    client.execute(sql, &[&component, &version]).await?;
    Ok(())
}

/// The sentence for a database that cannot be used.
pub(crate) fn unusable(settings: &Settings, Unreached { reason, passes }: Unreached) -> OpenError {
    let Settings { host, port, database, .. } = settings;
    OpenError::Unusable { database: database.clone(), address: format!("{host}:{port}"), reason, passes }
}
