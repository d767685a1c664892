//! Times that are not the same for everybody.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Between four fifths and six fifths of it, so that many processes do not do the same at the same moment.
#[must_use]
pub fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.8 + 0.4 * random())
}

/// Up to a fifth more than it, for what must not be shorter.
pub(crate) fn lengthened(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + 0.2 * random())
}

/// From 0 to 1.
fn random() -> f64 {
    // Each state has keys of its own: as random as this needs to be.
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

/// Gives each who asks another share: they are spread evenly, however many ask.
#[derive(Debug, Default)]
pub struct Spread(AtomicU64);

impl Spread {
    /// From 0, which is the first, to below 1; each as far as possible from those before it, by the golden ratio.
    pub fn next(&self) -> f64 {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        (n as f64 * 0.618_033_988_749_895).fract()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jittered_pause_is_about_as_long() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(10));
            assert!((8.0..=12.0).contains(&pause.as_secs_f64()), "{pause:?}");
        }
    }

    #[test]
    fn a_lengthened_pause_is_not_shorter_and_not_the_same_for_everybody() {
        let pauses: Vec<_> = (0..100).map(|_| lengthened(Duration::from_secs(10)).as_secs_f64()).collect();
        assert!(pauses.iter().all(|pause| (10.0..=12.0).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }

    #[test]
    fn each_tenth_has_a_tenth_of_the_shares() {
        let spread = Spread::default();
        let mut tenths = [0; 10];
        (0..1000).for_each(|_| tenths[(spread.next() * 10.0) as usize] += 1);
        assert!(tenths.iter().all(|count| (95..=105).contains(count)), "{tenths:?}");
    }
}
