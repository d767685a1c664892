//! The reading side of the outbox.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use platform_event_bus::Headers;
use platform_outbox::{Outbox, OutboxError, OutboxMessage, OutboxRow};
use tokio::sync::watch;

use crate::{Sqlite, StorageError};

/// What the writer has committed to the outbox: the news of it, and the last rows in memory, so that a relay that
/// keeps up need not fetch them from the file.
pub(crate) struct Unpublished {
    /// The first place that no commit has filled yet.
    next: watch::Sender<i64>,
    /// The last rows, without gaps.
    rows: Mutex<VecDeque<OutboxRow>>,
}

/// Rows kept in memory: some MiB.
const IN_MEMORY: usize = 8192;

impl Unpublished {
    pub(crate) fn new(next_seq: i64) -> Self {
        Self { next: watch::Sender::new(next_seq), rows: Mutex::default() }
    }

    /// Called by the writer, in the order of its commits.
    pub(crate) fn committed(&self, said: Vec<OutboxRow>) {
        let Some(next) = said.last().map(|row| row.seq + 1) else { return };
        {
            let mut rows = self.rows.lock();
            rows.extend(said);
            let excess = rows.len().saturating_sub(IN_MEMORY);
            rows.drain(..excess);
        }
        self.next.send_replace(next);
    }

    /// The rows after `seq`; `None` where memory does not reach back to there.
    fn read(&self, seq: i64, max: usize) -> Option<Vec<OutboxRow>> {
        let rows = self.rows.lock();
        let first = rows.front()?.seq;
        let skip = usize::try_from(seq + 1 - first).ok()?;
        Some(rows.iter().skip(skip).take(max).cloned().collect())
    }

    fn forget_through(&self, seq: i64) {
        let mut rows = self.rows.lock();
        while rows.front().is_some_and(|row| row.seq <= seq) {
            rows.pop_front();
        }
    }
}

/// The outbox of a [`Sqlite`] store.
pub struct SqliteOutbox {
    store: Sqlite,
    unpublished: Arc<Unpublished>,
}

impl SqliteOutbox {
    pub(crate) fn new(store: Sqlite, unpublished: Arc<Unpublished>) -> Self {
        Self { store, unpublished }
    }
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn wait_beyond(&self, seq: i64) -> i64 {
        let mut committed = self.unpublished.next.subscribe();
        let next = committed.wait_for(|next| *next > seq + 1).await.map(|next| *next);
        match next {
            Ok(next) => next - 1,
            // The store is being closed: there will be no further row.
            Err(_) => std::future::pending().await,
        }
    }

    async fn read(&self, seq: i64, max: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        if let Some(rows) = self.unpublished.read(seq, max) {
            return Ok(rows);
        }
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
        self.unpublished.forget_through(seq);
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<Bytes>, OutboxError> {
        let read = |connection: &rusqlite::Connection| {
            connection
                .prepare_cached("SELECT DISTINCT key FROM outbox")?
                .query_map([], |row| Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_bytes()?)))?
                .collect()
        };
        Ok(self.store.scan(read).await?)
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
