//! Transactional outbox (microservices.io: *Transactional outbox*, *Polling publisher*).
//!
//! What a change says to others is a row of the outbox, written in the transaction that writes the state. The
//! [`Relay`] publishes the rows in their order and deletes them once the bus has acknowledged: no event without
//! its committed row, no committed row without its event, whatever is killed when. A crash between publishing
//! and deleting publishes again, which consumers bear.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use platform_event_bus::{EventBus, Headers, NewRecord};
use tokio::time::sleep;
use tracing::{debug, info, warn};

/// What one change says: a record that is not published yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Key of the record: messages of one key are published in their order.
    pub key: Bytes,
    /// Headers of the record.
    pub headers: Headers,
    /// Value of the record.
    pub value: Bytes,
}

/// A message with its place in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Grows with every message that is written.
    pub seq: i64,
    /// What is to be published.
    pub message: OutboxMessage,
}

/// The outbox could not be read or written; a retry may help.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the outbox is unavailable: {0}")]
pub struct OutboxError(pub String);

/// The reading side of an outbox. The writing side is the store's own transaction.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Waits until rows after `seq` have been written, and returns the last place that is known to be filled
    /// (its row may have been published and deleted since).
    async fn wait_beyond(&self, seq: i64) -> i64;

    /// The oldest rows after `seq`, at most `max`, in their order.
    async fn read(&self, seq: i64, max: usize) -> Result<Vec<OutboxRow>, OutboxError>;

    /// Deletes everything up to and including `seq`: it has been published.
    async fn delete_through(&self, seq: i64) -> Result<(), OutboxError>;

    /// The keys of all rows that wait, for somebody who only looks on.
    async fn keys(&self) -> Result<Vec<Bytes>, OutboxError>;

    /// How many rows wait.
    async fn backlog(&self) -> Result<u64, OutboxError>;

    /// How long the oldest of them has waited; `None` where there is none, or where the store does not know.
    async fn oldest(&self) -> Result<Option<Duration>, OutboxError> {
        Ok(None)
    }
}

/// Publishes an outbox on a topic, woken by the commits that fill it.
pub struct Relay {
    /// What is published.
    pub outbox: Arc<dyn Outbox>,
    /// Where.
    pub bus: Arc<dyn EventBus>,
    /// On which topic.
    pub topic: String,
    /// Pause after a batch, in which the next one gathers: a lone event goes out at once, many go out in few and
    /// large batches, which cost less on both sides.
    pub gather: Duration,
}

/// Most rows published at once.
const BATCH: usize = 4096;

/// Pause after a failure of the bus or the outbox.
const PAUSE: Duration = Duration::from_millis(200);

impl Relay {
    /// Publishes for ever. May be dropped at any moment: what was not deleted is published again.
    pub async fn run(self) {
        let (mut published, mut deleted) = (0, 0);
        let mut pauses = false;
        loop {
            // What is published and could not be deleted yet does not wait for the next event.
            let filled =
                if deleted < published { published } else { self.outbox.wait_beyond(published).await };
            match self.publish_waiting(&mut published, &mut deleted).await {
                // What another relay has published and deleted is not waited for again.
                Ok(()) => {
                    published = published.max(filled);
                    deleted = published;
                    if std::mem::take(&mut pauses) {
                        info!("publishing goes on");
                    }
                }
                Err(reason) => {
                    // A line for each time that it pauses, and not for each attempt.
                    if std::mem::replace(&mut pauses, true) {
                        debug!(%reason, "publishing pauses still");
                    } else {
                        warn!(%reason, "publishing pauses, events wait in the outbox");
                    }
                    sleep(PAUSE).await;
                }
            }
            sleep(self.gather).await;
        }
    }

    async fn publish_waiting(
        &self,
        published: &mut i64,
        deleted: &mut i64,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if *deleted < *published {
            self.outbox.delete_through(*published).await?;
            *deleted = *published;
        }
        loop {
            let rows = self.outbox.read(*published, BATCH).await?;
            let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
            let full = rows.len() == BATCH;
            let records = rows.into_iter().map(|row| {
                let OutboxMessage { key, headers, value } = row.message;
                NewRecord { key: Some(key), headers, value }
            });
            self.bus.publish(&self.topic, records.collect()).await?;
            *published = last;
            self.outbox.delete_through(last).await?;
            *deleted = last;
            if !full {
                return Ok(());
            }
        }
    }
}
