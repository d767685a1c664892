//! What can go wrong with a data file, in one sentence each.

use std::path::PathBuf;

use platform_resilience::WorkError;

/// A data file that cannot be used. The process should say so and end; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a database, or pages that contradict each other.
    #[error("the data file {path} is damaged ({reason}): restore it from a backup, nothing was changed")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// Written by a later program.
    #[error(
        "the data file {path} was written by a newer version of this program \
         ({component} schema {found}, this program knows {known}): start that version"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Whose tables.
        component: &'static str,
        /// Schema version in the file.
        found: u32,
        /// Schema version of this program.
        known: u32,
    },
    /// A log that was made with more partitions: the events of the others would never be read.
    #[error(
        "the data file {path} has {least} partitions, which cannot become {asked}: leave the number away, or give \
         {least} or more; nothing was changed"
    )]
    FewerPartitions {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        asked: u32,
        /// What it has.
        least: u32,
    },
    /// No room, no permission, no folder.
    #[error("the data file {path} cannot be opened for writing: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// A read or a write that did not happen. A retry may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Nothing of it was written.
    #[error("the store is unavailable: {0}")]
    Away(String),
    /// Pages of the file contradict each other. No retry helps, and nothing more is written to it.
    #[error("a data file is damaged: {0}")]
    Damaged(String),
    /// It was committed, and the disk failed to keep it: whoever opens the file again may find it, or not.
    #[error("it is not known whether the store has written it: {0}")]
    InDoubt(String),
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        let reason = error.to_string();
        if is_damage(&error) { Self::Damaged(reason) } else { Self::Away(reason) }
    }
}

impl From<WorkError> for StorageError {
    fn from(error: WorkError) -> Self {
        Self::Away(format!("a read was not done: {error}"))
    }
}

/// Why a part of a collection was not read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PartError {
    /// Too many that pass over many rows wait for their turn.
    #[error("too many long reads wait already")]
    TooMany,
    /// The file cannot be read.
    #[error(transparent)]
    Unavailable(#[from] StorageError),
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(NotADatabase | DatabaseCorrupt))
}

/// Sorts what SQLite says on opening into what a person can do about it.
pub(crate) fn open_error(path: &std::path::Path, error: &rusqlite::Error) -> OpenError {
    let (path, reason) = (path.to_owned(), error.to_string());
    if is_damage(error) { OpenError::Damaged { path, reason } } else { OpenError::Unusable { path, reason } }
}
