//! The log line of a request that failed on our side: with the id that the client can report.

use std::any::Any;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::Problem;
use crate::problem::Reason;
use crate::request_id::RequestId;

/// Lines a second about requests that were not served. Under overload there are as many of them as clients can send,
/// and writing a line about each would be more work than refusing them.
const LINES_A_SECOND: u64 = 10;

/// In the extensions of an answer that has its line: the gateway passes on what a service has answered.
#[derive(Clone, Copy)]
struct Said;

/// Writes the line of a 5xx, once: a bug always, a 503 or 504 if there were few in this second, else at debug level.
#[cold]
pub(crate) fn say(id: &RequestId, response: &mut Response) {
    static LINES: Throttle = Throttle::new();
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    if response.extensions_mut().insert(Said).is_some() {
        return;
    }
    let (request_id, status) = (id.as_str(), response.status().as_u16());
    let reason = response.extensions().get::<Reason>().map(|Reason(reason)| reason.as_str());
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(request_id, status, reason, "a request failed");
    } else if let Some(left_out) = LINES.enter(START.elapsed().as_secs()) {
        tracing::warn!(request_id, status, reason, left_out, "a request was not served");
    } else {
        tracing::debug!(request_id, status, reason, "a request was not served");
    }
}

/// The answer to a request whose handler panicked; it has its line.
#[cold]
pub(crate) fn panicked(id: &RequestId, panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let reason = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text");
    let mut response = Problem::internal().into_response();
    let status = response.status().as_u16();
    tracing::error!(request_id = id.as_str(), status, reason, "a handler panicked");
    response.extensions_mut().insert(Said);
    response
}

/// Counts lines by the second. At its turn one more or less may pass: nothing depends on it.
struct Throttle {
    second: AtomicU64,
    lines: AtomicU64,
    left_out: AtomicU64,
}

impl Throttle {
    const fn new() -> Self {
        Self { second: AtomicU64::new(0), lines: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// `None`: no further line in this second. Else how many were left out since the last one.
    fn enter(&self, second: u64) -> Option<u64> {
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        if self.lines.fetch_add(1, Ordering::Relaxed) < LINES_A_SECOND {
            Some(self.left_out.swap(0, Ordering::Relaxed))
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_has_few_lines_and_the_next_one_says_how_many_it_had() {
        let throttle = Throttle::new();
        let lines: Vec<_> = (0..1_000).map(|_| throttle.enter(7)).collect();
        assert!(lines[..10].iter().all(|line| *line == Some(0)));
        assert!(lines[10..].iter().all(Option::is_none));
        assert_eq!((throttle.enter(8), throttle.enter(8)), (Some(990), Some(0)));
    }
}
