use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use platform_event_bus::{
    Consumed, Consumer, DeadLetters, EventBus, HandleError, Handler, NewRecord, Record, memory::MemoryBus,
};
use tokio::sync::{oneshot, watch};

const TOPIC: &str = "topic";

/// Handles text: "poison" can never succeed, "bug" panics, the rest is remembered.
struct Notes {
    away: watch::Sender<bool>,
    seen: watch::Sender<Vec<String>>,
    /// How many were seen when it was last settled.
    settled: watch::Sender<usize>,
}

#[async_trait]
impl Handler for Notes {
    async fn handle(&self, records: &[Record]) -> Result<(), HandleError> {
        if *self.away.borrow() {
            return Err(HandleError::Unavailable("the store is away".to_owned()));
        }
        let texts: Vec<_> = records.iter().map(|r| String::from_utf8_lossy(&r.value).into_owned()).collect();
        assert!(!texts.iter().any(|text| text == "bug"), "planted");
        if texts.iter().any(|text| text == "poison") {
            return Err(HandleError::Undeliverable("poisoned".to_owned()));
        }
        self.seen.send_modify(|seen| seen.extend(texts));
        Ok(())
    }

    async fn settle(&self) -> Result<(), HandleError> {
        if *self.away.borrow() {
            return Err(HandleError::Unavailable("the store is away".to_owned()));
        }
        self.settled.send_replace(self.seen.borrow().len());
        Ok(())
    }
}

struct Scene {
    stop: Option<oneshot::Sender<()>>,
    bus: MemoryBus,
    notes: Arc<Notes>,
    consumed: Arc<Consumed>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn a_consumer() -> Scene {
    a_consumer_that_settles_after(Duration::ZERO)
}

fn a_consumer_that_settles_after(settle_after: Duration) -> Scene {
    let bus = MemoryBus::default();
    let (away, seen, settled) = (watch::Sender::new(false), watch::Sender::default(), watch::Sender::new(0));
    let notes = Arc::new(Notes { away, seen, settled });
    let consumed = Arc::<Consumed>::default();
    let consumer = Consumer {
        bus: Arc::new(bus.clone()),
        topic: TOPIC.to_owned(),
        group: "group".to_owned(),
        handler: notes.clone(),
        batch: 100,
        gather: Duration::ZERO,
        settle_after,
        consumed: Arc::clone(&consumed),
    };
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(consumer.run(async { drop(stopped.await) }));
    Scene { stop: Some(stop), bus, notes, consumed, task }
}

impl Scene {
    async fn publish(&self, texts: &[&str]) {
        let records = texts
            .iter()
            .map(|text| NewRecord { value: Bytes::copy_from_slice(text.as_bytes()), ..NewRecord::default() });
        self.bus.publish(TOPIC, records.collect()).await.expect("publish");
    }

    async fn seen(&self, expected: &[&str]) {
        let mut seen = self.notes.seen.subscribe();
        tokio::time::timeout(Duration::from_secs(60), seen.wait_for(|seen| seen.iter().eq(expected)))
            .await
            .unwrap_or_else(|_| panic!("expected {expected:?}, saw {:?}", *self.notes.seen.borrow()))
            .expect("the scene lives");
    }

    /// How many records the group has committed.
    async fn committed(&self) -> i64 {
        let positions = self.bus.positions(TOPIC, "group").await.expect("positions");
        positions.iter().map(|position| position.committed).sum()
    }

    async fn letters(&self) -> Vec<(String, u32)> {
        let letters = DeadLetters::new(Arc::new(self.bus.clone()), TOPIC).list().await.expect("list");
        letters.into_iter().map(|letter| (letter.reason, letter.attempts)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_poison_record_is_set_aside_alone_and_the_others_are_handled() {
    let scene = a_consumer();
    scene.publish(&["one", "poison", "two", "bug", "three"]).await;
    scene.seen(&["one", "two", "three"]).await;
    assert_eq!(scene.letters().await, [("poisoned".to_owned(), 2), ("a bug: planted".to_owned(), 2)]);
    assert_eq!(scene.consumed.dead_letters(), 2);
    while scene.consumed.records() < 5 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_makes_the_partition_wait_and_never_a_dead_letter() {
    let scene = a_consumer();
    scene.notes.away.send_replace(true);
    scene.publish(&["one", "two"]).await;
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert!(scene.notes.seen.borrow().is_empty());
    scene.notes.away.send_replace(false);
    scene.seen(&["one", "two"]).await;
    assert!(scene.letters().await.is_empty());
}

const SETTLE_AFTER: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_position_is_committed_when_it_is_settled_and_not_before() {
    let scene = a_consumer_that_settles_after(SETTLE_AFTER);
    scene.publish(&["one"]).await;
    scene.seen(&["one"]).await;
    scene.publish(&["two"]).await;
    scene.seen(&["one", "two"]).await;
    assert_eq!((*scene.notes.settled.borrow(), scene.committed().await), (0, 0));

    let mut settled = scene.notes.settled.subscribe();
    let begin = tokio::time::Instant::now();
    settled.wait_for(|settled| *settled == 2).await.expect("the scene lives");
    assert!(begin.elapsed() <= SETTLE_AFTER, "without any further record");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_ne!(scene.committed().await, 0);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_what_was_not_settled_is_read_again() {
    let scene = a_consumer_that_settles_after(SETTLE_AFTER);
    scene.publish(&["one", "two"]).await;
    scene.seen(&["one", "two"]).await;
    scene.notes.away.send_replace(true);
    scene.publish(&["three"]).await;
    tokio::time::sleep(SETTLE_AFTER * 2).await;
    assert_eq!(scene.committed().await, 0);

    scene.notes.seen.send_replace(Vec::new());
    scene.notes.away.send_replace(false);
    scene.seen(&["one", "two", "three"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_stopped_settles_first() {
    let mut scene = a_consumer_that_settles_after(SETTLE_AFTER);
    scene.publish(&["one"]).await;
    scene.seen(&["one"]).await;
    let begin = tokio::time::Instant::now();
    scene.stop.take().expect("not stopped yet").send(()).expect("it runs");
    (&mut scene.task).await.expect("it ends");
    assert!(begin.elapsed() < SETTLE_AFTER, "{:?}", begin.elapsed());
    assert_eq!((*scene.notes.settled.borrow(), scene.committed().await), (1, 1));
}
