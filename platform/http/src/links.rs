//! Where links point: to the address under which the client knows us.

use http::header::{FORWARDED, HOST, HeaderMap};
use http::request::Parts;

use crate::Problem;

/// Longer names are no names of hosts, and every link of a page repeats them.
const MAX_LENGTH: usize = 255;

/// On a request that comes from a proxy of ours: its `Forwarded` and `X-Forwarded-*` headers are believed.
///
/// A gateway in the same process inserts it; the server inserts it for the peers it is told to trust. From
/// anybody else these headers would let a client choose what our links say.
#[derive(Clone, Copy, Debug)]
pub struct TrustedProxy;

/// The start of every link: `scheme://host[:port]` and the prefix under which a proxy publishes us, without
/// a slash at the end. Only characters that need no escaping in JSON or in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkBase(String);

impl LinkBase {
    /// The base for the answer to this request.
    pub fn of(parts: &Parts) -> Result<Self, Problem> {
        if parts.extensions.get::<TrustedProxy>().is_some()
            && let Some(base) = forwarded(&parts.headers)
        {
            return Ok(base);
        }
        let host = match (parts.uri.authority(), parts.headers.get(HOST)) {
            (Some(authority), _) => Some(authority.as_str()),
            (None, Some(host)) => host.to_str().ok(),
            // HTTP/1.0 knows no Host.
            (None, None) => Some("localhost"),
        };
        host.and_then(|host| Self::new("http", host, "")).ok_or_else(bad_host)
    }

    fn new(scheme: &str, host: &str, prefix: &str) -> Option<Self> {
        if !is_host(host) || !is_prefix(prefix) {
            return None;
        }
        let mut base = String::with_capacity(scheme.len() + 3 + host.len() + prefix.len());
        for part in [scheme, "://", host, prefix.trim_end_matches('/')] {
            base.push_str(part);
        }
        Some(Self(base))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn bad_host() -> Problem {
    Problem::malformed_parameter("Host", "Send the name of the host and, where needed, its port.")
}

fn is_host(host: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_');
    !host.is_empty() && host.len() <= MAX_LENGTH && host.bytes().all(allowed)
}

fn is_prefix(prefix: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_' | b'~' | b'%');
    prefix.is_empty()
        || (prefix.starts_with('/')
            && !prefix.starts_with("//")
            && prefix.len() <= MAX_LENGTH
            && prefix.bytes().all(allowed))
}

/// What the proxy says; `None` if it says nothing about the host, or nothing that can be used.
fn forwarded(headers: &HeaderMap) -> Option<LinkBase> {
    let prefix = first(headers, "x-forwarded-prefix").unwrap_or("");
    if let Some(element) = first(headers, FORWARDED.as_str()) {
        let host = parameter(element, "host")?;
        return LinkBase::new(scheme(parameter(element, "proto")), host, prefix);
    }
    let scheme = scheme(first(headers, "x-forwarded-proto"));
    let host = first(headers, "x-forwarded-host")?;
    match first(headers, "x-forwarded-port") {
        None => LinkBase::new(scheme, host, prefix),
        Some(port) => LinkBase::new(scheme, &with_port(scheme, host, port.parse().ok()?), prefix),
    }
}

/// The first of a list: what the proxy that is nearest to the client wrote.
fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.split(',').next().unwrap_or(text).trim()).filter(|text| !text.is_empty())
}

fn scheme(proto: Option<&str>) -> &'static str {
    if proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https")) { "https" } else { "http" }
}

/// A parameter of one element of a `Forwarded` header: `for=1.2.3.4;proto=https;host="example.org:1"`.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value.trim().trim_matches('"'))
}

fn with_port(scheme: &str, host: &str, port: u16) -> String {
    let end_of_name = match host.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    let name = &host[..end_of_name];
    match (scheme, port) {
        ("http", 80) | ("https", 443) => name.to_owned(),
        _ => format!("{name}:{port}"),
    }
}

#[cfg(test)]
mod tests;
