use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use platform_event_bus::{Headers, memory::MemoryBus};
use platform_outbox::{Outbox as _, OutboxMessage, Relay};
use platform_storage::{Sqlite, Tx};
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
    store.write(move |tx: &Tx<'_>| tx.say(&said)).await.expect("committed");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = a_store(folder.path());
    let failing = store.write(|tx: &Tx<'_>| {
        tx.say(&message(1))?;
        tx.prepare("INSERT INTO nowhere VALUES (1)")?.execute([])
    });
    failing.await.expect_err("no such table");
    say(&store, 2).await;
    let rows = store.outbox().read(0, 10).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.message.clone()).collect::<Vec<_>>(), [message(2)]);
}
