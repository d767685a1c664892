//! Ids that grow and are never given twice, over all processes.

use std::{collections::VecDeque, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{StoreError, pool::Readers};

/// Ids are fetched again so soon only where many are needed.
const SOON: Duration = Duration::from_millis(20);

/// Most ids fetched at once; as many are lost with the process.
const MOST: i64 = 1024;

/// Ids are fetched from a sequence: one while few are needed, so that several processes number one after the other;
/// twice as many each time while they are used up at once, so that a request costs no way to the server.
pub(crate) struct Ids {
    ready: Mutex<VecDeque<i64>>,
    fetch: tokio::sync::Mutex<Fetched>,
}

struct Fetched {
    number: i64,
    at: Option<Instant>,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self { ready: Mutex::default(), fetch: tokio::sync::Mutex::new(Fetched { number: 1, at: None }) }
    }

    pub(crate) async fn next(&self, readers: &Readers) -> Result<i64, StoreError> {
        loop {
            if let Some(id) = self.ready() {
                return Ok(id);
            }
            let mut last = self.fetch.lock().await;
            // Somebody else may have fetched them while we waited.
            if let Some(id) = self.ready() {
                return Ok(id);
            }
            let soon = last.at.is_some_and(|at| at.elapsed() < SOON);
            last.number = if soon { (last.number * 2).min(MOST) } else { 1 };
            let sql = "SELECT nextval('ids') FROM generate_series(1, $1::bigint)";
            let rows = readers.query(sql, true, &[&last.number]).await?;
            let ids: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
            self.ready.lock().extend(ids.map_err(|error| StoreError::Away(error.to_string()))?);
            last.at = Some(Instant::now());
        }
    }

    fn ready(&self) -> Option<i64> {
        self.ready.lock().pop_front()
    }
}
