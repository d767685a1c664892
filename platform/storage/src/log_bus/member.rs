//! A member of a group.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use platform_event_bus::{BusError, Record, Subscription};
use tokio::sync::{OwnedMutexGuard, watch};

use super::{LogBus, Turn, batches::read};

pub(super) struct Member {
    bus: LogBus,
    topic: i64,
    group: String,
    member: Turn,
    reading: Option<OwnedMutexGuard<()>>,
    /// Where the log is read next.
    next: i64,
    /// What the group had committed when this member began: partitions may differ.
    committed: BTreeMap<u32, i64>,
    /// What was returned since the last commit.
    uncommitted: BTreeMap<u32, i64>,
    end: watch::Receiver<i64>,
}

impl Member {
    /// It has no turn yet.
    pub(super) fn new(bus: LogBus, topic: i64, group: &str, member: Turn) -> Self {
        let end = bus.shared.end.subscribe();
        Self {
            bus,
            topic,
            group: group.to_owned(),
            member,
            reading: None,
            next: 0,
            committed: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
            end,
        }
    }

    /// Waits for its turn in the group and goes where the group is.
    async fn join(&mut self) -> Result<(), BusError> {
        if self.reading.is_some() {
            return Ok(());
        }
        let turn = Arc::clone(&self.member).lock_owned().await;
        // Before anything else is read: what is published from here on is not passed over.
        let end = *self.end.borrow();
        self.committed = self.bus.committed(self.topic, &self.group)?;
        let everywhere =
            (0..self.bus.shared.partitions).map(|p| self.committed.get(&p).copied().unwrap_or(0));
        let ends = self.bus.ends(self.topic)?;
        // Partitions without a record left to read do not hold the start back.
        let behind = everywhere.enumerate().filter(|(p, committed)| {
            ends.get(&u32::try_from(*p).unwrap_or(0)).is_some_and(|end| committed < end)
        });
        self.next = behind.map(|(_, committed)| committed).min().unwrap_or(end);
        self.reading = Some(turn);
        Ok(())
    }
}

#[async_trait]
impl Subscription for Member {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        self.join().await?;
        loop {
            let end = *self.end.borrow_and_update();
            while self.next < end {
                let tail = self.bus.shared.tail.lock().read(self.topic, self.next, end, max);
                let (records, next) = match tail {
                    Some(read) => read,
                    None => read(&self.bus.shared.store, self.topic, self.next, end, max)?,
                };
                self.next = next;
                let already =
                    |r: &Record| self.committed.get(&r.partition).is_some_and(|from| r.offset < *from);
                let records: Vec<_> = records.into_iter().filter(|record| !already(record)).collect();
                if records.is_empty() {
                    continue;
                }
                for record in &records {
                    self.uncommitted.insert(record.partition, record.offset + 1);
                }
                return Ok(records);
            }
            if self.end.changed().await.is_err() {
                return Err(BusError::Unavailable("the log is closed".to_owned()));
            }
        }
    }

    async fn commit(&mut self) -> Result<(), BusError> {
        let committed = std::mem::take(&mut self.uncommitted);
        self.bus.shared.positions.lock().unwritten.extend(
            committed
                .into_iter()
                .map(|(partition, next)| ((self.topic, self.group.clone(), partition), next)),
        );
        self.bus.flush_soon();
        Ok(())
    }
}
