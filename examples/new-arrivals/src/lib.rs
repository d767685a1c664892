//! Which books were requested how often: a view of its own, built from the events of a library that does not know of it.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use contracts::decode;
use platform_event_bus::{Consumer, EventBus, HandleError, Handler, Record};
use platform_storage::{Migration, OpenError, Sqlite, StorageError};
use serde::Serialize;

/// Its consumer group: it reads everything from the earliest event on, at its own pace.
pub const GROUP: &str = "new-arrivals";

/// The order is the key, so that an event that comes again changes nothing.
const MIGRATIONS: &[Migration] =
    &["CREATE TABLE requests (order_id INTEGER PRIMARY KEY, item TEXT NOT NULL) STRICT;
     CREATE INDEX requests_item ON requests (item);"];

/// Most books that are shown.
const SHOWN: u32 = 100;

/// The view, in a file. Clones share it.
#[derive(Clone)]
pub struct Requests(Sqlite);

/// A book, and how many orders asked for it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Requested {
    /// Its title.
    pub item: String,
    /// The number of orders, whatever became of them.
    pub requests: u32,
}

impl Requests {
    /// Opens the view, or makes an empty one.
    pub fn open(file: &Path) -> Result<Self, OpenError> {
        Sqlite::open(file, GROUP, MIGRATIONS).map(Self)
    }

    /// What was requested most often comes first.
    pub fn most_requested(&self) -> Result<Vec<Requested>, StorageError> {
        self.0.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT item, count(*) AS n FROM requests GROUP BY item ORDER BY n DESC, item LIMIT ?1",
            )?;
            let rows = select
                .query_map([SHOWN], |row| Ok(Requested { item: row.get(0)?, requests: row.get(1)? }))?;
            rows.collect()
        })
    }

    /// What fills the view, on this bus and topic. It goes on where it was when the process last ended.
    #[must_use]
    pub fn consumer(&self, bus: Arc<dyn EventBus>, topic: &str) -> Consumer {
        Consumer {
            bus,
            topic: topic.to_owned(),
            group: GROUP.to_owned(),
            handler: Arc::new(self.clone()),
            batch: 500,
            gather: Duration::from_millis(20),
            settle_after: Duration::ZERO,
            consumed: Arc::default(),
        }
    }

    /// `GET /items`.
    pub fn router(self) -> Router {
        Router::new().route("/items", get(items)).with_state(self)
    }
}

#[async_trait]
impl Handler for Requests {
    async fn handle(&self, records: &[Record]) -> Result<(), HandleError> {
        let requests: Vec<_> = records.iter().filter_map(request).collect();
        let insert = "INSERT INTO requests (order_id, item) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let write = self.0.write(move |tx| {
            let mut insert = tx.prepare(insert)?;
            requests.iter().try_for_each(|(order, item)| insert.execute((order, item)).map(|_| ()))
        });
        write.await.map_err(|error| HandleError::Unavailable(error.to_string()))
    }
}

/// The order and the book, of an event that names both; `None` for everything else, also for what cannot be read.
fn request(record: &Record) -> Option<(i64, String)> {
    let event = decode(&record.value, String::new).ok()??;
    Some((event.order_id, event.kind.item()?.to_owned()))
}

async fn items(State(requests): State<Requests>) -> Result<Json<Vec<Requested>>, StatusCode> {
    requests.most_requested().map(Json).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
