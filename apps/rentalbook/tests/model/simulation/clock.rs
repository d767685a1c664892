//! Clocks, each a little wrong.

use super::fate::Fate;

/// A process's clock: a little wrong, and in milliseconds of the story.
pub(super) struct SkewedClock {
    pub(super) fate: Fate,
    pub(super) skew: i64,
}

impl SkewedClock {
    fn now(&self) -> i64 {
        1_700_000_000_000 + self.fate.now() + self.skew
    }
}

impl order::application::ports::Clock for SkewedClock {
    fn now(&self) -> order::domain::Moment {
        order::domain::Moment(self.now())
    }
}

impl rent::application::ports::Clock for SkewedClock {
    fn now(&self) -> rent::domain::Moment {
        rent::domain::Moment(self.now())
    }
}

impl delivery::application::ports::Clock for SkewedClock {
    fn now(&self) -> delivery::domain::Moment {
        delivery::domain::Moment(self.now())
    }
}
