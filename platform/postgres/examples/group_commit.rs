//! What group commit is worth: rows a second with it, against one autocommitted `INSERT` of the same row for each
//! request, on the same real server, durable, in turns. `cargo run --release -p platform-postgres --example
//! group_commit`

#![allow(clippy::print_stdout, reason = "it shows figures")]

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use platform_postgres::{
    Change, Column, Keys, Postgres, Row, Settings, Table,
    tokio_postgres::{Config, NoTls},
};
use platform_testkit::postgres::{PostgresServer, USER};

const CALLERS: usize = 64;
const POOL: usize = 16;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);

static NOTES: Table = Table {
    name: "notes",
    key: "id",
    version: "version",
    fixed: &[Column::text("author"), Column::text("text")],
    changing: &[Column::number("state")],
    meeting: "id",
    keys: Keys::Own,
};

const SCHEMA: &str = "CREATE TABLE notes (
    id bigint PRIMARY KEY, version bigint NOT NULL, author text, text text NOT NULL, state smallint NOT NULL)";

const INSERT: &str = "INSERT INTO notes (id, version, author, text, state) VALUES ($1, 1, $2, $3, 0)";

fn a_change(id: i64) -> Change {
    let fixed = vec!["kim".into(), "COSMOS".into()];
    let row = Row { key: id, version: 1, fixed, changing: vec![0.into()] };
    Change { expected: None, row, messages: Vec::new(), counts: vec![("notes", 1)], below: None, begin: None }
}

/// What `CALLERS` do in a round, each one thing after the other: a second, and the slowest but one in a hundred.
async fn measure<F>(write: impl Fn(i64) -> F + Clone + Send + 'static) -> (f64, Duration)
where
    F: Future<Output = ()> + Send,
{
    static IDS: AtomicI64 = AtomicI64::new(1);
    let (ends, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let (ends, done, write) = (Arc::clone(&ends), Arc::clone(&done), write.clone());
        tokio::spawn(async move {
            let mut took = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let begins = Instant::now();
                write(IDS.fetch_add(1, Ordering::Relaxed)).await;
                took.push(begins.elapsed());
                done.fetch_add(1, Ordering::Relaxed);
            }
            took
        })
    });
    let callers: Vec<_> = callers.collect();
    tokio::time::sleep(ROUND).await;
    ends.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for caller in callers {
        took.extend(caller.await.expect("no panic"));
    }
    took.sort_unstable();
    let seconds = began.elapsed().as_secs_f64();
    (took.len() as f64 / seconds, took[took.len() * 99 / 100])
}

fn a_pool(settings: &Settings) -> Pool {
    let mut config = Config::new();
    config.host(&settings.host).port(settings.port).dbname(&settings.database).user(&settings.user);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Pool::builder(Manager::from_config(config, NoTls, recycling)).max_size(POOL).build().expect("a pool")
}

#[tokio::main]
async fn main() {
    let server = PostgresServer::durable();
    let settings = Settings {
        port: server.port(),
        database: server.database(),
        user: USER.to_owned(),
        ..Settings::default()
    };
    let store = Postgres::open(&settings, "notes", &[SCHEMA], &NOTES).await.expect("a store");
    let pool = a_pool(&settings);
    let each = move |id: i64| {
        let pool = pool.clone();
        async move {
            let client = pool.get().await.expect("a connection");
            let insert = client.prepare_cached(INSERT).await.expect("prepared");
            client.execute(&insert, &[&id, &"kim", &"COSMOS"]).await.expect("written");
        }
    };
    let together = move |id: i64| {
        let store = store.clone();
        async move { drop(store.save_all(vec![a_change(id)]).await.expect("written")) }
    };
    println!("{CALLERS} callers, rows a second (99 of 100 within), {ROUNDS} rounds in turns");
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (alone, alone_within) = measure(each.clone()).await;
        let (shared, shared_within) = measure(together.clone()).await;
        println!(
            "one INSERT a request: {alone:>6.0} ({alone_within:.1?})   group commit: {shared:>6.0} ({shared_within:.1?})   ratio {:.2}",
            shared / alone
        );
        ratios.push(shared / alone);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median of the ratios: {:.2}", ratios[ROUNDS / 2]);
}
