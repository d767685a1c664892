//! The store in PostgreSQL: the same contract, and several processes on one database.

use std::sync::Arc;

use contracts::WireClock;
use platform_outbox::Outbox as _;
use platform_postgres::Settings;
use platform_testkit::postgres::{PostgresServer, USER};
use rent::{
    adapters::outbound::postgres::PostgresRents,
    application::{
        ConfirmError, ConfirmRent, Reaction, ReactionKind,
        ports::{Conflict, RentStore, Said, Save},
    },
    domain::{Copy, Fact, Moment, OrderId, Rent, RentId, RentState, Version},
};
use serde_json::Value;

use crate::{ORDER, a_reaction, contract, rents_on};

fn settings(server: &PostgresServer) -> Settings {
    let (port, database) = (server.port(), server.database());
    Settings { port, database, user: USER.to_owned(), ..Settings::default() }
}

async fn a_process(settings: &Settings) -> PostgresRents {
    PostgresRents::open(settings, WireClock::default()).await.expect("it opens")
}

/// What waits to be published.
async fn waiting_types(store: &PostgresRents) -> Vec<String> {
    let rows = store.outbox().read(0, 10_000).await.expect("rows");
    let events = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.message.value).expect("JSON"));
    events.map(|event| event["eventType"].as_str().expect("a text").to_owned()).collect()
}

fn a_confirm(order_id: OrderId) -> ConfirmRent {
    ConfirmRent { order_id, customer: None, correlation_id: None }
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
    let rent = |id| Rent {
        id: RentId(id),
        order_id: ORDER,
        customer: None,
        state: RentState::Rented,
        version: Version(1),
        created_at: at,
        changed_at: at,
    };
    let said = Said { fact: Fact::Rented, version: Version(1), at, correlation_id: None };
    let save = |id| Save { expected: None, rent: rent(id), facts: vec![said.clone()] };
    assert_eq!(store.save_all(vec![save(1), save(2)]).await, Ok(vec![Ok(()), Err(Conflict)]));
    assert_eq!(waiting_types(&store).await, ["Rented"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_confirms_of_one_order_make_one_rent_over_processes() {
    let settings = settings(PostgresServer::shared());
    let processes = [a_process(&settings).await, a_process(&settings).await];
    let rents = processes.each_ref().map(|store| rents_on(store.clone()));
    let confirms = (0..64_usize).map(|n| {
        let rents = rents[n % 2].clone();
        tokio::spawn(async move { rents.confirm_rent(a_confirm(ORDER)).await.expect("a rent") })
    });
    let mut answers = Vec::new();
    for confirm in confirms.collect::<Vec<_>>() {
        answers.push(confirm.await.expect("no panic"));
    }
    assert_eq!(answers.iter().filter(|answer| answer.is_new).count(), 1, "one call has made it");
    assert!(answers.iter().all(|answer| answer.rent == answers[0].rent), "all have the same");
    assert_eq!(waiting_types(&processes[0]).await, ["Rented"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_confirm_at_one_process_meets_a_cancellation_at_the_other() {
    let settings = settings(PostgresServer::shared());
    let processes = [a_process(&settings).await, a_process(&settings).await];
    let [here, there] = processes.each_ref().map(|store| rents_on(store.clone()));
    for n in 1..=50 {
        let order_id = OrderId(n);
        let confirm = tokio::spawn({
            let here = here.clone();
            async move { here.confirm_rent(a_confirm(order_id)).await }
        });
        let cancelled = Reaction { order_id, ..a_reaction(ReactionKind::OrderCancelled) };
        there.on_events(vec![cancelled]).await.expect("applied");
        let answer = confirm.await.expect("no panic");
        let rent = processes[0].by_order(order_id).await.expect("a read").expect("a rent");
        match answer {
            Ok(_) => assert_eq!(rent.state, RentState::Canceled(Copy::Bound), "confirmed, then cancelled"),
            Err(ConfirmError::Refused(_)) => {
                assert_eq!(rent.state, RentState::Canceled(Copy::Tombstone), "cancelled, then refused");
            }
            Err(ConfirmError::Unavailable(error)) => panic!("{error}"),
        }
    }
    let said = waiting_types(&processes[1]).await;
    assert_eq!(said.iter().filter(|said| *said == "RentCanceled").count(), 50);
}
