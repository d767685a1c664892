//! The transaction as a write sees it.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use platform_outbox::{OutboxMessage, OutboxRow};
use rusqlite::{CachedStatement, Connection};

/// One caller's part of a group commit.
///
/// Others share the transaction. So a write first changes what may conflict, by a conditional statement, and says
/// in its answer that it lost; it never relies on an error to undo what it did before.
pub struct Tx<'c> {
    connection: &'c Connection,
    batch: &'c Batch,
}

/// What the callers of one transaction do together.
#[derive(Default)]
pub(crate) struct Batch {
    /// The next place in the outbox.
    pub(crate) next_seq: Cell<i64>,
    /// What was added to the outbox.
    pub(crate) said: RefCell<Vec<OutboxRow>>,
    /// What was added to kept totals.
    pub(crate) totals: RefCell<Vec<(&'static str, i64)>>,
    /// What is added to numbers in memory when all of it is committed.
    pub(crate) in_memory: RefCell<Vec<(Arc<AtomicI64>, i64)>>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(connection: &'c Connection, batch: &'c Batch) -> Self {
        Self { connection, batch }
    }

    /// A prepared statement; prepared once for the life of the store.
    pub fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// Adds a message to the outbox: it is published if and only if this transaction commits.
    pub fn say(&self, message: &OutboxMessage) {
        let seq = self.batch.next_seq.get();
        self.batch.next_seq.set(seq + 1);
        self.batch.said.borrow_mut().push(OutboxRow { seq, message: message.clone() });
    }

    /// Adds `n` to a number in memory when, and only when, this transaction is committed: before the callers are
    /// answered, and whether or not they still wait.
    pub fn add_when_committed(&self, number: &Arc<AtomicI64>, n: i64) {
        if n == 0 {
            return;
        }
        let mut numbers = self.batch.in_memory.borrow_mut();
        match numbers.iter_mut().find(|(found, _)| Arc::ptr_eq(found, number)) {
            Some((_, sum)) => *sum += n,
            None => numbers.push((Arc::clone(number), n)),
        }
    }

    /// What a number that only [`Tx::add_when_committed`] changes will be if nothing more is added to it: with what
    /// is committed and with what the callers before this one have added. So a write can keep to a limit that holds
    /// however many callers there are.
    pub fn number(&self, number: &Arc<AtomicI64>) -> i64 {
        let numbers = self.batch.in_memory.borrow();
        let added = numbers.iter().find(|(found, _)| Arc::ptr_eq(found, number)).map_or(0, |(_, sum)| *sum);
        number.load(Ordering::Relaxed) + added
    }

    /// Adds `n` to the kept total `name`; written once for all callers that share the transaction.
    pub fn count(&self, name: &'static str, n: i64) {
        let mut totals = self.batch.totals.borrow_mut();
        match totals.iter_mut().find(|(found, _)| *found == name) {
            Some((_, sum)) => *sum += n,
            None => totals.push((name, n)),
        }
    }
}
