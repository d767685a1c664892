//! Where the groups are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use platform_event_bus::BusError;

use super::{LogBus, unavailable};
use crate::{StorageError, Tx};

/// How long a committed position may be in memory only.
const WRITE_POSITIONS_AFTER: Duration = Duration::from_millis(200);

/// What groups have committed and the file does not have yet: (topic, group, partition) → first offset not committed.
///
/// It is written with the next records, or soon. A crash before that only means that records are read again, which
/// consumers bear; a sync of its own for every batch of every group would cost more than all records together.
#[derive(Default)]
pub(super) struct Positions {
    pub(super) unwritten: HashMap<(i64, String, u32), i64>,
    /// Whether a task is under way that writes them soon.
    writing_soon: bool,
}

impl Positions {
    pub(super) fn take(&mut self) -> Vec<((i64, String, u32), i64)> {
        self.unwritten.drain().collect()
    }
}

impl LogBus {
    pub(super) fn committed(&self, topic: i64, group: &str) -> Result<BTreeMap<u32, i64>, BusError> {
        let read = self.shared.store.read(|connection| {
            connection
                .prepare_cached(
                    r#"SELECT "partition", committed FROM positions WHERE topic = ?1 AND grp = ?2"#,
                )?
                .query_map((topic, group), |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        });
        let mut committed: BTreeMap<_, _> = read.map_err(unavailable)?;
        let positions = self.shared.positions.lock();
        let newer = positions
            .unwritten
            .iter()
            .filter(|((of_topic, of_group, _), _)| *of_topic == topic && of_group == group);
        committed.extend(newer.map(|((_, _, partition), position)| (*partition, *position)));
        Ok(committed)
    }

    pub(super) fn take_positions(&self) -> Vec<((i64, String, u32), i64)> {
        self.shared.positions.lock().take()
    }

    /// They were not written; what was committed meanwhile is newer.
    pub(super) fn give_back(&self, positions: Vec<((i64, String, u32), i64)>) {
        let mut shared = self.shared.positions.lock();
        for (place, committed) in positions {
            shared.unwritten.entry(place).or_insert(committed);
        }
    }

    /// Writes the positions that are only in memory.
    async fn flush(&self) -> Result<(), StorageError> {
        let positions = self.take_positions();
        if positions.is_empty() {
            return Ok(());
        }
        let write = {
            let positions = positions.clone();
            move |tx: &Tx<'_>| write_positions(tx, &positions)
        };
        let written = self.shared.store.write(write).await;
        if written.is_err() {
            self.give_back(positions);
        }
        written
    }

    /// Sees to it that the positions are written soon, whether or not there are further records.
    pub(super) fn flush_soon(&self) {
        if std::mem::replace(&mut self.shared.positions.lock().writing_soon, true) {
            return;
        }
        // The task does not keep a bus open that everybody else has closed.
        let shared = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(WRITE_POSITIONS_AFTER).await;
            let Some(shared) = shared.upgrade() else { return };
            let bus = Self { shared };
            bus.shared.positions.lock().writing_soon = false;
            if let Err(error) = bus.flush().await {
                tracing::warn!(%error, "committed positions are not written yet; after a crash more would be read again");
                bus.flush_soon();
            }
        });
    }

    pub(super) fn ends(&self, topic: i64) -> Result<BTreeMap<u32, i64>, BusError> {
        let read = self.shared.store.read(|connection| {
            connection
                .prepare_cached(r#"SELECT "partition", "end" FROM ends WHERE topic = ?1"#)?
                .query_map([topic], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        });
        read.map_err(unavailable)
    }
}

/// A position never goes back, whichever of two writers comes later.
pub(super) fn write_positions(tx: &Tx<'_>, positions: &[((i64, String, u32), i64)]) -> rusqlite::Result<()> {
    let mut upsert = tx.prepare(
        r#"INSERT INTO positions (topic, grp, "partition", committed) VALUES (?1, ?2, ?3, ?4)
           ON CONFLICT (topic, grp, "partition") DO UPDATE SET committed = max(committed, excluded.committed)"#,
    )?;
    positions.iter().try_for_each(|((topic, group, partition), committed)| {
        upsert.execute((topic, group, partition, committed)).map(drop)
    })
}
