//! Group commit: one thread owns the writing connection, and one transaction holds the writes that gathered while
//! the last one was committed. No timer: a lone write is committed at once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{StorageError, Tx, outbox::Unpublished, readers::Readers, tx::Batch};

/// Most writes in one transaction: bounds the latency of the first of them.
const MAX_WRITES: usize = 1024;

/// Slots of a kept total.
const SLOTS: u64 = 16;

/// A write that waits for its transaction.
pub(crate) trait Write: Send {
    /// Runs inside the transaction; once more, alone, if the shared transaction failed.
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()>;
    /// Answers the caller.
    fn answer(self: Box<Self>, outcome: Result<(), StorageError>);
}

/// A closure with the place of its answer.
pub(crate) struct Waiting<F, T> {
    pub(crate) write: F,
    pub(crate) result: Option<T>,
    pub(crate) reply: oneshot::Sender<Result<T, StorageError>>,
}

impl<F, T> Write for Waiting<F, T>
where
    F: FnMut(&Tx<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()> {
        self.result = Some((self.write)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StorageError>) {
        let Self { result, reply, .. } = *self;
        let result =
            outcome.and_then(|()| result.ok_or_else(|| StorageError("the write did not run".to_owned())));
        // A caller that gave up has no use for the answer; what it asked for is committed all the same.
        let _ = reply.send(result);
    }
}

/// Transactions that were begun, and writes that were committed in them.
#[derive(Default)]
pub(crate) struct Counts {
    commits: AtomicU64,
    writes: AtomicU64,
}

impl Counts {
    /// Both.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.commits.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed))
    }
}

/// The thread's state.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) waiting: mpsc::UnboundedReceiver<Box<dyn Write>>,
    /// The next place in the outbox.
    pub(crate) next_seq: i64,
    /// Told after each commit what it has added to the outbox.
    pub(crate) unpublished: Arc<Unpublished>,
    /// Told before and after each commit.
    pub(crate) readers: Arc<Readers>,
    /// Counts commits and writes.
    pub(crate) counts: Arc<Counts>,
    /// Where the callers wait, if it is known.
    pub(crate) runtime: Option<Handle>,
}

impl Writer {
    /// Writes until the last handle of the store is gone.
    pub(crate) fn run(mut self) {
        let mut writes = Vec::new();
        while self.waiting.blocking_recv_many(&mut writes, MAX_WRITES) > 0 {
            match self.commit_together(&mut writes) {
                Ok(()) => self.answer_together(std::mem::take(&mut writes)),
                // Somebody's statement failed: everybody again, each alone, so that the error is his alone.
                Err(_) if writes.len() > 1 => writes.drain(..).for_each(|write| self.commit_alone(write)),
                Err(error) => writes.drain(..).for_each(|write| write.answer(Err(error.clone().into()))),
            }
        }
    }

    /// Waking a task from outside its runtime takes a system call; so one task is woken that wakes the others.
    fn answer_together(&self, writes: Vec<Box<dyn Write>>) {
        let answer = move || writes.into_iter().for_each(|write| write.answer(Ok(())));
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(async move { answer() })),
            None => answer(),
        }
    }

    fn commit_alone(&mut self, write: Box<dyn Write>) {
        let mut alone = vec![write];
        let outcome = self.commit_together(&mut alone).map_err(StorageError::from);
        alone.into_iter().for_each(|write| write.answer(outcome.clone()));
    }

    fn commit_together(&mut self, writes: &mut Vec<Box<dyn Write>>) -> Result<(), FailedCommit> {
        let batch = Batch::default();
        batch.next_seq.set(self.next_seq);
        self.try_commit(writes, &batch).map_err(|error| FailedCommit(error.to_string()))?;
        self.counts.writes.fetch_add(writes.len() as u64, Ordering::Relaxed);
        self.next_seq = batch.next_seq.get();
        for (number, n) in batch.in_memory.take() {
            number.fetch_add(n, Ordering::Relaxed);
        }
        self.unpublished.committed(batch.said.into_inner());
        Ok(())
    }

    fn try_commit(&mut self, writes: &mut Vec<Box<dyn Write>>, batch: &Batch) -> rusqlite::Result<()> {
        let commits = self.counts.commits.fetch_add(1, Ordering::Relaxed);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tx = Tx::new(&transaction, batch);
        for write in writes.iter_mut() {
            write.run(&tx)?;
        }
        // What arrived while these ran shares the commit: the sync is the expensive part.
        while writes.len() < MAX_WRITES
            && let Ok(mut late) = self.waiting.try_recv()
        {
            let ran = late.run(&tx);
            writes.push(late);
            ran?;
        }
        write_totals(&transaction, &batch.totals.borrow(), commits % SLOTS)?;
        self.readers.before_commit();
        let committed = transaction.commit();
        self.readers.after_commit();
        committed
    }
}

/// Why a shared transaction was rolled back.
#[derive(Clone)]
struct FailedCommit(String);

impl From<FailedCommit> for StorageError {
    fn from(failed: FailedCommit) -> Self {
        Self(failed.0)
    }
}

fn write_totals(connection: &Connection, totals: &[(&'static str, i64)], slot: u64) -> rusqlite::Result<()> {
    for (name, n) in totals.iter().filter(|(_, n)| *n != 0) {
        connection
            .prepare_cached(
                "INSERT INTO totals (name, slot, n) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name, slot) DO UPDATE SET n = n + excluded.n",
            )?
            .execute((name, i64::try_from(slot).unwrap_or(0), n))?;
    }
    Ok(())
}
