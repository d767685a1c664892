//! The store in PostgreSQL: the same contract, and several processes on one database.

use std::{collections::HashMap, sync::Arc};

use contracts::WireClock;
use delivery::{
    adapters::outbound::postgres::PostgresDeliveries,
    application::{
        HandOverError, Reaction, ReactionKind,
        ports::{Conflict, DeliveryStore, Said, Save},
    },
    domain::{Delivery, DeliveryId, DeliveryState, Fact, HandOverRefused, Moment, OrderId, Version},
};
use platform_outbox::Outbox as _;
use platform_postgres::Settings;
use platform_testkit::postgres::{PostgresServer, USER};
use serde_json::Value;

use crate::{ORDER, a_hand_over, a_reaction, contract, deliveries_on};

fn settings(server: &PostgresServer) -> Settings {
    let (port, database) = (server.port(), server.database());
    Settings { port, database, user: USER.to_owned(), ..Settings::default() }
}

async fn a_process(settings: &Settings) -> PostgresDeliveries {
    PostgresDeliveries::open(settings, WireClock::default()).await.expect("it opens")
}

fn of(order_id: OrderId, kind: ReactionKind) -> Reaction {
    Reaction { order_id, ..a_reaction(kind) }
}

/// What waits to be published about each order: type and status.
async fn waiting(store: &PostgresDeliveries) -> HashMap<i64, Vec<String>> {
    let rows = store.outbox().read(0, 10_000).await.expect("rows");
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for row in &rows {
        let event: Value = serde_json::from_slice(&row.message.value).expect("JSON");
        let text = |name: &str| event[name].as_str().expect("a text");
        let said = format!("{}/{}", text("eventType"), text("status"));
        found.entry(event["orderId"].as_i64().expect("a number")).or_default().push(said);
    }
    found
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let settings = settings(PostgresServer::shared());
    contract::run(async || Arc::new(a_process(&settings).await) as Arc<dyn contract::Outspoken>).await;
}

#[tokio::test]
async fn a_conflict_says_nothing() {
    let store = a_process(&settings(PostgresServer::shared())).await;
    let at = Moment(1);
    let delivery = |id| Delivery {
        order_id: ORDER,
        id: Some(DeliveryId(id)),
        customer: None,
        state: DeliveryState::Held,
        version: Version(1),
        created_at: at,
        changed_at: at,
    };
    let said = Said { fact: Fact::ParcelPrepared, version: Version(1), at, correlation_id: None };
    let save =
        |id| Save { expected: None, was_shown: false, delivery: delivery(id), facts: vec![said.clone()] };
    assert_eq!(store.save_all(vec![save(1), save(2)]).await, Ok(vec![Ok(()), Err(Conflict)]));
    assert_eq!(waiting(&store).await, [(ORDER.0, vec!["Shipped/Ship".to_owned()])].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_events_at_two_processes_make_one_parcel_of_each_order() {
    let settings = settings(PostgresServer::shared());
    let processes = [a_process(&settings).await, a_process(&settings).await];
    let tasks = (0..4_usize).map(|n| {
        let deliveries = deliveries_on(processes[n % 2].clone());
        tokio::spawn(async move {
            for batch in 0..10 {
                let orders = (batch * 20..batch * 20 + 20).map(OrderId);
                let kinds = [ReactionKind::Rented, ReactionKind::Ordered];
                let events = orders.flat_map(|order_id| kinds.map(|kind| of(order_id, kind)));
                deliveries.on_events(events.collect()).await.expect("applied");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    let found = processes[1].scan(OrderId(i64::MIN), 1_000).await.expect("a walk");
    assert_eq!(found.len(), 200);
    assert!(found.iter().all(|delivery| delivery.state == DeliveryState::Released));
    let said = waiting(&processes[0]).await;
    assert_eq!(said.len(), 200);
    assert!(said.values().all(|said| *said == ["Shipped/Ship"]), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hand_over_at_one_process_meets_a_cancellation_at_the_other() {
    let settings = settings(PostgresServer::shared());
    let processes = [a_process(&settings).await, a_process(&settings).await];
    let [here, there] = processes.each_ref().map(|store| deliveries_on(store.clone()));
    let mut expected = HashMap::new();
    for n in 1..=50 {
        let order_id = OrderId(n);
        let events = vec![of(order_id, ReactionKind::Rented), of(order_id, ReactionKind::Ordered)];
        here.on_events(events).await.expect("applied");
        let delivery = there.delivery_of_order(order_id).await.expect("a read").expect("a parcel");
        let command = a_hand_over(delivery.id.expect("an id"));
        let hand_over = tokio::spawn({
            let here = here.clone();
            async move { here.hand_over(command).await }
        });
        there.on_events(vec![of(order_id, ReactionKind::RentCanceled)]).await.expect("applied");
        let answer = hand_over.await.expect("no panic");

        let delivery = processes[0].by_order(order_id).await.expect("a read").expect("a parcel");
        let said: &[&str] = match answer {
            Ok(_) => {
                assert_eq!(delivery.state, DeliveryState::HandedOver);
                &["Shipped/Ship", "Shipped/Shipped", "CancelRejected/Shipped"]
            }
            Err(HandOverError::Refused(HandOverRefused::Canceled)) => {
                assert_eq!(delivery.state, DeliveryState::Canceled);
                &["Shipped/Ship", "DeliveryCanceled/Ship Canceled"]
            }
            Err(other) => panic!("{other}"),
        };
        expected.insert(n, said.iter().map(|&said| said.to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(waiting(&processes[1]).await, expected);
}
