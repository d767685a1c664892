//! Until when an answer is of any use, on its way through every service.

use std::time::Duration;

use http::HeaderValue;
use http::header::{HeaderMap, HeaderName};
use tokio::time::Instant;

/// The header that carries it: how many milliseconds are left. It can make the time for a request shorter, never
/// longer.
pub const REQUEST_DEADLINE: HeaderName = HeaderName::from_static("x-request-deadline-ms");

/// On a request: when it will be answered at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// After so long.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// What is left, as a header, to pass it on.
    pub fn to_header(self) -> HeaderValue {
        let left = self.0.saturating_duration_since(Instant::now()).as_millis();
        // Rounded down, so that whoever is called gives up first; but zero would be no time at all.
        HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX).max(1))
    }
}

/// The time for a request: `own`, unless its sender gives it less.
pub(crate) fn time_for(headers: &HeaderMap, own: Duration) -> Duration {
    let sent = headers.get(REQUEST_DEADLINE).and_then(|value| value.to_str().ok()?.parse().ok());
    sent.map_or(own, |left| own.min(Duration::from_millis(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_can_only_shorten_it() {
        let own = Duration::from_secs(10);
        let of = |text: &'static str| {
            time_for(&HeaderMap::from_iter([(REQUEST_DEADLINE, HeaderValue::from_static(text))]), own)
        };
        assert_eq!(time_for(&HeaderMap::new(), own), own);
        assert_eq!(of("800"), Duration::from_millis(800));
        for text in ["20000", "99999999999999999999", "-1", "soon", ""] {
            assert_eq!(of(text), own, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_passed_on() {
        let deadline = Deadline::after(Duration::from_secs(2));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(deadline.to_header(), "1500");
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(deadline.to_header(), "1");
    }
}
