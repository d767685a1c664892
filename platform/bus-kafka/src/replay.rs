//! Reading a whole topic, outside any group.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _};
use platform_event_bus::{BusError, Record, Replay};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, KafkaResult},
    message::BorrowedMessage,
};

use crate::{
    KafkaSettings,
    client::{Client, Ending, Words, bear, blocking, config, unavailable},
    record::read,
    topics::{Asker, Ends, ends},
};

/// librdkafka wants the name of a group from everybody who reads. This one is never joined and commits nothing.
const NO_GROUP: &str = "replay";

/// A reading of a whole topic.
pub(crate) struct Reading {
    consumer: Arc<Client<StreamConsumer<Words>>>,
    asker: Arc<Asker>,
    topic: String,
    partitions: BTreeMap<i32, Progress>,
    buffer: VecDeque<Record>,
    within: Duration,
}

/// How far one partition is read.
#[derive(Clone, Copy)]
struct Progress {
    next: i64,
    end: i64,
}

impl Progress {
    fn is_open(self) -> bool {
        self.next < self.end
    }
}

impl Reading {
    /// Begins at the earliest record of every partition.
    pub(crate) async fn begin(
        settings: &KafkaSettings,
        ending: &Ending,
        asker: Arc<Asker>,
        topic: &str,
    ) -> Result<Self, BusError> {
        let consumer: KafkaResult<StreamConsumer<_>> = config(settings)
            .set("group.id", NO_GROUP)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            // The last offset of a partition need not be a record's: its end has to be told.
            .set("enable.partition.eof", "true")
            .create_with_context(Words { of: format!("replay of {topic}") });
        let consumer = ending.client(consumer.map_err(|error| unavailable(&error))?);
        let mut reading = Self {
            consumer,
            asker,
            topic: topic.to_owned(),
            partitions: BTreeMap::new(),
            buffer: VecDeque::new(),
            within: settings.answer_within,
        };
        reading.catch_up().await?;
        Ok(reading)
    }

    fn is_open(&self) -> bool {
        self.partitions.values().any(|progress| progress.is_open())
    }

    /// Reads from where each partition is.
    fn assign(&self) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for (partition, progress) in self.partitions.iter().filter(|(_, progress)| progress.is_open()) {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(progress.next))?;
        }
        self.consumer.assign(&list)
    }

    /// Waits for something and takes whatever else is there, until `most` are in the buffer. May be dropped at any
    /// moment.
    async fn fill(&mut self, most: usize) -> Result<(), BusError> {
        let consumer = Arc::clone(&self.consumer);
        let mut stream = consumer.stream();
        let mut polled = stream.next().await;
        while let Some(result) = polled {
            match result {
                Ok(message) => self.take(&message),
                Err(KafkaError::PartitionEOF(partition)) => self.has_ended(partition),
                Err(error) => bear(&error)?,
            }
            if self.buffer.len() >= most || !self.is_open() {
                break;
            }
            polled = stream.next().now_or_never().flatten();
        }
        Ok(())
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let Some(progress) = self.partitions.get_mut(&message.partition()) else { return };
        if message.offset() < progress.end {
            progress.next = message.offset() + 1;
            self.buffer.push_back(read(message));
        } else {
            // Came later; it is read when the end is moved.
            progress.next = progress.end;
        }
    }

    fn has_ended(&mut self, partition: i32) {
        if let Some(progress) = self.partitions.get_mut(&partition) {
            progress.next = progress.end;
        }
    }
}

#[async_trait]
impl Replay for Reading {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        while self.buffer.is_empty() && self.is_open() {
            self.fill(max).await?;
        }
        if !self.is_open() {
            self.consumer.unassign().map_err(|error| unavailable(&error))?;
        }
        Ok(self.buffer.drain(..max.min(self.buffer.len())).collect())
    }

    async fn catch_up(&mut self) -> Result<(), BusError> {
        let (asker, topic, within) = (Arc::clone(&self.asker), self.topic.clone(), self.within);
        let ends = blocking(within, move || ends(&asker, &topic, within)).await?;
        for Ends { partition, low, high } in ends {
            let progress = self.partitions.entry(partition).or_insert(Progress { next: low, end: high });
            progress.end = high;
            progress.next = progress.next.max(low);
        }
        self.assign().map_err(|error| unavailable(&error))
    }
}
