//! The handle of a store.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::sleep,
};
use tokio_postgres::{Row, types::ToSql};

use crate::{
    Change, Migration, OpenError, PostgresOutbox, Saved, Settings, StoreError, Table,
    group_commit::{Call, Session, Writer, read_kept},
    ids::Ids,
    pool::Readers,
    schema,
    totals::Totals,
};

/// How old what is known of other processes may be.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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
    totals: Arc<Totals>,
    ids: Ids,
    said: Arc<Notify>,
    is_ready: AtomicBool,
}

impl Postgres {
    /// Brings the schema up to date and starts the writer; must be called in a runtime.
    ///
    /// `component` names the migrations; they are the component's whole history, oldest first.
    pub async fn open(
        settings: &Settings,
        component: &'static str,
        migrations: &[Migration],
        table: &'static Table,
    ) -> Result<Self, OpenError> {
        schema::migrate(settings, component, migrations).await?;
        let (totals, said) = (Arc::new(Totals::default()), Arc::new(Notify::new()));
        let session = Session::begin(settings, table, &totals, None).await;
        let session = session.map_err(|StoreError(reason)| schema::unusable(settings, reason))?;
        let (writes, waiting) = mpsc::unbounded_channel();
        let writer = Writer {
            settings: settings.clone(),
            table,
            waiting,
            session: Some(session),
            totals: Arc::clone(&totals),
            said: Arc::clone(&said),
            away: None,
        };
        tokio::spawn(writer.run());
        let readers = Readers::new(settings)?;
        let (settings, ids, is_ready) = (settings.clone(), Ids::new(), AtomicBool::new(true));
        let shared = Arc::new(Shared { settings, writes, readers, totals, ids, said, is_ready });
        tokio::spawn(Shared::look_around(Arc::downgrade(&shared)));
        Ok(Self { shared })
    }

    /// Writes changes in one transaction that it may share with others, and returns when it is durable.
    ///
    /// There is an answer for each change. A statement that fails is this caller's error alone.
    pub async fn save_all(&self, changes: Vec<Change>) -> Result<Vec<Saved>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let gone = || StoreError("the writer has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.shared.writes.send(Call { changes, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The rows of a statement that only reads. It sees the last commit of every process.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        self.shared.readers.query(sql, true, parameters).await
    }

    /// The same for a statement that comes in too many kinds to be kept prepared.
    pub async fn query_once(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.shared.readers.query(sql, false, parameters).await
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
        !self.shared.writes.is_closed() && self.shared.is_ready.load(Ordering::Relaxed)
    }

    /// The reading side of the outbox in this database. Of all processes, one has it at a time.
    #[must_use]
    pub fn outbox(&self) -> PostgresOutbox {
        let Shared { settings, readers, said, .. } = &*self.shared;
        PostgresOutbox::new(settings.clone(), readers.clone(), Arc::clone(said))
    }
}

impl Shared {
    /// Looks at the others' totals, as long as anybody has this store.
    async fn look_around(shared: Weak<Self>) {
        loop {
            sleep(LOOK_EVERY).await;
            let Some(shared) = shared.upgrade() else { return };
            let kept = shared.readers.query("SELECT name, slot, n FROM totals", true, &[]).await;
            let kept = kept.and_then(|rows| {
                let kept: Result<_, _> = rows.iter().map(read_kept).collect();
                kept.map_err(unreadable)
            });
            let is_ready = kept.is_ok();
            if let Ok(kept) = kept {
                shared.totals.look(kept);
            }
            if shared.is_ready.swap(is_ready, Ordering::Relaxed) != is_ready {
                let database = &shared.settings.database;
                tracing::warn!(database, is_ready, "the database has gone away or is back");
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        unreadable(error)
    }
}

fn unreadable(error: tokio_postgres::Error) -> StoreError {
    StoreError(crate::error::text(&error))
}
