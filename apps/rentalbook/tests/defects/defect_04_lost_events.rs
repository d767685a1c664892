//! The original lost events when Kafka was down, or when the process died after its commit.

use std::sync::Arc;

use contracts::TOPIC;
use order::{
    adapters::outbound::clock::SystemClock as OrderClock,
    application::{Orders, PlaceOrder, Policy},
    domain::Item,
};
use platform_event_bus::{EventBus as _, NewRecord};
use platform_outbox::Outbox as _;
use rent::{adapters::outbound::clock::SystemClock as RentClock, application::Rents};
use rentalbook::{cli::ServiceArg, door::Door, in_process_rent::InProcessRent, stores::Stores};

use crate::harness::Scene;

/// Commits an order and its rent as the services do. Nobody publishes what that says: whoever would has died.
async fn commit_an_order(stores: &Stores, item: &str) -> i64 {
    let rules = rent::domain::Policy { suspended: Default::default() };
    let rents = Rents::new(Arc::new(stores.rents.clone()), Arc::new(RentClock), rules);
    let door = Arc::new(Door::default());
    door.set_open(true);
    let desk = InProcessRent { rents, door };
    let store = Arc::new(stores.orders.clone());
    let orders = Orders::new(store, Arc::new(desk), Arc::new(OrderClock), Policy::default());
    let command = PlaceOrder {
        item: Item::parse(item).expect("an item"),
        customer: None,
        idempotency_key: None,
        correlation_id: None,
        answer_by: None,
    };
    orders.place_order(command).await.expect("placed").id.0
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_04_a_process_that_dies_after_its_commit_publishes_when_it_is_back() {
    let mut library = Scene::open().await;
    library.stop(ServiceArg::Order).await;
    library.stop(ServiceArg::Rent).await;
    let order = commit_an_order(library.stores(), "COSMOS").await;
    assert_eq!(library.stores().orders.outbox().backlog().await.expect("the outbox"), 1);
    assert_eq!(library.stores().rents.outbox().backlog().await.expect("the outbox"), 1);
    assert!(library.records().await.is_empty(), "nothing is published");

    library.restart().await;
    library.settle().await;
    let mut said = library.said(order).await;
    said.sort();
    assert_eq!(said, ["Ordered", "Rented", "Shipped/Ship"]);
    assert_eq!(library.status_in("mypages", order).await.as_deref(), Some("Ship"));
    library.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_04_while_the_topic_is_away_orders_are_taken_and_their_events_wait() {
    let library = Scene::open().await;
    let first = library.an_order("before").await;
    library.settle().await;

    let away = library.hang("bus.db");
    let mut orders = Vec::new();
    for n in 0..10 {
        orders.push(library.an_order(&format!("book {n}")).await);
    }
    assert_eq!(library.cancel(first).await.status, 200);
    // Written after what the relays publish: once this has failed, so has that, and they try again.
    let nothing = NewRecord { value: "{}".into(), ..NewRecord::default() };
    assert!(library.stores().bus.publish(TOPIC, vec![nothing]).await.is_err(), "the topic is away");
    assert!(library.stores().orders.outbox().backlog().await.expect("the outbox") >= 11, "they wait");
    orders.push(library.an_order("still taken").await);
    drop(away);

    library
        .until("the cancellation is through", async || library.order_status(first).await == "Order Canceled")
        .await;
    library.settle().await;
    for order in orders {
        assert_eq!(library.status_in("mypages", order).await.as_deref(), Some("Ship"));
    }
    library.close().await;
}
