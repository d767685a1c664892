//! Publishing: one process at a time, nothing left out, the sequence kept.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use platform_event_bus::memory::MemoryBus;
use platform_outbox::{Outbox as _, Relay};
use platform_postgres::{Postgres, Saved};
use platform_testkit::{postgres::PostgresServer, until};
use tokio::task::JoinHandle;

use crate::{a_client, a_database, a_store, changed, new, save, settings, version};

const TOPIC: &str = "topic";

fn start(store: &Postgres, bus: &MemoryBus) -> JoinHandle<()> {
    let relay = Relay {
        outbox: Arc::new(store.outbox()),
        bus: Arc::new(bus.clone()),
        topic: TOPIC.to_owned(),
        gather: Duration::ZERO,
    };
    tokio::spawn(relay.run())
}

async fn drained(store: &Postgres) {
    let outbox = store.outbox();
    until("an empty outbox", async || outbox.backlog().await.is_ok_and(|waiting| waiting == 0)).await;
}

/// Key and value of what was published.
fn published(bus: &MemoryBus) -> Vec<(String, i64)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let records = bus.published(TOPIC);
    let pair = |key: &[u8], value: &[u8]| (text(key), text(value).parse().expect("a number"));
    records.iter().map(|record| pair(record.key.as_deref().expect("a key"), &record.value)).collect()
}

/// Of each key the values in the sequence of their first copies.
fn first_copies(bus: &MemoryBus) -> HashMap<String, Vec<i64>> {
    let mut found: HashMap<String, Vec<i64>> = HashMap::new();
    for (key, value) in published(bus) {
        let values = found.entry(key).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_published_in_its_sequence_and_deleted() {
    let (store, bus) = (a_store(&a_database()).await, MemoryBus::default());
    save(&store, new(0)).await.expect("saved");
    let relay = start(&store, &bus);
    for id in 1..100 {
        save(&store, new(id)).await.expect("saved");
    }
    drained(&store).await;
    let keys: Vec<_> = published(&bus).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, (0..100).map(|id: i64| id.to_string()).collect::<Vec<_>>());
    relay.abort();
}

#[tokio::test]
async fn what_one_call_says_keeps_its_sequence() {
    let store = a_store(&a_database()).await;
    let ids = [5, 3, 9, 1, 7];
    store.save_all(ids.into_iter().map(new).collect()).await.expect("saved");
    let rows = store.outbox().read(0, 10).await.expect("rows");
    let keys: Vec<_> =
        rows.iter().map(|row| String::from_utf8_lossy(&row.message.key).into_owned()).collect();
    assert_eq!(keys, ["5", "3", "9", "1", "7"]);
    assert!(rows.is_sorted_by_key(|row| row.seq));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_place_that_is_committed_later_is_not_left_out() {
    let settings = a_database();
    let (store, bus) = (a_store(&settings).await, MemoryBus::default());
    let relay = start(&store, &bus);
    let late = a_client(&settings).await;
    late.batch_execute("BEGIN; INSERT INTO outbox (key, headers, value) VALUES ('late', '', '1')")
        .await
        .expect("not committed");
    for id in 1..=20 {
        save(&store, new(id)).await.expect("saved");
    }
    until("the others are published", async || published(&bus).len() == 20).await;
    late.batch_execute("COMMIT").await.expect("committed");
    until("the late one is published", async || published(&bus).len() == 21).await;
    drained(&store).await;
    let published = published(&bus);
    assert_eq!(published.last(), Some(&("late".to_owned(), 1)));
    assert_eq!(published.len(), 21, "each once");
    relay.abort();
}

#[tokio::test]
async fn what_was_read_and_not_published_is_read_again_with_what_came_before_it() {
    let settings = a_database();
    let (store, late) = (a_store(&settings).await, a_client(&settings).await);
    late.batch_execute("BEGIN; INSERT INTO outbox (key, headers, value) VALUES ('late', '', '1')")
        .await
        .expect("not committed");
    save(&store, new(1)).await.expect("saved");
    let outbox = store.outbox();
    assert_eq!(outbox.read(0, 10).await.expect("rows").len(), 1);
    late.batch_execute("COMMIT").await.expect("committed");
    let again = outbox.read(0, 10).await.expect("rows");
    assert_eq!(&again[0].message.key[..], b"late", "the smaller place first");
    assert_eq!(again.len(), 2);
    outbox.delete_through(again[0].seq).await.expect("deleted");
    let rest = outbox.read(again[0].seq, 10).await.expect("rows");
    assert_eq!((rest.len(), &rest[0].message.key[..]), (1, &b"1"[..]));
    assert!(rest[0].seq > again[1].seq, "numbers grow");
    assert_eq!(outbox.wait_beyond(again[0].seq).await, again[0].seq, "what is unpublished is not waited for");
    outbox.delete_through(rest[0].seq).await.expect("deleted");
    assert_eq!(outbox.backlog().await.expect("a backlog"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bus_is_away_events_wait_and_then_all_are_published_oldest_first() {
    let (store, bus) = (a_store(&a_database()).await, MemoryBus::default());
    bus.fail_publishing(Some("away"));
    let relay = start(&store, &bus);
    for id in 0..50 {
        save(&store, new(id)).await.expect("saved");
    }
    assert_eq!(store.outbox().backlog().await.expect("a backlog"), 50);
    until("the oldest has waited for a while", async || {
        let oldest = store.outbox().oldest().await.expect("an age");
        oldest.expect("there is one") > Duration::from_millis(300)
    })
    .await;
    bus.fail_publishing(None);
    drained(&store).await;
    assert_eq!(store.outbox().oldest().await.expect("an age"), None);
    let keys: Vec<_> = published(&bus).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, (0..50).map(|id: i64| id.to_string()).collect::<Vec<_>>());
    relay.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_publishes_and_another_takes_over_when_it_is_gone() {
    let settings = a_database();
    let bus = MemoryBus::default();
    let stores = [a_store(&settings).await, a_store(&settings).await];
    let first = start(&stores[0], &bus);
    save(&stores[0], new(1)).await.expect("saved");
    drained(&stores[0]).await;
    let second = start(&stores[1], &bus);
    // What the one commits who stands by is published by the other.
    save(&stores[1], new(2)).await.expect("saved");
    drained(&stores[1]).await;
    let outbox = stores[1].outbox();
    let refused = outbox.read(0, 1).await.expect_err("the first has it");
    assert!(refused.to_string().contains("another process"), "{refused}");

    first.abort();
    let _ = first.await;
    save(&stores[0], new(3)).await.expect("saved");
    let began = Instant::now();
    drained(&stores[1]).await;
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    assert_eq!(published(&bus).len(), 3, "each once");
    second.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_of_the_relays_are_killed_and_nothing_is_lost_or_overtaken() {
    const ROWS: i64 = 10;
    const CHANGES: i64 = 30;
    let settings = a_database();
    let bus = MemoryBus::default();
    let stores = [a_store(&settings).await, a_store(&settings).await];
    stores[0].save_all((1..=ROWS).map(new).collect()).await.expect("saved");
    let relays = stores.each_ref().map(|store| start(store, &bus));
    let writers = (1..=ROWS).map(|id| {
        let stores = stores.clone();
        tokio::spawn(async move {
            for n in 0..CHANGES {
                let store = &stores[usize::try_from(n % 2).expect("small")];
                let expected = version(store, id).await;
                assert_eq!(save(store, changed(id, expected, "x")).await, Ok(Saved::Yes));
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let killer = a_client(&settings).await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE '%relaying'";
    let mut killed = 0;
    while !writers.iter().all(JoinHandle::is_finished) || killed < 6 {
        killed += killer.query_one(sql, &[]).await.expect("killed").get::<_, i64>(0);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for writer in writers {
        writer.await.expect("no panic");
    }
    drained(&stores[0]).await;
    let copies = first_copies(&bus);
    assert_eq!(copies.len(), usize::try_from(ROWS).expect("small"));
    for (key, values) in copies {
        assert_eq!(values, (1..=CHANGES + 1).collect::<Vec<_>>(), "of {key}, {killed} killed");
    }
    relays.into_iter().for_each(|relay| relay.abort());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_waits_until_it_is_durable_and_a_delete_of_the_relay_does_not() {
    let server = PostgresServer::start();
    let settings = settings(&server, server.database());
    let (store, client) = (a_store(&settings).await, a_client(&settings).await);
    save(&store, new(1)).await.expect("saved");
    let outbox = store.outbox();
    assert_eq!(outbox.read(0, 10).await.expect("rows").len(), 1);
    // From now on what is durable waits for a standby that never comes.
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await.expect("set");
    client.batch_execute("SELECT pg_reload_conf()").await.expect("told");
    let saving = tokio::spawn({
        let store = store.clone();
        async move {
            for id in 2.. {
                save(&store, new(id)).await.expect("saved");
            }
        }
    });
    until("a change waits", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        client.query_one(sql, &[]).await.expect("a count").get::<_, i64>(0) == 1
    })
    .await;
    outbox.delete_through(1).await.expect("deleted at once");
    saving.abort();
    client.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.expect("set");
    client.batch_execute("SELECT pg_reload_conf()").await.expect("told");
    let sql = "SELECT place FROM outbox WHERE key = '1'";
    assert!(client.query(sql, &[]).await.expect("rows").is_empty());
}
