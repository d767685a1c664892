//! What pages of a named origin may do, and see.

use std::sync::Arc;

use axum::{Router, http::Method, routing::any};
use gateway::{Behind, Upstream, with_cors};
use platform_http::Limits;
use platform_testkit::http::{Answer, ask};
use tower::Layer as _;

const PAGE: (&str, &str) = ("origin", "https://library.example");

/// A gateway that works on `in_flight` requests, before a service that says what it was asked.
fn a_gateway(in_flight: usize) -> Router {
    let service = Router::new().fallback(any(async |method: Method| method.to_string()));
    let service = Behind::Here { router: service, is_open: Arc::new(|| true) };
    let router = gateway::router(vec![Upstream { collection: "orders", service }]);
    let limited = Limits { in_flight, ..Limits::default() }.layer(router);
    Router::new().fallback_service(with_cors(limited, &[PAGE.1.to_owned()]).unwrap())
}

async fn options(headers: &[(&str, &str)]) -> Answer {
    ask(&a_gateway(10), "gateway", "OPTIONS /orders", headers, "").await
}

#[tokio::test]
async fn only_a_preflight_is_answered_by_the_gateway() {
    let method = ("access-control-request-method", "PATCH");
    let preflight = options(&[PAGE, method]).await;
    assert_eq!((preflight.status, preflight.body.as_str()), (200, ""));
    assert_eq!(preflight.header("access-control-allow-origin"), PAGE.1);
    assert!(preflight.header("access-control-allow-methods").contains("PATCH"));
    assert_ne!(preflight.header("x-request-id"), "");

    for headers in [vec![], vec![PAGE], vec![method]] {
        let answer = options(&headers).await;
        assert_eq!(answer.body, "OPTIONS", "it is for the service: {headers:?}");
        let allowed = if headers.contains(&PAGE) { PAGE.1 } else { "" };
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
    }
    let get = ask(&a_gateway(10), "gateway", "GET /orders", &[PAGE], "").await;
    assert_eq!((get.body.as_str(), get.header("access-control-allow-origin")), ("GET", PAGE.1));
}

#[tokio::test]
async fn a_page_can_read_that_it_was_refused() {
    let refused = ask(&a_gateway(0), "gateway", "GET /orders", &[PAGE], "").await;
    refused.problem(503, "overloaded");
    assert_eq!(refused.header("access-control-allow-origin"), PAGE.1);
    assert!(refused.header("access-control-expose-headers").contains("retry-after"));
    let stranger =
        ask(&a_gateway(0), "gateway", "GET /orders", &[("origin", "https://evil.example")], "").await;
    stranger.problem(503, "overloaded");
    assert_eq!(stranger.header("access-control-allow-origin"), "");
}

#[test]
fn an_origin_that_is_none_is_reported() {
    let with_more =
        ["/", "/x", "?x", ":", ":99999", ":x"].map(|more| format!("https://library.example{more}"));
    let others = [
        "library.example",
        "ftp://x",
        "*",
        "",
        "https://kim@library.example",
        "http://x:y@x:80",
        "http://:80",
    ];
    for origin in others.into_iter().chain(with_more.iter().map(String::as_str)) {
        let mistake = gateway::check_origin(origin).unwrap_err().to_string();
        assert!(mistake.contains("is not a web origin"), "{mistake}");
    }
    gateway::check_origin("http://localhost:3000").unwrap();
}

#[tokio::test]
async fn an_origin_is_allowed_as_browsers_write_it_however_it_was_written() {
    for (configured, sent) in [
        ("HTTPS://Library.Example", "https://library.example"),
        ("https://library.example:443", "https://library.example"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ] {
        let gateway = with_cors(Router::new(), &[configured.to_owned()]).unwrap();
        let gateway = Router::new().fallback_service(gateway);
        let answer = ask(&gateway, "gateway", "GET /", &[("origin", sent)], "").await;
        assert_eq!(answer.header("access-control-allow-origin"), sent, "{configured}");
    }
}
