//! The store in PostgreSQL: the same contract, and what only it has: several processes, a server that goes away.

use std::{sync::Arc, time::Duration};

use contracts::WireClock;
use order::{
    adapters::outbound::postgres::PostgresOrders,
    application::{
        OnRentUnavailable, PlaceError, Resuming,
        ports::{Conflict, OrderStore, RentAnswer, Revocation, Save},
    },
    domain::{IdempotencyKey, Item, Moment, Order, OrderId, OrderState, Version},
};
use platform_outbox::Outbox as _;
use platform_postgres::Settings;
use platform_testkit::postgres::{PostgresServer, USER};

use crate::{
    contract,
    support::{Desk, a_cancellation, orders_on, policy, try_to_place, until, with_key},
};

fn settings(server: &PostgresServer) -> Settings {
    let (port, database) = (server.port(), server.database());
    Settings { port, database, user: USER.to_owned(), ..Settings::default() }
}

async fn a_process(settings: &Settings) -> PostgresOrders {
    PostgresOrders::open(settings, WireClock::default()).await.expect("it opens")
}

fn an_order(id: OrderId, key: Option<&str>) -> Order {
    Order {
        id,
        item: Item::parse("COSMOS").expect("an item"),
        customer: None,
        state: OrderState::Pending,
        ordered_said: false,
        deferred_said: false,
        idempotency_key: key.and_then(IdempotencyKey::parse),
        version: Version(1),
        placed_at: Moment(1),
        changed_at: Moment(1),
    }
}

fn new(order: &Order) -> Save {
    Save {
        expected: None,
        was_pending: false,
        pending_below: None,
        order: order.clone(),
        facts: Vec::new(),
        revocation: None,
        redoable: false,
    }
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let settings = settings(PostgresServer::shared());
    contract::run(async || Arc::new(a_process(&settings).await) as Arc<dyn contract::Outspoken>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_has_one_order_over_processes() {
    let settings = settings(PostgresServer::shared());
    let processes = [a_process(&settings).await, a_process(&settings).await];
    for round in 0..30 {
        let key = format!("key-{round}");
        let placements = (0..6_usize).map(|n| {
            let desk = Desk::answering(RentAnswer::Confirmed);
            let orders = orders_on(processes[n % 2].clone(), &desk, policy(OnRentUnavailable::Defer));
            let command = with_key(&key);
            tokio::spawn(async move { orders.place_order(command).await.expect("an order").id })
        });
        let mut ids = Vec::new();
        for placement in placements.collect::<Vec<_>>() {
            ids.push(placement.await.expect("no panic"));
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "one order for {key}: {ids:?}");
    }
    let events = processes[0].outbox().read(0, 100).await.expect("rows");
    assert_eq!(events.len(), 30, "Ordered is said once for each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_of_many_processes_are_confirmed_and_cancelled_side_by_side() {
    let settings = settings(PostgresServer::shared());
    let processes = [a_process(&settings).await, a_process(&settings).await];
    let tasks = (0..8_usize).map(|n| {
        let desk = Desk::answering(RentAnswer::Confirmed);
        let here = orders_on(processes[n % 2].clone(), &desk, policy(OnRentUnavailable::Defer));
        let there = orders_on(processes[(n + 1) % 2].clone(), &desk, policy(OnRentUnavailable::Defer));
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..25 {
                let order = try_to_place(&here).await.expect("an order");
                assert_eq!(order.state, OrderState::Ordered);
                let cancelled = there.cancel_order(a_cancellation(order.id)).await.expect("cancelled");
                assert_eq!(cancelled.state, OrderState::Cancelling, "what one has answered, all know");
                ids.push(order.id);
            }
            ids
        })
    });
    let mut ids = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        ids.extend(task.await.expect("no panic"));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200, "ids are unique over processes");
    for process in &processes {
        until("nothing is pending", async || process.pending() == 0).await;
    }
    assert_eq!(processes[0].outbox().backlog().await.expect("a backlog"), 400);
}

#[tokio::test]
async fn how_many_wait_is_known_over_processes() {
    let settings = settings(PostgresServer::shared());
    let processes = [a_process(&settings).await, a_process(&settings).await];
    let order = an_order(processes[0].next_id().await.expect("an id"), None);
    assert_eq!(processes[0].save(new(&order)).await, Ok(Ok(())));
    assert_eq!(processes[0].pending(), 1);
    until("the other knows", async || processes[1].pending() == 1).await;
    let confirmed = Order { state: OrderState::Ordered, version: Version(2), ..order };
    let change = Save { expected: Some(Version(1)), was_pending: true, ..new(&confirmed) };
    assert_eq!(processes[1].save(change).await, Ok(Ok(())));
    assert_eq!(processes[1].pending(), 0);
    until("the first knows", async || processes[0].pending() == 0).await;
    assert_eq!(a_process(&settings).await.pending(), 0, "and who begins now");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_goes_away_and_comes_back() {
    let server = PostgresServer::start();
    let store = a_process(&settings(&server)).await;
    let desk = Desk::answering(RentAnswer::Confirmed);
    let orders = orders_on(store.clone(), &desk, policy(OnRentUnavailable::Defer));
    let first = try_to_place(&orders).await.expect("an order");

    server.kill();
    until("not ready", async || !store.is_ready()).await;
    for _ in 0..5 {
        let placing = tokio::time::timeout(Duration::from_secs(3), try_to_place(&orders));
        let refused = placing.await.expect("at once").expect_err("away");
        assert!(matches!(refused, PlaceError::Unavailable(_)), "{refused:?}");
    }
    let asked = desk.asked().len();
    server.start_again();
    until("ready", async || store.is_ready()).await;
    until("placed again", async || try_to_place(&orders).await.is_ok()).await;
    assert!(desk.asked().len() > asked);

    let found = store.scan(OrderId(0), 100).await.expect("a walk");
    assert_eq!(found.first(), Some(&first));
    assert!(found.iter().all(|order| order.state == OrderState::Ordered), "503 left no order: {found:?}");
    assert_eq!(store.pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_given_up_has_no_order() {
    let settings = settings(PostgresServer::shared());
    let store = a_process(&settings).await;
    let order = an_order(OrderId(1), None);
    let revocation = Revocation::default();
    assert!(revocation.revoke());
    let change = Save { revocation: Some(revocation), ..new(&order) };
    assert_eq!(store.save(change).await, Ok(Err(Conflict)));
    assert_eq!(store.by_id(order.id).await, Ok(None));
    assert_eq!(store.pending(), 0);
}

/// How the worker goes about it, without waiting for young orders.
fn at_once() -> Resuming {
    Resuming { grace: Duration::ZERO, ..Resuming::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_order_is_resumed_once_over_processes_and_another_takes_over() {
    let settings = settings(PostgresServer::shared());
    let desk = Desk::answering(RentAnswer::Unavailable("away".to_owned()));
    let mut workers = Vec::new();
    for _ in 0..3 {
        let store = a_process(&settings).await;
        let orders = orders_on(store.clone(), &desk, policy(OnRentUnavailable::Defer));
        for _ in 0..20 {
            try_to_place(&orders).await.expect("deferred");
        }
        let worker = orders.resume_orders(at_once(), Arc::new(store.turn()));
        workers.push((store, tokio::spawn(worker)));
    }
    let store = a_process(&settings).await;
    until("somebody asks in vain", async || desk.asked().len() > 61).await;
    // Those who wait for their turn do not ask: the probes of one come one after the other, with growing pauses.
    desk.answers(RentAnswer::Confirmed);
    let before = desk.asked().len();
    until("confirmed", async || store.pending() == 0).await;
    let mut asked = desk.asked_for().split_off(before);
    asked.sort_unstable();
    let all = asked.len();
    asked.dedup();
    assert_eq!(all, asked.len(), "each of them once");
    assert!((59..=60).contains(&all), "one may have been asked for just before: {all}");

    // Whoever has it goes, one after the other; the last one that is left goes on.
    for rest in (0..3).rev() {
        desk.answers(RentAnswer::Unavailable("away".to_owned()));
        let orders = orders_on(store.clone(), &desk, policy(OnRentUnavailable::Defer));
        try_to_place(&orders).await.expect("deferred");
        desk.answers(RentAnswer::Confirmed);
        let began = std::time::Instant::now();
        until("confirmed", async || store.pending() == 0).await;
        assert!(began.elapsed() < Duration::from_secs(8), "{rest} others: {:?}", began.elapsed());
        let (gone, worker) = workers.remove(0);
        worker.abort();
        let _ = worker.await;
        drop(gone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_may_be_there_before_its_database() {
    let server = PostgresServer::start();
    let settings = settings(&server);
    server.kill();
    let store = PostgresOrders::open_later(&settings, WireClock::default());
    let desk = Desk::answering(RentAnswer::Confirmed);
    let orders = orders_on(store.clone(), &desk, policy(OnRentUnavailable::Defer));
    let refused = tokio::time::timeout(Duration::from_secs(1), try_to_place(&orders));
    let refused = refused.await.expect("at once").expect_err("away");
    assert!(matches!(refused, PlaceError::Unavailable(_)), "{refused:?}");
    assert!(!store.is_ready());
    server.start_again();
    until("ready", async || store.is_ready()).await;
    assert_eq!(try_to_place(&orders).await.expect("an order").state, OrderState::Ordered);
    assert_eq!(desk.asked_for().len(), 1);
}
