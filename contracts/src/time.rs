//! The two times of an event: `occurredAt` for programs, `timestamp` for the original's readers.

use std::fmt;

use jiff::tz::TimeZone;

/// A moment: milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// RFC 3339, UTC, with milliseconds: `2026-11-23T01:02:03.004Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        self.to_string()
    }

    /// The beginning of the year 1, UTC. Somewhere on earth a moment before it has a year below zero, which RFC 3339
    /// and `timestamp` have no digits for.
    const FIRST: i64 = -62_135_596_800_000;

    /// The last whole second that a calendar has everywhere on earth: 9999-12-30T22:00:00Z.
    const LAST: i64 = 253_402_207_200_000;

    /// Reads RFC 3339 in any offset; `None` for anything else, and for moments before the year 1 or after the end of the
    /// calendar in 9999.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let moment = text.parse::<jiff::Timestamp>().ok()?.as_millisecond();
        (Self::FIRST..=Self::LAST).contains(&moment).then_some(Self(moment))
    }

    fn moment(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = TimeZone::UTC.to_datetime(self.moment());
        write_two(f, [at.year().unsigned_abs() / 100, at.year().unsigned_abs() % 100])?;
        f.write_str("-")?;
        write_two(f, [unsigned(at.month())])?;
        f.write_str("-")?;
        write_two(f, [unsigned(at.day())])?;
        f.write_str("T")?;
        write_two(f, [unsigned(at.hour())])?;
        f.write_str(":")?;
        write_two(f, [unsigned(at.minute())])?;
        f.write_str(":")?;
        write_two(f, [unsigned(at.second())])?;
        write!(f, ".{:03}Z", at.millisecond())
    }
}

fn unsigned(part: i8) -> u16 {
    u16::from(part.unsigned_abs())
}

/// Two digits each. Formatting is on the path of every event, so it goes without a format string.
fn write_two<const N: usize>(f: &mut fmt::Formatter<'_>, parts: [u16; N]) -> fmt::Result {
    use fmt::Write as _;
    parts.into_iter().try_for_each(|part| {
        let digit = |n: u16| char::from(b'0' + u8::try_from(n % 10).unwrap_or(0));
        f.write_char(digit(part / 10))?;
        f.write_char(digit(part))
    })
}

/// Writes `timestamp` as the original does: local time, `yyyyMMddHHmmss`. (The original's pattern takes the
/// week-year, which is wrong around New Year; here it is the calendar year.)
#[derive(Clone, Debug)]
pub struct WireClock {
    zone: TimeZone,
}

impl Default for WireClock {
    /// The original's home.
    fn default() -> Self {
        Self { zone: TimeZone::get("Asia/Seoul").unwrap_or(TimeZone::UTC) }
    }
}

impl WireClock {
    /// In the time zone with this IANA name; the zone data are compiled in.
    pub fn in_zone(name: &str) -> Result<Self, String> {
        TimeZone::get(name).map(|zone| Self { zone }).map_err(|_| {
            format!("\"{name}\" is not a time zone; give an IANA name such as Asia/Seoul or Europe/Paris")
        })
    }

    /// `timestamp` of an event that happened at `at`.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> String {
        struct Local(jiff::civil::DateTime);
        impl fmt::Display for Local {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let at = self.0;
                write_two(f, [at.year().unsigned_abs() / 100, at.year().unsigned_abs() % 100])?;
                write_two(f, [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(unsigned))
            }
        }
        Local(self.zone.to_datetime(at.moment())).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occurred_at_goes_there_and_back() {
        let at = Timestamp(1_604_646_451_007);
        assert_eq!(at.to_rfc3339(), "2020-11-06T07:07:31.007Z");
        assert_eq!(Timestamp::from_rfc3339("2020-11-06T16:07:31.007+09:00"), Some(at));
        assert_eq!(Timestamp::from_rfc3339("yesterday"), None);
    }

    #[test]
    fn a_moment_before_the_year_1_is_none() {
        let first = "0001-01-01T00:00:00.000Z";
        assert_eq!(Timestamp::from_rfc3339(first).map(Timestamp::to_rfc3339).as_deref(), Some(first));
        assert_eq!(Timestamp::from_rfc3339("0001-01-01T00:00:00+00:01"), None);
        assert_eq!(Timestamp::from_rfc3339("-000001-01-01T00:00:00Z"), None);
    }

    #[test]
    fn a_moment_after_the_end_of_the_calendar_is_none() {
        let last = "9999-12-30T22:00:00.000Z";
        assert_eq!(Timestamp::from_rfc3339(last).map(Timestamp::to_rfc3339).as_deref(), Some(last));
        assert_eq!(Timestamp::from_rfc3339("9999-12-30T22:00:00.001Z"), None);
        assert_eq!(Timestamp::from_rfc3339("9999-12-31T23:59:59Z"), None);
    }

    #[test]
    fn the_timestamp_is_local_and_takes_the_calendar_year() {
        let new_years_eve = Timestamp::from_rfc3339("2020-12-31T23:59:59.999+09:00").expect("a moment");
        assert_eq!(WireClock::default().local(new_years_eve), "20201231235959");
        let paris = WireClock::in_zone("Europe/Paris").expect("a zone");
        assert_eq!(paris.local(new_years_eve), "20201231155959");
        assert!(WireClock::in_zone("Atlantis").expect_err("no zone").contains("IANA name"));
    }
}
