//! One file: opening, its schema, and how redb's errors are told.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::RwLock;
use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase as _, TableDefinition, WriteTransaction,
};
use tracing::{info, warn};

use super::rows;
use crate::query::Unavailable;

/// Pages that redb keeps in memory. The system's page cache has them too, so a small one costs little.
const CACHE: usize = 16 * 1024 * 1024;

/// Grows with every change of the tables or of how rows are stored.
const SCHEMA: u64 = 1;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const META_SCHEMA: &str = "schema";
const META_COMPLETE: &str = "complete";

/// A view file that cannot be used. The process should say so and end; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a view, or pages that contradict each other.
    #[error(
        "the view file {path} is damaged ({reason}): move it away and start again, the view is rebuilt from the \
         topic; nothing was changed"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// redb's words.
        reason: String,
    },
    /// Written by a later program.
    #[error(
        "the view file {path} was written by a newer version of this program (schema {found}, this program knows \
         {known}): start that version"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Schema version in the file.
        found: u64,
        /// Schema version of this program.
        known: u64,
    },
    /// No room, no permission, no folder, or in use.
    #[error("the view file {path} cannot be opened for writing: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// An open file.
pub(super) struct ViewFile {
    /// The rows as of the last commit, ready for reads by key: opening a transaction and its table takes longer
    /// than the read. `None` before the tables are there. (Before the database, so that it is dropped before it.)
    rows: RwLock<Option<rows::Snapshot>>,
    /// `None` only where it was closed after a failure and could not be opened again yet.
    database: RwLock<Option<Database>>,
    /// After a write that the system refused (a full disk, for example) redb refuses everything until it is opened
    /// again.
    stuck: AtomicBool,
}

impl ViewFile {
    /// Opens or creates the file.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let database = RwLock::new(Some(open_database(path)?));
        let file = Self { rows: RwLock::default(), database, stuck: AtomicBool::new(false) };
        file.check_schema(path)?;
        file.look_again().map_err(|error| open_error(path, error))?;
        Ok(file)
    }

    /// Opens the file again where redb refuses everything since a write has failed; else does nothing.
    ///
    /// Where it cannot be opened yet, nothing can be read either, until the next try.
    pub(super) fn recover(&self, path: &Path) {
        if !self.stuck.load(Ordering::Acquire) {
            return;
        }
        let mut database = self.database.write();
        // Closed first: nobody can open it twice.
        *self.rows.write() = None;
        *database = None;
        match open_database(path) {
            Ok(opened) => *database = Some(opened),
            Err(error) => return warn!(%error, "the view cannot be opened again yet"),
        }
        drop(database);
        self.stuck.store(false, Ordering::Release);
        match self.look_again() {
            Ok(()) => info!("the view is open again"),
            Err(error) => warn!(%error, "the view cannot be read yet"),
        }
    }

    /// Whatever is done with the database. One that was closed is away.
    fn with_database<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        // Recursive: a read within a read must not wait for a writer that waits for the first.
        match self.database.read_recursive().as_ref() {
            Some(database) => act(database),
            None => Err(redb::Error::PreviousIo),
        }
    }

    fn check_schema(&self, path: &Path) -> Result<(), OpenError> {
        let damaged = |reason: &str| OpenError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
        let found = self.schema().map_err(|error| open_error(path, error))?;
        match found {
            Schema::None => self.create_tables().map_err(|error| open_error(path, error)),
            Schema::Foreign => Err(damaged("it has other tables than a view")),
            Schema::Version(found) if found > SCHEMA => {
                Err(OpenError::Newer { path: path.to_owned(), found, known: SCHEMA })
            }
            Schema::Version(_) => self.read(rows::check_tables).map_err(|error| damaged(&error.0)),
        }
    }

    fn schema(&self) -> Result<Schema, redb::Error> {
        self.with_database(|database| {
            let tx = database.begin_read()?;
            if tx.list_tables()?.next().is_none() {
                return Ok(Schema::None);
            }
            match tx.open_table(META) {
                Ok(meta) => {
                    let version = meta.get(META_SCHEMA)?;
                    Ok(version.map_or(Schema::Foreign, |version| Schema::Version(version.value())))
                }
                Err(redb::TableError::Storage(error)) => Err(error.into()),
                Err(_) => Ok(Schema::Foreign),
            }
        })
    }

    fn create_tables(&self) -> Result<(), redb::Error> {
        self.with_database(|database| {
            let tx = database.begin_write()?;
            tx.open_table(META)?.insert(META_SCHEMA, SCHEMA)?;
            rows::create_tables(&tx)?;
            Ok(tx.commit()?)
        })
    }

    /// Runs `read` on a snapshot: the last commit.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, Unavailable> {
        self.with_database(|database| read(&database.begin_read()?)).map_err(away)
    }

    /// Runs `write` in a transaction that readers see when it returns. Where `write` says `false`, nothing has
    /// changed and nothing is written.
    ///
    /// `Durability::None` becomes durable with the next `Durability::Immediate`.
    pub(super) fn write(
        &self,
        durability: Durability,
        write: impl FnOnce(&WriteTransaction) -> Result<bool, redb::Error>,
    ) -> Result<(), Unavailable> {
        let written = self.with_database(|database| {
            let mut tx = database.begin_write()?;
            tx.set_durability(durability)?;
            if !write(&tx)? {
                tx.abort()?;
                return Ok(false);
            }
            tx.commit()?;
            Ok(true)
        });
        let seen = written.and_then(|changed| if changed { self.look_again() } else { Ok(()) });
        seen.map_err(|error| {
            if matches!(error, redb::Error::PreviousIo) {
                self.stuck.store(true, Ordering::Release);
            }
            away(error)
        })
    }

    /// See [`crate::query::View::settle`].
    pub(super) fn settle(&self) -> Result<(), Unavailable> {
        self.write(Durability::Immediate, |_| Ok(true))
    }

    /// Lets reads by key see the last commit.
    fn look_again(&self) -> Result<(), redb::Error> {
        let rows = self.with_database(|database| rows::snapshot(&database.begin_read()?))?;
        // The old one is closed after the lock is given back.
        let _old = self.rows.write().replace(rows);
        Ok(())
    }

    /// Runs `read` on the rows as of the last commit.
    pub(super) fn read_rows<T>(
        &self,
        read: impl FnOnce(&rows::Snapshot) -> Result<T, redb::Error>,
    ) -> Result<T, Unavailable> {
        let rows = self.rows.read();
        let rows = rows.as_ref().ok_or_else(|| Unavailable("it is not open".to_owned()))?;
        read(rows).map_err(away)
    }

    /// See [`crate::query::View::is_complete`].
    pub(super) fn is_complete(&self) -> Result<bool, Unavailable> {
        self.read(|tx| {
            Ok(tx.open_table(META)?.get(META_COMPLETE)?.is_some_and(|complete| complete.value() == 1))
        })
    }

    /// See [`crate::query::View::mark_complete`].
    pub(super) fn mark_complete(&self) -> Result<(), Unavailable> {
        self.write(Durability::Immediate, |tx| {
            tx.open_table(META)?.insert(META_COMPLETE, 1)?;
            Ok(true)
        })
    }
}

fn open_database(path: &Path) -> Result<Database, OpenError> {
    Builder::new()
        .set_cache_size(CACHE)
        // Without it a damaged page may show later, as a panic in the middle of an answer.
        .set_check_integrity_on_open(true)
        .create(path)
        .map_err(|error| open_error(path, error.into()))
}

enum Schema {
    /// A new file.
    None,
    /// Somebody else's.
    Foreign,
    Version(u64),
}

/// Removes the file of a rebuild that did not come to its end.
pub(super) fn remove_leftover(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::Unusable { path: path.to_owned(), reason: error.to_string() })
        }
        _ => Ok(()),
    }
}

fn away(error: impl Into<redb::Error>) -> Unavailable {
    Unavailable(error.into().to_string())
}

/// Sorts what redb says on opening into what a person can do about it.
fn open_error(path: &Path, error: redb::Error) -> OpenError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error {
        redb::Error::Corrupted(_) | redb::Error::RepairAborted | redb::Error::UpgradeRequired(_) => {
            OpenError::Damaged { path, reason }
        }
        redb::Error::Io(error)
            if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            OpenError::Damaged { path, reason }
        }
        redb::Error::DatabaseAlreadyOpen => {
            OpenError::Unusable { path, reason: "another process has it open".to_owned() }
        }
        _ => OpenError::Unusable { path, reason },
    }
}
