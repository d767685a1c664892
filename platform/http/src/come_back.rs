//! When those who are turned away may come back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use platform_resilience::Spread;
use tokio::time::Instant;

/// How long is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Nobody is sent away for longer, in seconds.
const LONGEST: f64 = 30.0;

/// Where fewer are served than before, at least this share of what the last look expected is expected now: a service that
/// stands still for a moment is not taken for dead, and one that stays slow is believed after some seconds.
const EXPECTED: f64 = 0.8;

/// Counts how many are turned away for each that is served: so many seconds the others take up, should all come back.
#[derive(Debug)]
pub(crate) struct ComeBack {
    last: Mutex<Looked>,
    /// Seconds, as of the last look.
    wait: AtomicU32,
    spread: Spread,
}

#[derive(Debug)]
struct Looked {
    at: Instant,
    served: u64,
    refused: u64,
    /// How many were expected to be served in a second.
    a_second: f64,
}

impl Default for ComeBack {
    fn default() -> Self {
        let looked = Looked { at: Instant::now(), served: 0, refused: 0, a_second: 0.0 };
        Self { last: Mutex::new(looked), wait: AtomicU32::new(0), spread: Spread::default() }
    }
}

impl ComeBack {
    /// Seconds until one who is turned away now may come back: `least` or more, and not the same for all, so that they
    /// do not come back together. `served` and `refused` are counted from the beginning.
    pub(crate) fn after(&self, least: u32, served: u64, refused: u64) -> u32 {
        self.look(served, refused);
        let wait = self.wait.load(Ordering::Relaxed).max(least);
        wait + (self.spread.next() * f64::from(wait + 1)) as u32
    }

    /// Brings the rates up to date, where the last look is old enough. To be called now and then while nobody is turned
    /// away, too: so what was served just before a rush is known, and not the mean of a quiet night.
    pub(crate) fn look(&self, served: u64, refused: u64) {
        // Whoever cannot have it now goes by the last look.
        let Some(mut last) = self.last.try_lock() else { return };
        let now = Instant::now();
        let passed = now - last.at;
        if passed < LOOK {
            return;
        }
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / passed.as_secs_f64();
        let mut a_second = rate(served, last.served);
        let mut wait = 0.0;
        // Else it is a new rush.
        if passed < 2 * LOOK {
            a_second = a_second.max(last.a_second * EXPECTED);
            wait = rate(refused, last.refused) / a_second.max(1.0);
        }
        self.wait.store(wait.min(LONGEST) as u32, Ordering::Relaxed);
        *last = Looked { at: now, served, refused, a_second };
    }
}
