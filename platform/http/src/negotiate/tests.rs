use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Accept, Media};

fn accept(lines: &[&'static str]) -> Result<Accept, StatusCode> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(ACCEPT, HeaderValue::from_static(line));
    }
    Accept::of(&headers).map_err(|problem| problem.status())
}

#[test]
fn hal_is_what_a_client_gets_that_does_not_choose() {
    for line in ["*/*", "application/*", "application/hal+json", "text/html, */*;q=0.1", "*/*;q=0.001"] {
        assert_eq!(accept(&[line]), Ok(Accept { media: Media::Hal, sent: true }), "{line}");
    }
    assert_eq!(accept(&[]), Ok(Accept { media: Media::Hal, sent: false }));
    assert_eq!(accept(&[""]), Ok(Accept { media: Media::Hal, sent: false }));
    assert_eq!(accept(&[" , "]), Ok(Accept { media: Media::Hal, sent: false }));
}

#[test]
fn the_highest_weight_wins() {
    for line in [
        "application/json",
        "application/json, */*;q=0.5",
        "application/json;charset=utf-8",
        "application/hal+json;q=0.1,application/json;q=0.2",
        "Application/JSON ; Q=0.9, application/hal+json;q=0.8",
        "application/hal+json;q=0, */*",
    ] {
        assert_eq!(accept(&[line]), Ok(Accept { media: Media::Json, sent: true }), "{line}");
    }
    assert_eq!(accept(&["application/json;q=0.5", "application/hal+json"]).map(|a| a.media), Ok(Media::Hal));
    assert_eq!(accept(&["*/*", "application/json"]).map(|a| a.media), Ok(Media::Json));
}

#[test]
fn equally_welcome_the_one_that_is_named_more_exactly_wins_and_then_hal() {
    let media = |line| accept(&[line]).map(|accept| accept.media);
    assert_eq!(media("application/json, */*"), Ok(Media::Json));
    assert_eq!(media("application/hal+json, */*"), Ok(Media::Hal));
    assert_eq!(media("application/json, application/hal+json"), Ok(Media::Hal));
    assert_eq!(media("application/*;q=0.2, */*;q=0.9, application/json;q=0.2"), Ok(Media::Json));
}

#[test]
fn what_accepts_neither_is_a_406() {
    for line in ["text/html", "application/xml;q=0.9", "*/*;q=0", "nonsense", "application/json;q=2"] {
        assert_eq!(accept(&[line]), Err(StatusCode::NOT_ACCEPTABLE), "{line}");
    }
}

#[test]
fn both_types_name_their_charset() {
    assert_eq!(Media::Hal.content_type(), "application/hal+json;charset=UTF-8");
    assert_eq!(Media::Json.content_type(), "application/json;charset=UTF-8");
}
