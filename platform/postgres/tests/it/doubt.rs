//! A connection that breaks in the middle of a commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use platform_postgres::Saved;
use platform_testkit::{postgres::PostgresServer, until};

use crate::{a_client, a_store, changed, new, notes, save, settings};

/// Another session of the program waits in the middle of something.
async fn until_it_waits(client: &platform_postgres::tokio_postgres::Client, event: &str) {
    until(event, async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = $1";
        client.query_one(sql, &[&event]).await.expect("a count").get::<_, i64>(0) > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_row_that_was_committed_is_told_as_saved() {
    let server = PostgresServer::start();
    let settings = settings(&server, server.database());
    let (store, client) = (a_store(&settings).await, a_client(&settings).await);
    // A commit is on the disk and waits for a standby that never comes.
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
    until_it_waits(&client, "SyncRep").await;
    it_waits.store(true, Ordering::Relaxed);
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
