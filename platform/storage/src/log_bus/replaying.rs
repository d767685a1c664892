//! A reader without a group.

use async_trait::async_trait;
use platform_event_bus::{BusError, Record, Replay};

use super::{LogBus, batches::read};

/// A walk over the log that no group remembers.
pub(super) struct Replaying {
    pub(super) bus: LogBus,
    pub(super) topic: i64,
    pub(super) next: i64,
    pub(super) end: i64,
}

#[async_trait]
impl Replay for Replaying {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        while self.next < self.end {
            let (records, next) = read(&self.bus.shared.store, self.topic, self.next, self.end, max)?;
            self.next = next;
            if !records.is_empty() {
                return Ok(records);
            }
        }
        Ok(Vec::new())
    }

    async fn catch_up(&mut self) -> Result<(), BusError> {
        self.end = *self.bus.shared.end.borrow();
        Ok(())
    }
}
