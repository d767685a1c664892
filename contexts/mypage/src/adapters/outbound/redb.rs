//! The view in one redb file, for the library on one machine.
//!
//! Reads by key run on the calling thread: they take microseconds and never wait for a writer. Writes, and reads
//! that pass over many rows, run on the threads for blocking work.

mod file;
mod pages;
mod rebuild;
mod rows;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use platform_resilience::{Awaited, Bulkhead, WorkError, while_awaited};
use tokio::task::spawn_blocking;
use tracing::warn;

pub use file::OpenError;

use crate::{
    projection::{OrderFact, Row},
    query::{Page, PageError, PageQuery, Rebuild, Unavailable, View},
};
use file::ViewFile;
use rebuild::RedbRebuild;
use rows::Changes;

/// Most rows that a read may pass over on the calling thread.
const INLINE_ROWS: u64 = 200;

/// Most pages at once that pass over more: each of them may keep a good part of the rows in memory.
const LONG_READS: usize = 2;

/// Further ones that wait for their turn.
const WAITING: usize = 32;

/// The view in a file. Clones share it.
#[derive(Clone)]
pub struct RedbView {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    /// Replaced when a rebuild is finished.
    live: RwLock<Arc<ViewFile>>,
    /// Held while something is written, so that a rebuild begins and ends between two batches. Inside: the view
    /// that is being rebuilt.
    writing: Mutex<Option<Arc<ViewFile>>>,
    long_reads: Bulkhead,
}

impl RedbView {
    /// Opens the file, or creates it: a new view is not complete, see [`View::is_complete`].
    ///
    /// What an interrupted rebuild has left beside it is removed.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        // In this order: while another process has the file open, its rebuild is not ours to remove.
        let live = ViewFile::open(path)?;
        file::remove_leftover(&rebuild_path(path))?;
        let shared = Shared {
            path: path.to_owned(),
            live: RwLock::new(Arc::new(live)),
            writing: Mutex::default(),
            long_reads: Bulkhead::new(LONG_READS, WAITING),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    fn live(&self) -> Arc<ViewFile> {
        Arc::clone(&self.shared.live.read())
    }

    /// Runs `act` on a thread for blocking work.
    async fn blocking<T, F>(&self, act: F) -> Result<T, Unavailable>
    where
        F: FnOnce(&Shared) -> Result<T, Unavailable> + Send + 'static,
        T: Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        spawn_blocking(move || act(&shared)).await.map_err(|error| Unavailable(error.to_string()))?
    }

    /// Reads a page that passes over `rows` rows where it belongs. A long one waits for its turn, and ends where its
    /// caller goes away.
    async fn read_page<F>(&self, rows: u64, read: F) -> Result<Page, PageError>
    where
        F: FnOnce(&ViewFile, &Awaited) -> Result<Page, Unavailable> + Send + 'static,
    {
        if rows <= INLINE_ROWS {
            return Ok(read(&self.live(), &Awaited::default())?);
        }
        let view = self.clone();
        match self.shared.long_reads.run(move |awaited| read(&view.live(), awaited)).await {
            Ok(page) => Ok(page?),
            Err(WorkError::Full) => Err(PageError::TooMany),
            Err(error @ WorkError::Failed(_)) => Err(Unavailable(error.to_string()).into()),
        }
    }
}

#[async_trait]
impl View for RedbView {
    async fn apply(&self, facts: Vec<OrderFact>) -> Result<(), Unavailable> {
        let changes = Changes::of(facts);
        self.blocking(move |shared| shared.apply(&changes)).await
    }

    async fn settle(&self) -> Result<(), Unavailable> {
        self.blocking(Shared::settle).await
    }

    async fn get(&self, order_id: i64) -> Result<Option<Row>, Unavailable> {
        self.live().get(order_id)
    }

    async fn page(&self, query: PageQuery) -> Result<Page, PageError> {
        let rows = self.live().rows_to_pass(&query)?;
        self.read_page(rows, move |file, awaited| file.page(&query, awaited)).await
    }

    async fn find_by_customer(&self, customer: &str, offset: u64, limit: u32) -> Result<Page, PageError> {
        let total = self.live().total_of(customer)?;
        let rows = pages::from_nearer_end(offset, limit, total).to_pass();
        let customer = customer.to_owned();
        let read = move |file: &ViewFile, awaited: &Awaited| {
            file.find_by_customer(&customer, offset, limit, awaited)
        };
        self.read_page(rows, read).await
    }

    async fn scan(&self, after_order_id: Option<i64>, limit: u32) -> Result<Vec<Row>, Unavailable> {
        if u64::from(limit) <= INLINE_ROWS {
            return self.live().scan(after_order_id, limit);
        }
        let live = self.live();
        let scan = while_awaited(move |_| live.scan(after_order_id, limit)).await;
        scan.map_err(|error| Unavailable(error.to_string()))?
    }

    async fn total(&self) -> Result<u64, Unavailable> {
        self.live().total()
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.live().is_complete().map(|_| ())
    }

    async fn is_complete(&self) -> Result<bool, Unavailable> {
        self.live().is_complete()
    }

    async fn mark_complete(&self) -> Result<(), Unavailable> {
        self.blocking(|shared| {
            let _writing = shared.writing.lock();
            shared.live.read().mark_complete()
        })
        .await
    }

    async fn begin_rebuild(&self) -> Result<Box<dyn Rebuild>, Unavailable> {
        let view = self.clone();
        self.blocking(move |_| RedbRebuild::begin(view))
            .await
            .map(|rebuild| Box::new(rebuild) as Box<dyn Rebuild>)
    }
}

impl Shared {
    /// The new view of a rebuild becomes durable when it is complete.
    fn settle(&self) -> Result<(), Unavailable> {
        let _writing = self.writing.lock();
        let live = Arc::clone(&self.live.read());
        live.settle().inspect_err(|_| live.recover(&self.path))
    }

    fn apply(&self, changes: &Changes) -> Result<(), Unavailable> {
        let mut rebuilding = self.writing.lock();
        let live = Arc::clone(&self.live.read());
        live.apply(changes).inspect_err(|_| live.recover(&self.path))?;
        // The live view has it. A new view that could not take it would lack it for ever, so that one is given up.
        if let Some(error) = rebuilding.as_ref().and_then(|new| new.apply(changes).err()) {
            warn!(%error, "the rebuild of the view is given up");
            self.give_up(&mut rebuilding);
        }
        Ok(())
    }

    /// Ends the rebuild that is under way, if there is one. Whatever cannot be removed now is removed before the next
    /// rebuild and at the next start.
    fn give_up(&self, rebuilding: &mut Option<Arc<ViewFile>>) {
        if rebuilding.take().is_some() {
            let _ = fs::remove_file(rebuild_path(&self.path));
        }
    }
}

fn rebuild_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".rebuild");
    name.into()
}
