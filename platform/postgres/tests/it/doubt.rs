//! A connection that breaks in the middle of a commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use platform_postgres::{Postgres, Saved, Settings, StoreError, tokio_postgres::Client};
use platform_testkit::{postgres::PostgresServer, until};
use tokio::task::JoinHandle;

use crate::{MIGRATIONS, NOTES_OF_ALL, a_client, a_store, changed, new, notes, save, settings};

/// Another session of the program waits in the middle of something.
async fn until_it_waits(client: &Client, event: &str) {
    until(event, async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = $1";
        client.query_one(sql, &[&event]).await.expect("a count").get::<_, i64>(0) > 0
    })
    .await;
}

/// A commit is on the disk and waits for a standby that never comes.
async fn a_commit_that_waits(
    store: &Postgres,
    client: &Client,
) -> JoinHandle<(i64, Result<Saved, StoreError>)> {
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await.expect("set");
    client.batch_execute("SELECT pg_reload_conf()").await.expect("told");
    // One after the other, until one of them waits.
    let it_waits = Arc::new(AtomicBool::new(false));
    let saving = tokio::spawn({
        let (store, it_waits) = (store.clone(), Arc::clone(&it_waits));
        async move {
            for id in 1.. {
                let answer = save(&store, new(id)).await;
                if it_waits.load(Ordering::Relaxed) {
                    return (id, answer);
                }
            }
            unreachable!("one of them waits")
        }
    });
    until_it_waits(client, "SyncRep").await;
    it_waits.store(true, Ordering::Relaxed);
    saving
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_row_that_was_committed_is_told_as_saved() {
    let server = PostgresServer::start();
    let settings = settings(&server, server.database());
    let (store, client) = (a_store(&settings).await, a_client(&settings).await);
    let saving = a_commit_that_waits(&store, &client).await;
    client.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.expect("set");
    server.kill();
    // Who comes meanwhile is told at once.
    until("away", async || {
        let late = tokio::time::timeout(Duration::from_secs(1), save(&store, new(0)));
        late.await.expect("at once").is_err()
    })
    .await;
    server.start_again();
    let (last, answer) = saving.await.expect("no panic");
    assert_eq!(answer, Ok(Saved::Yes));
    until("ready again", async || store.is_ready()).await;
    let ids: Vec<_> = notes(&store).await.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, (1..=last).collect::<Vec<_>>());
    assert_eq!(Ok(store.known_total("notes")), store.total("notes").await);
}

/// Whoever waits for `event` is gone.
async fn end_who_waits(client: &Client, event: &str) {
    let sql = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE wait_event = $1";
    client.query_one(sql, &[&event]).await.expect("one was ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_key_others_may_write_is_not_taken_for_ones_own() {
    let server = PostgresServer::start();
    let settings = settings(&server, server.database());
    let store = Postgres::open(&settings, "notes", MIGRATIONS, &NOTES_OF_ALL).await.expect("it opens");
    let (client, another) = (a_client(&settings).await, a_client(&settings).await);
    // Ours waits for another process that writes the same key.
    let theirs = "BEGIN; INSERT INTO notes VALUES (1, 1, 1, 'lee', 'theirs', false)";
    another.batch_execute(theirs).await.expect("inserted");
    let saving = tokio::spawn({
        let store = store.clone();
        async move { save(&store, new(1)).await }
    });
    until_it_waits(&client, "transactionid").await;
    // Ours is gone, and before it can ask anything, the other one has committed.
    let elsewhere = a_client(&Settings { database: server.database(), ..settings.clone() }).await;
    let may_connect = async |may: bool| {
        let sql = format!("ALTER DATABASE {} ALLOW_CONNECTIONS {may}", settings.database);
        elsewhere.batch_execute(&sql).await.expect("altered");
    };
    may_connect(false).await;
    end_who_waits(&client, "transactionid").await;
    another.batch_execute("COMMIT").await.expect("committed");
    may_connect(true).await;
    let told = saving.await.expect("no panic").expect_err("ours was not saved: what it says would be lost");
    assert!(matches!(told, StoreError::InDoubt(_)), "nobody can know whose it is: {told}");
    // Whoever repeats it learns whose it is.
    until("answered again", async || save(&store, new(1)).await == Ok(Saved::Conflict)).await;
    assert_eq!(notes(&store).await, [(1, 1, "theirs".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_doubt_asks_although_another_process_has_taken_his_slot() {
    let server = PostgresServer::start();
    let settings = settings(&server, server.database());
    let (store, client) = (a_store(&settings).await, a_client(&settings).await);
    let another = a_client(&settings).await;
    let saving = a_commit_that_waits(&store, &client).await;
    // Another process has the slot before its owner is back.
    let sql = "SELECT classid::int, objid::int FROM pg_locks WHERE locktype = 'advisory'";
    let slot = client.query_one(sql, &[]).await.expect("one has a slot");
    let (class, object): (i32, i32) = (slot.get(0), slot.get(1));
    let taking = tokio::spawn(async move {
        another.query("SELECT pg_advisory_lock($1, $2)", &[&class, &object]).await.expect("locked");
        another
    });
    until_it_waits(&client, "advisory").await;
    end_who_waits(&client, "SyncRep").await;
    let _has_the_slot = taking.await.expect("no panic");
    let (last, answer) = saving.await.expect("no panic");
    assert_eq!(answer, Ok(Saved::Yes));
    assert_eq!(i64::try_from(notes(&store).await.len()), Ok(last));
    assert_eq!(Ok(store.known_total("notes")), store.total("notes").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_row_that_was_not_committed_is_told_as_unavailable_and_never_comes() {
    let server = PostgresServer::start();
    let settings = settings(&server, server.database());
    let (store, client) = (a_store(&settings).await, a_client(&settings).await);
    save(&store, new(1)).await.expect("saved");
    client.batch_execute("BEGIN; LOCK TABLE notes IN EXCLUSIVE MODE").await.expect("locked");
    let saving = tokio::spawn({
        let store = store.clone();
        async move { store.save_all(vec![new(2), changed(1, 1, "x")]).await }
    });
    until_it_waits(&a_client(&settings).await, "relation").await;
    server.kill();
    server.start_again();
    saving.await.expect("no panic").expect_err("nothing is written");
    until("saved again", async || save(&store, new(3)).await == Ok(Saved::Yes)).await;
    let expected = [(1, 1, "new".to_owned()), (3, 1, "new".to_owned())];
    assert_eq!(notes(&store).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_given_up() {
    let settings = crate::a_database();
    let short = platform_postgres::Settings { answer_within: Duration::from_millis(300), ..settings.clone() };
    let (store, client) = (a_store(&short).await, a_client(&settings).await);
    client.batch_execute("BEGIN; LOCK TABLE notes IN ACCESS EXCLUSIVE MODE").await.expect("locked");
    save(&store, new(1)).await.expect_err("too late");
    store.query("SELECT 1 FROM notes", &[]).await.expect_err("too late");
    client.batch_execute("COMMIT").await.expect("unlocked");
    until("saved again", async || save(&store, new(2)).await == Ok(Saved::Yes)).await;
    assert_eq!(notes(&store).await.len(), 1, "what was given up never comes");
}
