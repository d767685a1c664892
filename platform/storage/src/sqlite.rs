//! The handle of a store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use rusqlite::Connection;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    Migration, OpenError, SqliteOutbox, StorageError, Tx, error,
    group_commit::{Counts, Waiting, Write, Writer},
    outbox::Unpublished,
    readers::Readers,
    schema,
};

/// Prepared statements kept by the writer.
const STATEMENTS: usize = 64;

/// When a commit is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk (`synchronous=FULL`): survives a power cut.
    Full,
    /// When the operating system has it (`synchronous=NORMAL`): for what can be built again.
    Rebuildable,
}

/// A SQLite file with one writer and many readers. Clones share it; the last one ends the writer.
#[derive(Clone)]
pub struct Sqlite {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    /// `None` only while the last handle is dropped, so that the writer ends.
    writes: Option<mpsc::UnboundedSender<Box<dyn Write>>>,
    writer: Option<thread::JoinHandle<()>>,
    readers: Arc<Readers>,
    unpublished: Arc<Unpublished>,
    counts: Arc<Counts>,
}

impl Sqlite {
    /// Opens or creates the file, brings its schema up to date and starts its writer.
    ///
    /// `component` names the migrations; they are the component's whole history, oldest first.
    pub fn open(
        path: &Path,
        component: &'static str,
        migrations: &[Migration],
        durability: Durability,
    ) -> Result<Self, OpenError> {
        Self::open_with(path, component, migrations, durability, |_| Ok(())).map(|(store, ())| store)
    }

    /// The same, with something that has to be settled in the file before anybody uses it.
    pub(crate) fn open_with<T>(
        path: &Path,
        component: &'static str,
        migrations: &[Migration],
        durability: Durability,
        settle: impl FnOnce(&Connection) -> Result<T, OpenError>,
    ) -> Result<(Self, T), OpenError> {
        let failed = |error: rusqlite::Error| error::open_error(path, &error);
        let mut connection = Connection::open(path).map_err(failed)?;
        configure(&connection, durability).map_err(failed)?;
        schema::migrate(&mut connection, path, component, migrations)?;
        let settled = settle(&connection)?;
        let next_seq: i64 = connection
            .query_row("SELECT coalesce(max(seq), 0) + 1 FROM outbox", [], |row| row.get(0))
            .map_err(failed)?;

        let (writes, waiting) = mpsc::unbounded_channel();
        let unpublished = Arc::new(Unpublished::new(next_seq));
        let readers = Arc::new(Readers::new(path.to_owned()));
        let counts = Arc::<Counts>::default();
        let writer = Writer {
            connection,
            waiting,
            next_seq,
            unpublished: Arc::clone(&unpublished),
            readers: Arc::clone(&readers),
            counts: Arc::clone(&counts),
            runtime: Handle::try_current().ok(),
        };
        let writer =
            thread::Builder::new()
                .name(format!("{component}-writer"))
                .spawn(move || writer.run())
                .map_err(|error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() })?;
        let shared = Shared {
            path: path.to_owned(),
            writes: Some(writes),
            writer: Some(writer),
            readers,
            unpublished,
            counts,
        };
        Ok((Self { shared: Arc::new(shared) }, settled))
    }

    /// Runs `write` in a transaction that it may share with others, and returns when it is durable.
    ///
    /// An SQL error is this caller's alone: the others are committed without it. The closure may run twice and
    /// must give the same both times.
    pub async fn write<T, F>(&self, write: F) -> Result<T, StorageError>
    where
        F: FnMut(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let gone = || StorageError(format!("the writer of {} has ended", self.shared.path.display()));
        self.submit(write).await.map_err(|_| gone())?
    }

    /// Like [`Sqlite::write`] for a caller that cannot wait: what was submitted is written before the store closes.
    pub(crate) fn submit<T, F>(&self, write: F) -> oneshot::Receiver<Result<T, StorageError>>
    where
        F: FnMut(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let waiting = Box::new(Waiting { write, result: None, reply });
        if let Some(writes) = &self.shared.writes {
            // Where the writer has ended, the reply is dropped with the write, which is the answer.
            let _ = writes.send(waiting);
        }
        answer
    }

    /// Runs `read` in a transaction of its own: it sees the last commit, all of it from the same one, and never
    /// waits for the writer.
    ///
    /// It runs on the calling thread: for reads by key, which take microseconds. A scan belongs on
    /// [`Sqlite::scan`].
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StorageError> {
        self.shared.readers.read(read)
    }

    /// Runs a read that may take long, off the threads that answer requests.
    pub async fn scan<T, F>(&self, read: F) -> Result<T, StorageError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.read(read))
            .await
            .map_err(|error| StorageError(format!("a read failed: {error}")))?
    }

    /// Whether the file can be read and its writer is there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let writer_is_there = self.shared.writes.as_ref().is_some_and(|writes| !writes.is_closed());
        writer_is_there
            && self.read(|connection| connection.query_row("SELECT 1 FROM schema", [], |_| Ok(()))).is_ok()
    }

    /// The kept total `name`, see [`Tx::count`].
    pub fn total(&self, name: &str) -> Result<u64, StorageError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT coalesce(sum(n), 0) FROM totals WHERE name = ?1")?
                .query_row([name], |row| row.get::<_, i64>(0))
        })
        .map(|n| u64::try_from(n).unwrap_or(0))
    }

    /// How many transactions this process has begun on the file, and how many writes were committed in them.
    #[must_use]
    pub fn commits(&self) -> (u64, u64) {
        self.shared.counts.get()
    }

    /// The reading side of the outbox in this file.
    #[must_use]
    pub fn outbox(&self) -> SqliteOutbox {
        SqliteOutbox::new(self.clone(), Arc::clone(&self.shared.unpublished))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Without a sender the writer finishes what waits and closes its connection, which empties the WAL.
        self.writes = None;
        self.readers.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn configure(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Rebuildable => "NORMAL",
    };
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "busy_timeout", 5000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // In pages of 4 KiB. A WAL that has reached its size is overwritten, which costs half of what growing it does;
    // a rarer checkpoint copies hot pages less often.
    connection.pragma_update(None, "wal_autocheckpoint", 2000)?;
    connection.pragma_update(None, "cache_size", -8192)?;
    Ok(())
}
