//! Versions as entity tags.

use std::io::Write;

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue};

use crate::Problem;

/// The entity tag of a version: `"7"`.
pub fn etag(version: i64) -> HeaderValue {
    // On the stack: each answer has one, and a header copies what it is given.
    let mut text = [0; 22];
    let mut rest = &mut text[..];
    let written = write!(rest, "\"{version}\"").map(|()| rest.len());
    let length = text.len() - written.unwrap_or(text.len());
    // Quotes, a sign and digits are always a header, and 22 bytes hold them.
    HeaderValue::from_bytes(&text[..length]).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The version that the client requires: `None` without `If-Match` or with `*`.
///
/// A tag that we never make cannot match, so it is a 412 at once. A list is refused: a change is of one
/// version.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(first) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = first.to_str().unwrap_or("").trim();
    if headers.get_all(IF_MATCH).iter().nth(1).is_some() || text.contains(',') {
        return Err(Problem::malformed_parameter(
            "If-Match",
            "Send the one ETag that you have seen, or `*`.",
        ));
    }
    match text {
        "*" => Ok(None),
        tag => version_of(tag).map(Some).ok_or_else(Problem::precondition_failed),
    }
}

/// Whether the client says that it has this version already.
pub(crate) fn has_version(if_none_match: Option<&HeaderValue>, version: i64) -> bool {
    let Some(text) = if_none_match.and_then(|value| value.to_str().ok()) else { return false };
    let mut tags = text.split(',').map(str::trim);
    // Caches send back weak tags too, and for reading those are as good.
    tags.any(|tag| tag == "*" || version_of(tag.strip_prefix("W/").unwrap_or(tag)) == Some(version))
}

pub(crate) fn none_match(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(IF_NONE_MATCH).cloned()
}

/// The version in a tag of ours: digits in quotes, as [`etag`] writes them, and nothing else.
fn version_of(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let version: i64 = digits.parse().ok()?;
    (version.to_string() == digits).then_some(version)
}

#[cfg(test)]
mod tests;
