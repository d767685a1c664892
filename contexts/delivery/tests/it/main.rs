//! Delivery from outside: its store's contract, its events in any order, its races, its HTTP.

mod contract;
mod events;
mod http;
mod json_patch;
mod outbox;
mod permutations;
#[cfg(feature = "postgres")]
mod postgres;
mod races;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use delivery::{
    adapters::outbound::{memory::MemoryDeliveries, sqlite::SqliteDeliveries},
    application::{
        Deliveries, HandOver, Reaction, ReactionKind,
        ports::{Clock, DeliveryStore},
    },
    domain::{Customer, DeliveryId, Moment, OrderId},
};

/// The order that most tests are about.
const ORDER: OrderId = OrderId(7);

/// A clock that goes on by a millisecond whenever it is looked at.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Moment {
        Moment(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn deliveries_on(store: impl DeliveryStore) -> Deliveries {
    Deliveries::new(Arc::new(store), Arc::new(Ticking(AtomicI64::new(1_604_646_451_007))))
}

fn a_reaction(kind: ReactionKind) -> Reaction {
    Reaction { order_id: ORDER, customer: Customer::parse("kim"), kind, correlation_id: None }
}

fn a_hand_over(id: DeliveryId) -> HandOver {
    HandOver { id, if_version: None, correlation_id: None }
}

/// A file that goes when the test ends, with delivery's store in it.
fn a_file() -> (tempfile::TempDir, SqliteDeliveries) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteDeliveries::open(&folder.path().join("delivery.db"), contracts::WireClock::default());
    (folder, store.expect("it opens"))
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    let store = MemoryDeliveries::default();
    contract::run(async || Arc::new(store.clone()) as Arc<dyn contract::Outspoken>).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("delivery.db");
    contract::run(async || {
        let store = SqliteDeliveries::open(&path, contracts::WireClock::default()).expect("it opens");
        Arc::new(store) as Arc<dyn contract::Outspoken>
    })
    .await;
}
