//! PostgreSQL as the durable store of a service that runs in many processes: group commit, kept totals, ids, an
//! outbox that one process publishes at a time, versioned migrations.

mod change;
mod connect;
mod doubt;
mod error;
mod group_commit;
mod ids;
mod locks;
mod outbox;
mod pool;
mod postgres;
mod schema;
mod settings;
mod standing;
mod statements;
mod table;
mod totals;
mod turn;
mod watch;

pub use change::{Change, Row, Saved};
pub use error::{OpenError, PartError, StoreError};
pub use outbox::PostgresOutbox;
pub use platform_secret::{Password, Secret};
pub use postgres::Postgres;
pub use schema::Migration;
pub use settings::{Settings, Tls};
pub use standing::State;
pub use table::{Column, Keys, Kind, Table, Value};
pub use turn::Turn;

pub use tokio_postgres;
