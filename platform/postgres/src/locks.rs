//! Advisory locks: who does what only one process may do. The server gives a lock back when its session ends.

use tokio_postgres::Client;

/// The first half of the name of every lock of ours in a database.
const OURS: i32 = 0x706c_6174;

/// What is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// The schema, while it is brought up to date.
    Schema,
    /// The outbox, while one process publishes it.
    Outbox,
    /// What one process at a time does.
    Turn,
    /// A slot of the kept totals.
    Slot(i32),
}

impl Lock {
    fn name(self) -> i32 {
        match self {
            Self::Schema => 1,
            Self::Outbox => 2,
            Self::Turn => 3,
            Self::Slot(slot) => 1_000 + slot,
        }
    }
}

/// Waits for a lock that goes with the transaction.
pub(crate) async fn wait_in_transaction(client: &Client, lock: Lock) -> Result<(), tokio_postgres::Error> {
    client.execute("SELECT pg_advisory_xact_lock($1, $2)", &[&OURS, &lock.name()]).await?;
    Ok(())
}

/// Takes a lock for the life of the session, if nobody has it.
pub(crate) async fn try_for_session(client: &Client, lock: Lock) -> Result<bool, tokio_postgres::Error> {
    let row = client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&OURS, &lock.name()]).await?;
    row.try_get(0)
}

/// The session that has a lock of a session now: its process on the server.
pub(crate) async fn holder(client: &Client, lock: Lock) -> Result<Option<i32>, tokio_postgres::Error> {
    // The server shows both halves of the name without their sign.
    let sql = "SELECT pid FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 2
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND classid::bigint = $1 AND objid::bigint = $2";
    let row = client.query_opt(sql, &[&i64::from(OURS), &i64::from(lock.name())]).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// Gives a lock of the session back.
pub(crate) async fn give_back(client: &Client, lock: Lock) -> Result<(), tokio_postgres::Error> {
    client.execute("SELECT pg_advisory_unlock($1, $2)", &[&OURS, &lock.name()]).await?;
    Ok(())
}
