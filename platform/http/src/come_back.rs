//! When those who are turned away may come back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use platform_resilience::Spread;
use tokio::time::Instant;

use crate::limits::Requests;

/// How long is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Nobody is sent away for longer, in seconds.
const LONGEST: u32 = 30;

/// Counts how many are turned away for each that is served: so many seconds the others take up, should all come back.
#[derive(Debug, Default)]
pub(crate) struct ComeBack {
    last: Mutex<Option<Looked>>,
    /// Seconds, as of the last look.
    wait: AtomicU32,
    spread: Spread,
}

#[derive(Debug)]
struct Looked {
    at: Instant,
    served: u64,
    refused: u64,
}

impl ComeBack {
    /// Seconds until one who is turned away now may come back: `least` or more, and not the same for all, so that they
    /// do not come back together.
    pub(crate) fn after(&self, least: u32, requests: &Requests) -> u32 {
        self.look(requests);
        let wait = self.wait.load(Ordering::Relaxed).max(least);
        wait + (self.spread.next() * f64::from(wait + 1)) as u32
    }

    fn look(&self, requests: &Requests) {
        // Whoever cannot have it now goes by the last look.
        let Some(mut last) = self.last.try_lock() else { return };
        let now = Instant::now();
        if last.as_ref().is_some_and(|last| now < last.at + LOOK) {
            return;
        }
        let refused = requests.overload();
        let served = requests.all() - refused;
        let wait = match &*last {
            Some(last) if now < last.at + 2 * LOOK => {
                let (refused, served) = (refused - last.refused, (served - last.served).max(1));
                u32::try_from(refused / served).unwrap_or(LONGEST).min(LONGEST)
            }
            // It is a new rush.
            _ => 0,
        };
        self.wait.store(wait, Ordering::Relaxed);
        *last = Some(Looked { at: now, served, refused });
    }
}
