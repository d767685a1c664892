use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use platform_bus_kafka::KafkaBus;
use platform_event_bus::{
    Consumer, DeadLetterError, DeadLetters, EventBus as _, HandleError, Handler, Headers, Record,
};
use platform_testkit::until;
use tokio::sync::watch;

use crate::{a_bus, a_topic, progress, read_all, record, text};

const GROUP: &str = "handlers";

/// Remembers texts; "poison" can never succeed.
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
        if texts.iter().any(|text| text == "poison") {
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
    let (bus, topic, notes) = (a_bus(), a_topic(), Arc::new(Notes::default()));
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
