//! SQLite as a durable store for one service: group commit, kept totals, an outbox, versioned migrations, and
//! the embedded event bus as a log of its own.

mod encoding;
mod error;
mod group_commit;
mod log_bus;
mod outbox;
mod part;
mod readers;
mod schema;
mod sqlite;
mod tx;

pub use error::{OpenError, PartError, StorageError};
pub use log_bus::LogBus;
pub use outbox::SqliteOutbox;
pub use part::{Part, Term};
pub use schema::Migration;
pub use sqlite::Sqlite;
pub use tx::Tx;

pub use rusqlite;
