//! Group commit: one thread owns the writing connection, and one transaction holds the writes that gathered while
//! the last one was committed. No timer: a lone write is committed at once.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use platform_outbox::OutboxRow;
use rusqlite::{Connection, TransactionBehavior};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    StorageError, Tx,
    outbox::{self, Unpublished},
    readers::Readers,
    tx::Batch,
};

/// Most writes in one transaction: bounds the latency of the first of them.
const MAX_WRITES: usize = 1024;

/// Slots of a kept total.
const SLOTS: u64 = 16;

/// A write that waits for its transaction.
pub(crate) trait Write: Send {
    /// Runs inside the transaction; once more, alone, if the shared transaction failed.
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()>;
    /// Whether its caller does not wait for the disk.
    fn is_redoable(&self) -> bool;
    /// Answers the caller.
    fn answer(self: Box<Self>, outcome: Result<(), StorageError>);
}

/// A closure with the place of its answer.
pub(crate) struct Waiting<F, T> {
    pub(crate) write: F,
    pub(crate) redoable: bool,
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

    fn is_redoable(&self) -> bool {
        self.redoable
    }

    fn answer(self: Box<Self>, outcome: Result<(), StorageError>) {
        let Self { result, reply, .. } = *self;
        let result = outcome
            .and_then(|()| result.ok_or_else(|| StorageError::Away("the write did not run".to_owned())));
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
    /// The file that commits are appended to. SQLite would sync it within the commit; here it is synced after it, so
    /// that those who do not wait for the disk are answered before.
    pub(crate) wal: File,
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
                Ok(committed) => match self.finish(std::mem::take(&mut writes), committed) {
                    Ok(()) => {}
                    // What is on the disk is not known any more; whoever opens the file again will.
                    Err(()) => return,
                },
                // Somebody's statement failed: everybody again, each alone, so that the error is his alone.
                Err(_) if writes.len() > 1 => {
                    let alone = std::mem::take(&mut writes);
                    if alone.into_iter().try_for_each(|write| self.commit_alone(write)).is_err() {
                        return;
                    }
                }
                Err(error) => writes.drain(..).for_each(|write| write.answer(Err(error.clone()))),
            }
        }
    }

    /// Brings a commit to the disk, where somebody needs it there, and answers. An error ends the writer: a sync that
    /// has failed once may say that it succeeded the next time, without having written anything.
    fn finish(&mut self, mut writes: Vec<Box<dyn Write>>, committed: Committed) -> Result<(), ()> {
        let redoable: Vec<_> = writes.extract_if(.., |write| write.is_redoable()).collect();
        self.answer_together(redoable);
        if writes.is_empty() && committed.said.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.wal.sync_data() {
            tracing::error!(%error, "a commit could not be brought to the disk: this store writes nothing any more");
            let error = StorageError::InDoubt(format!("the disk does not keep what is written: {error}"));
            writes.into_iter().for_each(|write| write.answer(Err(error.clone())));
            return Err(());
        }
        self.unpublished.committed(committed.said);
        self.answer_together(writes);
        Ok(())
    }

    /// Waking a task from outside its runtime takes a system call; so one task is woken that wakes the others.
    fn answer_together(&self, writes: Vec<Box<dyn Write>>) {
        if writes.is_empty() {
            return;
        }
        let answer = move || writes.into_iter().for_each(|write| write.answer(Ok(())));
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(async move { answer() })),
            None => answer(),
        }
    }

    fn commit_alone(&mut self, write: Box<dyn Write>) -> Result<(), ()> {
        let mut alone = vec![write];
        match self.commit_together(&mut alone) {
            Ok(committed) => self.finish(alone, committed),
            Err(error) => {
                alone.into_iter().for_each(|write| write.answer(Err(error.clone())));
                Ok(())
            }
        }
    }

    fn commit_together(&mut self, writes: &mut Vec<Box<dyn Write>>) -> Result<Committed, StorageError> {
        let batch = Batch::default();
        batch.next_seq.set(self.next_seq);
        self.try_commit(writes, &batch)?;
        self.counts.writes.fetch_add(writes.len() as u64, Ordering::Relaxed);
        self.next_seq = batch.next_seq.get();
        for (number, n) in batch.in_memory.take() {
            number.fetch_add(n, Ordering::Relaxed);
        }
        Ok(Committed { said: batch.said.into_inner() })
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
        outbox::write(&transaction, &batch.said.borrow())?;
        write_totals(&transaction, &batch.totals.borrow(), commits % SLOTS)?;
        self.readers.before_commit();
        let committed = transaction.commit();
        self.readers.after_commit();
        committed
    }
}

/// What a commit has added to the outbox.
struct Committed {
    said: Vec<OutboxRow>,
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

#[cfg(test)]
mod tests;
