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
    pub fn of(headers: &HeaderMap) -> Self {
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
        // 64 bits of prefix, then the counter: 16 digits each at most, a dash between.
        let mut text = [b'-'; 33];
        for (place, shift) in (0..16).rev().enumerate() {
            text[place] = HEX[(*PREFIX >> (shift * 4)) as usize & 0xf];
        }
        let digits = (16 - count.leading_zeros() / 4).max(4);
        for (place, shift) in (0..digits).rev().enumerate() {
            text[17 + place] = HEX[(count >> (shift * 4)) as usize & 0xf];
        }
        let value = HeaderValue::from_bytes(&text[..17 + digits as usize]);
        Self(value.unwrap_or(HeaderValue::from_static("-")))
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
