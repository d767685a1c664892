use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use platform_bus_kafka::KafkaBus;
use platform_event_bus::{
    Consumer, DeadLetterError, DeadLetters, EventBus as _, HandleError, Handler, Headers, Record,
};
use platform_testkit::{kafka::KafkaServer, until};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use tokio::sync::watch;

use crate::{a_bus, a_topic, an_administrator, progress, read_all, record, text};

const GROUP: &str = "handlers";

/// Remembers texts; "poison", and what begins with it, can never succeed.
#[derive(Default)]
struct Notes {
    away: watch::Sender<bool>,
    tries: watch::Sender<usize>,
    seen: watch::Sender<HashSet<String>>,
}

#[async_trait]
impl Handler for Notes {
    async fn handle(&self, records: &[Record]) -> Result<(), HandleError> {
        self.tries.send_modify(|tries| *tries += 1);
        if *self.away.borrow() {
            return Err(HandleError::Unavailable("the store is away".to_owned()));
        }
        let texts: Vec<_> = records.iter().map(text).collect();
        if texts.iter().any(|text| text.starts_with("poison")) {
            return Err(HandleError::Undeliverable("poisoned".to_owned()));
        }
        self.seen.send_modify(|seen| seen.extend(texts));
        Ok(())
    }
}

struct Scene {
    bus: KafkaBus,
    topic: String,
    notes: Arc<Notes>,
    letters: DeadLetters,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn a_consumer() -> Scene {
    a_consumer_of(a_topic())
}

fn a_consumer_of(topic: String) -> Scene {
    let (bus, notes) = (a_bus(), Arc::new(Notes::default()));
    let consumer = Consumer {
        bus: Arc::new(bus.clone()),
        topic: topic.clone(),
        group: GROUP.to_owned(),
        handler: notes.clone(),
        batch: 500,
        gather: Duration::from_millis(5),
        settle_after: Duration::ZERO,
        consumed: Default::default(),
    };
    let letters = DeadLetters::new(Arc::new(bus.clone()), &topic);
    let task = tokio::spawn(consumer.run(std::future::pending()));
    Scene { bus, topic, notes, letters, task }
}

impl Scene {
    /// All of one key, so that they are in one partition.
    async fn publish(&self, texts: &[&str]) {
        let records = texts.iter().map(|text| record("key", text)).collect();
        self.bus.publish(&self.topic, records).await.expect("published");
    }

    async fn seen(&self, text: &str) {
        until(text, async || self.notes.seen.borrow().contains(text)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_becomes_a_dead_letter_and_its_partition_goes_on() {
    let scene = a_consumer();
    scene.publish(&["before", "poison", "after"]).await;
    scene.seen("before").await;
    scene.seen("after").await;
    until("all is committed", async || progress(&scene.bus, &scene.topic, GROUP).await == (3, 3)).await;
    let letters = scene.letters.list().await.expect("letters");
    assert_eq!(letters.len(), 1);
    let poison = read_all(&scene.bus, &scene.topic).await.into_iter().find(|r| text(r) == "poison");
    let poison = poison.expect("it is still there");
    assert_eq!((letters[0].reason.as_str(), letters[0].group.as_str()), ("poisoned", GROUP));
    assert_eq!(letters[0].source, (poison.partition, poison.offset));
    assert!(letters[0].attempts >= 1, "{letters:?}");
    assert_eq!((&letters[0].record.key, &letters[0].record.value), (&poison.key, &poison.value));

    scene.publish(&["later"]).await;
    scene.seen("later").await;
}

/// A poison record that a topic just takes: with the headers of a letter it is too large for another such one.
fn a_large_poison() -> String {
    "poison".repeat(LARGE / "poison".len())
}

/// Kafka takes 1,048,588 bytes, with what is around a value.
const LARGE: usize = 1_048_500;

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_as_large_as_the_topic_takes_it_becomes_a_dead_letter_with_all_of_it() {
    let scene = a_consumer();
    let poison = a_large_poison();
    scene.publish(&["before"]).await;
    scene.publish(&[&poison]).await;
    scene.publish(&["after"]).await;
    scene.seen("after").await;
    until("all is committed", async || progress(&scene.bus, &scene.topic, GROUP).await == (3, 3)).await;
    let letter = scene.letters.list().await.expect("letters").remove(0);
    assert_eq!((letter.record.value.len(), letter.left_out), (poison.len(), None));
    scene.letters.replay(letter.id).await.expect("replayed");
    until("it is poison again", async || progress(&scene.bus, &scene.topic, GROUP).await == (4, 4)).await;
    assert_eq!(scene.letters.list().await.expect("letters").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_dead_letters_that_takes_no_larger_ones_gets_a_letter_without_the_record() {
    let topic = a_topic();
    let small = DeadLetters::topic_of(&topic);
    let small = NewTopic::new(&small, 1, TopicReplication::Fixed(1));
    let administrator = an_administrator(KafkaServer::shared());
    let made = administrator.create_topics([&small], &AdminOptions::new()).await;
    made.expect("an answer").remove(0).expect("it is made");
    let scene = a_consumer_of(topic);
    let poison = a_large_poison();
    scene.publish(&[&poison]).await;
    scene.publish(&["after"]).await;
    scene.seen("after").await;
    until("all is committed", async || progress(&scene.bus, &scene.topic, GROUP).await == (2, 2)).await;
    let letter = scene.letters.list().await.expect("letters").remove(0);
    assert_eq!((letter.record.value.len(), letter.left_out), (0, Some(poison.len() as u64)));
    let found = read_all(&scene.bus, &scene.topic).await.into_iter().find(|r| r.value.len() == poison.len());
    let found = found.expect("it is still there");
    assert_eq!(letter.source, (found.partition, found.offset));
    let refused = scene.letters.replay(letter.id).await.expect_err("there is nothing to publish");
    assert!(matches!(refused, DeadLetterError::LeftOut { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_makes_no_dead_letter() {
    let scene = a_consumer();
    scene.notes.away.send_replace(true);
    scene.publish(&["one", "two"]).await;
    until("it has tried a few times", async || *scene.notes.tries.borrow() > 3).await;
    scene.notes.away.send_replace(false);
    scene.seen("one").await;
    scene.seen("two").await;
    until("all is committed", async || progress(&scene.bus, &scene.topic, GROUP).await == (2, 2)).await;
    assert!(scene.letters.list().await.expect("letters").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_kept_replayed_and_dropped() {
    let (bus, topic) = (a_bus(), a_topic());
    let letters = DeadLetters::new(Arc::new(bus.clone()), &topic);
    assert!(letters.list().await.expect("letters").is_empty(), "without a topic there are none");

    let headers = Headers::new([("contentType", &b"x"[..]), ("any", &[0xff, 0][..])]);
    let poison = platform_event_bus::NewRecord { headers, ..record("7", "poison") };
    bus.publish(&topic, vec![poison.clone()]).await.expect("published");
    let source = read_all(&bus, &topic).await.remove(0);
    letters.add(&source, GROUP, "because", 2).await.expect("added");
    letters.add(&source, GROUP, "because", 2).await.expect("added");

    let open = letters.list().await.expect("letters");
    assert_eq!(open.len(), 2);
    assert_eq!((open[0].record.clone(), open[0].source), (poison, (source.partition, source.offset)));
    letters.replay(open[0].id).await.expect("replayed");
    letters.drop(open[1].id).await.expect("dropped");
    assert!(letters.list().await.expect("letters").is_empty());
    assert!(matches!(letters.replay(open[0].id).await, Err(DeadLetterError::Unknown(_))));
    assert_eq!(read_all(&bus, &topic).await.len(), 2, "the replayed one is there twice");
}
