//! One id for a request, on its way through every service and log.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use http::header::{HeaderMap, HeaderName};

/// The header that carries it, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 128;

/// The id of a request, in its extensions. 1 to 128 visible ASCII characters.
///
/// It is kept as the header it came in or goes out in, so that most requests copy nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's own id if it sent a usable one, else a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(REQUEST_ID) {
            Some(sent) if is_usable(sent) => Self(sent.clone()),
            _ => Self::new(),
        }
    }

    /// A new one. A prefix that no other process has and a counter: no random numbers for each request.
    pub(crate) fn new() -> Self {
        static PREFIX: LazyLock<u64> = LazyLock::new(process_prefix);
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut text = Vec::with_capacity(27);
        // 64 bits of prefix in 16 digits, then the counter in at least 4.
        for shift in (0..16).rev() {
            text.push(HEX[(*PREFIX >> (shift * 4)) as usize & 0xf]);
        }
        text.push(b'-');
        let digits = (16 - count.leading_zeros() / 4).max(4);
        for shift in (0..digits).rev() {
            text.push(HEX[(count >> (shift * 4)) as usize & 0xf]);
        }
        let fallback = HeaderValue::from_static("-");
        Self(HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).unwrap_or(fallback))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }

    /// As a header, to pass it on.
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

fn is_usable(sent: &HeaderValue) -> bool {
    (1..=MAX_LENGTH).contains(&sent.len()) && sent.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// Time of the start and process id, mixed so that neighbours look different.
fn process_prefix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = (since.as_nanos() as u64) ^ (u64::from(std::process::id()) << 40);
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests;
