//! Where Kafka is, and how long it may take.

use std::time::Duration;

use platform_event_bus::DEFAULT_PARTITIONS;

/// Bytes of the largest record that we write. A topic of dead letters that we make takes such ones: a letter is larger
/// than its record, which is as large as its topic takes it (1 MB, unless somebody has said).
pub(crate) const LARGEST: &str = "16777216";

/// How to reach Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Brokers as `host:port`. One that answers is enough: it names the others.
    pub brokers: Vec<String>,
    /// Number of partitions of a topic that is created because it is missing. One that exists keeps its own.
    pub partitions: u32,
    /// How long a group waits for a member that has gone without leaving until others take its partitions over. At
    /// least what the brokers allow (`group.min.session.timeout.ms`, 6 s by default).
    pub session_timeout: Duration,
    /// How long a call may take until it says that Kafka is unavailable.
    pub answer_within: Duration,
    /// Whether the way there is encrypted, and who we are.
    pub security: Security,
}

/// Whether the way to the brokers is encrypted, and what proves who we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// Neither: for a network that only we can see.
    #[default]
    Plaintext,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: vec!["127.0.0.1:9092".to_owned()],
            partitions: DEFAULT_PARTITIONS,
            session_timeout: Duration::from_secs(6),
            answer_within: Duration::from_secs(5),
            security: Security::Plaintext,
        }
    }
}
