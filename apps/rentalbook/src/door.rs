//! Whether a service of the running library is open.

use std::sync::atomic::{AtomicBool, Ordering};

/// A service is open from its start to its stop. Whoever calls it without a network asks here first.
#[derive(Debug, Default)]
pub struct Door(AtomicBool);

impl Door {
    /// Whether the service answers.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Opens or closes it.
    pub fn set_open(&self, open: bool) {
        self.0.store(open, Ordering::Release);
    }
}
