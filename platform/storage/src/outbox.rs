//! The reading side of the outbox.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use platform_event_bus::Headers;
use platform_outbox::{Outbox, OutboxError, OutboxMessage, OutboxRow};
use tokio::sync::watch;

use rusqlite::Connection;

use crate::{Sqlite, StorageError, encoding};

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
        // A commit can be read before it is on the disk. What it says is not published before: a power cut could take
        // the commit back, and not what was published.
        let on_disk = *self.unpublished.next.borrow();
        let read = |connection: &Connection| {
            let mut found = Vec::new();
            let mut select = connection
                .prepare_cached("SELECT first, messages FROM outbox WHERE last > ?1 ORDER BY last")?;
            let mut rows = select.query([seq])?;
            while found.len() < max
                && let Some(row) = rows.next()?
            {
                found.extend(
                    read_row(row)?.into_iter().filter(|found| seq < found.seq && found.seq < on_disk),
                );
            }
            found.truncate(max);
            Ok(found)
        };
        Ok(self.store.read(read)?)
    }

    async fn delete_through(&self, seq: i64) -> Result<(), OutboxError> {
        // A row whose last message is not published yet stays as a whole: after a crash all of it is published again.
        let delete =
            move |tx: &crate::Tx<'_>| tx.prepare("DELETE FROM outbox WHERE last <= ?1")?.execute([seq]);
        self.store.write_redoable(delete).await?;
        self.unpublished.forget_through(seq);
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<Bytes>, OutboxError> {
        let read = |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT first, messages FROM outbox")?;
            let rows = select.query_map([], read_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(rows.into_iter().flatten().map(|row| row.message.key).collect())
        };
        Ok(self.store.scan(read).await?)
    }

    async fn backlog(&self) -> Result<u64, OutboxError> {
        let count: i64 = self.store.read(|connection| {
            connection
                .prepare_cached("SELECT coalesce(sum(last - first + 1), 0) FROM outbox")?
                .query_row([], |row| row.get(0))
        })?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// Writes what one transaction says.
pub(crate) fn write(connection: &Connection, said: &[OutboxRow]) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (said.first(), said.last()) else { return Ok(()) };
    let mut messages = Vec::with_capacity(said.len() * 512);
    for OutboxRow { message, .. } in said {
        encoding::put(&mut messages, &message.key);
        encoding::put(&mut messages, message.headers.as_encoded());
        encoding::put(&mut messages, &message.value);
    }
    connection
        .prepare_cached("INSERT INTO outbox (last, first, messages) VALUES (?1, ?2, ?3)")?
        .execute((last.seq, first.seq, messages))?;
    Ok(())
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<OutboxRow>> {
    let first: i64 = row.get(0)?;
    let mut messages = Bytes::copy_from_slice(row.get_ref(1)?.as_bytes()?);
    let mut found = Vec::new();
    for seq in first.. {
        if messages.is_empty() {
            break;
        }
        let key = encoding::take(&mut messages)?;
        let headers = Headers::from_encoded(encoding::take(&mut messages)?);
        let value = encoding::take(&mut messages)?;
        found.push(OutboxRow { seq, message: OutboxMessage { key, headers, value } });
    }
    Ok(found)
}

impl From<StorageError> for OutboxError {
    fn from(error: StorageError) -> Self {
        Self(error.to_string())
    }
}
