//! What one process at a time does. Here each process is a store of its own.

use std::time::{Duration, Instant};

use platform_postgres::Turn;
use platform_testkit::{postgres::PostgresServer, until};
use tokio::time::timeout;

use crate::{a_client, a_database, a_store, a_store_later, new, save, settings};

const SOON: Duration = Duration::from_secs(5);

async fn comes(turn: &Turn) {
    timeout(SOON, turn.come()).await.expect("it comes within seconds");
}

async fn is_over(turn: &Turn) -> bool {
    timeout(Duration::ZERO, turn.over()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_one_process_s_turn_until_that_one_is_gone() {
    let settings = a_database();
    let first = a_store(&settings).await;
    let turn = first.turn();
    comes(&turn).await;
    let second = a_store(&settings).await;
    let other = second.turn();
    assert!(is_over(&other).await, "it is not the other's");
    // However often the other looks.
    assert!(timeout(Duration::from_secs(1), other.come()).await.is_err());
    assert!(!is_over(&turn).await);
    drop((turn, first));
    comes(&other).await;
    // Whoever has no use for it any more gives it back, and goes on with everything else.
    drop(other);
    let third = a_store(&settings).await;
    comes(&third.turn()).await;
    save(&second, new(1)).await.expect("saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_connection_has_stopped_before_another_begins() {
    let settings = a_database();
    let stores = [a_store(&settings).await, a_store(&settings).await];
    let turns = stores.each_ref().map(|store| store.turn());
    until("somebody's turn", async || !is_over(&turns[0]).await || !is_over(&turns[1]).await).await;
    let killer = a_client(&settings).await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE '%watching' AND pid IN (
                   SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 3)";
    for _ in 0..10 {
        let holder = usize::from(is_over(&turns[0]).await);
        assert_eq!(killer.query_one(sql, &[]).await.expect("killed").get::<_, i64>(0), 1);
        let began = Instant::now();
        turns[holder].over().await;
        let stopped = began.elapsed();
        until("somebody's turn again", async || !is_over(&turns[0]).await || !is_over(&turns[1]).await).await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert!(stopped < Duration::from_secs(1), "it was noticed after {stopped:?}");
        assert!(is_over(&turns[0]).await || is_over(&turns[1]).await, "never both");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_again_after_a_restart_of_the_server() {
    let server = PostgresServer::start();
    let settings = settings(&server, server.database());
    let store = a_store_later(&settings);
    let turn = store.turn();
    comes(&turn).await;
    server.kill();
    timeout(SOON, turn.over()).await.expect("over");
    server.start_again();
    timeout(platform_testkit::PATIENCE, turn.come()).await.expect("it comes again");
}
