//! The topic, counted per order, and the view that it makes.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use contracts::{Event, EventKind, decode};
use mypage::{query::View, record::fact_in};
use platform_event_bus::{Record, Replay};

use super::{AuditError, moving::Moving};
use crate::parts::Parts;

/// What the topic says about one order: which events, and whether one was said more than once.
///
/// Small, since there is one per order of the library. Copies of the same event are one: a relay that was killed
/// publishes again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// What the first event of each kind is known by, by [`index`]; 0 where there is none.
    first: [u32; KINDS],
    /// Bit per kind: different events were said.
    twice: u16,
    /// Where its last event is.
    partition: u32,
    last_offset: i64,
}

const KINDS: usize = 11;

/// A place for each kind of event.
fn index(kind: &EventKind) -> usize {
    match kind {
        EventKind::Ordered { .. } => 0,
        EventKind::OrderDeferred { .. } => 1,
        EventKind::OrderRejected { .. } => 2,
        EventKind::OrderCancelled { .. } => 3,
        EventKind::Rented => 4,
        EventKind::RentCanceled => 5,
        EventKind::RentReinstated => 6,
        EventKind::ParcelPrepared => 7,
        EventKind::ParcelHandedOver => 8,
        EventKind::DeliveryCanceled => 9,
        EventKind::CancelRejected => 10,
    }
}

/// What an event is known by: a copy of it has the same mark, another event another one. (One pair in four thousand
/// million has not; a whole name for every event of every order would be too much to keep.)
fn mark(event: &Event) -> u32 {
    let mut hasher = DefaultHasher::new();
    (event.id, event.version, &event.event_id).hash(&mut hasher);
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).max(1)
}

impl Tally {
    /// Whether an event of this kind was published.
    pub(super) fn has(&self, kind: &EventKind) -> bool {
        self.first[index(kind)] > 0
    }

    /// Whether different events of this kind were published.
    pub(super) fn has_twice(&self, kind: &EventKind) -> bool {
        self.twice & (1 << index(kind)) != 0
    }

    fn add(&mut self, event: &Event, record: &Record) {
        let (mark, index) = (mark(event), index(&event.kind));
        match self.first[index] {
            0 => self.first[index] = mark,
            known if known != mark => self.twice |= 1 << index,
            _ => {}
        }
        (self.partition, self.last_offset) = (record.partition, record.offset);
    }
}

/// The topic as it was read so far.
pub(super) struct Topic {
    replay: Box<dyn Replay>,
    rebuilt: Arc<dyn View>,
    tallies: HashMap<i64, Tally>,
    pub(super) events: u64,
}

const BATCH: usize = 10_000;

impl Topic {
    /// Reads the whole topic.
    pub(super) async fn read(library: &Parts, rebuilt: Arc<dyn View>) -> Result<Self, AuditError> {
        let replay = library.bus.replay(&library.topic).await?;
        let mut topic = Self { replay, rebuilt, tallies: HashMap::new(), events: 0 };
        topic.read_on().await?;
        Ok(topic)
    }

    /// Reads what has come since.
    pub(super) async fn catch_up(&mut self) -> Result<(), AuditError> {
        self.replay.catch_up().await?;
        self.read_on().await
    }

    async fn read_on(&mut self) -> Result<(), AuditError> {
        loop {
            let records = self.replay.next(BATCH).await?;
            if records.is_empty() {
                return Ok(());
            }
            let mut facts = Vec::with_capacity(records.len());
            for record in &records {
                // What cannot be decoded is a dead letter's business.
                let Ok(Some(event)) = decode(&record.value, String::new) else { continue };
                self.events += 1;
                self.tallies.entry(event.order_id).or_default().add(&event, record);
                facts.extend(fact_in(record).ok().flatten());
            }
            self.rebuilt.apply(facts).await?;
        }
    }

    /// What was said about an order.
    pub(super) fn of(&self, order_id: i64) -> Tally {
        self.tallies.get(&order_id).copied().unwrap_or_default()
    }

    /// Whether every group has committed everything that was read about an order.
    pub(super) fn is_consumed(&self, order_id: i64, moving: &Moving) -> bool {
        self.tallies.get(&order_id).is_none_or(|tally| {
            moving.committed.get(&tally.partition).is_some_and(|committed| tally.last_offset < *committed)
        })
    }

    /// The orders that the topic speaks of.
    pub(super) fn order_ids(&self) -> impl Iterator<Item = i64> {
        self.tallies.keys().copied()
    }
}
