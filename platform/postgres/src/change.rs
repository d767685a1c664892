//! What a caller wants written.

use std::fmt;

use platform_outbox::OutboxMessage;

use crate::Value;

/// A row as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: i64,
    /// Its version from now on.
    pub version: i64,
    /// The table's fixed columns; only looked at where the row is new.
    pub fixed: Vec<Value>,
    /// The table's changing columns.
    pub changing: Vec<Value>,
}

/// A change of one row with everything that is true only if it is saved.
pub struct Change {
    /// The version that was read; `None` for a new row.
    pub expected: Option<i64>,
    /// The row.
    pub row: Row,
    /// What it says, for the outbox.
    pub messages: Vec<OutboxMessage>,
    /// By how much which kept totals change.
    pub counts: Vec<(&'static str, i64)>,
    /// The kept total that has to be smaller than this, or the change is not written. What stands before it in the
    /// same transaction counts; what other processes do counts when it is known here.
    pub below: Option<(&'static str, u64)>,
    /// Asked just before the change is written, as often as that has to begin again: `false`, and it is not.
    pub begin: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is written.
    Yes,
    /// Nothing of it is: the row was not as expected, or a new one was in the way of another.
    Conflict,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("expected", &self.expected)
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}
