//! The embedded event bus: Kafka's model on a SQLite file.
//!
//! One member of a group reads at a time and owns all partitions; another one waits until it is gone. That is
//! what one process needs. Several processes take Kafka behind the same port.

mod partitions;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use platform_event_bus::{
    BusError, EventBus, GroupPosition, Headers, NewRecord, Record, Replay, Subscription, partition_of,
};
use rusqlite::{Connection, Row};
use tokio::sync::{OwnedMutexGuard, watch};

use crate::{Durability, Migration, OpenError, Sqlite, StorageError, Tx};

const MIGRATIONS: &[Migration] =
    &[include_str!("../migrations/0001_log.sql"), include_str!("../migrations/0002_partitions.sql")];

/// What [`read_record`] expects.
const COLUMNS: &str = "\"offset\", \"partition\", published_at, key, headers, value";

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

/// What groups have committed and the file does not have yet: (topic, group, partition) → first offset not committed.
///
/// It is written with the next records, or soon. A crash before that only means that records are read again, which
/// consumers bear; a sync of its own for every batch of every group would cost more than all records together.
#[derive(Default)]
struct Positions {
    unwritten: HashMap<(i64, String, u32), i64>,
    /// Whether a task is under way that writes them soon.
    writing_soon: bool,
}

impl Positions {
    fn take(&mut self) -> Vec<((i64, String, u32), i64)> {
        self.unwritten.drain().collect()
    }
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

/// How long a committed position may be in memory only.
const WRITE_POSITIONS_AFTER: Duration = Duration::from_millis(200);

impl LogBus {
    /// Opens or creates the log.
    ///
    /// `partitions` holds for every topic. Without it, the log has as many as before, a new one
    /// [`platform_event_bus::DEFAULT_PARTITIONS`]. There may be more than before, never fewer.
    pub fn open(path: &Path, partitions: Option<u32>) -> Result<Self, OpenError> {
        let settle = |connection: &Connection| partitions::settle(connection, path, partitions);
        let (store, partitions) = Sqlite::open_with(path, "log", MIGRATIONS, Durability::Full, settle)?;
        let end = store
            .read(|connection| {
                connection
                    .query_row(r#"SELECT coalesce(max("offset"), 0) + 1 FROM records"#, [], |row| row.get(0))
            })
            .map_err(|error| OpenError::Damaged { path: path.to_owned(), reason: error.0 })?;
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

    fn committed(&self, topic: i64, group: &str) -> Result<BTreeMap<u32, i64>, BusError> {
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

    fn take_positions(&self) -> Vec<((i64, String, u32), i64)> {
        self.shared.positions.lock().take()
    }

    /// They were not written; what was committed meanwhile is newer.
    fn give_back(&self, positions: Vec<((i64, String, u32), i64)>) {
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
    fn flush_soon(&self) {
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

    fn ends(&self, topic: i64) -> Result<BTreeMap<u32, i64>, BusError> {
        let read = self.shared.store.read(|connection| {
            connection
                .prepare_cached(r#"SELECT "partition", "end" FROM ends WHERE topic = ?1"#)?
                .query_map([topic], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        });
        read.map_err(unavailable)
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
        let appended = self.shared.store.write(write).await.map_err(|error| {
            self.give_back(positions);
            unavailable(error)
        })?;
        let end = appended.last().map_or(0, |last| last.offset + 1);
        self.shared.tail.lock().extend(topic, appended);
        self.shared.end.send_modify(|known| *known = end.max(*known));
        Ok(())
    }

    async fn subscribe(&self, topic: &str, group: &str) -> Result<Box<dyn Subscription>, BusError> {
        let id = self.topic_id(topic).await?;
        let name = (topic.to_owned(), group.to_owned());
        let member = Arc::clone(self.shared.members.lock().entry(name).or_default());
        Ok(Box::new(Member {
            bus: self.clone(),
            topic: id,
            group: group.to_owned(),
            member,
            reading: None,
            next: 0,
            committed: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
            end: self.shared.end.subscribe(),
        }))
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
}

/// Appends and returns the records with their places.
fn append(tx: &Tx<'_>, topic: i64, partitions: u32, records: &[NewRecord]) -> rusqlite::Result<Vec<Record>> {
    let mut next: i64 = tx
        .prepare(r#"SELECT coalesce(max("offset"), 0) + 1 FROM records"#)?
        .query_row([], |row| row.get(0))?;
    let now = now_millis();
    let mut ends = BTreeMap::new();
    let mut appended = Vec::with_capacity(records.len());
    let mut insert = tx.prepare(
        r#"INSERT INTO records ("offset", topic, "partition", published_at, key, headers, value)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"#,
    )?;
    for record in records {
        let partition = match &record.key {
            Some(key) => partition_of(key, partitions),
            None => u32::try_from(next % i64::from(partitions)).unwrap_or(0),
        };
        insert.execute((
            next,
            topic,
            partition,
            now,
            record.key.as_deref(),
            &record.headers.as_encoded()[..],
            &record.value[..],
        ))?;
        let NewRecord { key, headers, value } = record.clone();
        appended.push(Record { partition, offset: next, published_at: now, key, headers, value });
        next += 1;
        ends.insert(partition, next);
    }
    let mut upsert = tx.prepare(
        r#"INSERT INTO ends (topic, "partition", "end") VALUES (?1, ?2, ?3)
           ON CONFLICT (topic, "partition") DO UPDATE SET "end" = excluded."end""#,
    )?;
    for (partition, end) in ends {
        upsert.execute((topic, partition, end))?;
    }
    Ok(appended)
}

/// The last records, in memory: four groups read every record soon after it was appended, and need not fetch it
/// from the file each.
#[derive(Default)]
struct Tail(BTreeMap<i64, (i64, Record)>);

/// Records in the tail: some MiB.
const TAIL: usize = 8192;

impl Tail {
    fn extend(&mut self, topic: i64, appended: Vec<Record>) {
        self.0.extend(appended.into_iter().map(|record| (record.offset, (topic, record))));
        while self.0.len() > TAIL {
            self.0.pop_first();
        }
    }

    /// Like [`read`], but `None` where the tail does not reach back to `from`. Offsets over all topics have no
    /// gaps, so one that is missing was appended by somebody who has not got to extending the tail yet.
    fn read(&self, topic: i64, from: i64, end: i64, max: usize) -> Option<(Vec<Record>, i64)> {
        let (mut records, mut next) = (Vec::new(), from);
        for (offset, (of_topic, record)) in self.0.range(from..end) {
            if *offset != next || records.len() == max {
                break;
            }
            next += 1;
            if *of_topic == topic {
                records.push(record.clone());
            }
        }
        (next > from).then_some((records, next))
    }
}

fn write_positions(tx: &Tx<'_>, positions: &[((i64, String, u32), i64)]) -> rusqlite::Result<()> {
    let mut upsert = tx.prepare(
        r#"INSERT INTO positions (topic, grp, "partition", committed) VALUES (?1, ?2, ?3, ?4)
           ON CONFLICT (topic, grp, "partition") DO UPDATE SET committed = excluded.committed"#,
    )?;
    positions.iter().try_for_each(|((topic, group, partition), committed)| {
        upsert.execute((topic, group, partition, committed)).map(drop)
    })
}

struct Member {
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
    /// Waits for its turn in the group and goes where the group is.
    async fn join(&mut self) -> Result<(), BusError> {
        if self.reading.is_some() {
            return Ok(());
        }
        let turn = Arc::clone(&self.member).lock_owned().await;
        self.committed = self.bus.committed(self.topic, &self.group)?;
        let everywhere =
            (0..self.bus.shared.partitions).map(|p| self.committed.get(&p).copied().unwrap_or(0));
        let ends = self.bus.ends(self.topic)?;
        // Partitions without a record left to read do not hold the start back.
        let behind = everywhere.enumerate().filter(|(p, committed)| {
            ends.get(&u32::try_from(*p).unwrap_or(0)).is_some_and(|end| committed < end)
        });
        self.next = behind.map(|(_, committed)| committed).min().unwrap_or_else(|| *self.end.borrow());
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

struct Replaying {
    bus: LogBus,
    topic: i64,
    next: i64,
    end: i64,
}

#[async_trait]
impl Replay for Replaying {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        while self.next < self.end {
            let (records, next) = read(&self.bus.shared.store, self.topic, self.next, self.end, max)?;
            self.next = next;
            if !records.is_empty() {
                return Ok(records);
            }
        }
        Ok(Vec::new())
    }

    async fn catch_up(&mut self) -> Result<(), BusError> {
        self.end = *self.bus.shared.end.borrow();
        Ok(())
    }
}

/// At most `max` records of `topic` from `from` on and before `end`, and where to go on.
fn read(store: &Sqlite, topic: i64, from: i64, end: i64, max: usize) -> Result<(Vec<Record>, i64), BusError> {
    let read = store.read(|connection: &Connection| {
        let sql = format!(
            r#"SELECT {COLUMNS} FROM records
               WHERE "offset" >= ?1 AND "offset" < ?2 AND topic = ?3 ORDER BY "offset" LIMIT ?4"#
        );
        connection
            .prepare_cached(&sql)?
            .query_map((from, end, topic, i64::try_from(max).unwrap_or(i64::MAX)), read_record)?
            .collect::<rusqlite::Result<Vec<_>>>()
    });
    let records = read.map_err(unavailable)?;
    let next = match records.last() {
        Some(last) if records.len() == max => last.offset + 1,
        _ => end,
    };
    Ok((records, next))
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let bytes = |column| {
        Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_bytes_or_null()?.map(Bytes::copy_from_slice))
    };
    Ok(Record {
        offset: row.get(0)?,
        partition: row.get(1)?,
        published_at: row.get(2)?,
        key: bytes(3)?,
        headers: Headers::from_encoded(bytes(4)?.unwrap_or_default()),
        value: bytes(5)?.unwrap_or_default(),
    })
}

fn unavailable(error: StorageError) -> BusError {
    BusError::Unavailable(error.0)
}

fn now_millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
