//! What all clients of librdkafka share: configuration, words, and an end that nobody waits for.

use std::{ops::Deref, sync::Arc, thread, time::Duration};

use platform_event_bus::BusError;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::{sync::watch, task::spawn_blocking, time::timeout};
use tracing::{debug, error, info, warn};

use crate::{KafkaSettings, Security};

/// Milliseconds after which clients look at the topics again: added partitions are noticed then.
const METADATA_REFRESH: &str = "3000";

/// Milliseconds between attempts to reach a broker: the first pause, and what doubling it ends at.
const RECONNECT: (&str, &str) = ("100", "1000");

/// What every client is configured with.
pub(crate) fn config(settings: &KafkaSettings) -> ClientConfig {
    let within = settings.answer_within.as_millis().max(1000).to_string();
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", settings.brokers.join(","))
        .set("socket.timeout.ms", &within)
        .set("socket.connection.setup.timeout.ms", &within)
        .set("reconnect.backoff.ms", RECONNECT.0)
        .set("reconnect.backoff.max.ms", RECONNECT.1)
        .set("topic.metadata.refresh.interval.ms", METADATA_REFRESH)
        // A topic that a broker makes on its own forgets its records after a week.
        .set("allow.auto.create.topics", "false");
    match settings.security {
        Security::Plaintext => config.set("security.protocol", "plaintext"),
    };
    config
}

/// Does what blocks a thread, and waits for it at most this long.
pub(crate) async fn blocking<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce() -> KafkaResult<T> + Send + 'static,
) -> Result<T, BusError> {
    match timeout(within, spawn_blocking(work)).await {
        Ok(Ok(result)) => result.map_err(|error| unavailable(&error)),
        Ok(Err(bug)) => Err(BusError::Unavailable(bug.to_string())),
        Err(_) => Err(late(within)),
    }
}

/// What a failure of librdkafka is for the caller.
pub(crate) fn unavailable(error: &KafkaError) -> BusError {
    BusError::Unavailable(error.to_string())
}

/// What a failure to publish is for the caller.
pub(crate) fn unpublished(error: &KafkaError) -> BusError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => BusError::TooLarge(error.to_string()),
        _ => unavailable(error),
    }
}

/// No answer in time.
pub(crate) fn late(within: Duration) -> BusError {
    BusError::Unavailable(format!("Kafka did not answer within {within:?}"))
}

/// What a reader gets over by itself is none of its user's business; everything else is.
pub(crate) fn bear(error: &KafkaError) -> Result<(), BusError> {
    match error.rdkafka_error_code() {
        // Another broker, or the same one again.
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            // The user took longer than the group waits for a sign of life: the member joins again.
            | RDKafkaErrorCode::PollExceeded,
        ) => Ok(()),
        _ => Err(unavailable(error)),
    }
}

/// A client of librdkafka. Its end takes a while (a member leaves its group, threads are joined), so that it happens
/// on a thread of its own.
pub(crate) struct Client<T: Send + 'static> {
    inner: Option<T>,
    ending: Ending,
}

/// Counts the clients that have not ended yet.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<watch::Sender<usize>>);

impl Ending {
    /// A client that is counted until it has ended.
    pub(crate) fn client<T: Send + 'static>(&self, inner: T) -> Arc<Client<T>> {
        Arc::new(Client { inner: Some(inner), ending: self.clone() })
    }

    /// Returns when every client that was dropped has ended.
    pub(crate) async fn ended(&self) {
        // It does not fail: the sender is our own.
        let _ = self.0.subscribe().wait_for(|ending| *ending == 0).await;
    }

    /// Runs the end of something on a thread of its own.
    pub(crate) fn run(&self, end: impl FnOnce() + Send + 'static) {
        self.0.send_modify(|ending| *ending += 1);
        let ending = self.clone();
        let run = move || {
            end();
            ending.0.send_modify(|ending| *ending -= 1);
        };
        if let Err(error) = thread::Builder::new().name("kafka-end".to_owned()).spawn(run) {
            self.0.send_modify(|ending| *ending -= 1);
            warn!(%error, "no thread on which a Kafka client could end");
        }
    }
}

impl<T: Send + 'static> Deref for Client<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("it is there until it is dropped")
    }
}

impl<T: Send + 'static> Drop for Client<T> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            self.ending.run(move || drop(inner));
        }
    }
}

/// What librdkafka has to say goes to our log, with the name of who it is about.
#[derive(Clone)]
pub(crate) struct Words {
    /// The group, or what the client does.
    pub(crate) of: String,
}

impl ClientContext for Words {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let of = &self.of;
        match (facility, level) {
            // Records are gone that the group has not read: what is left is read from its beginning.
            ("OFFSET", RDKafkaLogLevel::Warning) => {
                error!(
                    of,
                    message, "the position of the group is not on the topic any more: records were lost"
                );
            }
            // A broker that is away: whoever needs it is told, and says so.
            ("FAIL", _) | (_, RDKafkaLogLevel::Debug) => debug!(of, facility, message, "librdkafka"),
            (_, RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice) => {
                info!(of, facility, message, "librdkafka");
            }
            (_, _) => warn!(of, facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(of = self.of, %error, reason, "librdkafka");
    }
}

impl ConsumerContext for Words {}
