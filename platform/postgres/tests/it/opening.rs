use std::sync::Arc;

use platform_postgres::{OpenError, Postgres, Settings};

use crate::{MIGRATIONS, NOTES, a_database, a_store, new, notes, save};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_together_migrate_once() {
    let settings = Arc::new(a_database());
    let starts = (0..4).map(|_| {
        let settings = Arc::clone(&settings);
        tokio::spawn(async move { a_store(&settings).await })
    });
    for (id, start) in (1..).zip(starts.collect::<Vec<_>>()) {
        let store = start.await.expect("no panic");
        save(&store, new(id)).await.expect("saved");
        assert!(store.is_ready());
    }
    let store = a_store(&settings).await;
    assert_eq!(notes(&store).await.len(), 4);
    let versions = store.query("SELECT component, version FROM schema ORDER BY 1", &[]).await.expect("rows");
    let versions: Vec<(String, i32)> = versions.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(versions, [("notes".to_owned(), 1), ("platform".to_owned(), 2)]);
}

#[tokio::test]
async fn migrations_run_once_and_in_sequence_and_a_newer_database_is_refused() {
    let settings = a_database();
    drop(a_store(&settings).await);
    let later = [MIGRATIONS[0], "ALTER TABLE notes ADD COLUMN colour text"];
    for _ in 0..2 {
        let store = Postgres::open(&settings, "notes", &later, &NOTES).await.expect("migrated");
        store.query("SELECT colour FROM notes", &[]).await.expect("the column");
    }
    let refused = Postgres::open(&settings, "notes", MIGRATIONS, &NOTES).await.err().expect("refused");
    assert!(matches!(refused, OpenError::Newer { found: 2, known: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("newer version of this program"), "{refused}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let settings = a_database();
    let broken = ["CREATE TABLE notes (id bigint)", "CREATE NONSENSE"];
    let refused = Postgres::open(&settings, "notes", &broken, &NOTES).await.err().expect("refused");
    assert!(refused.to_string().contains("NONSENSE"), "{refused}");
    drop(a_store(&settings).await);
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let absent = Settings { database: "no_such_database".to_owned(), ..a_database() };
    let refused = Postgres::open(&absent, "notes", MIGRATIONS, &NOTES).await.err().expect("refused");
    assert!(refused.to_string().contains("\"no_such_database\" does not exist"), "{refused}");
    let nobody = Settings { port: 1, ..a_database() };
    let refused = Postgres::open(&nobody, "notes", MIGRATIONS, &NOTES).await.err().expect("refused");
    assert!(refused.to_string().contains("127.0.0.1:1 cannot be used"), "{refused}");
}
