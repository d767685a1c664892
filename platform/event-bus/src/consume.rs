//! The loop of a consumer: batch, handle, commit; pause while a store is away, set aside what can never succeed.

use std::{
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt as _, future::FusedFuture};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, warn};

use crate::{BusError, DeadLetters, EventBus, Record};

/// What a consumer does with records.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Applies `records`, in their order, in one transaction. It may see any record again.
    async fn handle(&self, records: &[Record]) -> Result<(), HandleError>;

    /// When it returns `Ok`, all that was handled so far is durable: only then the group's position is committed.
    /// Nothing to do where [`Handler::handle`] itself is durable.
    async fn settle(&self) -> Result<(), HandleError> {
        Ok(())
    }
}

/// Why records could not be applied.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HandleError {
    /// The consumer's own store is away: the same records will succeed later, so the partition waits.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// At least one of the records can never succeed: it becomes a dead letter, alone.
    #[error("{0}")]
    Undeliverable(String),
}

/// One consumer of a group.
pub struct Consumer {
    /// Where the records come from.
    pub bus: Arc<dyn EventBus>,
    /// What is read.
    pub topic: String,
    /// As which group.
    pub group: String,
    /// What is done with the records.
    pub handler: Arc<dyn Handler>,
    /// Most records handled in one transaction.
    pub batch: usize,
    /// Pause after a batch that was not full, in which the next one gathers: a lone record is handled at once, many
    /// are handled in few and large transactions.
    pub gather: Duration,
    /// How long what was handled may go unsettled; zero: every batch is settled at once. Longer spares syncs, where
    /// what is lost by a crash is read again.
    pub settle_after: Duration,
    /// What it has done, for those who run it.
    pub consumed: Arc<Consumed>,
}

/// What the consumers that share it have done since their process began.
#[derive(Debug, Default)]
pub struct Consumed {
    records: AtomicU64,
    dead_letters: AtomicU64,
}

impl Consumed {
    /// Records that were handled or set aside; one that was read twice counts twice.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Records that were set aside.
    #[must_use]
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }
}

/// As long as nothing has to be settled.
const FAR: Duration = Duration::from_secs(3600);

/// Pauses after failures: the first, and what doubling it ends at.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

impl Consumer {
    /// Consumes until `stop`, and then settles. May also be dropped at any moment: what was not committed is read
    /// again.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut backoff = Backoff::new();
        let mut stop = pin!(stop.fuse());
        loop {
            match self.run_subscription(&mut backoff, stop.as_mut()).await {
                Ok(()) => return,
                Err(reason) => {
                    warn!(group = self.group, %reason, "consuming pauses");
                    backoff.pause().await;
                }
            }
        }
    }

    /// Returns without an error when it was stopped.
    async fn run_subscription(
        &self,
        backoff: &mut Backoff,
        mut stop: Pin<&mut (impl FusedFuture<Output = ()> + Send)>,
    ) -> Result<(), BusError> {
        let mut subscription = self.bus.subscribe(&self.topic, &self.group).await?;
        // When what was handled has to be settled; `None`: nothing is unsettled.
        let mut settle_at = None;
        loop {
            let wait = settle_at.map_or(FAR, |at: Instant| at.saturating_duration_since(Instant::now()));
            let (records, stopped) = tokio::select! {
                biased;
                () = &mut stop => (Vec::new(), true),
                records = timeout(wait, subscription.next(self.batch)) => match records {
                    Ok(records) => (records?, false),
                    Err(_nothing_new) => (Vec::new(), false),
                },
            };
            self.handle_all(&records, settle_at.is_some(), backoff).await?;
            self.consumed.records.fetch_add(records.len() as u64, Ordering::Relaxed);
            if stopped && settle_at.is_none() {
                return Ok(());
            }
            let at = *settle_at.get_or_insert_with(|| Instant::now() + self.settle_after);
            if stopped || Instant::now() >= at {
                self.handler.settle().await.map_err(begin_again)?;
                subscription.commit().await?;
                settle_at = None;
            }
            if stopped {
                return Ok(());
            }
            backoff.reset();
            if !records.is_empty() && records.len() < self.batch {
                sleep(self.gather).await;
            }
        }
    }

    /// Handles a batch; one that fails for good is tried again record by record.
    async fn handle_all(
        &self,
        records: &[Record],
        unsettled: bool,
        backoff: &mut Backoff,
    ) -> Result<(), BusError> {
        if records.is_empty() {
            return Ok(());
        }
        let Err(reason) = self.handle_until_decided(records, unsettled, backoff).await? else {
            return Ok(());
        };
        if let [record] = records {
            return self.set_aside(record, &reason, 1).await;
        }
        for record in records {
            let record_alone = std::slice::from_ref(record);
            if let Err(reason) = self.handle_until_decided(record_alone, true, backoff).await? {
                self.set_aside(record, &reason, 2).await?;
            }
        }
        Ok(())
    }

    /// Retries while the store is away, without limit. The inner error is the reason why it can never succeed.
    ///
    /// A store that was away may have lost what is `unsettled`: then the group begins again where it has committed.
    async fn handle_until_decided(
        &self,
        records: &[Record],
        unsettled: bool,
        backoff: &mut Backoff,
    ) -> Result<Result<(), String>, BusError> {
        loop {
            match AssertUnwindSafe(self.handler.handle(records)).catch_unwind().await {
                Ok(Ok(())) => return Ok(Ok(())),
                Ok(Err(error @ HandleError::Unavailable(_))) if unsettled && !self.settle_after.is_zero() => {
                    return Err(begin_again(error));
                }
                Ok(Err(HandleError::Unavailable(reason))) => {
                    warn!(group = self.group, reason, "the store is away, the partition waits");
                    backoff.pause().await;
                }
                Ok(Err(HandleError::Undeliverable(reason))) => return Ok(Err(reason)),
                Err(panic) => return Ok(Err(format!("a bug: {}", panic_text(panic.as_ref())))),
            }
        }
    }

    async fn set_aside(&self, record: &Record, reason: &str, attempts: u32) -> Result<(), BusError> {
        error!(
            group = self.group,
            partition = record.partition,
            offset = record.offset,
            reason,
            "dead letter: this record can never succeed; see `rentalbook tools dlq`"
        );
        let letters = DeadLetters::new(Arc::clone(&self.bus), &self.topic);
        letters.add(record, &self.group, reason, attempts).await?;
        self.consumed.dead_letters.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The subscription is begun again, after a pause, where the group has committed.
fn begin_again(error: HandleError) -> BusError {
    BusError::Unavailable(format!("what is not settled is read again: {error}"))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic without a text")
}

struct Backoff(Duration);

impl Backoff {
    fn new() -> Self {
        Self(BACKOFF.0)
    }

    async fn pause(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(BACKOFF.1);
    }

    fn reset(&mut self) {
        self.0 = BACKOFF.0;
    }
}
