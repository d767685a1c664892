//! The view anew from the topic, while the old one goes on answering.

use platform_event_bus::{BusError, EventBus};
use tracing::{info, warn};

use crate::{
    query::{Unavailable, View},
    record::fact_in,
};

/// Most records of one transaction. Nobody waits for a rebuild, so the batches are large.
const BATCH: usize = 10_000;

/// Why the view was not rebuilt. The live view is as it was, or the new one where that has taken its place and the
/// system does not say that this will last; rebuilding again may help.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RebuildError {
    /// The topic cannot be read.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The view cannot be written.
    #[error(transparent)]
    View(#[from] Unavailable),
}

/// Rebuilds `view` from `topic` and returns how many facts were read.
///
/// Whatever is published meanwhile is not lost. The rebuild begins before the replay takes the topic's end, so a
/// record is before that end and replayed, or after it and brought by the consumer, which writes to both views from
/// that moment; some come in both ways. Merging does not care for order or repetition, so both together are all.
pub async fn rebuild(view: &dyn View, bus: &dyn EventBus, topic: &str) -> Result<u64, RebuildError> {
    let mut rebuild = view.begin_rebuild().await?;
    let mut replay = bus.replay(topic).await?;
    let mut read = 0;
    loop {
        let records = replay.next(BATCH).await?;
        if records.is_empty() {
            break;
        }
        let mut facts = Vec::with_capacity(records.len());
        for record in &records {
            match fact_in(record) {
                Ok(fact) => facts.extend(fact),
                // The consumer has made it a dead letter: the live view does not have it either.
                Err(reason) => {
                    warn!(partition = record.partition, offset = record.offset, %reason, "a rebuild passes over a record");
                }
            }
        }
        read += facts.len() as u64;
        rebuild.apply(facts).await?;
    }
    rebuild.finish().await?;
    info!(topic, facts = read, "the view is rebuilt");
    Ok(read)
}
