//! What goes on to a service in another process, and what comes back.

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, Uri},
    routing::any,
};
use platform_http::{Limits, ServerConfig};
use platform_testkit::{http::Answer, server::Server};
use serde_json::{Value, json};

use crate::remote::Gateway;

/// A replica that answers what it was asked.
async fn an_echo() -> Server {
    let echo = async |uri: Uri, headers: HeaderMap| {
        let mut all = serde_json::Map::new();
        for (name, value) in &headers {
            let value = value.to_str().unwrap();
            let before =
                all.get(name.as_str()).and_then(Value::as_str).map(|before| format!("{before} | {value}"));
            all.insert(name.to_string(), before.unwrap_or_else(|| value.to_owned()).into());
        }
        let own = [("keep-alive", "timeout=5"), ("connection", "x-hop"), ("x-hop", "1"), ("etag", "\"7\"")];
        (StatusCode::OK, own, Json(json!({"uri": uri.to_string(), "headers": all})))
    };
    Server::start(Router::new().fallback(any(echo))).await
}

/// What a gateway that believes `trusted` makes of the request.
async fn through(trusted: &str, request: axum::http::request::Builder) -> (Answer, Value) {
    let echo = an_echo().await;
    let config = ServerConfig { trusted_peers: trusted.parse().unwrap(), ..ServerConfig::default() };
    let gateway = Gateway::with(&[echo.address()], Limits::default(), config).await;
    let answer = gateway.ask(request.body(Body::empty()).unwrap()).await;
    let body = answer.json();
    (answer, body)
}

const CLAIMS: [(&str, &str); 4] = [
    ("x-forwarded-for", "6.6.6.6"),
    ("x-forwarded-host", "library.example"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-prefix", "/books"),
];

fn claiming(claims: &[(&str, &str)]) -> axum::http::request::Builder {
    let request = Request::get("/orders?page=1").header("host", "gateway.example:8088");
    claims.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

#[tokio::test]
async fn the_service_hears_from_the_gateway_who_asks_and_not_from_the_client() {
    for claims in [&CLAIMS[..], &[("forwarded", "for=6.6.6.6;host=evil.example")], &[]] {
        let (_, echo) = through("", claiming(claims)).await;
        assert_eq!(echo["uri"], "/orders?page=1");
        let heard = &echo["headers"];
        assert_eq!(heard["host"], "gateway.example:8088");
        assert_eq!(heard["x-forwarded-host"], "gateway.example:8088");
        assert_eq!(heard["x-forwarded-for"], "127.0.0.1");
        assert_eq!(heard["x-forwarded-proto"], "http");
        assert_eq!((&heard["x-forwarded-prefix"], &heard["forwarded"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_the_gateway_adds_what_it_knows() {
    let (_, echo) = through("127.0.0.0/8", claiming(&CLAIMS)).await;
    let heard = &echo["headers"];
    assert_eq!(heard["x-forwarded-for"], "6.6.6.6, 127.0.0.1");
    assert_eq!(heard["x-forwarded-host"], "library.example");
    assert_eq!(heard["x-forwarded-proto"], "https");
    assert_eq!(heard["x-forwarded-prefix"], "/books");
    let (_, echo) = through("127.0.0.0/8", claiming(&[("x-forwarded-proto", "https")])).await;
    let heard = &echo["headers"];
    assert_eq!(
        (&heard["x-forwarded-host"], &heard["x-forwarded-proto"]),
        (&json!("gateway.example:8088"), &json!("https"))
    );
}

#[tokio::test]
async fn what_is_about_one_connection_ends_with_it_in_both_directions() {
    let request = claiming(&[
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("upgrade", "websocket"),
        ("proxy-authorization", "Basic Zm9v"),
        ("x-kept", "1"),
    ]);
    let (answer, echo) = through("", request).await;
    let heard = echo["headers"].as_object().unwrap();
    for name in ["connection", "x-hop", "keep-alive", "te", "upgrade", "proxy-authorization"] {
        assert!(!heard.contains_key(name), "{name}: {heard:?}");
    }
    assert_eq!(heard["x-kept"], "1");
    for name in ["keep-alive", "x-hop"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    assert_eq!((answer.header("etag"), answer.header("content-type")), ("\"7\"", "application/json"));
}

#[tokio::test]
async fn request_id_and_deadline_are_passed_on() {
    let request = claiming(&[("x-request-id", "mine"), ("x-request-deadline-ms", "5000")]);
    let (answer, echo) = through("", request).await;
    assert_eq!(answer.header("x-request-id"), "mine");
    assert_eq!(echo["headers"]["x-request-id"], "mine");
    let left: u64 = echo["headers"]["x-request-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert!((1..=5000).contains(&left), "{left}");
}
