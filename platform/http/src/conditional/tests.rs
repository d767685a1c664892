use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{etag, has_version, if_match};

fn required(values: &[&'static str]) -> Result<Option<i64>, StatusCode> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(IF_MATCH, HeaderValue::from_static(value));
    }
    if_match(&headers).map_err(|problem| problem.status())
}

#[test]
fn a_tag_is_the_version_in_quotes() {
    assert_eq!(etag(7), "\"7\"");
    assert_eq!(etag(i64::MAX), "\"9223372036854775807\"");
}

#[test]
fn a_change_may_require_a_version() {
    assert_eq!(required(&[]), Ok(None));
    assert_eq!(required(&["*"]), Ok(None));
    assert_eq!(required(&["\"7\""]), Ok(Some(7)));
}

#[test]
fn a_tag_that_was_never_given_cannot_match() {
    for tag in ["7", "\"07\"", "\"+7\"", "W/\"7\"", "\"x\"", "\"\"", "\""] {
        assert_eq!(required(&[tag]), Err(StatusCode::PRECONDITION_FAILED), "{tag}");
    }
}

#[test]
fn a_change_is_of_one_version() {
    assert_eq!(required(&["\"7\", \"8\""]), Err(StatusCode::BAD_REQUEST));
    assert_eq!(required(&["\"7\"", "\"8\""]), Err(StatusCode::BAD_REQUEST));
}

#[test]
fn a_reader_may_say_what_it_has() {
    let has = |text: &'static str| has_version(Some(&HeaderValue::from_static(text)), 7);
    assert!(has("\"7\"") && has("W/\"7\"") && has("*") && has("\"1\", \"7\""));
    assert!(!has("\"8\"") && !has("7") && !has(""));
    assert!(!has_version(None, 7));
}
