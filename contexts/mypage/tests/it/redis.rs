//! The view in a real Redis.

use std::{sync::Arc, time::Duration};

use contracts::{TOPIC, WireClock};
use mypage::{
    adapters::outbound::redis::{RedisSettings, RedisView},
    contract::{self, fact, folded, ordered},
    projection::{Fact, OrderFact, Row},
    query::View,
    rebuild::rebuild,
};
use platform_event_bus::{EventBus as _, Headers, NewRecord, memory::MemoryBus};
use platform_secret::{Password, Secret};
use platform_testkit::{redis::RedisServer, until};
use tokio::time::{Instant, timeout};

fn settings(server: &RedisServer) -> RedisSettings {
    RedisSettings { port: server.port(), prefix: server.prefix(), ..RedisSettings::default() }
}

async fn a_view(settings: &RedisSettings) -> RedisView {
    let view = RedisView::new(settings.clone());
    view.mark_complete().await.expect("complete");
    view
}

/// A topic with what some orders have said.
async fn a_topic(orders: i64) -> MemoryBus {
    let bus = MemoryBus::default();
    say(&bus, 1..=orders).await;
    bus
}

async fn say(bus: &MemoryBus, orders: impl IntoIterator<Item = i64>) {
    let record = |order: i64| NewRecord {
        key: Some(contracts::key(order)),
        headers: Headers::default(),
        value: contracts::Event {
            order_id: order,
            id: order,
            kind: contracts::EventKind::Ordered { item: Some(format!("book {order}")) },
            event_id: format!("order-{order}-1"),
            version: Some(1),
            correlation_id: None,
            customer: Some("kim".to_owned()),
            occurred_at: Some(contracts::Timestamp(order)),
        }
        .encode(&WireClock::default()),
    };
    bus.publish(TOPIC, orders.into_iter().map(record).collect()).await.expect("published");
}

async fn rows(view: &dyn View) -> Vec<Row> {
    view.scan(None, 10_000).await.expect("rows")
}

/// Keeps it complete until this is dropped.
struct Keeping(tokio::task::JoinHandle<()>);

impl Keeping {
    fn of(view: &RedisView, bus: &MemoryBus) -> Self {
        let (view, bus) = (view.clone(), bus.clone());
        Self(tokio::spawn(async move { view.keep_complete(&bus, TOPIC).await }))
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_contract() {
    let settings = settings(RedisServer::shared());
    contract::run(async || Arc::new(RedisView::new(settings.clone())) as Arc<dyn View>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_write_the_same_orders_at_once_make_the_rows_of_one() {
    let settings = settings(RedisServer::shared());
    let facts: Vec<OrderFact> = (1..=200)
        .flat_map(|order| {
            let others = [Fact::Rented, Fact::ParcelPrepared, Fact::ParcelHandedOver];
            let others = others.into_iter().zip(2..).map(move |(what, at)| fact(order, what, at));
            std::iter::once(ordered(order, &format!("book {order}"), "kim", 1)).chain(others)
        })
        .collect();
    let first = a_view(&settings).await;
    let replicas = (0..4).map(|n| {
        let (view, mut facts) = (RedisView::new(settings.clone()), facts.clone());
        // Each in another sequence, and all of them everything.
        let turn = n * 97 % facts.len();
        facts.rotate_left(turn);
        tokio::spawn(async move {
            for some in facts.chunks(50) {
                view.apply(some.to_vec()).await.expect("applied");
            }
        })
    });
    for replica in replicas.collect::<Vec<_>>() {
        replica.await.expect("a replica");
    }
    let expected: Vec<_> = facts.chunks(4).map(folded).collect();
    assert_eq!(rows(&first).await, expected);
    let (_, total) = first.find_by_customer("kim", 0, 1).await.expect("a page");
    assert_eq!(total, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_was_emptied_is_not_shown_and_is_built_again_by_itself() {
    let server = RedisServer::start();
    let settings = settings(&server);
    let (view, bus) = (RedisView::new(settings.clone()), a_topic(300).await);
    assert!(view.get(1).await.is_err(), "it is not there yet");
    let _keeping = Keeping::of(&view, &bus);
    until("the first view", async || view.get(300).await.is_ok_and(|row| row.is_some())).await;
    let before = rows(&view).await;
    assert_eq!(before.len(), 300);

    flush(&settings).await;
    let refused = view.get(1).await.expect_err("an empty view is not shown");
    assert!(refused.to_string().contains("is being built"), "{refused}");
    assert!(view.apply(vec![fact(1, Fact::Rented, 2)]).await.is_err(), "what is consumed waits");
    until("the view is back", async || view.ready().await.is_ok()).await;
    assert_eq!(rows(&view).await, before);

    server.kill();
    let start = Instant::now();
    assert!(view.get(1).await.is_err() && start.elapsed() < Duration::from_secs(5), "it answers soon");
    server.start_again();
    until("the view is back", async || view.ready().await.is_ok()).await;
    assert_eq!(rows(&view).await, before);
}

async fn flush(settings: &RedisSettings) {
    let client = redis::Client::open(("127.0.0.1", settings.port)).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let _: () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("flushed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_started_again_with_what_it_had_goes_on_answering_and_is_built_again() {
    let server = RedisServer::that_keeps();
    let settings = settings(&server);
    let (view, bus) = (RedisView::new(settings), a_topic(50).await);
    rebuild(&view, &bus, TOPIC).await.expect("built");
    assert!(view.is_complete().await.expect("an answer"));
    server.kill();
    server.start_again();
    until("it answers again", async || view.get(1).await.is_ok()).await;
    assert!(view.get(1).await.expect("a row").is_some(), "what it had is shown");
    assert!(!view.is_complete().await.expect("an answer"), "nobody knows whether that is all");
    let _keeping = Keeping::of(&view, &bus);
    until("it is complete", async || view.is_complete().await.unwrap_or(false)).await;
    assert_eq!(rows(&view).await.len(), 50);
}

/// A number that the server says about itself.
async fn number(connection: &mut redis::aio::MultiplexedConnection, name: &str) -> u64 {
    let about: String = redis::cmd("INFO").query_async(connection).await.expect("an answer");
    let said = about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    said.expect("it says so").trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_throws_keys_away_is_noticed_and_the_view_is_built_again() {
    let server = RedisServer::start();
    let settings = settings(&server);
    let (view, bus) = (RedisView::new(settings.clone()), a_topic(3_000).await);
    rebuild(&view, &bus, TOPIC).await.expect("built");
    assert!(view.is_complete().await.expect("an answer"));

    let client = redis::Client::open(("127.0.0.1", settings.port)).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let limit = |bytes: u64| {
        let mut limit = redis::cmd("CONFIG");
        limit.arg(&["SET", "maxmemory-policy", "allkeys-lru", "maxmemory", &bytes.to_string()]);
        limit
    };
    // A little less than it has: some of the rows have to go.
    let little = number(&mut connection, "used_memory").await - 100_000;
    let _: () = limit(little).query_async(&mut connection).await.expect("limited");
    until("some keys are thrown away", async || number(&mut connection, "evicted_keys").await > 0).await;
    let _: () = limit(0).query_async(&mut connection).await.expect("unlimited");
    assert!(!view.is_complete().await.expect("an answer"), "nobody knows which keys these were");

    let _keeping = Keeping::of(&view, &bus);
    until("it is complete", async || view.is_complete().await.unwrap_or(false)).await;
    assert_eq!(rows(&view).await.len(), 3_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_consumed_while_a_replica_rebuilds_is_in_both_views() {
    let settings = settings(RedisServer::shared());
    let (one, other, bus) = (a_view(&settings).await, RedisView::new(settings.clone()), a_topic(20).await);
    let building = one.begin_rebuild().await.expect("begun");
    assert!(other.begin_rebuild().await.is_err(), "one at a time");
    other.apply(vec![fact(1000, Fact::Rented, 1)]).await.expect("applied");
    assert!(one.get(1000).await.expect("an answer").is_some(), "in the live one");
    building.finish().await.expect("finished");
    assert!(one.get(1000).await.expect("an answer").is_some(), "in the new one");
    drop(other.begin_rebuild().await.expect("begun"));
    until("one that was given up is in nobody's way", async || rebuild(&one, &bus, TOPIC).await.is_ok())
        .await;
    assert_eq!(rows(&other).await.len(), 20, "what the topic does not have is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_keep_one_view_complete_build_it_together() {
    let server = RedisServer::start();
    let settings = settings(&server);
    let bus = a_topic(500).await;
    let views: Vec<_> = (0..3).map(|_| RedisView::new(settings.clone())).collect();
    let _keeping: Vec<_> = views.iter().map(|view| Keeping::of(view, &bus)).collect();
    for _ in 0..3 {
        until("it is there", async || views[0].get(500).await.is_ok_and(|row| row.is_some())).await;
        assert_eq!(rows(&views[1]).await.len(), 500);
        flush(&settings).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_let_in_and_a_wrong_one_is_told_without_showing_it() {
    let server = RedisServer::with_password("ge-heim");
    let with = |password: Password| RedisSettings {
        user: Some(RedisServer::USER.to_owned()),
        password,
        ..settings(&server)
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "ge-heim\n").expect("written");
    for password in [Password::Text(Secret::new("ge-heim")), Password::File(file.path().to_owned())] {
        a_view(&with(password)).await.apply(vec![fact(1, Fact::Rented, 1)]).await.expect("applied");
    }
    for password in [Password::Text(Secret::new("ge-raten")), Password::None] {
        let shown = format!("{:?}", with(password.clone()));
        let view = RedisView::new(with(password));
        let refused =
            timeout(Duration::from_secs(10), view.ready()).await.expect("soon").expect_err("refused");
        let said = format!("{refused} {shown}");
        assert!(said.contains("does not let this user") && !said.contains("ge-raten"), "{said}");
    }
}
