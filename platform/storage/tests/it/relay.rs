use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use platform_event_bus::{Headers, memory::MemoryBus};
use platform_outbox::{Outbox, OutboxError, OutboxMessage, OutboxRow, Relay};
use platform_storage::{Sqlite, SqliteOutbox, Tx};
use platform_testkit::until;

use crate::a_store;

const TOPIC: &str = "topic";

fn message(n: i64) -> OutboxMessage {
    OutboxMessage {
        key: Bytes::from(n.to_string()),
        headers: Headers::default(),
        value: Bytes::from(n.to_string()),
    }
}

async fn say(store: &Sqlite, n: i64) {
    let said = message(n);
    let write = move |tx: &Tx<'_>| {
        tx.say(&said);
        Ok(())
    };
    store.write(write).await.expect("committed");
}

fn start(store: &Sqlite, bus: &MemoryBus) -> tokio::task::JoinHandle<()> {
    let relay = Relay {
        outbox: Arc::new(store.outbox()),
        bus: Arc::new(bus.clone()),
        topic: TOPIC.to_owned(),
        gather: Duration::ZERO,
    };
    tokio::spawn(relay.run())
}

async fn drained(store: &Sqlite) {
    let outbox = store.outbox();
    until("an empty outbox", async || outbox.backlog().await.expect("a backlog") == 0).await;
}

fn published(bus: &MemoryBus) -> Vec<i64> {
    bus.published(TOPIC)
        .iter()
        .map(|r| String::from_utf8_lossy(&r.value).parse().expect("a number"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_published_in_order_and_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, bus) = (a_store(folder.path()), MemoryBus::default());
    say(&store, 0).await;
    let relay = start(&store, &bus);
    for n in 1..100 {
        say(&store, n).await;
    }
    drained(&store).await;
    assert_eq!(published(&bus), (0..100).collect::<Vec<_>>());
    relay.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bus_is_away_events_wait_and_then_all_are_published_oldest_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, bus) = (a_store(folder.path()), MemoryBus::default());
    bus.fail_publishing(Some("away"));
    let relay = start(&store, &bus);
    for n in 0..50 {
        say(&store, n).await;
    }
    assert_eq!(store.outbox().backlog().await.expect("a backlog"), 50);
    bus.fail_publishing(None);
    drained(&store).await;
    assert_eq!(published(&bus), (0..50).collect::<Vec<_>>());
    relay.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_was_killed_is_followed_by_another_without_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let bus = MemoryBus::default();
    for round in 0..5 {
        let store = a_store(folder.path());
        let relay = start(&store, &bus);
        for n in 0..20 {
            say(&store, round * 20 + n).await;
        }
        relay.abort();
        let _ = relay.await;
    }
    let store = a_store(folder.path());
    let relay = start(&store, &bus);
    drained(&store).await;
    relay.abort();
    let mut first_copies = Vec::new();
    for n in published(&bus) {
        if !first_copies.contains(&n) {
            first_copies.push(n);
        }
    }
    assert_eq!(first_copies, (0..100).collect::<Vec<_>>());
}

/// An outbox whose first deletions fail, as on a disk that is full for a while.
struct Undeletable {
    outbox: SqliteOutbox,
    failures: AtomicUsize,
}

#[async_trait::async_trait]
impl Outbox for Undeletable {
    async fn wait_beyond(&self, seq: i64) -> i64 {
        self.outbox.wait_beyond(seq).await
    }

    async fn read(&self, seq: i64, max: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        self.outbox.read(seq, max).await
    }

    async fn delete_through(&self, seq: i64) -> Result<(), OutboxError> {
        if self.failures.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_ok() {
            return Err(OutboxError("the disk is full".to_owned()));
        }
        self.outbox.delete_through(seq).await
    }

    async fn keys(&self) -> Result<Vec<Bytes>, OutboxError> {
        self.outbox.keys().await
    }

    async fn backlog(&self) -> Result<u64, OutboxError> {
        self.outbox.backlog().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_deleted_is_deleted_later_without_a_further_event_and_published_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, bus) = (a_store(folder.path()), MemoryBus::default());
    say(&store, 1).await;
    let outbox = Undeletable { outbox: store.outbox(), failures: AtomicUsize::new(2) };
    let (outbox, bus_port, topic) = (Arc::new(outbox), Arc::new(bus.clone()), TOPIC.to_owned());
    let relay = tokio::spawn(Relay { outbox, bus: bus_port, topic, gather: Duration::ZERO }.run());
    drained(&store).await;
    assert_eq!(published(&bus), [1]);
    relay.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = a_store(folder.path());
    let failing = store.write(|tx: &Tx<'_>| {
        tx.say(&message(1));
        tx.prepare("INSERT INTO nowhere VALUES (1)")?.execute([])
    });
    failing.await.expect_err("no such table");
    say(&store, 2).await;
    let rows = store.outbox().read(0, 10).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.message.clone()).collect::<Vec<_>>(), [message(2)]);
}
