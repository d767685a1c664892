//! The reading side of the outbox.

use async_trait::async_trait;
use bytes::Bytes;
use platform_event_bus::Headers;
use platform_outbox::{Outbox, OutboxError, OutboxMessage, OutboxRow};
use tokio::sync::watch;

use crate::{Sqlite, StorageError};

/// The outbox of a [`Sqlite`] store.
pub struct SqliteOutbox {
    store: Sqlite,
    /// The first place that no commit has filled yet.
    committed_seq: watch::Receiver<i64>,
}

impl SqliteOutbox {
    pub(crate) fn new(store: Sqlite, committed_seq: watch::Receiver<i64>) -> Self {
        Self { store, committed_seq }
    }
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn wait_beyond(&self, seq: i64) -> i64 {
        let mut committed = self.committed_seq.clone();
        let next = committed.wait_for(|next| *next > seq + 1).await.map(|next| *next);
        match next {
            Ok(next) => next - 1,
            // The store is being closed: there will be no further row.
            Err(_) => std::future::pending().await,
        }
    }

    async fn read(&self, seq: i64, max: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        let read = self.store.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT seq, key, headers, value FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2",
                )?
                .query_map((seq, i64::try_from(max).unwrap_or(i64::MAX)), read_row)?
                .collect()
        });
        Ok(read?)
    }

    async fn delete_through(&self, seq: i64) -> Result<(), OutboxError> {
        let delete =
            move |tx: &crate::Tx<'_>| tx.prepare("DELETE FROM outbox WHERE seq <= ?1")?.execute([seq]);
        self.store.write(delete).await?;
        Ok(())
    }

    async fn backlog(&self) -> Result<u64, OutboxError> {
        let count: i64 = self.store.read(|connection| {
            connection.prepare_cached("SELECT count(*) FROM outbox")?.query_row([], |row| row.get(0))
        })?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

impl From<StorageError> for OutboxError {
    fn from(error: StorageError) -> Self {
        Self(error.0)
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<OutboxRow> {
    let bytes = |column| Ok::<_, rusqlite::Error>(Bytes::copy_from_slice(row.get_ref(column)?.as_bytes()?));
    let message =
        OutboxMessage { key: bytes(1)?, headers: Headers::from_encoded(bytes(2)?), value: bytes(3)? };
    Ok(OutboxRow { seq: row.get(0)?, message })
}
