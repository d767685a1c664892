//! Which partitions a member has, and how far it has read them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use platform_event_bus::Record;
use rdkafka::{Offset, TopicPartitionList, error::KafkaResult};

/// Changed by the group's decisions, which arrive while somebody polls, and by what the member returns and commits.
#[derive(Default)]
pub(crate) struct Owned {
    state: Mutex<State>,
    count: Count,
}

/// How many partitions all members of a process have. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.count.0.fetch_sub(self.state.get_mut().partitions.len(), Ordering::Relaxed);
    }
}

#[derive(Default)]
struct State {
    /// Of each partition: the first offset that was not returned, where that is not committed.
    partitions: HashMap<u32, Option<i64>>,
    /// Lost since somebody has asked.
    lost: Vec<u32>,
}

impl Owned {
    /// Nothing yet; what it gets is counted.
    pub(crate) fn counted(count: &Count) -> Self {
        Self { count: count.clone(), state: Mutex::default() }
    }

    /// The group gives us these partitions: reading begins where the group has committed.
    pub(crate) fn assign(&self, given: &TopicPartitionList) {
        let mut state = self.state.lock();
        let before = state.partitions.len();
        state.partitions.extend(numbers(given).map(|partition| (partition, None)));
        self.count.0.fetch_add(state.partitions.len() - before, Ordering::Relaxed);
    }

    /// The group takes these partitions away. What was not committed is another member's to read: our own commit
    /// could only move its position back.
    pub(crate) fn revoke(&self, taken: &TopicPartitionList) {
        let mut state = self.state.lock();
        for partition in numbers(taken) {
            if state.partitions.remove(&partition).is_some() {
                self.count.0.fetch_sub(1, Ordering::Relaxed);
            }
            state.lost.push(partition);
        }
    }

    /// The partitions that were lost since the last call.
    pub(crate) fn lost(&self) -> Vec<u32> {
        std::mem::take(&mut self.state.lock().lost)
    }

    /// These records are given to the member's user.
    pub(crate) fn returned(&self, records: &[Record]) {
        let mut state = self.state.lock();
        for record in records {
            if let Some(position) = state.partitions.get_mut(&record.partition) {
                *position = Some(record.offset + 1);
            }
        }
    }

    /// Everything that was returned and is not committed.
    pub(crate) fn uncommitted(&self, topic: &str) -> KafkaResult<TopicPartitionList> {
        let mut offsets = TopicPartitionList::new();
        for (partition, position) in &self.state.lock().partitions {
            if let Some(position) = position {
                let partition = i32::try_from(*partition).unwrap_or(i32::MAX);
                offsets.add_partition_offset(topic, partition, Offset::Offset(*position))?;
            }
        }
        Ok(offsets)
    }

    /// All that was uncommitted is committed.
    pub(crate) fn committed(&self) {
        self.state.lock().partitions.values_mut().for_each(|position| *position = None);
    }
}

fn numbers(list: &TopicPartitionList) -> impl Iterator<Item = u32> {
    list.elements().into_iter().filter_map(|element| u32::try_from(element.partition()).ok())
}

#[cfg(test)]
mod tests {
    use platform_event_bus::Headers;

    use super::*;

    fn partitions(numbers: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for number in numbers {
            list.add_partition("topic", *number);
        }
        list
    }

    fn record(partition: u32, offset: i64) -> Record {
        let (headers, value) = (Headers::default(), bytes::Bytes::new());
        Record { partition, offset, published_at: 0, key: None, headers, value }
    }

    fn uncommitted(owned: &Owned) -> Vec<(i32, Offset)> {
        let list = owned.uncommitted("topic").expect("a list");
        let mut found: Vec<_> =
            list.elements().iter().map(|element| (element.partition(), element.offset())).collect();
        found.sort_by_key(|(partition, _)| *partition);
        found
    }

    #[test]
    fn exactly_what_was_returned_is_committed() {
        let owned = Owned::default();
        owned.assign(&partitions(&[0, 1, 2]));
        owned.returned(&[record(0, 4), record(0, 5), record(2, 0)]);
        assert_eq!(uncommitted(&owned), [(0, Offset::Offset(6)), (2, Offset::Offset(1))]);
        owned.committed();
        assert_eq!(uncommitted(&owned), []);
        owned.returned(&[record(1, 7)]);
        assert_eq!(uncommitted(&owned), [(1, Offset::Offset(8))]);
    }

    #[test]
    fn what_all_have_is_counted_until_it_is_taken_away_or_they_are_gone() {
        let count = Count::default();
        let (one, other) = (Owned::counted(&count), Owned::counted(&count));
        one.assign(&partitions(&[0, 1, 2]));
        other.assign(&partitions(&[3]));
        assert_eq!(count.get(), 4);
        one.assign(&partitions(&[1]));
        one.revoke(&partitions(&[0, 7]));
        assert_eq!(count.get(), 3);
        drop(one);
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn a_partition_that_was_taken_away_is_not_committed() {
        let owned = Owned::default();
        owned.assign(&partitions(&[0, 1]));
        owned.returned(&[record(0, 4), record(1, 4)]);
        owned.revoke(&partitions(&[1]));
        owned.returned(&[record(1, 5)]);
        assert_eq!((uncommitted(&owned), owned.lost()), (vec![(0, Offset::Offset(5))], vec![1]));
        owned.assign(&partitions(&[1]));
        assert_eq!((uncommitted(&owned), owned.lost()), (vec![(0, Offset::Offset(5))], vec![]));
    }
}
