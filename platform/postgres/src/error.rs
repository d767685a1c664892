//! What can go wrong, in one sentence each.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

/// A database that cannot be used. Nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// Not reached, or it does not let us in.
    #[error("the database {database} at {address} cannot be used: {reason}")]
    Unusable {
        /// The database.
        database: String,
        /// Host and port.
        address: String,
        /// What it says.
        reason: String,
        /// Whether waiting alone may help: not where it refuses us, or does not know the database.
        passes: bool,
    },
    /// Written by a later program.
    #[error(
        "the database {database} was written by a newer version of this program \
         ({component} schema {found}, this program knows {known}): start that version"
    )]
    Newer {
        /// The database.
        database: String,
        /// Whose tables.
        component: &'static str,
        /// Schema version in the database.
        found: u32,
        /// Schema version of this program.
        known: u32,
    },
}

impl OpenError {
    /// Whether waiting alone may help. Where not, somebody has to change something, here or in the database.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Unusable { passes, .. } => *passes,
            Self::Newer { .. } => false,
        }
    }
}

/// A connection that could not be made.
#[derive(Clone, Debug)]
pub(crate) struct Unreached {
    pub(crate) reason: String,
    /// Whether waiting alone may help.
    pub(crate) passes: bool,
}

impl From<tokio_postgres::Error> for Unreached {
    fn from(error: tokio_postgres::Error) -> Self {
        let passes = match error.code() {
            Some(code) => !REFUSALS.contains(code),
            // Of what it needs for connecting something is not there, such as a password that the server wants.
            None => !error.to_string().starts_with("invalid configuration"),
        };
        Self { reason: text(&error), passes }
    }
}

/// What the server says to those whom it will not let in: the wrong password, a user that it does not know, a database
/// that is not there, a right that is missing.
const REFUSALS: [SqlState; 4] = [
    SqlState::INVALID_PASSWORD,
    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    SqlState::INVALID_CATALOG_NAME,
    SqlState::INSUFFICIENT_PRIVILEGE,
];

impl From<Unreached> for StoreError {
    fn from(unreached: Unreached) -> Self {
        Self::Away(unreached.reason)
    }
}

/// A read or a write that did not happen. A retry may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing of it was written.
    #[error("the store is unavailable: {0}")]
    Away(String),
    /// The connection broke while it was committed, and nobody could be asked what became of it.
    #[error("it is not known whether the store has written it: {0}")]
    InDoubt(String),
}

/// Why a statement failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// It was this statement; the connection is as good as before.
    Statement(String),
    /// The server has no time for it, or is going away; nothing was written.
    Refused(String),
    /// The connection is lost: nobody knows what became of it.
    Connection(String),
    /// No answer in time: nobody knows what becomes of it.
    Late(String),
}

impl Failure {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Statement(reason)
            | Self::Refused(reason)
            | Self::Connection(reason)
            | Self::Late(reason) => reason,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Away(failure.reason().to_owned())
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let reason = text(&error);
        match error.code() {
            // What the client could not encode or decode has no code, and is the statement's own fault.
            None if error.is_closed() || is_io(&error) => Self::Connection(reason),
            None => Self::Statement(reason),
            Some(code) if *code == SqlState::QUERY_CANCELED => Self::Refused(reason),
            // Classes 57 and 08: the operator has intervened, the connection is over. 53: no memory, no disk.
            Some(code) if code.code().starts_with("57") || code.code().starts_with("08") => {
                Self::Connection(reason)
            }
            Some(code) if code.code().starts_with("53") => Self::Refused(reason),
            Some(_) => Self::Statement(reason),
        }
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|source| source.is::<std::io::Error>())
}

/// What an error says, with what is behind it: the driver's own text is only "db error".
pub(crate) fn text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// Why there is no part of a collection.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Too many parts that pass over many rows are waited for.
    #[error("too many pages that pass over many rows are waited for")]
    TooMany,
    /// The database is away.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}
