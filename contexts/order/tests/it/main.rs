//! Order from outside: its store's contract, placing, resuming, cancelling, its events in any order, its HTTP.

mod cancel_order;
mod contract;
mod events;
mod first_calls;
mod http;
#[cfg(feature = "http")]
mod http_rent;
mod in_doubt;
mod json_patch;
mod outbox;
mod pages;
mod permutations;
mod place_order;
#[cfg(feature = "postgres")]
mod postgres;
mod resume_orders;
mod support;

use std::sync::Arc;

use order::adapters::outbound::{memory::MemoryOrders, sqlite::SqliteOrders};

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    let store = MemoryOrders::default();
    contract::run(async || Arc::new(store.clone()) as Arc<dyn contract::Outspoken>).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("order.db");
    contract::run(async || {
        let store = SqliteOrders::open(&path, contracts::WireClock::default()).expect("it opens");
        Arc::new(store) as Arc<dyn contract::Outspoken>
    })
    .await;
}
