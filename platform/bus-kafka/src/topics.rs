//! Topics: what there is, what is missing, what does not fit.

use std::{
    fmt,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use platform_event_bus::{BusError, DeadLetters};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    metadata::MetadataTopic,
};
use tokio::time::sleep;
use tracing::info;

use crate::{
    client::{Client, Words, blocking, unavailable},
    settings::LARGEST,
};

/// Most copies of a record.
const COPIES: usize = 3;

/// Pause between two looks at a topic that is being made.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Whom we ask about topics.
pub(crate) type Asker = Client<AdminClient<Words>>;

/// What must hold for a topic whose records are the source of everything else, and why.
const FOR_EVER: [(&str, &str, &str); 3] = [
    ("cleanup.policy", "delete", "compacting would leave the last record of each key only"),
    ("retention.ms", "-1", "records are needed for ever"),
    ("retention.bytes", "-1", "records are needed for ever"),
];

/// A setting of a topic that does not fit, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsuitable {
    /// The topic.
    pub topic: String,
    /// The setting, as Kafka calls it; `replication.factor` for the number of copies.
    pub setting: &'static str,
    /// How it is.
    pub found: String,
    /// How it should be.
    pub wanted: String,
    /// Why.
    pub reason: &'static str,
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, setting, found, wanted, reason } = self;
        write!(f, "the topic {topic} has {setting}={found}, it should be {wanted}: {reason}")
    }
}

/// The cluster, and the topic in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    brokers: usize,
    /// Numbers of its partitions; none where it is missing.
    pub(crate) partitions: Vec<i32>,
    /// Whether every partition can be written.
    ready: bool,
    /// Copies of the partition that has the fewest.
    copies: usize,
}

/// A partition: its first offset and the one after its last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) partition: i32,
    pub(crate) low: i64,
    pub(crate) high: i64,
}

/// Looks at a topic as it is now. Blocks.
pub(crate) fn look(asker: &Asker, topic: &str, within: Duration) -> KafkaResult<Look> {
    let metadata = asker.inner().fetch_metadata(Some(topic), within)?;
    let brokers = metadata.brokers().len();
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(Look { brokers, ..Look::default() });
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        // No topic can have the name: then there is none.
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::InvalidTopic) => {
            return Ok(Look { brokers, ..Look::default() });
        }
        Some(RDKafkaErrorCode::LeaderNotAvailable) => {}
        Some(code) => return Err(KafkaError::MetadataFetch(code)),
    }
    Ok(Look { brokers, ..look_at(found) })
}

fn look_at(found: &MetadataTopic) -> Look {
    let partitions = found.partitions();
    Look {
        brokers: 0,
        partitions: partitions.iter().map(rdkafka::metadata::MetadataPartition::id).collect(),
        ready: partitions.iter().all(|partition| partition.leader() >= 0),
        copies: partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or_default(),
    }
}

/// Both ends of every partition as they are now; nothing where there is no such topic. Blocks.
pub(crate) fn ends(asker: &Asker, topic: &str, within: Duration) -> KafkaResult<Vec<Ends>> {
    let deadline = Instant::now() + within;
    loop {
        match try_ends(asker, topic, within) {
            // A partition that was just added or is moving has its leader in a moment.
            Err(KafkaError::MetadataFetch(
                RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition,
            )) if Instant::now() < deadline => thread::sleep(BETWEEN_LOOKS),
            decided => return decided,
        }
    }
}

fn try_ends(asker: &Asker, topic: &str, within: Duration) -> KafkaResult<Vec<Ends>> {
    let look = look(asker, topic, within)?;
    let ends = look.partitions.into_iter().map(|partition| {
        let (low, high) = asker.inner().fetch_watermarks(topic, partition, within)?;
        Ok(Ends { partition, low, high })
    });
    ends.collect()
}

/// Makes the topic where it is missing, and returns when it can be written and read.
pub(crate) async fn make(
    asker: &Arc<Asker>,
    topic: &str,
    partitions: u32,
    within: Duration,
) -> Result<Look, BusError> {
    let mut created = false;
    loop {
        let (asking, name) = (Arc::clone(asker), topic.to_owned());
        let found = blocking(within, move || look(&asking, &name, within)).await?;
        if found.ready && !found.partitions.is_empty() {
            return Ok(found);
        }
        if found.partitions.is_empty() && !created {
            create(asker, topic, partitions, found.brokers, within).await?;
            created = true;
        } else {
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

async fn create(
    asker: &Asker,
    topic: &str,
    partitions: u32,
    brokers: usize,
    within: Duration,
) -> Result<(), BusError> {
    let copies = copies(brokers);
    let (in_sync, count) = (in_sync(copies).to_string(), i32::try_from(partitions).unwrap_or(i32::MAX));
    let replication = TopicReplication::Fixed(i32::try_from(copies).unwrap_or(1));
    let settings = FOR_EVER.map(|(setting, value, _)| (setting, value));
    let new = NewTopic::new(topic, count, replication);
    let new = settings.into_iter().fold(new, |new, (setting, value)| new.set(setting, value));
    let new = new.set("min.insync.replicas", &in_sync);
    let new = if DeadLetters::are_on(topic) { new.set("max.message.bytes", LARGEST) } else { new };
    let results = asker.create_topics([&new], &options(within)).await.map_err(|error| unavailable(&error))?;
    for result in results {
        match result {
            Ok(_) => info!(topic, partitions, copies, "the topic was missing and is created"),
            // By another process, at the same moment.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => {
                let reason = format!("the topic {topic} is missing and cannot be created: {code}");
                return Err(BusError::Unavailable(reason));
            }
        }
    }
    Ok(())
}

/// What about the topic does not fit.
pub(crate) async fn check(
    asker: &Asker,
    topic: &str,
    look: &Look,
    within: Duration,
) -> Result<Vec<Unsuitable>, BusError> {
    let specifier = ResourceSpecifier::Topic(topic);
    let answer = asker.describe_configs([&specifier], &options(within)).await;
    let mut described = answer.map_err(|error| unavailable(&error))?;
    let config = match described.pop() {
        Some(Ok(config)) => config,
        Some(Err(code)) => return Err(unavailable(&KafkaError::AdminOp(code))),
        None => return Err(BusError::Unavailable(format!("Kafka says nothing about the topic {topic}"))),
    };
    let value = |setting: &str| config.get(setting).and_then(|entry| entry.value.clone()).unwrap_or_default();
    Ok(unsuitable(topic, look, value))
}

fn unsuitable(topic: &str, look: &Look, value: impl Fn(&str) -> String) -> Vec<Unsuitable> {
    let mut unsuitable = Vec::new();
    let mut not = |setting, found: String, wanted: String, reason| {
        unsuitable.push(Unsuitable { topic: topic.to_owned(), setting, found, wanted, reason });
    };
    for (setting, wanted, reason) in FOR_EVER {
        let found = value(setting);
        if found != wanted {
            not(setting, found, wanted.to_owned(), reason);
        }
    }
    if value("compression.type") == "zstd" {
        let reason =
            "the librdkafka of this program is built without zstd, and every group stops at such a record";
        not("compression.type", "zstd".to_owned(), "producer".to_owned(), reason);
    }
    if look.copies < copies(look.brokers) {
        let (found, wanted) = (look.copies.to_string(), copies(look.brokers).to_string());
        not("replication.factor", found, wanted, "a lost broker must not lose records");
    }
    let (found, wanted) = (value("min.insync.replicas"), in_sync(look.copies).to_string());
    if found != wanted {
        let reason = "an acknowledged record must survive a lost broker, and publishing as well";
        not("min.insync.replicas", found, wanted, reason);
    }
    unsuitable
}

fn options(within: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(within)).operation_timeout(Some(within))
}

/// Copies of each record in a cluster of this size.
fn copies(brokers: usize) -> usize {
    brokers.clamp(1, COPIES)
}

/// How many of the copies must have a record before it is acknowledged: one broker may be away.
fn in_sync(copies: usize) -> usize {
    copies.saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(copies: usize, brokers: usize, min_in_sync: &str) -> Vec<String> {
        let look = Look { brokers, copies, partitions: vec![0], ready: true };
        let value = |setting: &str| match setting {
            "min.insync.replicas" => min_in_sync.to_owned(),
            "cleanup.policy" => "delete".to_owned(),
            _ => "-1".to_owned(),
        };
        unsuitable("t", &look, value).iter().map(|not| format!("{}={}", not.setting, not.wanted)).collect()
    }

    #[test]
    fn copies_follow_the_number_of_brokers() {
        assert_eq!([0, 1, 2, 3, 9].map(copies), [1, 1, 2, 3, 3]);
        assert_eq!([1, 2, 3].map(in_sync), [1, 1, 2]);
    }

    #[test]
    fn too_few_copies_are_reported() {
        assert_eq!(found(3, 9, "2"), Vec::<String>::new());
        assert_eq!(found(1, 1, "1"), Vec::<String>::new());
        assert_eq!(found(1, 3, "1"), ["replication.factor=3"]);
        assert_eq!(found(3, 3, "1"), ["min.insync.replicas=2"]);
        assert_eq!(found(3, 3, "3"), ["min.insync.replicas=2"]);
    }
}
