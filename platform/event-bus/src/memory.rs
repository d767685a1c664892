//! An event bus in memory: the fake for tests, held to the same [`crate::contract`] as the real ones.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, watch};

use crate::{
    BusError, DEFAULT_PARTITIONS, EventBus, GroupPosition, NewRecord, Record, Replay, Subscription,
    partition_of,
};

/// A bus that forgets everything when it is dropped. Clones share their records.
#[derive(Clone)]
pub struct MemoryBus {
    shared: Arc<Shared>,
}

struct Shared {
    partitions: u32,
    topics: Mutex<HashMap<String, Vec<Record>>>,
    groups: Mutex<HashMap<(String, String), Group>>,
    appended: watch::Sender<u64>,
    failing: Mutex<Option<String>>,
    largest: Mutex<Option<usize>>,
}

#[derive(Clone, Default)]
struct Group {
    /// The first offset that is not committed: the fake counts one offset over all partitions.
    committed: i64,
    /// Held by the member that reads: another one waits.
    member: Arc<tokio::sync::Mutex<()>>,
}

impl Default for MemoryBus {
    fn default() -> Self {
        Self::new(DEFAULT_PARTITIONS)
    }
}

impl MemoryBus {
    /// An empty bus.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        let shared = Shared {
            partitions,
            topics: Mutex::default(),
            groups: Mutex::default(),
            appended: watch::Sender::new(0),
            failing: Mutex::default(),
            largest: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Everything that was published on `topic`.
    #[must_use]
    pub fn published(&self, topic: &str) -> Vec<Record> {
        self.shared.topics.lock().get(topic).cloned().unwrap_or_default()
    }

    /// From now on publishing fails with `reason`, or works again.
    pub fn fail_publishing(&self, reason: Option<&str>) {
        *self.shared.failing.lock() = reason.map(str::to_owned);
    }

    /// From now on no record is taken that has more bytes.
    pub fn take_at_most(&self, bytes: usize) {
        *self.shared.largest.lock() = Some(bytes);
    }
}

fn size(record: &NewRecord) -> usize {
    let key = record.key.as_ref().map_or(0, Bytes::len);
    key + record.headers.as_encoded().len() + record.value.len()
}

#[async_trait]
impl EventBus for MemoryBus {
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), BusError> {
        if let Some(reason) = self.shared.failing.lock().clone() {
            return Err(BusError::Unavailable(reason));
        }
        let largest = *self.shared.largest.lock();
        if let Some(size) = records.iter().map(size).find(|size| largest.is_some_and(|most| *size > most)) {
            return Err(BusError::TooLarge(format!("{size} bytes")));
        }
        {
            let mut topics = self.shared.topics.lock();
            let log = topics.entry(topic.to_owned()).or_default();
            for record in records {
                let offset = i64::try_from(log.len()).unwrap_or(i64::MAX);
                let partition = record.key.as_ref().map_or_else(
                    || u32::try_from(log.len()).unwrap_or(0) % self.shared.partitions,
                    |key| partition_of(key, self.shared.partitions),
                );
                let NewRecord { key, headers, value } = record;
                log.push(Record { partition, offset, published_at: offset, key, headers, value });
            }
        }
        self.shared.appended.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn subscribe(&self, topic: &str, group: &str) -> Result<Box<dyn Subscription>, BusError> {
        let name = (topic.to_owned(), group.to_owned());
        let member = Arc::clone(&self.shared.groups.lock().entry(name.clone()).or_default().member);
        let appended = self.shared.appended.subscribe();
        Ok(Box::new(Member { bus: self.clone(), name, member, reading: None, next: 0, appended }))
    }

    async fn replay(&self, topic: &str) -> Result<Box<dyn Replay>, BusError> {
        let end = self.published(topic).len();
        Ok(Box::new(Replaying { bus: self.clone(), topic: topic.to_owned(), next: 0, end }))
    }

    async fn positions(&self, topic: &str, group: &str) -> Result<Vec<GroupPosition>, BusError> {
        let name = (topic.to_owned(), group.to_owned());
        let committed = self.shared.groups.lock().get(&name).map_or(0, |group| group.committed);
        let records = self.published(topic);
        let end = |partition| {
            records.iter().rfind(|record| record.partition == partition).map_or(0, |r| r.offset + 1)
        };
        let position = |partition| GroupPosition {
            partition,
            committed: committed.min(end(partition)),
            end: end(partition),
        };
        Ok((0..self.shared.partitions).map(position).collect())
    }

    /// Counted: offsets run over all partitions.
    async fn lag(&self, topic: &str, group: &str) -> Result<u64, BusError> {
        let behind = self.positions(topic, group).await?;
        let committed = |partition| {
            let of = behind.iter().find(|position| position.partition == partition);
            of.map_or(0, |position| position.committed)
        };
        let records = self.published(topic);
        let waiting = records.iter().filter(|record| record.offset >= committed(record.partition));
        Ok(waiting.count() as u64)
    }
}

struct Member {
    bus: MemoryBus,
    name: (String, String),
    member: Arc<tokio::sync::Mutex<()>>,
    reading: Option<OwnedMutexGuard<()>>,
    next: i64,
    appended: watch::Receiver<u64>,
}

#[async_trait]
impl Subscription for Member {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        if self.reading.is_none() {
            self.reading = Some(Arc::clone(&self.member).lock_owned().await);
            self.next = self.bus.shared.groups.lock().get(&self.name).map_or(0, |group| group.committed);
        }
        loop {
            self.appended.borrow_and_update();
            let records = self.bus.published(&self.name.0);
            let from = usize::try_from(self.next).unwrap_or(0).min(records.len());
            let some: Vec<_> = records[from..].iter().take(max).cloned().collect();
            if let Some(last) = some.last() {
                self.next = last.offset + 1;
                return Ok(some);
            }
            if self.appended.changed().await.is_err() {
                return Err(BusError::Unavailable("the bus is gone".to_owned()));
            }
        }
    }

    async fn commit(&mut self) -> Result<(), BusError> {
        self.bus.shared.groups.lock().entry(self.name.clone()).or_default().committed = self.next;
        Ok(())
    }
}

struct Replaying {
    bus: MemoryBus,
    topic: String,
    next: usize,
    end: usize,
}

#[async_trait]
impl Replay for Replaying {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        let to = self.end.min(self.next + max);
        let some = self.bus.published(&self.topic)[self.next..to].to_vec();
        self.next = to;
        Ok(some)
    }

    async fn catch_up(&mut self) -> Result<(), BusError> {
        self.end = self.bus.published(&self.topic).len();
        Ok(())
    }
}
