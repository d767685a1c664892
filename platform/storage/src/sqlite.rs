//! The handle of a store.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use platform_resilience::{Bulkhead, WorkError, while_awaited};
use rusqlite::{Connection, Row};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    Migration, OpenError, Part, PartError, SqliteOutbox, StorageError, Tx, error,
    group_commit::{Counts, Waiting, Write, Writer},
    outbox::Unpublished,
    readers::Readers,
    schema,
};

/// Prepared statements kept by the writer.
const STATEMENTS: usize = 64;

/// Rows that a read may pass over without waiting for its turn: it takes some milliseconds, and is as long as the
/// longest page.
const SHORT: u64 = 2_000;

/// Longer reads at once. Each of them keeps a thread busy, and the WAL from being overwritten.
const LONG_READS: usize = 2;

/// Further ones that wait for their turn.
const WAITING: usize = 32;

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
    long_reads: Bulkhead,
    unpublished: Arc<Unpublished>,
    counts: Arc<Counts>,
    /// Set for good where a page was found that cannot be right.
    damaged: AtomicBool,
}

impl Sqlite {
    /// Opens or creates the file, brings its schema up to date and starts its writer.
    ///
    /// `component` names the migrations; they are the component's whole history, oldest first.
    pub fn open(path: &Path, component: &'static str, migrations: &[Migration]) -> Result<Self, OpenError> {
        Self::open_with(path, component, migrations, |_| Ok(())).map(|(store, ())| store)
    }

    /// The same, with something that has to be settled in the file before anybody uses it.
    pub(crate) fn open_with<T>(
        path: &Path,
        component: &'static str,
        migrations: &[Migration],
        settle: impl FnOnce(&Connection) -> Result<T, OpenError>,
    ) -> Result<(Self, T), OpenError> {
        let failed = |error: rusqlite::Error| error::open_error(path, &error);
        let mut connection = Connection::open(path).map_err(failed)?;
        configure(&connection).map_err(failed)?;
        schema::migrate(&mut connection, path, component, migrations)?;
        let settled = settle(&connection)?;
        let next_seq: i64 = connection
            .query_row("SELECT coalesce(max(last), 0) + 1 FROM outbox", [], |row| row.get(0))
            .map_err(failed)?;

        // What a process that was killed has committed and not synced can be read: from here on it is on the disk, too.
        let wal = wal_of(path).and_then(|wal| wal.sync_data().map(|()| wal));
        let wal = wal.map_err(|error| unusable(path, &error))?;

        let (writes, waiting) = mpsc::unbounded_channel();
        let unpublished = Arc::new(Unpublished::new(next_seq));
        let readers = Arc::new(Readers::new(path.to_owned()));
        let counts = Arc::<Counts>::default();
        let writer = Writer {
            connection,
            waiting,
            wal,
            next_seq,
            unpublished: Arc::clone(&unpublished),
            readers: Arc::clone(&readers),
            counts: Arc::clone(&counts),
            runtime: Handle::try_current().ok(),
        };
        let writer = thread::Builder::new()
            .name(format!("{component}-writer"))
            .spawn(move || writer.run())
            .map_err(|error| unusable(path, &error))?;
        let shared = Shared {
            path: path.to_owned(),
            writes: Some(writes),
            writer: Some(writer),
            readers,
            long_reads: Bulkhead::new(LONG_READS, WAITING),
            unpublished,
            counts,
            damaged: AtomicBool::new(false),
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
        self.submit(write).await.map_err(|_| self.gone()).flatten().map_err(|error| self.known(error))
    }

    /// Like [`Sqlite::write`] for something that would be done again by itself: it is answered when it is committed,
    /// so that no crash of the process takes it back, and before it is on the disk, so that a power cut may.
    pub async fn write_redoable<T, F>(&self, write: F) -> Result<T, StorageError>
    where
        F: FnMut(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.send(write, true).await.map_err(|_| self.gone()).flatten().map_err(|error| self.known(error))
    }

    fn gone(&self) -> StorageError {
        let path = self.shared.path.display();
        if self.is_damaged() {
            return StorageError::Away(format!("{path} is damaged, nothing more is written to it"));
        }
        StorageError::Away(format!("the writer of {path} has ended"))
    }

    fn is_damaged(&self) -> bool {
        self.shared.damaged.load(Ordering::Relaxed)
    }

    /// Takes note of damage: from then on nothing is written to a file that may lose more by it.
    fn known(&self, error: StorageError) -> StorageError {
        let StorageError::Damaged(reason) = error else { return error };
        let path = self.shared.path.display();
        if !self.shared.damaged.swap(true, Ordering::Relaxed) {
            tracing::error!(
                %reason,
                "the data file {path} is damaged: nothing more is written to it; stop the library and restore the file from a \
                 backup"
            );
        }
        StorageError::Damaged(format!("{path} ({reason})"))
    }

    /// Like [`Sqlite::write`] for a caller that cannot wait: what was submitted is written before the store closes.
    pub(crate) fn submit<T, F>(&self, write: F) -> oneshot::Receiver<Result<T, StorageError>>
    where
        F: FnMut(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.send(write, false)
    }

    fn send<T, F>(&self, write: F, redoable: bool) -> oneshot::Receiver<Result<T, StorageError>>
    where
        F: FnMut(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let waiting = Box::new(Waiting { write, redoable, result: None, reply });
        if let Some(writes) = self.shared.writes.as_ref().filter(|_| !self.is_damaged()) {
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
        self.shared.readers.read(read).map_err(|error| self.known(error))
    }

    /// Runs a read that may take long, off the threads that answer requests. Where the caller goes away, it ends.
    pub async fn scan<T, F>(&self, read: F) -> Result<T, StorageError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let store = self.clone();
        let read = while_awaited(move |awaited| store.shared.readers.read_while(awaited, read)).await;
        read.map_err(StorageError::from).flatten().map_err(|error| self.known(error))
    }

    /// A part of a collection, and how many rows the collection has.
    ///
    /// One that passes over many rows waits for its turn, so that few of them run at once, however many are asked
    /// for; and it ends where the caller goes away.
    ///
    /// # Errors
    /// [`PartError::TooMany`] at once where too many wait already.
    pub async fn part<T, F>(&self, part: Part, read_row: F) -> Result<(Vec<T>, u64), PartError>
    where
        F: FnMut(&Row<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        if part.passes(self.total(part.total)?) <= SHORT {
            return Ok(self.scan(move |connection| part.read(connection, read_row)).await?);
        }
        let store = self.clone();
        let read = self.shared.long_reads.run(move |awaited| {
            store.shared.readers.read_while(awaited, |connection| part.read(connection, read_row))
        });
        match read.await {
            Ok(read) => Ok(read.map_err(|error| self.known(error))?),
            Err(WorkError::Full) => Err(PartError::TooMany),
            Err(error @ WorkError::Failed(_)) => Err(StorageError::from(error).into()),
        }
    }

    /// Whether the file can be read and its writer is there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let writer_is_there = self.shared.writes.as_ref().is_some_and(|writes| !writes.is_closed());
        writer_is_there
            && !self.is_damaged()
            && self.read(|connection| connection.query_row("SELECT 1 FROM schema", [], |_| Ok(()))).is_ok()
    }

    /// The kept total `name`, see [`Tx::count`].
    pub fn total(&self, name: &str) -> Result<u64, StorageError> {
        self.read(|connection| kept_total(connection, name))
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

/// The file that SQLite appends the commits of `path` to. It is there as soon as the file was read.
fn wal_of(path: &Path) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    File::options().write(true).open(name)
}

fn unusable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Unusable { path: path.to_owned(), reason: error.to_string() }
}

/// See [`Sqlite::total`].
pub(crate) fn kept_total(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let total: i64 = connection
        .prepare_cached("SELECT coalesce(sum(n), 0) FROM totals WHERE name = ?1")?
        .query_row([name], |row| row.get(0))?;
    Ok(u64::try_from(total).unwrap_or(0))
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // The writer itself syncs what it has committed. All other syncs, around a checkpoint, are SQLite's.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "busy_timeout", 5000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // In pages of 4 KiB. A WAL that has reached its size is overwritten, which costs half of what growing it does;
    // a rarer checkpoint copies hot pages less often.
    connection.pragma_update(None, "wal_autocheckpoint", 2000)?;
    connection.pragma_update(None, "cache_size", -6144)?;
    Ok(())
}
