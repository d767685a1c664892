//! A process that is there before its server.

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use platform_outbox::Outbox as _;
use platform_postgres::{Postgres, Saved, Settings, State};
use platform_testkit::{postgres::PostgresServer, until};

use crate::{MIGRATIONS, NOTES, a_client, a_database, a_store_later, new, notes, save, settings};

/// Asks for everything, and expects to be refused at once.
async fn is_refused_at_once(store: &Postgres) {
    let began = Instant::now();
    for n in 0..20 {
        save(store, new(n)).await.expect_err("away");
        store.query("SELECT 1", &[]).await.expect_err("away");
        store.next_id().await.expect_err("away");
        store.total("notes").await.expect_err("away");
        store.outbox().read(0, 10).await.expect_err("away");
        store.outbox().backlog().await.expect_err("away");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "120 answers took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_so_until_the_server_comes_and_then_begins() {
    let server = PostgresServer::start();
    let settings = settings(&server, server.database());
    server.kill();
    let stores = [a_store_later(&settings), a_store_later(&settings)];
    for store in &stores {
        assert!(!store.is_ready());
        is_refused_at_once(store).await;
        until(
            "it is known why",
            async || matches!(store.state(), State::Away(reason) if reason.contains("Connection refused")),
        )
        .await;
        is_refused_at_once(store).await;
    }
    server.start_again();
    for (id, store) in (1..).zip(&stores) {
        until("ready", async || store.is_ready()).await;
        assert_eq!(save(store, new(id)).await, Ok(Saved::Yes));
    }
    assert_eq!(notes(&stores[0]).await.len(), 2);
    assert_eq!(stores[1].outbox().backlog().await.expect("a backlog"), 2);

    server.kill();
    until("away again", async || !stores[0].is_ready() && !stores[1].is_ready()).await;
    is_refused_at_once(&stores[0]).await;
    server.start_again();
    until("saved again", async || save(&stores[0], new(3)).await == Ok(Saved::Yes)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_connections_and_never_says_a_word_holds_nobody_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let connect_within = Duration::from_millis(300);
    let store = a_store_later(&Settings { port, connect_within, ..Settings::default() });
    is_refused_at_once(&store).await;
    until("it is known why", async || {
        matches!(store.state(), State::Away(reason) if reason.contains("did not answer within 300 ms"))
    })
    .await;
    is_refused_at_once(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_told_and_taken_when_somebody_makes_it() {
    let there = a_database();
    let database = format!("{}_later", there.database);
    let store = a_store_later(&Settings { database: database.clone(), ..there.clone() });
    until(
        "it is known why",
        async || matches!(store.state(), State::Wrong(reason) if reason.contains("does not exist")),
    )
    .await;
    is_refused_at_once(&store).await;
    a_client(&there).await.batch_execute(&format!("CREATE DATABASE {database}")).await.expect("made");
    until("ready", async || store.is_ready()).await;
    save(&store, new(1)).await.expect("saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_newer_than_the_program_is_told() {
    let settings = a_database();
    let later = [MIGRATIONS[0], "ALTER TABLE notes ADD COLUMN colour text"];
    drop(Postgres::open(&settings, "notes", &later, &NOTES).await.expect("migrated"));
    let store = a_store_later(&settings);
    until("it is known why", async || {
        matches!(store.state(), State::Wrong(reason) if reason.contains("newer version of this program"))
    })
    .await;
    is_refused_at_once(&store).await;
}

/// Log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_turn_is_one_line_in_the_log() {
    let lines = Lines::default();
    let log = lines.clone();
    // Of the whole process: what other threads log is of other databases.
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).init();

    // Who is away is tried again and again, and that is one line.
    let closing = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = closing.local_addr().expect("an address").port();
    let away = a_store_later(&Settings { port, database: "logged_away".to_owned(), ..Settings::default() });
    for _ in 0..4 {
        drop(closing.accept().await.expect("an attempt"));
    }
    assert!(matches!(away.state(), State::Away(_)));
    let text = || String::from_utf8(lines.0.lock().clone()).expect("text");
    assert_eq!(text().lines().filter(|line| line.contains("logged_away")).count(), 1, "{}", text());

    let there = a_database();
    let database = format!("{}_logged", there.database);
    let store = a_store_later(&Settings { database: database.clone(), ..there.clone() });
    let client = a_client(&there).await;
    until("told", async || matches!(store.state(), State::Wrong(_))).await;
    client.batch_execute(&format!("CREATE DATABASE {database}")).await.expect("made");
    until("ready", async || store.is_ready()).await;
    let log = text();
    let of_ours = || log.lines().filter(|line| line.contains(&database));
    let about = |what: &str| of_ours().filter(|line| line.contains(what)).count();
    assert_eq!(about("cannot be used until somebody changes that"), 1, "{log}");
    assert_eq!(about("the database is there"), 1, "{log}");
    assert_eq!(of_ours().count(), 2, "{log}");
}
