//! Parts of a collection that pass over many rows: how many at once, and until when.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use platform_storage::{Part, PartError, Sqlite, Term, rusqlite::Row};
use tokio::task::{JoinHandle, yield_now};

use crate::a_store;

const ROWS: i64 = 20_000;

/// What SQLite has to do for a row that is passed: so much that no machine comes to the end of it.
const ENDLESS: &str = "SELECT id, (WITH RECURSIVE n (i) AS (SELECT id UNION ALL SELECT i + 1 FROM n)
                                   SELECT count(*) FROM n) FROM notes";

async fn a_large_store(folder: &std::path::Path) -> Sqlite {
    let store = a_store(folder);
    let write = |tx: &platform_storage::Tx<'_>| {
        let mut insert = tx.prepare("INSERT INTO notes (id, text, version) VALUES (?1, 'note', 1)")?;
        for id in 1..=ROWS {
            insert.execute([id])?;
        }
        tx.count("notes", ROWS);
        Ok(())
    };
    store.write(write).await.expect("rows");
    store
}

fn part(select: &'static str, column: &'static str) -> Part {
    let sort = vec![Term { column: column.into(), descending: false }];
    Part { select, total: "notes", sort, indexed: column == "id", offset: 0, limit: 20 }
}

fn id(row: &Row<'_>) -> platform_storage::rusqlite::Result<i64> {
    row.get(0)
}

fn asking(store: &Sqlite, begun: &Arc<AtomicUsize>) -> JoinHandle<Result<(Vec<i64>, u64), PartError>> {
    let (store, begun) = (store.clone(), Arc::clone(begun));
    tokio::spawn(async move {
        begun.fetch_add(1, Ordering::Relaxed);
        store.part(part(ENDLESS, "2"), id).await
    })
}

async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !reached().await {
            yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_of_long_reads_few_run_some_wait_and_the_rest_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = a_large_store(folder.path()).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..100).map(|_| asking(&store, &begun)).collect();
    // 2 run and 32 wait: none of these is ever answered.
    until("the rest is refused", async || flood.iter().filter(|one| one.is_finished()).count() == 66).await;
    let one_more = store.part(part(ENDLESS, "2"), id).await;
    assert!(matches!(one_more, Err(PartError::TooMany)), "{one_more:?}");

    let (first, total) = store.part(part("SELECT id FROM notes", "id"), id).await.expect("a short read");
    assert_eq!((first.len(), total), (20, 20_000), "a short one does not wait for them");
    assert_eq!(store.scan(|c| c.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))).await.ok(), Some(1));

    // Everybody goes away: the statements end, and with them their places are free.
    for one in &flood {
        one.abort();
    }
    let sorted = async || store.part(part("SELECT id, text FROM notes", "id + 0"), id).await;
    until("a long read is answered", async || sorted().await.is_ok_and(|(ids, _)| ids.len() == 20)).await;
    assert_eq!(begun.load(Ordering::Relaxed), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_ends_when_its_caller_has_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = a_large_store(folder.path()).await;
    // More than there are threads for blocking work: where they went on, the last of them would never run.
    for _ in 0..600 {
        let endless = store.scan(|c| c.query_row(ENDLESS, [], |row| row.get::<_, i64>(1)));
        let late = tokio::time::timeout(Duration::ZERO, endless).await;
        assert!(late.is_err(), "nobody can answer that");
    }
    let count = store.scan(|c| c.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)));
    let count = tokio::time::timeout(Duration::from_secs(60), count).await.expect("a thread is free");
    assert_eq!(count.ok(), Some(ROWS));
}
