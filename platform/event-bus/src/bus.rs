//! The port.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Headers;

/// A record that is to be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Records of the same key go to the same partition and keep their order. Without a key: any partition.
    pub key: Option<Bytes>,
    /// Names with values, for what is about the record and not in it.
    pub headers: Headers,
    /// The content; the bus does not look at it.
    pub value: Bytes,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub partition: u32,
    /// Its place in the partition: growing, not necessarily without gaps.
    pub offset: i64,
    /// When the bus took it, milliseconds since 1970 UTC.
    pub published_at: i64,
    /// What its producer wrote, if it wrote any.
    pub key: Option<Bytes>,
    /// What its producer wrote.
    pub headers: Headers,
    /// The content.
    pub value: Bytes,
}

/// How far a group is in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupPosition {
    /// The partition.
    pub partition: u32,
    /// The first offset that is not committed.
    pub committed: i64,
    /// The offset after the last record.
    pub end: i64,
}

/// Why the bus did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BusError {
    /// The broker or its file cannot be reached or written: later it may succeed.
    #[error("the event bus is unavailable: {0}")]
    Unavailable(String),
    /// A record is larger than the topic allows: it never succeeds, unless somebody raises the limit.
    #[error("the event bus does not take such a large record: {0}")]
    TooLarge(String),
}

/// An event bus. Publishing is durable when it returns; reading is at least once.
#[async_trait]
pub trait EventBus: Send + Sync + 'static {
    /// Appends `records` in their order, and returns when all of them are durable.
    ///
    /// After an error some of them may have been appended: publish the same batch again. Consumers are
    /// idempotent, and the first copies keep their order.
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), BusError>;

    /// Joins `group`, which goes on after its last committed offset, or at the earliest record.
    async fn subscribe(&self, topic: &str, group: &str) -> Result<Box<dyn Subscription>, BusError>;

    /// Reads `topic` from its earliest record to what is its end now, outside any group.
    async fn replay(&self, topic: &str) -> Result<Box<dyn Replay>, BusError>;

    /// How far `group` is in every partition of `topic`.
    async fn positions(&self, topic: &str, group: &str) -> Result<Vec<GroupPosition>, BusError>;

    /// How many records of `topic` `group` has not committed.
    async fn lag(&self, topic: &str, group: &str) -> Result<u64, BusError> {
        let positions = self.positions(topic, group).await?;
        let waiting =
            |position: &GroupPosition| u64::try_from(position.end - position.committed).unwrap_or(0);
        Ok(positions.iter().map(waiting).sum())
    }
}

/// One member of a group.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for records and returns at least one and at most `max` of them.
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError>;

    /// Commits everything that [`Subscription::next`] has returned so far.
    ///
    /// A subscription that is dropped without it is read again by the group's next member.
    async fn commit(&mut self) -> Result<(), BusError>;
}

/// A reading of a whole topic, see [`EventBus::replay`].
#[async_trait]
pub trait Replay: Send + Sync {
    /// At most `max` further records; none of them means the end.
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError>;

    /// Moves the end to what is the topic's end now.
    async fn catch_up(&mut self) -> Result<(), BusError>;
}

/// The partition of a key, for adapters that have to choose it themselves (FNV-1a modulo the number).
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of FNV-1a alone are weak for short numeric keys.
    u32::try_from((hash ^ (hash >> 32)) % u64::from(partitions.max(1))).unwrap_or(0)
}
