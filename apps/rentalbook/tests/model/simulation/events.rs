//! The real outboxes and the real bus behind ports that fail, are late, or see their process die.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use async_trait::async_trait;
use axum::body::Bytes;
use platform_event_bus::{BusError, EventBus, GroupPosition, NewRecord, Record, Replay, Subscription};
use platform_outbox::{Outbox, OutboxError, OutboxRow};
use platform_storage::LogBus;
use tokio::sync::{Mutex, Notify};

use super::{
    Defect,
    fate::{Failed, Life, Port, at_once},
    stores::Kept,
};

/// The outbox of a process.
pub(super) struct FaultyOutbox {
    pub(super) life: Life,
    pub(super) kept: Kept<dyn Outbox>,
    /// Told after each write to its store.
    pub(super) written: Arc<Notify>,
}

#[async_trait]
impl Outbox for FaultyOutbox {
    async fn wait_beyond(&self, seq: i64) -> i64 {
        loop {
            self.life.pass_time().await;
            // What is written from here on is heard.
            let mut written = pin!(self.written.notified());
            written.as_mut().enable();
            let outbox = self.kept.get();
            let filled = at_once(async move { outbox.read(seq, 1).await });
            match filled.as_deref() {
                Ok([row, ..]) => return row.seq,
                _ => written.await,
            }
        }
    }

    async fn read(&self, seq: i64, max: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        let kept = self.kept.clone();
        let deletes_first = self.life.fate.has(Defect::DeletesFirst);
        let read = || {
            let outbox = kept.get();
            async move {
                let rows = outbox.read(seq, max).await?;
                if let Some(last) = rows.last().filter(|_| deletes_first) {
                    outbox.delete_through(last.seq).await?;
                }
                Ok(rows)
            }
        };
        self.life.step(Port::Outbox, "read outbox", Failed::Undone, OutboxError, read).await
    }

    async fn delete_through(&self, seq: i64) -> Result<(), OutboxError> {
        let kept = self.kept.clone();
        let delete = || {
            let outbox = kept.get();
            async move { outbox.delete_through(seq).await }
        };
        self.life.step(Port::Outbox, "delete from outbox", Failed::InDoubt, OutboxError, delete).await
    }

    async fn keys(&self) -> Result<Vec<Bytes>, OutboxError> {
        unreachable!("nobody looks on here")
    }

    async fn backlog(&self) -> Result<u64, OutboxError> {
        unreachable!("nobody looks on here")
    }
}

/// The bus, as a process reaches it.
#[derive(Clone)]
pub(super) struct FaultyBus {
    pub(super) life: Life,
    pub(super) bus: LogBus,
    /// Told after each publishing.
    pub(super) news: Arc<Notify>,
}

#[async_trait]
impl EventBus for FaultyBus {
    async fn publish(&self, topic: &str, mut records: Vec<NewRecord>) -> Result<(), BusError> {
        let what = format!("publish {}", records.len());
        if self.life.fate.has(Defect::LosesAnEvent) && records.len() > 1 {
            records.pop();
        }
        // A connection that breaks in the middle.
        let breaks = self.life.fate.fails() && records.len() > 1;
        if breaks {
            records.truncate(records.len() / 2);
        }
        let (bus, topic) = (self.bus.clone(), topic.to_owned());
        let publish = || async move { bus.publish(&topic, records).await };
        self.life.step(Port::Bus, &what, Failed::InDoubt, BusError::Unavailable, publish).await?;
        self.news.notify_waiters();
        if breaks {
            self.life.fate.harm(self.life.who, &what, "Bus broke off in the middle");
            return Err(BusError::Unavailable("it broke off".to_owned()));
        }
        Ok(())
    }

    async fn subscribe(&self, topic: &str, group: &str) -> Result<Box<dyn Subscription>, BusError> {
        let (bus, names) = (self.bus.clone(), (topic.to_owned(), group.to_owned()));
        let subscribe = || async move {
            let (topic, group) = names;
            let member = bus.subscribe(&topic, &group).await?;
            let positions = bus.positions(&topic, &group).await?;
            let read =
                positions.into_iter().map(|position| (position.partition, position.committed)).collect();
            Ok((Arc::new(Mutex::new(member)), read, topic, group))
        };
        let (member, read, topic, group) =
            self.life.step(Port::Bus, "subscribe", Failed::Undone, BusError::Unavailable, subscribe).await?;
        Ok(Box::new(FaultySubscription { bus: self.clone(), member, read, topic, group }))
    }

    async fn replay(&self, _: &str) -> Result<Box<dyn Replay>, BusError> {
        unreachable!("nobody replays here")
    }

    async fn positions(&self, topic: &str, group: &str) -> Result<Vec<GroupPosition>, BusError> {
        let (bus, topic, group) = (self.bus.clone(), topic.to_owned(), group.to_owned());
        at_once(async move { bus.positions(&topic, &group).await })
    }
}

/// A member of a group.
struct FaultySubscription {
    bus: FaultyBus,
    member: Arc<Mutex<Box<dyn Subscription>>>,
    /// How far it has read, by partition.
    read: BTreeMap<u32, i64>,
    topic: String,
    group: String,
}

impl FaultySubscription {
    async fn has_more(&self) -> Result<bool, BusError> {
        let positions = self.bus.positions(&self.topic, &self.group).await?;
        let read = |partition| self.read.get(&partition).copied().unwrap_or(0);
        Ok(positions.iter().any(|position| position.end > read(position.partition)))
    }
}

#[async_trait]
impl Subscription for FaultySubscription {
    /// Nothing is waited for after the member has given its records: who gives up waiting has lost none.
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        loop {
            self.bus.life.before(Port::Bus, "next records").await.map_err(BusError::Unavailable)?;
            let news = Arc::clone(&self.bus.news);
            let mut published = pin!(news.notified());
            published.as_mut().enable();
            if !self.has_more().await? {
                published.await;
                continue;
            }
            let member = Arc::clone(&self.member);
            let commits = self.bus.life.fate.has(Defect::CommitsFirst);
            let records = at_once(async move {
                let mut member = member.lock().await;
                let records = member.next(max).await?;
                if commits {
                    member.commit().await?;
                }
                Ok::<_, BusError>(records)
            })?;
            let last = records.iter().map(|record| (record.partition, record.offset + 1));
            self.read.extend(last);
            self.bus.life.fate.say(format_args!("{:?}: {} records", self.bus.life.who, records.len()));
            return Ok(records);
        }
    }

    async fn commit(&mut self) -> Result<(), BusError> {
        let member = Arc::clone(&self.member);
        let commit = || async move { member.lock().await.commit().await };
        self.bus.life.step(Port::Bus, "commit", Failed::InDoubt, BusError::Unavailable, commit).await
    }
}
