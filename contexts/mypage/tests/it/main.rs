//! The view keeps its contract on every adapter; events and HTTP as they are on the wire.

mod arrival;
mod events;
mod opening;
mod pages;
#[cfg(feature = "redis")]
mod redis;
mod rest;

use std::sync::Arc;

use mypage::{
    adapters::outbound::{memory::MemoryView, redb::RedbView},
    contract,
    query::View,
};

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    let view = MemoryView::default();
    contract::run(async || Arc::new(view.clone()) as Arc<dyn View>).await;
}

#[tokio::test]
async fn redb_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mypage.redb");
    contract::run(async || Arc::new(RedbView::open(&path).expect("it opens")) as Arc<dyn View>).await;
}
