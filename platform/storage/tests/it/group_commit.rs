use platform_storage::{Sqlite, StorageError, Tx};

use crate::a_store;

async fn insert(store: &Sqlite, id: i64) -> Result<usize, StorageError> {
    store
        .write(move |tx: &Tx<'_>| {
            tx.count("notes", 1);
            tx.prepare("INSERT INTO notes (id, text, version) VALUES (?1, 'x', 1)")?.execute([id])
        })
        .await
}

fn rows(store: &Sqlite) -> i64 {
    store.read(|c| c.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))).expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_its_own_result_and_a_failure_is_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = a_store(folder.path());
    insert(&store, 7).await.expect("the first");
    let writes = (0..200).map(|id| {
        let store = store.clone();
        tokio::spawn(async move { (id, insert(&store, id).await) })
    });
    for write in writes.collect::<Vec<_>>() {
        let (id, result) = write.await.expect("no panic");
        assert_eq!(result.is_err(), id == 7, "only the duplicate fails: {id} {result:?}");
    }
    assert_eq!(rows(&store), 200);
    assert_eq!(store.total("notes").expect("a total"), 200, "a write that failed does not count");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..3 {
        let store = a_store(folder.path());
        assert_eq!(store.total("notes").expect("a total"), round * 10);
        for n in 0..10 {
            insert(&store, i64::try_from(round).expect("small") * 10 + n).await.expect("insert");
        }
    }
    assert_eq!(rows(&a_store(folder.path())), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gives_up_takes_nothing_away_from_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = a_store(folder.path());
    {
        let given_up = insert(&store, 1);
        futures_util::future::select(Box::pin(given_up), Box::pin(std::future::ready(()))).await;
    }
    insert(&store, 2).await.expect("insert");
    assert_eq!(rows(&store), 2);
}
