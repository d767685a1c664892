//! How fast one relay is, and whether two that share the work would be faster: a backlog in one database, published by
//! one relay, against two halves of it in two databases, published by two, on the same real server, in turns.
//! `cargo run --release -p platform-postgres --example relay`

#![allow(clippy::print_stdout, reason = "it shows figures")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use platform_event_bus::{BusError, EventBus, GroupPosition, NewRecord, Replay, Subscription};
use platform_outbox::{Outbox, Relay};
use platform_postgres::{
    Column, Keys, Postgres, Settings, Table,
    tokio_postgres::{Client, NoTls},
};
use platform_testkit::postgres::{PostgresServer, USER};
use tokio::time::sleep;

const BACKLOG: i64 = 100_000;
const ROUNDS: usize = 5;

static NOTES: Table = Table {
    name: "notes",
    key: "id",
    version: "version",
    fixed: &[],
    changing: &[Column::text("text")],
    meeting: "id",
    keys: Keys::Own,
};

const SCHEMA: &str = "CREATE TABLE notes (id bigint PRIMARY KEY, version bigint NOT NULL, text text)";

/// A bus that takes its time for a batch, and keeps nothing.
struct Taking(Duration);

#[async_trait]
impl EventBus for Taking {
    async fn publish(&self, _: &str, _: Vec<NewRecord>) -> Result<(), BusError> {
        if !self.0.is_zero() {
            sleep(self.0).await;
        }
        Ok(())
    }

    async fn subscribe(&self, _: &str, _: &str) -> Result<Box<dyn Subscription>, BusError> {
        Err(BusError::Unavailable("nothing is kept".to_owned()))
    }

    async fn replay(&self, _: &str) -> Result<Box<dyn Replay>, BusError> {
        Err(BusError::Unavailable("nothing is kept".to_owned()))
    }

    async fn positions(&self, _: &str, _: &str) -> Result<Vec<GroupPosition>, BusError> {
        Err(BusError::Unavailable("nothing is kept".to_owned()))
    }
}

struct Shard {
    store: Postgres,
    client: Client,
}

impl Shard {
    async fn begin(server: &PostgresServer) -> Self {
        let settings = Settings {
            port: server.port(),
            database: server.database(),
            user: USER.to_owned(),
            ..Settings::default()
        };
        let store = Postgres::open(&settings, "notes", &[SCHEMA], &NOTES).await.expect("it opens");
        let address =
            format!("host=127.0.0.1 port={} dbname={} user={USER}", settings.port, settings.database);
        let (client, connection) =
            platform_postgres::tokio_postgres::connect(&address, NoTls).await.expect("connected");
        tokio::spawn(connection);
        Self { store, client }
    }

    /// Rows as large as an event of this library with its headers.
    async fn fill(&self, rows: i64) {
        let sql = "INSERT INTO outbox (key, headers, value)
                   SELECT n::text::bytea, repeat('h', 100)::bytea, repeat('v', 200)::bytea
                   FROM generate_series(1, $1::bigint) AS n";
        self.client.execute(sql, &[&rows]).await.expect("filled");
    }

    async fn drain(&self, takes: Duration) {
        let outbox: Arc<dyn Outbox> = Arc::new(self.store.outbox());
        let relay = Relay {
            outbox: Arc::clone(&outbox),
            bus: Arc::new(Taking(takes)),
            topic: "topic".to_owned(),
            gather: Duration::from_millis(15),
        };
        let relaying = tokio::spawn(relay.run());
        while outbox.backlog().await.expect("a backlog") > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        relaying.abort();
        let _ = relaying.await;
    }
}

/// Rows a second.
async fn measure(shards: &[Shard], takes: Duration) -> f64 {
    let share = BACKLOG / i64::try_from(shards.len()).expect("few");
    for shard in shards {
        shard.fill(share).await;
    }
    let began = Instant::now();
    futures_util::future::join_all(shards.iter().map(|shard| shard.drain(takes))).await;
    BACKLOG as f64 / began.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    let server = PostgresServer::durable();
    let one = [Shard::begin(&server).await];
    let two = [Shard::begin(&server).await, Shard::begin(&server).await];
    for takes in [Duration::ZERO, Duration::from_millis(10)] {
        println!("the bus takes {takes:?} for a batch");
        let mut ratios = Vec::new();
        for round in 1..=ROUNDS {
            let (alone, shared) = (measure(&one, takes).await, measure(&two, takes).await);
            ratios.push(shared / alone);
            println!(
                "round {round}: one relay {alone:.0} rows/s, two {shared:.0} rows/s, {:.2}",
                shared / alone
            );
        }
        ratios.sort_by(f64::total_cmp);
        println!("median of the ratios {:.2}", ratios[ROUNDS / 2]);
    }
}
