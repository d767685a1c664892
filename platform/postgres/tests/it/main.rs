//! The store on a real server: group commit, several processes, a server that goes away, the outbox.

mod doubt;
mod group_commit;
mod later;
mod opening;
mod outbox;
mod passwords;
mod plans;
mod processes;
mod publisher;
mod restart;
mod take_over;
mod turn;

use bytes::Bytes;
use platform_event_bus::Headers;
use platform_outbox::OutboxMessage;
use platform_postgres::{
    Change, Column, Keys, Migration, Postgres, Row, Saved, Settings, StoreError, Table,
    tokio_postgres::{Client, NoTls},
};
use platform_testkit::postgres::{PostgresServer, USER};

const MIGRATIONS: &[Migration] = &["CREATE TABLE notes (
    id bigint PRIMARY KEY, version bigint NOT NULL, topic bigint NOT NULL UNIQUE, author text,
    text text NOT NULL CHECK (text <> 'bad'), pinned boolean NOT NULL
)"];

static NOTES: Table = Table {
    name: "notes",
    key: "id",
    version: "version",
    fixed: &[Column::number("topic"), Column::text("author")],
    changing: &[Column::text("text"), Column::flag("pinned")],
    meeting: "topic",
    keys: Keys::Own,
};

/// The same, where a note's id is given to whoever writes it.
static NOTES_OF_ALL: Table = Table { keys: Keys::Shared, ..NOTES };

/// A database of its own on the server that all tests share.
fn a_database() -> Settings {
    let server = PostgresServer::shared();
    settings(server, server.database())
}

fn settings(server: &PostgresServer, database: String) -> Settings {
    Settings { port: server.port(), database, user: USER.to_owned(), ..Settings::default() }
}

/// A process that uses the database.
async fn a_store(settings: &Settings) -> Postgres {
    Postgres::open(settings, "notes", MIGRATIONS, &NOTES).await.expect("it opens")
}

/// The same, whether the database is there or not.
fn a_store_later(settings: &Settings) -> Postgres {
    Postgres::open_later(settings, "notes", MIGRATIONS, &NOTES)
}

/// Somebody else in the database.
async fn a_client(settings: &Settings) -> Client {
    let Settings { host, port, database, user, .. } = settings;
    let address = format!("host={host} port={port} dbname={database} user={user}");
    let (client, connection) =
        platform_postgres::tokio_postgres::connect(&address, NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

fn message(key: i64, value: &str) -> OutboxMessage {
    OutboxMessage {
        key: Bytes::from(key.to_string()),
        headers: Headers::default(),
        value: Bytes::from(value.to_owned()),
    }
}

/// A new note about itself, which says its id.
fn new(id: i64) -> Change {
    Change {
        expected: None,
        row: Row {
            key: id,
            version: 1,
            fixed: vec![id.into(), Some("kim").into()],
            changing: vec!["new".into(), false.into()],
        },
        messages: vec![message(id, "1")],
        counts: vec![("notes", 1)],
        below: None,
        begin: None,
    }
}

/// Another text for the version that was read, which says the version that it makes.
fn changed(id: i64, expected: i64, text: &str) -> Change {
    let version = expected + 1;
    Change {
        expected: Some(expected),
        row: Row { key: id, version, fixed: Vec::new(), changing: vec![text.into(), true.into()] },
        messages: vec![message(id, &version.to_string())],
        counts: vec![("changes", 1)],
        below: None,
        begin: None,
    }
}

async fn save(store: &Postgres, change: Change) -> Result<Saved, StoreError> {
    Ok(store.save_all(vec![change]).await?.pop().expect("an answer"))
}

/// Id, version and text of every note.
async fn notes(store: &Postgres) -> Vec<(i64, i64, String)> {
    let rows = store.query("SELECT id, version, text FROM notes ORDER BY id", &[]).await.expect("a read");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn version(store: &Postgres, id: i64) -> i64 {
    store.query("SELECT version FROM notes WHERE id = $1", &[&id]).await.expect("a read")[0].get(0)
}
