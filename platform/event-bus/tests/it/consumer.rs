use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use platform_event_bus::{
    Consumer, DeadLetters, EventBus, HandleError, Handler, NewRecord, Record, memory::MemoryBus,
};
use tokio::sync::watch;

const TOPIC: &str = "topic";

/// Handles text: "poison" can never succeed, "bug" panics, the rest is remembered.
struct Notes {
    away: watch::Sender<bool>,
    seen: watch::Sender<Vec<String>>,
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
}

struct Scene {
    bus: MemoryBus,
    notes: Arc<Notes>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn a_consumer() -> Scene {
    let bus = MemoryBus::default();
    let notes = Arc::new(Notes { away: watch::Sender::new(false), seen: watch::Sender::new(Vec::new()) });
    let consumer = Consumer {
        bus: Arc::new(bus.clone()),
        topic: TOPIC.to_owned(),
        group: "group".to_owned(),
        handler: notes.clone(),
        batch: 100,
        gather: Duration::ZERO,
    };
    Scene { bus, notes, task: tokio::spawn(consumer.run()) }
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
