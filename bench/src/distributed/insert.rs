//! What a plain service does: one insert of an order's row, in a transaction of its own, for each request.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse as _,
    routing::post,
};
use clap::Args;
use deadpool_postgres::{Config, Pool, PoolConfig, Runtime};
use serde::Deserialize;
use tokio_postgres::NoTls;

use super::site::Site;
use crate::{
    Result,
    library::{Process, until_connected},
};

/// Connections to PostgreSQL.
const POOL: usize = 16;

/// The table of order, with its indexes.
const TABLE: &str = include_str!("../../../contexts/order/migrations/postgres/0001_orders.sql");

const INSERT: &str = "INSERT INTO orders (id, item, customer, state, ordered_said, deferred_said, version, placed_at, \
                      changed_at) VALUES ($1, $2, $3, 1, true, false, 1, $4, $4)";

/// Where it is, and where its table is.
#[derive(Args)]
pub(crate) struct Options {
    /// Where it listens.
    #[arg(long)]
    address: SocketAddr,
    /// Port of PostgreSQL.
    #[arg(long)]
    postgres: u16,
    /// Its database.
    #[arg(long)]
    database: String,
    /// Body of its answers.
    #[arg(long)]
    posted: String,
}

/// The server as a process.
pub(super) struct Inserting {
    _process: Process,
    pub(super) address: SocketAddr,
}

impl Inserting {
    /// On a database of its own on the same server.
    pub(super) async fn start(site: &Site) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 28090));
        let posted = crate::load::ask(site.order(), &crate::load::an_order(500_000)?).await?.1;
        let child = Command::new(std::env::current_exe()?)
            .args(["beside", "insert", "--address", &address.to_string(), "--posted", &posted])
            .args(["--postgres", &site.postgres.port().to_string(), "--database", &site.postgres.database()])
            .stdin(Stdio::null())
            .spawn()?;
        let inserting = Self { _process: Process::new(child), address };
        until_connected(address).await?;
        Ok(inserting)
    }
}

#[derive(Deserialize)]
struct NewOrder {
    item: String,
    customer: Option<String>,
}

#[derive(Clone)]
struct Orders {
    pool: Pool,
    last: Arc<AtomicI64>,
    posted: Bytes,
}

/// Serves until it is killed.
pub(super) fn serve(options: Options) -> Result<()> {
    let mut config = Config::new();
    config.host = Some("127.0.0.1".to_owned());
    config.port = Some(options.postgres);
    config.user = Some("postgres".to_owned());
    config.dbname = Some(options.database);
    config.pool = Some(PoolConfig::new(POOL));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let pool = config.create_pool(Some(Runtime::Tokio1), NoTls)?;
        pool.get().await?.batch_execute(TABLE).await?;
        let orders = Orders { pool, last: Arc::default(), posted: options.posted.into() };
        let router = Router::new().route("/orders", post(place)).with_state(orders);
        let listener = tokio::net::TcpListener::bind(options.address).await?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn place(State(orders): State<Orders>, Json(order): Json<NewOrder>) -> axum::response::Response {
    match insert(&orders, &order).await {
        Ok(()) => {
            let json = [(header::CONTENT_TYPE, "application/json;charset=UTF-8")];
            (StatusCode::CREATED, json, orders.posted).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn insert(orders: &Orders, order: &NewOrder) -> Result<()> {
    let client = orders.pool.get().await?;
    let statement = client.prepare_cached(INSERT).await?;
    let id = orders.last.fetch_add(1, Ordering::Relaxed) + 1;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let now = i64::try_from(now)?;
    client.execute(&statement, &[&id, &order.item, &order.customer, &now]).await?;
    Ok(())
}
