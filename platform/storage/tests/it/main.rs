//! The store under concurrent writers, the outbox and the log, on real files.

mod group_commit;
mod opening;
mod partitions;
mod parts;
mod relay;

use std::{path::Path, sync::Arc};

use platform_event_bus::{EventBus, contract};
use platform_storage::{LogBus, Sqlite};

const NOTES: &str =
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, version INTEGER NOT NULL) STRICT";

fn a_store(folder: &Path) -> Sqlite {
    Sqlite::open(&folder.join("notes.db"), "notes", &[NOTES]).expect("a store")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_the_contract_of_an_event_bus() {
    let folder = tempfile::tempdir().expect("a folder");
    // Each opening is a bus of its own on the same file, as after a restart.
    let path = folder.path().join("bus.db");
    contract::run(async || {
        Arc::new(LogBus::open(&path, None).expect("the log opens again")) as Arc<dyn EventBus>
    })
    .await;
}
