//! What can go wrong, in one sentence each.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

/// A database that cannot be used. Nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// Not reached, or it does not let us in. A retry may help.
    #[error("the database {database} at {address} cannot be used: {reason}")]
    Unusable {
        /// The database.
        database: String,
        /// Host and port.
        address: String,
        /// What it says.
        reason: String,
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

/// A read or a write that did not happen. A retry may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable: {0}")]
pub struct StoreError(pub String);

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
        Self(failure.reason().to_owned())
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
