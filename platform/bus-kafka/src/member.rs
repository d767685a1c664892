//! A member of a group.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _};
use platform_event_bus::{BusError, Record, Subscription};
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance, StreamConsumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use tracing::debug;

use crate::{
    KafkaSettings,
    client::{Client, Ending, Words, bear, config, late, unavailable},
    owned::{Count, Owned},
    record::read,
};

/// Kilobytes that are fetched ahead.
const FETCHED_AHEAD: &str = "16384";

/// Milliseconds until a full queue is looked at again. The default of a second would be a pause in the middle of a
/// backlog.
const FETCH_AGAIN: &str = "10";

/// Pause before a commit that the group's rearranging has refused is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// One member of a group. When it is dropped, it leaves the group.
pub(crate) struct Member {
    consumer: Arc<Client<StreamConsumer<Assignment>>>,
    topic: String,
    /// Read and not yet returned.
    buffer: VecDeque<Record>,
    within: Duration,
}

impl Member {
    /// Joins the group. That the broker is away shows in [`Subscription::next`].
    pub(crate) fn join(
        settings: &KafkaSettings,
        ending: &Ending,
        count: &Count,
        topic: &str,
        group: &str,
    ) -> KafkaResult<Self> {
        let session = settings.session_timeout.as_millis();
        let assignment = Assignment { words: Words { of: group.to_owned() }, owned: Owned::counted(count) };
        let consumer: StreamConsumer<_> = config(settings)
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("session.timeout.ms", session.to_string())
            .set("heartbeat.interval.ms", (session / 4).to_string())
            .set("queued.max.messages.kbytes", FETCHED_AHEAD)
            .set("fetch.queue.backoff.ms", FETCH_AGAIN)
            .create_with_context(assignment)?;
        consumer.subscribe(&[topic])?;
        let (topic, within) = (topic.to_owned(), settings.answer_within);
        Ok(Self { consumer: ending.client(consumer), topic, buffer: VecDeque::new(), within })
    }

    fn owned(&self) -> &Owned {
        &self.consumer.context().owned
    }

    /// Waits for at least one record and takes whatever else is there, until `most` are in the buffer.
    ///
    /// May be dropped at any moment: what was read is in the buffer.
    async fn fill(&mut self, most: usize) -> Result<(), BusError> {
        let consumer = Arc::clone(&self.consumer);
        let mut stream = consumer.stream();
        let mut polled = stream.next().await;
        while let Some(result) = polled {
            // Whatever is in the buffer was read before the group has taken its partition away.
            self.forget_lost();
            match result {
                Ok(message) => self.buffer.push_back(read(&message)),
                Err(error) => bear(&error)?,
            }
            if self.buffer.len() >= most {
                break;
            }
            polled = stream.next().now_or_never().flatten();
        }
        self.forget_lost();
        Ok(())
    }

    fn forget_lost(&mut self) {
        let lost = self.owned().lost();
        if !lost.is_empty() {
            self.buffer.retain(|record| !lost.contains(&record.partition));
        }
    }

    /// Commits what is uncommitted. The inner error is the group's refusal.
    async fn try_commit(&self) -> Result<Result<(), RDKafkaErrorCode>, BusError> {
        let offsets = self.owned().uncommitted(&self.topic).map_err(|error| unavailable(&error))?;
        if offsets.count() == 0 {
            return Ok(Ok(()));
        }
        let consumer = Arc::clone(&self.consumer);
        let committing = spawn_blocking(move || consumer.commit(&offsets, CommitMode::Sync));
        match timeout(self.within, committing).await {
            Ok(Ok(Ok(()))) => {
                self.owned().committed();
                Ok(Ok(()))
            }
            Ok(Ok(Err(error))) => match error.rdkafka_error_code() {
                Some(code) if is_rearranging(code) => Ok(Err(code)),
                _ => Err(unavailable(&error)),
            },
            Ok(Err(bug)) => Err(BusError::Unavailable(bug.to_string())),
            Err(_) => Err(late(self.within)),
        }
    }
}

#[async_trait]
impl Subscription for Member {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        while self.buffer.is_empty() {
            self.fill(max).await?;
        }
        let some: Vec<_> = self.buffer.drain(..max.min(self.buffer.len())).collect();
        self.owned().returned(&some);
        Ok(some)
    }

    async fn commit(&mut self) -> Result<(), BusError> {
        let deadline = Instant::now() + self.within;
        while let Err(code) = self.try_commit().await? {
            if Instant::now() > deadline {
                let reason = format!("the group is being rearranged: {code}");
                return Err(BusError::Unavailable(reason));
            }
            // The group goes on when its decisions are taken note of: either the partitions stay ours, and the
            // commit is taken; or they are another member's, and there is nothing to commit.
            if let Ok(failed) = timeout(AGAIN, self.fill(self.buffer.len() + 1)).await {
                failed?;
                sleep(AGAIN).await;
            }
        }
        Ok(())
    }
}

/// Whether the group is deciding who has what, or has decided without us.
fn is_rearranging(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::UnknownMemberId
    )
}

/// What the group has decided about this member.
pub(crate) struct Assignment {
    words: Words,
    owned: Owned,
}

impl ConsumerContext for Assignment {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(given) => self.owned.assign(given),
            Rebalance::Revoke(taken) => self.owned.revoke(taken),
            Rebalance::Error(error) => debug!(of = self.words.of, %error, "rearranging"),
        }
    }
}

impl ClientContext for Assignment {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.words.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.words.error(error, reason);
    }
}
