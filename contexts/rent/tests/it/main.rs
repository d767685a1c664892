//! Rent from outside: its store's contract, its events in any order, its races, its HTTP.

mod contract;
mod events;
mod http;
mod outbox;
mod permutations;
#[cfg(feature = "postgres")]
mod postgres;
mod races;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use rent::{
    adapters::outbound::{memory::MemoryRents, sqlite::SqliteRents},
    application::{
        Reaction, ReactionKind, Rents,
        ports::{Clock, RentStore},
    },
    domain::{Customer, Moment, OrderId, Policy},
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

/// Rents on `store`. The customer `suspended` may not borrow.
fn rents_on(store: impl RentStore) -> Rents {
    let policy = Policy { suspended: [a_customer("suspended")].into() };
    Rents::new(Arc::new(store), Arc::new(Ticking(AtomicI64::new(1_604_646_451_007))), policy)
}

fn a_customer(name: &str) -> Customer {
    Customer::parse(name).expect("a name")
}

fn a_reaction(kind: ReactionKind) -> Reaction {
    Reaction { order_id: ORDER, customer: None, kind, correlation_id: None }
}

/// A file that goes when the test ends, with rent's store in it.
fn a_file() -> (tempfile::TempDir, SqliteRents) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteRents::open(&folder.path().join("rent.db"), contracts::WireClock::default());
    (folder, store.expect("it opens"))
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    let store = MemoryRents::default();
    contract::run(async || Arc::new(store.clone()) as Arc<dyn contract::Outspoken>).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rent.db");
    contract::run(async || {
        let store = SqliteRents::open(&path, contracts::WireClock::default()).expect("it opens");
        Arc::new(store) as Arc<dyn contract::Outspoken>
    })
    .await;
}
