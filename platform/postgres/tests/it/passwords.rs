//! A server that demands user and password.

use std::{fs, path::Path};

use platform_outbox::Outbox as _;
use platform_postgres::{
    Password, Postgres, Saved, Secret, Settings, State,
    tokio_postgres::{Client, Config, NoTls},
};
use platform_testkit::{
    postgres::{PostgresServer, USER},
    until,
};

use crate::{MIGRATIONS, NOTES, a_store, a_store_later, new, notes, save, settings};

fn with(server: &PostgresServer, password: Password) -> Settings {
    Settings { password, ..settings(server, "postgres".to_owned()) }
}

fn text(password: &str) -> Password {
    Password::Text(Secret::new(password))
}

async fn the_administrator(server: &PostgresServer, password: &str) -> Client {
    let mut config = Config::new();
    config.host("127.0.0.1").port(server.port()).dbname("template1").user(USER).password(password);
    let (client, connection) = config.connect(NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

fn write(file: &Path, password: &str) {
    // As Kubernetes does it: the new file takes the place of the old one.
    let next = file.with_extension("next");
    fs::write(&next, format!("{password}\n")).expect("written");
    fs::rename(&next, file).expect("renamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_one_lets_in_and_a_wrong_one_is_told_without_it() {
    let server = PostgresServer::with_password("ge heim");
    for wrong in [Password::None, text("falsch"), Password::File("/nowhere/at/all".into())] {
        let wrong = with(&server, wrong);
        let refused = Postgres::open(&wrong, "notes", MIGRATIONS, &NOTES).await.err().expect("refused");
        let told = format!("{refused} {refused:?}");
        assert!(told.contains("password") && !told.contains("falsch") && !refused.passes(), "{told}");
        let store = a_store_later(&wrong);
        until("told", async || {
            matches!(store.state(), State::Wrong(reason) if reason.contains("password") && !reason.contains("falsch"))
        })
        .await;
        assert!(!format!("{:?}", store.state()).contains("falsch"));
    }
    let nobody = Settings { user: "nobody".to_owned(), ..with(&server, text("ge heim")) };
    let refused = Postgres::open(&nobody, "notes", MIGRATIONS, &NOTES).await.err().expect("refused");
    assert!(refused.to_string().contains("\"nobody\"") && !refused.passes(), "{refused}");

    let settings = with(&server, text("ge heim"));
    assert!(!format!("{settings:?}").contains("heim"), "{settings:?}");
    let store = a_store(&settings).await;
    save(&store, new(1)).await.expect("saved");
    assert_eq!(notes(&store).await.len(), 1);
    assert_eq!(store.outbox().read(0, 10).await.expect("rows").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_rotated_counts_from_the_next_connection_on() {
    let server = PostgresServer::with_password("first");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    write(&file, "not yet");
    let store = a_store_later(&with(&server, Password::File(file.clone())));
    until("told", async || matches!(store.state(), State::Wrong(_))).await;
    write(&file, "first");
    until("ready", async || store.is_ready()).await;
    assert_eq!(save(&store, new(1)).await, Ok(Saved::Yes));

    // First the file and then the server; connections that are open go on.
    write(&file, "second");
    let administrator = the_administrator(&server, "first").await;
    administrator.batch_execute("ALTER ROLE postgres PASSWORD 'second'").await.expect("changed");
    assert_eq!(save(&store, new(2)).await, Ok(Saved::Yes));
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = 'postgres' AND pid <> pg_backend_pid()";
    administrator.query_one(sql, &[]).await.expect("ended");
    until("saved again", async || save(&store, new(3)).await == Ok(Saved::Yes)).await;
    until("read again", async || store.query("SELECT 1", &[]).await.is_ok()).await;
    let outbox = store.outbox();
    until("relayed again", async || outbox.read(0, 10).await.is_ok_and(|rows| rows.len() == 3)).await;

    // First the server: whoever has to connect is told until the file follows.
    administrator.batch_execute("ALTER ROLE postgres PASSWORD 'third'").await.expect("changed");
    administrator.query_one(sql, &[]).await.expect("ended");
    until("told", async || matches!(store.state(), State::Wrong(_))).await;
    save(&store, new(4)).await.expect_err("nobody gets in");
    write(&file, "third");
    until("saved again", async || save(&store, new(5)).await == Ok(Saved::Yes)).await;
    assert_eq!(notes(&store).await.len(), 4);
}
