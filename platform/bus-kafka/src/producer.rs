//! Publishing: one batch at a time is all delivered, or an error.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use platform_event_bus::{BusError, NewRecord};
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    KafkaSettings,
    client::{Client, Ending, Words, config, late, unavailable},
    record::write_headers,
};

/// Pause while the producer's queue is full.
const FULL: Duration = Duration::from_millis(2);

type Native = Client<ThreadedProducer<Deliveries>>;

/// The producer of a process, made with the first batch and made anew after every failure.
pub(crate) struct Producer {
    current: Mutex<Option<Arc<Native>>>,
    ending: Ending,
}

impl Producer {
    pub(crate) fn new(ending: &Ending) -> Self {
        Self { current: Mutex::new(None), ending: ending.clone() }
    }

    /// Publishes `records`, and returns when all of them are on every replica that is in sync.
    pub(crate) async fn publish(
        &self,
        settings: &KafkaSettings,
        topic: &str,
        records: &[NewRecord],
    ) -> Result<(), BusError> {
        let native = self.current(settings).map_err(|error| unavailable(&error))?;
        let unfinished = Unfinished { producer: self, native: Some(Arc::clone(&native)) };
        let within = settings.answer_within;
        timeout(within, deliver(&native, topic, records))
            .await
            .map_err(|_| late(within))?
            .map_err(|error| unavailable(&error))?;
        unfinished.done();
        Ok(())
    }

    fn current(&self, settings: &KafkaSettings) -> KafkaResult<Arc<Native>> {
        let mut current = self.current.lock();
        if let Some(native) = &*current {
            return Ok(Arc::clone(native));
        }
        let native = config(settings)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // What a failure leaves behind must not be overtaken by the rest of its batch.
            .set("enable.gapless.guarantee", "true")
            // A record waits as long as its batch does, and no record of a batch gives up before another one.
            .set("message.timeout.ms", "0")
            // As the Java clients choose: a key has one partition, whoever writes it.
            .set("partitioner", "murmur2_random")
            // Whoever publishes has gathered already.
            .set("linger.ms", "1")
            .create_with_context(Deliveries(Words { of: "publishing".to_owned() }))?;
        let native = self.ending.client(native);
        *current = Some(Arc::clone(&native));
        Ok(native)
    }

    /// Takes a producer out of use; what it still has is not sent any more.
    fn give_up(&self, native: Arc<Native>) {
        let mut current = self.current.lock();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &native)) {
            *current = None;
        }
        drop(current);
        self.ending.run(move || native.purge(PurgeConfig::default().queue().inflight()));
    }
}

/// A batch that has failed, took too long or is not waited for any more is published again by whoever needs it. What
/// is left of it in the producer would come after that, and perhaps without its beginning.
struct Unfinished<'p> {
    producer: &'p Producer,
    native: Option<Arc<Native>>,
}

impl Unfinished<'_> {
    fn done(mut self) {
        self.native = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(native) = self.native.take() {
            self.producer.give_up(native);
        }
    }
}

/// Hands everything over, and then waits for everything.
async fn deliver(native: &Native, topic: &str, records: &[NewRecord]) -> KafkaResult<()> {
    let batch = Arc::new(Batch { left: AtomicUsize::new(records.len()), ..Batch::default() });
    for record in records {
        enqueue(native, topic, record, &batch).await?;
    }
    while batch.left.load(Ordering::Acquire) > 0 {
        batch.done.notified().await;
    }
    batch.failure.lock().take().map_or(Ok(()), Err)
}

async fn enqueue(native: &Native, topic: &str, record: &NewRecord, batch: &Arc<Batch>) -> KafkaResult<()> {
    let mut new = BaseRecord::with_opaque_to(topic, Arc::clone(batch))
        .payload(&record.value[..])
        .headers(write_headers(record));
    new.key = record.key.as_deref();
    while let Err((error, rejected)) = native.send(new) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
            return Err(error);
        }
        new = rejected;
        sleep(FULL).await;
    }
    Ok(())
}

/// What became of the records of a batch.
#[derive(Default)]
struct Batch {
    /// Records that nothing is known about yet.
    left: AtomicUsize,
    /// The first failure.
    failure: Mutex<Option<KafkaError>>,
    /// When nothing is left.
    done: Notify,
}

/// Counts the deliveries of each batch.
struct Deliveries(Words);

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Batch>;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: Arc<Batch>) {
        if let Err((error, _)) = result {
            batch.failure.lock().get_or_insert_with(|| error.clone());
        }
        if batch.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            batch.done.notify_one();
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}
