//! Group commit against one transaction per request, on the same kind of store, from 64 callers.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use platform_storage::{Sqlite, Tx};
use tokio::sync::Mutex;

use crate::{Result, load::CONNECTIONS};

const SCHEMA: &str = "CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT";

/// Writes a second with every caller waiting for its own transaction: shared, or one after the other.
pub(crate) async fn writes_per_second(folder: &Path, shared: bool, duration: Duration) -> Result<f64> {
    let store = Sqlite::open(&folder.join(format!("{shared}.db")), "bench", &[SCHEMA])?;
    let turn = Arc::new(Mutex::new(()));
    let start = Instant::now();
    let callers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (store, turn) = (store.clone(), Arc::clone(&turn));
            tokio::spawn(async move {
                let mut written = 0_u64;
                while start.elapsed() < duration {
                    // With the turn held, the writer never finds a second write to share the transaction with.
                    let _alone = if shared { None } else { Some(turn.lock().await) };
                    let two_rows = |tx: &Tx<'_>| {
                        let mut insert = tx.prepare("INSERT INTO rows (text) VALUES (?1)")?;
                        insert.execute(["a row of the state, some forty bytes long"])?;
                        insert.execute([
                            "a row of the outbox, somewhat longer, since it carries an event as JSON",
                        ])
                    };
                    store.write(two_rows).await?;
                    written += 1;
                }
                Ok::<_, platform_storage::StorageError>(written)
            })
        })
        .collect();
    let mut written = 0;
    for caller in callers {
        written += caller.await??;
    }
    Ok(written as f64 / start.elapsed().as_secs_f64())
}
