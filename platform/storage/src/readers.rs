//! The reading connections of a store.

use std::path::PathBuf;

use parking_lot::Mutex;
use platform_resilience::Awaited;
use rusqlite::{Connection, OpenFlags};

use crate::StorageError;

/// Reading connections that are kept open; more are opened while more reads run at once.
const IDLE: usize = 8;

/// Prepared statements kept per connection.
const STATEMENTS: usize = 64;

/// After so many steps of SQLite's machine a long read looks whether somebody still waits for it: well below a
/// millisecond.
const STEPS: i32 = 4_000;

/// Connections that read the last commit and never wait for the writer.
///
/// To begin and to end a read transaction takes five system calls, more than a read by key itself. So an idle
/// connection stays in its transaction for as long as that shows the last commit, and the next read continues it.
pub(crate) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Reader>,
    /// Counts commits.
    commits: u64,
    /// A transaction that stays open now would keep the commit from restarting the WAL.
    committing: bool,
}

struct Reader {
    connection: Connection,
    /// How many commits there were before its open transaction began, at least.
    since: Option<u64>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, pool: Mutex::default() }
    }

    /// Runs `read` in a transaction that shows the last commit.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StorageError> {
        let reader = self.begin()?;
        // After an error the connection is closed: whatever is wrong with it, the next one begins anew.
        let result = read(&reader.connection)?;
        self.put_back(reader)?;
        Ok(result)
    }

    /// The same, as long as somebody waits for it; then it ends with an error.
    pub(crate) fn read_while<T>(
        &self,
        awaited: &Awaited,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StorageError> {
        let mut reader = self.begin()?;
        let awaited = awaited.clone();
        reader.connection.progress_handler(STEPS, Some(move || !awaited.is_awaited()))?;
        let result = read(&reader.connection)?;
        reader.connection.progress_handler(0, None::<fn() -> bool>)?;
        self.put_back(reader)?;
        Ok(result)
    }

    /// A connection in a transaction that shows the last commit.
    fn begin(&self) -> Result<Reader, StorageError> {
        let (idle, commits) = {
            let mut pool = self.pool.lock();
            (pool.idle.pop(), pool.commits)
        };
        let mut reader = match idle {
            Some(reader) => reader,
            None => self.open()?,
        };
        if reader.since.is_none() {
            reader.connection.prepare_cached("BEGIN")?.execute([])?;
            reader.since = Some(commits);
        }
        Ok(reader)
    }

    fn put_back(&self, mut reader: Reader) -> rusqlite::Result<()> {
        {
            let mut pool = self.pool.lock();
            if pool.idle.len() >= IDLE {
                return Ok(());
            }
            if !pool.committing && reader.since == Some(pool.commits) {
                pool.idle.push(reader);
                return Ok(());
            }
        }
        reader.end()?;
        self.pool.lock().idle.push(reader);
        Ok(())
    }

    /// Called by the writer before each commit.
    pub(crate) fn before_commit(&self) {
        let mut pool = self.pool.lock();
        pool.committing = true;
        pool.idle.retain_mut(|reader| reader.end().is_ok());
    }

    /// Called by the writer after each commit, before its callers are answered: from now on reads show it.
    pub(crate) fn after_commit(&self) {
        let mut pool = self.pool.lock();
        pool.committing = false;
        pool.commits += 1;
    }

    /// Closes the idle connections.
    pub(crate) fn close(&self) {
        self.pool.lock().idle.clear();
    }

    fn open(&self) -> rusqlite::Result<Reader> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "busy_timeout", 5000)?;
        connection.pragma_update(None, "cache_size", -1024)?;
        Ok(Reader { connection, since: None })
    }
}

impl Reader {
    fn end(&mut self) -> rusqlite::Result<()> {
        if self.since.take().is_some() {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }
}
