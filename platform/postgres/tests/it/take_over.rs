//! Real processes that publish, and are killed or frozen while they do.

use std::{
    collections::HashMap,
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use platform_event_bus::{
    BusError, EventBus, GroupPosition, NewRecord, Replay, Subscription, memory::MemoryBus,
};
use platform_outbox::Outbox as _;
use platform_postgres::{Postgres, Saved, tokio_postgres::Client};
use platform_testkit::until;
use tokio::sync::Semaphore;

use crate::{
    a_client, a_database, a_store, changed, new,
    publisher::{Publisher, lines, only_published, publish_here_if_asked, relay},
    save, version,
};

/// Changes of a few rows, one after the other of each, until it is told to stop. Returns how many each has got.
struct Writing(tokio::task::JoinHandle<i64>, Arc<AtomicBool>);

const ROWS: i64 = 10;

impl Writing {
    async fn start(store: Postgres) -> Self {
        store.save_all((1..=ROWS).map(new).collect()).await.expect("saved");
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut last = 1;
            while !stopping.load(Ordering::Relaxed) {
                let changes = (1..=ROWS).map(|id| changed(id, last, "x")).collect();
                let saved = store.save_all(changes).await.expect("saved");
                assert!(saved.iter().all(|saved| *saved == Saved::Yes));
                last += 1;
            }
            last
        });
        Self(task, stop)
    }

    async fn stop(self) -> i64 {
        self.1.store(true, Ordering::Relaxed);
        self.0.await.expect("no panic")
    }
}

/// Every value of every key is there, and their first copies are in their sequence.
fn is_whole_and_in_sequence(file: &Path, last: i64) {
    let mut copies: HashMap<String, Vec<i64>> = HashMap::new();
    for (_, key, value) in lines(file) {
        let values = copies.entry(key).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    assert_eq!(copies.len(), usize::try_from(ROWS).expect("small"));
    for (key, values) in copies {
        assert_eq!(values, (1..=last).collect::<Vec<_>>(), "of {key}");
    }
}

/// Somebody publishes.
async fn until_locked(client: &Client) {
    until("somebody publishes", async || {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        client.query_one(sql, &[]).await.expect("a count").get::<_, i64>(0) == 1
    })
    .await;
}

async fn drained(store: &Postgres) {
    let outbox = store.outbox();
    until("an empty outbox", async || outbox.backlog().await.is_ok_and(|waiting| waiting == 0)).await;
}

#[test]
fn a_process_that_is_killed_is_followed_within_seconds_and_the_sequence_holds() {
    publish_here_if_asked();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let test = "take_over::a_process_that_is_killed_is_followed_within_seconds_and_the_sequence_holds";
        let settings = a_database();
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("topic");
        File::create(&file).expect("the file");
        let store = a_store(&settings).await;
        let mut holder = Publisher::start(test, &settings, &file);
        let writing = Writing::start(store.clone()).await;
        until("it publishes", async || holder.lines(&file) > 0).await;
        for _ in 0..4 {
            let next = Publisher::start(test, &settings, &file);
            let (pool, sessions) = (
                a_client(&settings).await,
                "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE '%relaying'",
            );
            until("it stands by", async || {
                pool.query_one(sessions, &[]).await.expect("a count").get::<_, i64>(0) == 2
            })
            .await;
            assert_eq!(next.lines(&file), 0, "one publishes at a time");
            let before = holder.lines(&file);
            until("in the middle of it", async || holder.lines(&file) > before).await;
            holder.signal("-KILL");
            let began = Instant::now();
            until("the next one publishes", async || next.lines(&file) > 0).await;
            assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
            holder = next;
        }
        let last = writing.stop().await;
        drained(&store).await;
        is_whole_and_in_sequence(&file, last);
    });
}

#[test]
fn a_process_that_is_frozen_is_followed_and_does_not_go_on_when_it_wakes() {
    publish_here_if_asked();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let test = "take_over::a_process_that_is_frozen_is_followed_and_does_not_go_on_when_it_wakes";
        let settings = a_database();
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("topic");
        File::create(&file).expect("the file");
        let store = a_store(&settings).await;
        let frozen = Publisher::start(test, &settings, &file);
        until_locked(&a_client(&settings).await).await;
        frozen.signal("-STOP");
        let next = Publisher::start(test, &settings, &file);
        let began = Instant::now();
        save(&store, new(1)).await.expect("saved");
        until("the next one publishes", async || next.lines(&file) > 0).await;
        // The server waits ten seconds for a word.
        assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
        frozen.signal("-CONT");
        for last in 1..5 {
            save(&store, changed(1, last, "x")).await.expect("saved");
            drained(&store).await;
        }
        assert_eq!(version(&store, 1).await, 5);
        assert_eq!(
            (frozen.lines(&file), next.lines(&file)),
            (0, 5),
            "only the next one publishes, each once"
        );
    });
}

/// A bus that keeps whoever publishes waiting.
struct Gated {
    bus: MemoryBus,
    gate: Arc<Semaphore>,
    arrived: Arc<AtomicBool>,
}

#[async_trait]
impl EventBus for Gated {
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), BusError> {
        self.arrived.store(true, Ordering::Relaxed);
        self.gate.acquire().await.expect("it is never closed").forget();
        self.bus.publish(topic, records).await
    }

    async fn subscribe(&self, _: &str, _: &str) -> Result<Box<dyn Subscription>, BusError> {
        Err(only_published())
    }

    async fn replay(&self, _: &str) -> Result<Box<dyn Replay>, BusError> {
        Err(only_published())
    }

    async fn positions(&self, _: &str, _: &str) -> Result<Vec<GroupPosition>, BusError> {
        Err(only_published())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_lock_while_publishing_neither_deletes_nor_publishes_more() {
    let settings = a_database();
    let stores = [a_store(&settings).await, a_store(&settings).await];
    let (slow, fast) = (MemoryBus::default(), MemoryBus::default());
    let (gate, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicBool::new(false)));
    save(&stores[0], new(1)).await.expect("saved");
    let gated = Gated { bus: slow.clone(), gate: Arc::clone(&gate), arrived: Arc::clone(&arrived) };
    let first = tokio::spawn(relay(&stores[0], gated).run());
    let killer = a_client(&settings).await;
    until_locked(&killer).await;
    until("it waits for the bus", async || arrived.load(Ordering::Relaxed)).await;
    save(&stores[0], new(2)).await.expect("saved");
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE '%relaying' AND pid IN (
                   SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 2)";
    // The second one reads, and has the lock from now on.
    let second = tokio::spawn(relay(&stores[1], fast.clone()).run());
    assert_eq!(killer.query_one(sql, &[]).await.expect("killed").get::<_, i64>(0), 1);
    drained(&stores[1]).await;
    fast.fail_publishing(Some("away"));
    save(&stores[0], new(3)).await.expect("saved");

    gate.add_permits(100);
    let published = |bus: &MemoryBus| {
        let records = bus.published("topic");
        let key = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        records.iter().map(|record| key(record.key.as_deref().expect("a key"))).collect::<Vec<_>>()
    };
    // What was on its way arrives, whoever has the lock.
    until("the first one goes on", async || !published(&slow).is_empty()).await;
    until("and stands by", async || {
        let sessions = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name LIKE '%relaying'";
        killer.query_one(sessions, &[]).await.expect("a count").get::<_, i64>(0) == 2
    })
    .await;
    assert_eq!(published(&slow), ["1"]);
    assert_eq!(stores[0].outbox().backlog().await.expect("a backlog"), 1, "it has deleted nothing");
    second.abort();
    let _ = second.await;
    drained(&stores[0]).await;
    assert_eq!(
        (published(&slow), published(&fast)),
        (vec!["1".to_owned(), "3".into()], vec!["1".into(), "2".into()])
    );
    first.abort();
}
