//! Faults for drills: what is slow, fails or is full for as long as somebody wants it so.
//!
//! They are only there in a process that was started for drills; elsewhere nothing stands between the services and what
//! they use.

mod desk;
mod switch;
mod topic;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use platform_resilience::Spread;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use desk::FaultyDesk;
pub(crate) use switch::routes;
#[cfg(feature = "distributed")]
pub(crate) use switch::switch_in_all;
pub(crate) use topic::FaultyBus;

/// From the shortest to the longest delay; each one is somewhere between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    shortest: Duration,
    longest: Duration,
}

/// A fault that is switched on, to another value, or off: `rent.delay=800ms..1100ms`, `rent.fail=10%`,
/// `store.full=off`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Fault {
    /// Rent takes so long to answer order. What it was asked it does all the same, though nobody may wait any more.
    RentDelay(Option<Delay>),
    /// So many of a hundred questions of order to rent fail.
    RentFail(Option<u8>),
    /// Publishing and reading take so long.
    BusDelay(Option<Delay>),
    /// A write to a store takes so long, and the next one begins after it: so many a second is all it can do.
    StoreDelay(Option<Delay>),
    /// No store takes a write.
    StoreFull(bool),
}

/// Why something is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no fault: rent.delay, bus.delay and store.delay take a time such as 300ms or 800ms..1100ms, rent.fail a \
     share such as 10%, store.full on, and each of them off"
)]
pub struct NoFault(String);

/// What goes wrong in this process on purpose. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    set: Mutex<Set>,
    /// Of delays and failures.
    spread: Spread,
}

#[derive(Clone, Copy, Debug, Default)]
struct Set {
    rent_delay: Option<Delay>,
    rent_fail: Option<u8>,
    bus_delay: Option<Delay>,
    store_delay: Option<Delay>,
    store_full: bool,
}

/// Where the writes to one store pass one by one.
#[derive(Debug)]
pub(crate) struct Line(Mutex<Instant>);

impl Faults {
    /// These faults, and no other.
    #[must_use]
    pub fn new(faults: &[Fault]) -> Self {
        let all = Self::default();
        faults.iter().for_each(|fault| all.set(*fault));
        all
    }

    /// Switches one.
    pub fn set(&self, fault: Fault) {
        tracing::warn!(%fault, "a fault is switched: THIS LIBRARY IS IN A DRILL");
        let mut set = self.0.set.lock();
        match fault {
            Fault::RentDelay(delay) => set.rent_delay = delay,
            Fault::RentFail(share) => set.rent_fail = share,
            Fault::BusDelay(delay) => set.bus_delay = delay,
            Fault::StoreDelay(delay) => set.store_delay = delay,
            Fault::StoreFull(is_full) => set.store_full = is_full,
        }
    }

    /// Those that are switched on.
    #[must_use]
    pub fn on(&self) -> Vec<Fault> {
        let Set { rent_delay, rent_fail, bus_delay, store_delay, store_full } = self.now();
        let all = [
            rent_delay.map(|delay| Fault::RentDelay(Some(delay))),
            rent_fail.map(|share| Fault::RentFail(Some(share))),
            bus_delay.map(|delay| Fault::BusDelay(Some(delay))),
            store_delay.map(|delay| Fault::StoreDelay(Some(delay))),
            store_full.then_some(Fault::StoreFull(true)),
        ];
        all.into_iter().flatten().collect()
    }

    fn now(&self) -> Set {
        *self.0.set.lock()
    }

    fn length(&self, delay: Option<Delay>) -> Duration {
        let Some(Delay { shortest, longest }) = delay else { return Duration::ZERO };
        shortest + (longest - shortest).mul_f64(self.0.spread.next())
    }

    async fn pass_rent(&self) -> Result<(), String> {
        let set = self.now();
        sleep(self.length(set.rent_delay)).await;
        match set.rent_fail {
            Some(share) if self.0.spread.next() * 100.0 < f64::from(share) => {
                Err("rent fails, as the drill wants it".to_owned())
            }
            _ => Ok(()),
        }
    }

    async fn pass_bus(&self) {
        sleep(self.length(self.now().bus_delay)).await;
    }

    /// Waits for as many writes in the line.
    pub(crate) async fn pass_store(&self, line: &Line, writes: usize) -> Result<(), String> {
        let set = self.now();
        if set.store_full {
            return Err("the store is full, as the drill wants it".to_owned());
        }
        if set.store_delay.is_some() {
            let time = (0..writes).map(|_| self.length(set.store_delay)).sum();
            sleep_until(line.next(time)).await;
        }
        Ok(())
    }
}

impl Default for Line {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Line {
    /// When something that takes so long has passed.
    fn next(&self, time: Duration) -> Instant {
        let mut free = self.0.lock();
        *free = Instant::now().max(*free) + time;
        *free
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { shortest, longest } if shortest == longest => write!(f, "{shortest:?}"),
            Self { shortest, longest } => write!(f, "{shortest:?}..{longest:?}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delay = |delay: &Option<Delay>| delay.map_or_else(|| "off".to_owned(), |delay| delay.to_string());
        match self {
            Self::RentDelay(time) => write!(f, "rent.delay={}", delay(time)),
            Self::RentFail(Some(share)) => write!(f, "rent.fail={share}%"),
            Self::RentFail(None) => f.write_str("rent.fail=off"),
            Self::BusDelay(time) => write!(f, "bus.delay={}", delay(time)),
            Self::StoreDelay(time) => write!(f, "store.delay={}", delay(time)),
            Self::StoreFull(is_full) => write!(f, "store.full={}", if *is_full { "on" } else { "off" }),
        }
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

impl TryFrom<String> for Fault {
    type Error = NoFault;

    fn try_from(text: String) -> Result<Self, NoFault> {
        text.parse()
    }
}

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        let no_fault = || NoFault(text.to_owned());
        let (name, value) = text.split_once('=').ok_or_else(no_fault)?;
        let delay = || match value {
            "off" => Some(None),
            _ => read_delay(value).map(Some),
        };
        let fault = match name {
            "rent.delay" => delay().map(Self::RentDelay),
            "rent.fail" if value == "off" => Some(Self::RentFail(None)),
            "rent.fail" => read_share(value).map(|share| Self::RentFail(Some(share))),
            "bus.delay" => delay().map(Self::BusDelay),
            "store.delay" => delay().map(Self::StoreDelay),
            "store.full" => {
                ["off", "on"].iter().position(|word| *word == value).map(|on| Self::StoreFull(on == 1))
            }
            _ => None,
        };
        fault.ok_or_else(no_fault)
    }
}

fn read_delay(text: &str) -> Option<Delay> {
    let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
    let read = |text: &str| Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok();
    let delay = Delay { shortest: read(shortest)?, longest: read(longest)? };
    (delay.shortest <= delay.longest).then_some(delay)
}

fn read_share(text: &str) -> Option<u8> {
    text.strip_suffix('%')?.parse().ok().filter(|share| *share <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "rent.delay=800ms..1.1s",
            "rent.delay=off",
            "rent.fail=10%",
            "rent.fail=off",
            "bus.delay=5ms",
            "store.delay=500µs",
            "store.full=on",
            "store.full=off",
        ] {
            assert_eq!(text.parse::<Fault>().map(|fault| fault.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("rent.delay=800ms..1100ms".parse::<Fault>(), "rent.delay=800ms..1.1s".parse());
    }

    #[test]
    fn what_is_none_is_told() {
        for text in [
            "",
            "rent",
            "rent.delay",
            "rent.delay=",
            "rent.delay=5",
            "rent.delay=2s..1s",
            "rent.delay=-1s",
            "rent.fail=10",
            "rent.fail=101%",
            "store.full=yes",
            "disk.full=on",
        ] {
            let error = text.parse::<Fault>().expect_err(text);
            assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_share_of_the_questions_fails() {
        let faults = Faults::new(&[Fault::RentFail(Some(10))]);
        let mut failed = 0;
        for _ in 0..1000 {
            failed += usize::from(faults.pass_rent().await.is_err());
        }
        assert!((80..=120).contains(&failed), "{failed}");
    }

    #[tokio::test(start_paused = true)]
    async fn writes_pass_one_by_one() {
        let faults = Faults::new(&["store.delay=500us".parse().expect("a fault")]);
        let (line, begun) = (Line::default(), Instant::now());
        let all = futures_util::future::join_all((0..200).map(|_| faults.pass_store(&line, 10)));
        assert!(all.await.iter().all(Result::is_ok));
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        faults.set(Fault::StoreFull(true));
        assert!(faults.pass_store(&line, 1).await.is_err());
        assert_eq!(faults.on().len(), 2);
    }
}
