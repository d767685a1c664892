//! What is known of a breaker and of the calls through it, for those who run the service.

use std::{
    collections::VecDeque,
    fmt::Display,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::GuardConfig;

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They are made.
    Closed = 0,
    /// They are not made.
    Open = 1,
    /// Some are made, to see how they end.
    HalfOpen = 2,
}

impl State {
    /// The usual word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// How a breaker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// What it does.
    pub state: State,
    /// For how long it has done so.
    pub lasts: Duration,
    /// How the last call ended that did not end well, where it is not closed.
    pub reason: Option<String>,
}

/// How many calls have ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// With an answer in good time.
    pub well: u64,
    /// With an answer that took so long that it counts as a failure.
    pub slow: u64,
    /// With a failure.
    pub failed: u64,
    /// Not within their time.
    pub late: u64,
    /// Not made, because the breaker was open.
    pub open: u64,
    /// Not made, because too many were under way.
    pub full: u64,
}

/// How a call has ended.
pub(crate) enum Ended<'e> {
    Well,
    Slow(Duration),
    Failed(&'e dyn Display),
    Late(Duration),
    /// Late for a caller that had little time.
    Hurried,
    Open,
    /// Not made, because the breaker is not closed and as many as may be try it already.
    Held,
    Full,
}

/// Sees how calls end. The breaker itself does not say how it is: what it does with the next call shows.
#[derive(Debug)]
pub(crate) struct Watch {
    callee: &'static str,
    config: GuardConfig,
    /// As in `seen`, for a look without the lock.
    state: AtomicU8,
    seen: Mutex<Seen>,
    well: AtomicU64,
    slow: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    open: AtomicU64,
    full: AtomicU64,
}

#[derive(Debug)]
struct Seen {
    state: State,
    since: Instant,
    reason: Option<String>,
    /// Of the last calls that have ended since it is half-open, as many as the breaker looks at, whether they were in
    /// vain; and how many there were before them.
    tried: VecDeque<bool>,
    before: usize,
}

impl Watch {
    pub(crate) fn new(callee: &'static str, config: GuardConfig) -> Self {
        let seen = Seen {
            state: State::Closed,
            since: Instant::now(),
            reason: None,
            tried: VecDeque::new(),
            before: 0,
        };
        Self {
            callee,
            config,
            state: AtomicU8::new(State::Closed as u8),
            seen: Mutex::new(seen),
            well: AtomicU64::default(),
            slow: AtomicU64::default(),
            failed: AtomicU64::default(),
            late: AtomicU64::default(),
            open: AtomicU64::default(),
            full: AtomicU64::default(),
        }
    }

    /// A call has ended that began at `begun`.
    pub(crate) fn note(&self, begun: Instant, ended: Ended<'_>) {
        let (count, reason) = match ended {
            Ended::Well => (&self.well, None),
            Ended::Slow(took) => (&self.slow, Some(format!("it answered after {} ms", took.as_millis()))),
            Ended::Failed(error) => (&self.failed, Some(error.to_string())),
            Ended::Late(waited) => {
                (&self.late, Some(format!("it did not answer within {} ms", waited.as_millis())))
            }
            Ended::Hurried => (&self.late, None),
            Ended::Open | Ended::Held => (&self.open, None),
            Ended::Full => (&self.full, None),
        };
        count.fetch_add(1, Ordering::Relaxed);
        match ended {
            // They say nothing about the callee, nor about the breaker.
            Ended::Hurried | Ended::Full | Ended::Held => {}
            Ended::Open => self.is_open(),
            Ended::Well if self.is_closed() => {}
            Ended::Well | Ended::Slow(_) | Ended::Failed(_) | Ended::Late(_) => {
                self.seen.lock().is_tried(self, begun, reason);
            }
        }
    }

    /// The breaker lets nothing through.
    pub(crate) fn is_open(&self) {
        self.seen.lock().is_open(self);
    }

    /// Whether every call is made, as far as is known.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == State::Closed as u8
    }

    pub(crate) fn breaker(&self) -> Breaker {
        let seen = self.seen.lock();
        let reason = if seen.state == State::Closed { None } else { seen.reason.clone() };
        Breaker { state: seen.state, lasts: seen.since.elapsed(), reason }
    }

    pub(crate) fn calls(&self) -> Calls {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Calls {
            well: read(&self.well),
            slow: read(&self.slow),
            failed: read(&self.failed),
            late: read(&self.late),
            open: read(&self.open),
            full: read(&self.full),
        }
    }
}

impl Seen {
    fn is_open(&mut self, watch: &Watch) {
        if self.state != State::Open {
            self.turns(watch, State::Open);
            let reason = self.reason.as_deref().unwrap_or_default();
            let rest = watch.config.open_for.as_millis();
            tracing::warn!(
                callee = watch.callee,
                last = reason,
                "the breaker is open: not called for {rest} ms"
            );
        }
    }

    fn is_tried(&mut self, watch: &Watch, begun: Instant, in_vain: Option<String>) {
        // It was under way already when the breaker opened, and tries nothing.
        if self.state == State::Open && begun < self.since + watch.config.open_for {
            return;
        }
        let ended_well = in_vain.is_none();
        self.reason = in_vain.or(self.reason.take());
        match self.state {
            // Those count that try a half-open breaker.
            State::Closed => return,
            State::Open => {
                tracing::info!(
                    callee = watch.callee,
                    "the breaker is half-open: called again, to see how that ends"
                );
                self.turns(watch, State::HalfOpen);
            }
            State::HalfOpen => {}
        }
        self.tried.push_back(!ended_well);
        if self.tried.len() > watch.config.trials {
            self.tried.pop_front();
            self.before += 1;
        }
        if ended_well && self.before > 0 && self.is_well(watch) {
            tracing::info!(callee = watch.callee, "the breaker is closed: called as ever");
            self.turns(watch, State::Closed);
        }
    }

    /// As the breaker reckons it. If this said so sooner, every call would be made while it still tries.
    fn is_well(&self, watch: &Watch) -> bool {
        let in_vain = self.tried.iter().filter(|in_vain| **in_vain).count();
        in_vain as f32 / self.tried.len() as f32 <= watch.config.failure_rate
    }

    fn turns(&mut self, watch: &Watch, state: State) {
        self.tried.clear();
        self.before = 0;
        (self.state, self.since) = (state, Instant::now());
        watch.state.store(state as u8, Ordering::Relaxed);
    }
}
