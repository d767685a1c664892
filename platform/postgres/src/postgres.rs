//! The handle of a store.

use std::sync::Arc;

use platform_resilience::Bulkhead;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::AbortHandle,
};
use tokio_postgres::{Row, types::ToSql};

use crate::{
    Change, Migration, OpenError, PartError, PostgresOutbox, Saved, Settings, State, StoreError, Table, Turn,
    group_commit::{Call, Counts, Writer},
    ids::Ids,
    pool::Readers,
    standing::Standing,
    totals::Totals,
    turn::Until,
    watch::{Schema, Watcher, Watching},
};

/// Rows that a part of a collection may pass over without waiting for its turn.
const SHORT: u64 = 2_000;

/// Longer ones at once.
const LONG_READS: usize = 2;

/// Further ones that wait for their turn.
const WAITING: usize = 32;

/// A table in PostgreSQL with one writer in each process and many readers. Clones share it; the last one ends the
/// writer.
#[derive(Clone)]
pub struct Postgres {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    writes: mpsc::UnboundedSender<Call>,
    readers: Readers,
    long_reads: Bulkhead,
    totals: Arc<Totals>,
    ids: Ids,
    said: Arc<Notify>,
    counts: Arc<Counts>,
    standing: Arc<Standing>,
    /// The other end is the watcher's, who says whose turn it is.
    turn: watch::Sender<Until>,
    watcher: AbortHandle,
}

impl Postgres {
    /// Brings the schema up to date, or says why it cannot; must be called in a runtime.
    ///
    /// `component` names the migrations; they are the component's whole history, oldest first.
    pub async fn open(
        settings: &Settings,
        component: &'static str,
        migrations: &[Migration],
        table: &'static Table,
    ) -> Result<Self, OpenError> {
        let schema = Schema { component, migrations: migrations.to_vec() };
        let watching = Watching::begin(settings, Some(&schema)).await?;
        let store = Self::begin(settings, None, Some(watching), table);
        // It has answered a moment ago; where it is gone again, it is away like any other day.
        store.shared.standing.first_look().await;
        Ok(store)
    }

    /// The same for a server that need not be there: a task brings the schema up to date and begins as soon as it can,
    /// and until then everybody is told at once that the store is away. [`Postgres::state`] says why.
    #[must_use]
    pub fn open_later(
        settings: &Settings,
        component: &'static str,
        migrations: &[Migration],
        table: &'static Table,
    ) -> Self {
        let schema = Schema { component, migrations: migrations.to_vec() };
        Self::begin(settings, Some(schema), None, table)
    }

    fn begin(
        settings: &Settings,
        schema: Option<Schema>,
        watching: Option<Watching>,
        table: &'static Table,
    ) -> Self {
        let (totals, said, counts) = <(Arc<Totals>, Arc<Notify>, Arc<Counts>)>::default();
        let standing = Arc::new(Standing::new(settings.database.clone()));
        let (writes, waiting) = mpsc::unbounded_channel();
        let writer = Writer {
            settings: settings.clone(),
            table,
            waiting,
            session: None,
            totals: Arc::clone(&totals),
            said: Arc::clone(&said),
            counts: Arc::clone(&counts),
            away: None,
        };
        tokio::spawn(writer.run());
        let turn = watch::Sender::new(None);
        let watcher = Watcher {
            settings: settings.clone(),
            schema,
            totals: Arc::clone(&totals),
            standing: Arc::clone(&standing),
            turn: turn.clone(),
            writes: writes.downgrade(),
        };
        let watcher = tokio::spawn(watcher.run(watching)).abort_handle();
        let readers = Readers::new(settings, Arc::clone(&standing));
        let (settings, ids) = (settings.clone(), Ids::new());
        let long_reads = Bulkhead::new(LONG_READS, WAITING);
        let shared = Shared {
            settings,
            writes,
            readers,
            long_reads,
            totals,
            ids,
            said,
            counts,
            standing,
            turn,
            watcher,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Writes changes in one transaction that it may share with others, and returns when it is durable.
    ///
    /// There is an answer for each change. A statement that fails is this caller's error alone.
    pub async fn save_all(&self, changes: Vec<Change>) -> Result<Vec<Saved>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.standing.check()?;
        let gone = || StoreError::Away("the writer has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.shared.writes.send(Call { changes, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The rows of a statement that only reads. It sees the last commit of every process.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        self.shared.readers.query(sql, true, parameters).await
    }

    /// The same for a part of a collection, whose statement comes in too many kinds to be kept prepared. `passes` is how
    /// many rows the server passes over for it: few of those that pass over many run at once, and few more wait, so
    /// that looks by key always find a connection.
    ///
    /// A client that goes away is not noticed by the server, which stops when the statement's time is over.
    ///
    /// # Errors
    /// [`PartError::TooMany`] at once where too many wait already.
    pub async fn query_part(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        passes: u64,
    ) -> Result<Vec<Row>, PartError> {
        let _place = match passes {
            0..=SHORT => None,
            _ => Some(self.shared.long_reads.place().await.map_err(|_| PartError::TooMany)?),
        };
        Ok(self.shared.readers.query(sql, false, parameters).await?)
    }

    /// A number that nobody else gets, in any process; those of one process grow.
    pub async fn next_id(&self) -> Result<i64, StoreError> {
        self.shared.ids.next(&self.shared.readers).await
    }

    /// The kept total `name`: of all processes.
    pub async fn total(&self, name: &str) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(n), 0)::bigint FROM totals WHERE name = $1";
        let rows = self.query(sql, &[&name]).await?;
        let total: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(unreadable)?;
        Ok(u64::try_from(total).unwrap_or(0))
    }

    /// The kept total `name` as it is known here, without asking: with everything that this process has committed,
    /// and the others as they were a moment ago.
    #[must_use]
    pub fn known_total(&self, name: &str) -> u64 {
        self.shared.totals.get(name)
    }

    /// Whether the database has answered lately.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.standing.is_ready()
    }

    /// How the database is, and why.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.standing.state()
    }

    /// How many transactions this process has committed, and how many calls were answered with them.
    #[must_use]
    pub fn commits(&self) -> (u64, u64) {
        self.shared.counts.get()
    }

    /// The reading side of the outbox in this database. Of all processes, one has it at a time.
    #[must_use]
    pub fn outbox(&self) -> PostgresOutbox {
        let Shared { settings, readers, said, standing, .. } = &*self.shared;
        PostgresOutbox::new(settings.clone(), readers.clone(), Arc::clone(said), Arc::clone(standing))
    }

    /// A place in the queue for what one process at a time does: there is one such thing in a database.
    #[must_use]
    pub fn turn(&self) -> Turn {
        Turn::new(self.shared.turn.subscribe())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.watcher.abort();
        self.readers.close();
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        unreadable(error)
    }
}

fn unreadable(error: tokio_postgres::Error) -> StoreError {
    StoreError::Away(crate::error::text(&error))
}
