//! Publishing: one batch at a time is all delivered, or an error.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use platform_event_bus::{BusError, NewRecord};
use rdkafka::{
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig},
};
use tokio::time::{sleep, timeout};

use crate::{
    KafkaSettings,
    client::{Client, Ending, Words, config, late, unavailable, unpublished},
    record::write_headers,
    settings::LARGEST,
};

/// Pause while the producer's queue is full.
const FULL: Duration = Duration::from_millis(2);

type Native = Client<FutureProducer<Words>>;

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
        timeout(within, send_all(&native, topic, records))
            .await
            .map_err(|_| late(within))?
            .map_err(|error| unpublished(&error))?;
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
            // How large a record may be is the topic's affair; several of them together stay below `batch.size`.
            .set("message.max.bytes", LARGEST)
            // Whoever publishes has gathered already.
            .set("linger.ms", "1")
            .create_with_context(Words { of: "publishing".to_owned() })?;
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
async fn send_all(native: &Native, topic: &str, records: &[NewRecord]) -> KafkaResult<()> {
    let mut sent = Vec::with_capacity(records.len());
    for record in records {
        let mut new = FutureRecord::to(topic).payload(&record.value[..]).headers(write_headers(record));
        new.key = record.key.as_deref();
        sent.push(loop {
            match native.send_result(new) {
                Ok(acknowledgement) => break acknowledgement,
                Err((error, again)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    new = again;
                    sleep(FULL).await;
                }
                Err((error, _)) => return Err(error),
            }
        });
    }
    for acknowledgement in sent {
        acknowledgement.await.map_err(|_| KafkaError::Canceled)?.map_err(|(error, _)| error)?;
    }
    Ok(())
}
