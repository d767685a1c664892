//! The event bus as a port: topics with partitions, consumer groups with committed offsets, and dead letters.
//!
//! The model is Kafka's, so that one contract ([`contract`]) holds for every adapter: a record has a key,
//! headers and a value; records of one key keep their order; a group starts at the earliest record and reads
//! every record at least once. What the bus does not do is filter duplicates: consumers are idempotent.

mod bus;
mod consume;
pub mod contract;
mod dead_letters;
mod headers;
pub mod memory;

pub use bus::{BusError, EventBus, GroupPosition, NewRecord, Record, Replay, Subscription, partition_of};
pub use consume::{Consumed, Consumer, HandleError, Handler};
pub use dead_letters::{DeadLetter, DeadLetterError, DeadLetterId, DeadLetters};
pub use headers::Headers;

/// Partitions of a topic that nobody said otherwise about: enough for twelve consumers of one group.
pub const DEFAULT_PARTITIONS: u32 = 12;
