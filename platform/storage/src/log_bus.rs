//! The embedded event bus: Kafka's model on a SQLite file.
//!
//! One member of a group reads at a time and owns all partitions; another one waits until it is gone. That is
//! what one process needs. Several processes take Kafka behind the same port.

mod batches;
mod member;
mod partitions;
mod positions;
mod replaying;
mod tail;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use platform_event_bus::{BusError, EventBus, GroupPosition, NewRecord, Record, Replay, Subscription};
use rusqlite::Connection;
use tokio::sync::watch;

use batches::append;
use member::Member;
use positions::{Positions, write_positions};
use replaying::Replaying;
use tail::Tail;

use crate::{Migration, OpenError, Sqlite, StorageError, Tx};

const MIGRATIONS: &[Migration] =
    &[include_str!("../migrations/0001_log.sql"), include_str!("../migrations/0002_partitions.sql")];

/// The log. Clones share it.
#[derive(Clone)]
pub struct LogBus {
    shared: Arc<Shared>,
}

/// The turn of a group's members.
type Turn = Arc<tokio::sync::Mutex<()>>;

struct Shared {
    store: Sqlite,
    partitions: u32,
    /// The first offset after the last record of the log.
    end: watch::Sender<i64>,
    /// Held by the reading member of a group (topic, group).
    members: Mutex<HashMap<(String, String), Turn>>,
    topics: Mutex<HashMap<String, i64>>,
    positions: Mutex<Positions>,
    tail: Mutex<Tail>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let positions = self.positions.get_mut().take();
        if !positions.is_empty() {
            // Written while the store closes; nobody waits for the answer.
            drop(self.store.submit(move |tx| write_positions(tx, &positions)));
        }
    }
}

impl LogBus {
    /// Opens or creates the log.
    ///
    /// `partitions` holds for every topic. Without it, the log has as many as before, a new one
    /// [`platform_event_bus::DEFAULT_PARTITIONS`]. There may be more than before, never fewer.
    pub fn open(path: &Path, partitions: Option<u32>) -> Result<Self, OpenError> {
        let settle = |connection: &Connection| partitions::settle(connection, path, partitions);
        let (store, partitions) = Sqlite::open_with(path, "log", MIGRATIONS, settle)?;
        let end = store
            .read(|connection| {
                connection.query_row("SELECT coalesce(max(last), 0) + 1 FROM batches", [], |row| row.get(0))
            })
            .map_err(|error| OpenError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
        let shared = Shared {
            store,
            partitions,
            end: watch::Sender::new(end),
            members: Mutex::default(),
            topics: Mutex::default(),
            positions: Mutex::default(),
            tail: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The number of `topic`, made at its first use.
    async fn topic_id(&self, topic: &str) -> Result<i64, BusError> {
        if let Some(id) = self.shared.topics.lock().get(topic) {
            return Ok(*id);
        }
        let name = topic.to_owned();
        let id: i64 = self
            .shared
            .store
            .write(move |tx| {
                tx.prepare("INSERT INTO topics (name) VALUES (?1) ON CONFLICT DO NOTHING")?
                    .execute([&name])?;
                tx.prepare("SELECT id FROM topics WHERE name = ?1")?.query_row([&name], |row| row.get(0))
            })
            .await
            .map_err(unavailable)?;
        self.shared.topics.lock().insert(topic.to_owned(), id);
        Ok(id)
    }
}

#[async_trait]
impl EventBus for LogBus {
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), BusError> {
        if records.is_empty() {
            return Ok(());
        }
        let topic = self.topic_id(topic).await?;
        let partitions = self.shared.partitions;
        let positions = self.take_positions();
        let write = {
            let positions = positions.clone();
            move |tx: &Tx<'_>| {
                write_positions(tx, &positions)?;
                append(tx, topic, partitions, &records)
            }
        };
        // A task of its own: what is committed is announced, also to a caller that does not wait for it any more.
        let bus = self.clone();
        let publishing = tokio::spawn(async move {
            let appended = bus.shared.store.write(write).await.map_err(|error| {
                bus.give_back(positions);
                unavailable(error)
            })?;
            let end = appended.last().map_or(0, |last| last.offset + 1);
            bus.shared.tail.lock().extend(topic, appended);
            bus.shared.end.send_modify(|known| *known = end.max(*known));
            Ok(())
        });
        publishing.await.map_err(|error| BusError::Unavailable(error.to_string()))?
    }

    async fn subscribe(&self, topic: &str, group: &str) -> Result<Box<dyn Subscription>, BusError> {
        let id = self.topic_id(topic).await?;
        let name = (topic.to_owned(), group.to_owned());
        let member = Arc::clone(self.shared.members.lock().entry(name).or_default());
        Ok(Box::new(Member::new(self.clone(), id, group, member)))
    }

    async fn replay(&self, topic: &str) -> Result<Box<dyn Replay>, BusError> {
        let topic = self.topic_id(topic).await?;
        let end = *self.shared.end.borrow();
        Ok(Box::new(Replaying { bus: self.clone(), topic, next: 0, end }))
    }

    async fn positions(&self, topic: &str, group: &str) -> Result<Vec<GroupPosition>, BusError> {
        let topic = self.topic_id(topic).await?;
        // First what is committed: read the other way round, a group could seem to be beyond the end.
        let committed = self.committed(topic, group)?;
        let ends = self.ends(topic)?;
        let known = |map: &BTreeMap<u32, i64>, partition| map.get(&partition).copied().unwrap_or(0);
        let position = |partition| GroupPosition {
            partition,
            committed: known(&committed, partition),
            end: known(&ends, partition),
        };
        Ok((0..self.shared.partitions).map(position).collect())
    }

    /// Counted: offsets run over all topics and partitions.
    async fn lag(&self, topic: &str, group: &str) -> Result<u64, BusError> {
        let mut behind = self.positions(topic, group).await?;
        behind.retain(|position| position.committed < position.end);
        let Some(first) = behind.iter().map(|position| position.committed).min() else { return Ok(0) };
        let topic = self.topic_id(topic).await?;
        let count = move |connection: &Connection| {
            let is_behind = |record: &Record| {
                let of = behind.iter().find(|position| position.partition == record.partition);
                of.is_some_and(|position| position.committed <= record.offset)
            };
            batches::count(connection, topic, first, is_behind)
        };
        self.shared.store.scan(count).await.map_err(unavailable)
    }
}

fn unavailable(error: StorageError) -> BusError {
    BusError::Unavailable(error.to_string())
}
