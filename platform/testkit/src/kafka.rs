//! A real Kafka: `scripts/engines/kafka.sh`.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use crate::engine::{Engine, How};

/// The groups' positions in few partitions: the first group does not wait for fifty folders.
const OPTIONS: [&str; 1] = ["offsets.topic.num.partitions=4"];

/// A broker with a port and a folder of its own. When it is dropped, or its process ends in whatever way, the broker
/// is stopped and the folder removed.
pub struct KafkaServer {
    engine: Engine,
    topics: AtomicU32,
}

impl KafkaServer {
    /// The broker that the tests of a binary share. It is started with the first of them.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<KafkaServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A broker of its own, for a test that stops it.
    #[must_use]
    pub fn start() -> Self {
        Self::with_options(&[])
    }

    /// A broker of its own with properties such as `num.partitions=3`.
    #[must_use]
    pub fn with_options(options: &[&'static str]) -> Self {
        let options = OPTIONS.iter().chain(options).copied().collect();
        let how = How { script: "kafka", options, environment: Vec::new() };
        Self { engine: Engine::start(&how), topics: AtomicU32::new(0) }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.engine.port()
    }

    /// Where clients find it: host and port.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// The name of a topic that is not there yet.
    #[must_use]
    pub fn topic(&self) -> String {
        format!("topic-{}", self.topics.fetch_add(1, Ordering::Relaxed))
    }

    /// Ends it as a crash does; what it has acknowledged is there afterwards.
    pub fn kill(&self) {
        self.engine.kill();
    }

    /// Starts it again after [`KafkaServer::kill`], where it was.
    pub fn start_again(&self) {
        self.engine.start_again();
    }
}
