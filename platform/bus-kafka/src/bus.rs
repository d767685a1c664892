//! The port, filled.

use std::{collections::HashSet, sync::Arc, thread, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use platform_event_bus::{BusError, DeadLetters, EventBus, GroupPosition, NewRecord, Replay, Subscription};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaResult, RDKafkaErrorCode},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    KafkaSettings, Unsuitable,
    client::{Ending, Words, blocking, config, late, unavailable},
    member::Member,
    owned::Count,
    producer::Producer,
    replay::Reading,
    topics::{self, Asker, Ends, Look},
};

/// Pause between two attempts to look at a topic.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Pause between two attempts to ask a group's coordinator.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The event bus of a process. Clones share their connections.
#[derive(Clone)]
pub struct KafkaBus {
    shared: Arc<Shared>,
}

struct Shared {
    settings: KafkaSettings,
    asker: Mutex<Option<Arc<Asker>>>,
    producer: Producer,
    /// Topics that were there when we last needed them.
    known: Mutex<HashSet<String>>,
    ending: Ending,
    reading: Count,
}

impl KafkaBus {
    /// A bus that connects when it is first used.
    #[must_use]
    pub fn new(settings: KafkaSettings) -> Self {
        let ending = Ending::default();
        let producer = Producer::new(&ending);
        let (asker, known, reading) = Default::default();
        Self { shared: Arc::new(Shared { settings, asker, producer, known, ending, reading }) }
    }

    /// Makes `topic` and its topic of dead letters where they are missing, and says which settings of them do not
    /// fit: nothing where all do.
    ///
    /// # Errors
    /// Where Kafka is unavailable.
    pub async fn check_topic(&self, topic: &str) -> Result<Vec<Unsuitable>, BusError> {
        let mut unsuitable = Vec::new();
        for name in [topic.to_owned(), DeadLetters::topic_of(topic)] {
            let look = self.make(&name).await?;
            let within = self.shared.settings.answer_within;
            unsuitable.extend(topics::check(&*self.asker()?, &name, &look, within).await?);
        }
        Ok(unsuitable)
    }

    /// The same as soon as Kafka answers, whenever that is. `on_waiting` is told why it has to be waited for.
    pub async fn check_topic_when_there(
        &self,
        topic: &str,
        on_waiting: impl FnOnce(BusError),
    ) -> Vec<Unsuitable> {
        let mut on_waiting = Some(on_waiting);
        loop {
            match self.check_topic(topic).await {
                Ok(unsuitable) => return unsuitable,
                Err(reason) => {
                    if let Some(tell) = on_waiting.take() {
                        tell(reason);
                    }
                }
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// How many partitions the subscriptions of this process read: their groups have given them these.
    #[must_use]
    pub fn reading(&self) -> usize {
        self.shared.reading.get()
    }

    /// Returns when every subscription that was dropped has left its group, but not later than
    /// [`KafkaSettings::answer_within`]. A process that ends before that keeps the partitions from the others until
    /// its session has ended.
    pub async fn left(&self) {
        let _ = timeout(self.shared.settings.answer_within, self.shared.ending.ended()).await;
    }

    fn asker(&self) -> Result<Arc<Asker>, BusError> {
        let mut asker = self.shared.asker.lock();
        if let Some(asker) = &*asker {
            return Ok(Arc::clone(asker));
        }
        let client = config(&self.shared.settings)
            .create_with_context(Words { of: "asking about topics".to_owned() })
            .map_err(|error| unavailable(&error))?;
        Ok(Arc::clone(asker.insert(self.shared.ending.client(client))))
    }

    async fn make(&self, topic: &str) -> Result<Look, BusError> {
        let KafkaSettings { partitions, answer_within, .. } = self.shared.settings;
        let asker = self.asker()?;
        let making = topics::make(&asker, topic, partitions, answer_within);
        let look = timeout(answer_within, making).await.map_err(|_| late(answer_within))??;
        self.shared.known.lock().insert(topic.to_owned());
        Ok(look)
    }

    async fn make_unknown(&self, topic: &str) -> Result<(), BusError> {
        let known = self.shared.known.lock().contains(topic);
        if known { Ok(()) } else { self.make(topic).await.map(drop) }
    }
}

#[async_trait]
impl EventBus for KafkaBus {
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), BusError> {
        if records.is_empty() {
            return Ok(());
        }
        self.make_unknown(topic).await?;
        let Shared { producer, settings, known, .. } = &*self.shared;
        let result = producer.publish(settings, topic, &records).await;
        if result.is_err() {
            // Perhaps because somebody has deleted it.
            known.lock().remove(topic);
        }
        result
    }

    async fn subscribe(&self, topic: &str, group: &str) -> Result<Box<dyn Subscription>, BusError> {
        self.make(topic).await?;
        let Shared { settings, ending, reading, .. } = &*self.shared;
        let member =
            Member::join(settings, ending, reading, topic, group).map_err(|error| unavailable(&error))?;
        Ok(Box::new(member))
    }

    async fn replay(&self, topic: &str) -> Result<Box<dyn Replay>, BusError> {
        let Shared { settings, ending, .. } = &*self.shared;
        Ok(Box::new(Reading::begin(settings, ending, self.asker()?, topic).await?))
    }

    async fn positions(&self, topic: &str, group: &str) -> Result<Vec<GroupPosition>, BusError> {
        let (asker, settings) = (self.asker()?, self.shared.settings.clone());
        let (topic, group) = (topic.to_owned(), group.to_owned());
        let within = settings.answer_within;
        blocking(within, move || positions(&asker, &settings, &topic, &group)).await
    }
}

/// Asks where the group is, without joining it. Blocks.
fn positions(
    asker: &Asker,
    settings: &KafkaSettings,
    topic: &str,
    group: &str,
) -> KafkaResult<Vec<GroupPosition>> {
    let within = settings.answer_within;
    let ends = topics::ends(asker, topic, within)?;
    let mut list = TopicPartitionList::with_capacity(ends.len());
    for Ends { partition, .. } in &ends {
        list.add_partition(topic, *partition);
    }
    let words = Words { of: group.to_owned() };
    let onlooker: BaseConsumer<Words> = config(settings).set("group.id", group).create_with_context(words)?;
    let committed = committed(&onlooker, &list, within)?;
    let position = |Ends { partition, low, high }| {
        let committed = match committed.find_partition(topic, partition).map(|found| found.offset()) {
            Some(Offset::Offset(offset)) => offset,
            // A group that has committed nothing begins here.
            _ => low,
        };
        GroupPosition { partition: u32::try_from(partition).unwrap_or_default(), committed, end: high }
    };
    Ok(ends.into_iter().map(position).collect())
}

/// What a group has committed. Blocks. A broker that has just become the group's coordinator, or is none any more, says so
/// for a moment, and is asked again.
fn committed(
    onlooker: &BaseConsumer<Words>,
    list: &TopicPartitionList,
    within: Duration,
) -> KafkaResult<TopicPartitionList> {
    let until = Instant::now() + within;
    loop {
        match onlooker.committed_offsets(list.clone(), within) {
            Err(error) if is_changing(error.rdkafka_error_code()) && Instant::now() + ASK_AGAIN < until => {
                thread::sleep(ASK_AGAIN);
            }
            answered => return answered,
        }
    }
}

fn is_changing(code: Option<RDKafkaErrorCode>) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    matches!(code, Some(CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator))
}
