//! How much a service takes on at once, by how long its writes take.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How a service reacts to pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PressureConfig {
    /// A write that takes longer has waited behind others: then fewer are taken on.
    pub target: Duration,
    /// So many at once are always taken on: a store that stands still for a moment turns nobody away who could wait.
    pub always: usize,
    /// So many at once are taken on until there is reason for another number.
    pub usual: usize,
    /// So many at once are taken on at most.
    pub most: usize,
}

impl Default for PressureConfig {
    fn default() -> Self {
        Self { target: Duration::from_millis(25), always: 64, usual: 256, most: 896 }
    }
}

/// How long writes are looked at before the bound changes.
const WINDOW: Duration = Duration::from_millis(20);

/// The bound of what a service takes on at once. It follows from how long writes take (Little's law: as many may be
/// there as are done within the target), measured by the shortest one of 20 ms, because a burst makes some writes
/// wait and a standing queue makes all of them wait (as in CoDel, RFC 8289). Clones share it.
#[derive(Clone, Debug)]
pub struct Pressure(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: PressureConfig,
    limit: AtomicUsize,
    /// The most that was there at once in this window.
    peak: AtomicUsize,
    /// Whether somebody was turned away in this window.
    pressed: AtomicBool,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    ends: Instant,
    shortest: Duration,
}

impl Pressure {
    /// None so far.
    #[must_use]
    pub fn new(config: PressureConfig) -> Self {
        let most = config.most.max(1);
        let config =
            PressureConfig { most, usual: config.usual.min(most), always: config.always.min(most), ..config };
        Self(Arc::new(Shared {
            config,
            limit: AtomicUsize::new(config.usual),
            peak: AtomicUsize::new(0),
            pressed: AtomicBool::new(false),
            window: Mutex::new(Window { ends: Instant::now() + WINDOW, shortest: Duration::MAX }),
        }))
    }

    /// How many may be there at once now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Whether one more may be taken on, where it would be one of so many.
    #[must_use]
    pub fn admits(&self, at_once: usize) -> bool {
        let admits = at_once <= self.limit();
        if admits {
            self.0.peak.fetch_max(at_once, Ordering::Relaxed);
        } else {
            self.0.pressed.store(true, Ordering::Relaxed);
        }
        admits
    }

    /// A write of one caller took so long, with its waiting.
    pub fn note_write(&self, took: Duration) {
        // Whoever cannot have it now is not needed: others are just noting theirs.
        let Some(mut window) = self.0.window.try_lock() else { return };
        window.shortest = window.shortest.min(took);
        let now = Instant::now();
        if now < window.ends {
            return;
        }
        let shortest = std::mem::replace(&mut window.shortest, Duration::MAX);
        window.ends = now + WINDOW;
        let peak = self.0.peak.swap(0, Ordering::Relaxed);
        let pressed = self.0.pressed.swap(false, Ordering::Relaxed);
        let limit = self.0.config.next(self.limit(), shortest, peak, pressed);
        self.0.limit.store(limit, Ordering::Relaxed);
    }
}

impl PressureConfig {
    /// The bound after a window in which the shortest write took so long, so many were there and some were or were not
    /// turned away.
    fn next(&self, limit: usize, shortest: Duration, peak: usize, pressed: bool) -> usize {
        let Self { target, always, usual, most } = *self;
        if shortest > target {
            let fit = peak.min(limit) as f64 * target.as_secs_f64() / shortest.as_secs_f64();
            return (fit as usize).clamp(always, limit.max(always));
        }
        if pressed {
            let more = if shortest < target / 4 { limit } else { limit / 8 };
            // Nearly at the target: this is it.
            return if shortest < target.mul_f64(0.8) { (limit + more).min(most) } else { limit };
        }
        if limit < usual {
            return (limit + limit / 8 + 1).min(usual);
        }
        if peak < limit / 4 { (limit - limit / 8).max(usual) } else { limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: PressureConfig =
        PressureConfig { target: Duration::from_millis(25), always: 64, usual: 256, most: 896 };

    /// A store that writes so many a second, one after the other, and as many customers as are let in; so long.
    async fn under_load(pressure: &Pressure, per_second: u32, customers: usize, lasts: Duration) {
        let end = Instant::now() + lasts;
        while Instant::now() < end {
            let there = (1..=customers).take_while(|n| pressure.admits(*n)).count().max(1);
            let _one_too_many = there < customers && pressure.admits(pressure.limit() + 1);
            let one = Duration::from_secs(1) / per_second;
            tokio::time::advance(one * u32::try_from(there).expect("few")).await;
            pressure.note_write(one * u32::try_from(there).expect("few"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn under_overload_as_many_are_taken_on_as_are_done_in_time() {
        let pressure = Pressure::new(CONFIG);
        assert_eq!(pressure.limit(), 256);
        under_load(&pressure, 8_000, 2_000, Duration::from_secs(2)).await;
        assert!((120..=220).contains(&pressure.limit()), "{}", pressure.limit());
        under_load(&pressure, 1_000, 2_000, Duration::from_secs(2)).await;
        assert_eq!(pressure.limit(), 64, "those are always taken on");
    }

    #[tokio::test(start_paused = true)]
    async fn where_writes_are_fast_everybody_is_taken_on() {
        let pressure = Pressure::new(CONFIG);
        under_load(&pressure, 200_000, 2_000, Duration::from_secs(1)).await;
        assert_eq!(pressure.limit(), 896);
        under_load(&pressure, 200_000, 10, Duration::from_secs(5)).await;
        assert_eq!(pressure.limit(), 256, "what was once is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_overload_it_is_as_before() {
        let pressure = Pressure::new(CONFIG);
        under_load(&pressure, 500, 2_000, Duration::from_secs(2)).await;
        assert_eq!(pressure.limit(), 64);
        under_load(&pressure, 10_000, 20, Duration::from_secs(2)).await;
        assert_eq!(pressure.limit(), 256);
    }

    #[tokio::test(start_paused = true)]
    async fn one_slow_write_among_others_changes_nothing() {
        let pressure = Pressure::new(CONFIG);
        for n in 0..1_000_u64 {
            assert!(pressure.admits(40));
            tokio::time::advance(Duration::from_millis(1)).await;
            pressure.note_write(Duration::from_millis(if n % 10 == 0 { 2 } else { 300 }));
        }
        assert_eq!(pressure.limit(), 256);
    }
}
