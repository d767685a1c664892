//! The topic, counted per order, and the view that it makes.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
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
    /// Where its last event is; [`Tallies`] knows where else some are.
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

/// Every order's tally.
#[derive(Default)]
struct Tallies {
    of: HashMap<i64, Tally>,
    /// The last event in each of the other partitions, of the few orders that are in more than one: partitions were
    /// added while they were under way, or a record has no key.
    elsewhere: HashMap<i64, BTreeMap<u32, i64>>,
}

impl Tallies {
    fn add(&mut self, event: &Event, record: &Record) {
        match self.of.entry(event.order_id) {
            Entry::Vacant(free) => free.insert(Tally::default()).add(event, record),
            Entry::Occupied(found) => {
                let tally = found.into_mut();
                let (partition, last_offset) = (tally.partition, tally.last_offset);
                tally.add(event, record);
                if partition != tally.partition {
                    self.elsewhere.entry(event.order_id).or_default().insert(partition, last_offset);
                }
            }
        }
    }

    /// Whether all events of an order are before what was `committed`, partition by partition.
    fn is_consumed(&self, order_id: i64, committed: &BTreeMap<u32, i64>) -> bool {
        let is_consumed =
            |(partition, last)| committed.get(&partition).is_some_and(|committed| last < *committed);
        let last = self.of.get(&order_id).map(|tally| (tally.partition, tally.last_offset));
        let elsewhere = self.elsewhere.get(&order_id).into_iter().flatten();
        last.into_iter().chain(elsewhere.map(|(partition, last)| (*partition, *last))).all(is_consumed)
    }
}

/// The topic as it was read so far.
pub(super) struct Topic {
    replay: Box<dyn Replay>,
    rebuilt: Arc<dyn View>,
    tallies: Tallies,
    pub(super) events: u64,
}

const BATCH: usize = 10_000;

impl Topic {
    /// Reads the whole topic.
    pub(super) async fn read(library: &Parts, rebuilt: Arc<dyn View>) -> Result<Self, AuditError> {
        let replay = library.bus.replay(&library.topic).await?;
        let mut topic = Self { replay, rebuilt, tallies: Tallies::default(), events: 0 };
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
                self.tallies.add(&event, record);
                facts.extend(fact_in(record).ok().flatten());
            }
            self.rebuilt.apply(facts).await?;
        }
    }

    /// What was said about an order.
    pub(super) fn of(&self, order_id: i64) -> Tally {
        self.tallies.of.get(&order_id).copied().unwrap_or_default()
    }

    /// Whether every group has committed everything that was read about an order.
    pub(super) fn is_consumed(&self, order_id: i64, moving: &Moving) -> bool {
        self.tallies.is_consumed(order_id, &moving.committed)
    }

    /// The orders that the topic speaks of.
    pub(super) fn order_ids(&self) -> impl Iterator<Item = i64> {
        self.tallies.of.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: i64 = 7;

    /// An order whose events are at these places, in the sequence in which they were read.
    fn an_order_at(places: &[(u32, i64)]) -> Tallies {
        let mut tallies = Tallies::default();
        for (partition, offset) in places {
            let event = Event {
                order_id: ORDER,
                id: ORDER,
                kind: EventKind::Rented,
                event_id: format!("{partition}-{offset}"),
                version: None,
                correlation_id: None,
                customer: None,
                occurred_at: None,
            };
            let (key, headers, value, published_at) = Default::default();
            let (partition, offset) = (*partition, *offset);
            tallies.add(&event, &Record { partition, offset, published_at, key, headers, value });
        }
        tallies
    }

    #[test]
    fn an_order_in_several_partitions_is_consumed_where_all_of_them_are() {
        let tallies = an_order_at(&[(0, 3), (5, 1), (0, 4), (5, 2)]);
        let is_consumed =
            |committed: &[(u32, i64)]| tallies.is_consumed(ORDER, &committed.iter().copied().collect());
        assert!(is_consumed(&[(0, 5), (5, 3), (6, 0)]));
        assert!(
            !is_consumed(&[(0, 4), (5, 3)]),
            "its last event in the partition that was read before is not"
        );
        assert!(!is_consumed(&[(0, 5), (5, 2)]));
        assert!(!is_consumed(&[(5, 3)]), "nobody knows");
        assert!(tallies.is_consumed(ORDER + 1, &BTreeMap::new()), "of which nothing was said");
    }

    #[test]
    fn an_order_in_one_partition_takes_no_more_memory_than_its_tally() {
        let tallies = an_order_at(&[(2, 3), (2, 8)]);
        assert!(tallies.elsewhere.is_empty());
        assert!(tallies.is_consumed(ORDER, &BTreeMap::from([(2, 9)])));
        assert!(!tallies.is_consumed(ORDER, &BTreeMap::from([(2, 8)])));
    }
}
