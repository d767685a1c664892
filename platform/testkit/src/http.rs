//! Asking a router as its clients would, without a network.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use serde_json::Value;
use tower::ServiceExt as _;

/// What any client accepts.
pub const ACCEPT: (&str, &str) = ("accept", "*/*");

/// What a body is.
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// Largest body that a test reads.
const MOST: usize = 1 << 20;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as text.
    pub body: String,
}

impl Answer {
    /// A header; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The body; null where it is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// Checks that it is this problem, and returns what it says.
    ///
    /// # Panics
    /// Where it is another one, or a 503 that does not say when to come back.
    #[allow(clippy::must_use_candidate, reason = "it is a check, first of all")]
    pub fn problem(&self, status: u16, slug: &str) -> String {
        let found = (self.status, self.header("content-type"));
        assert_eq!(found, (status, "application/problem+json"), "{}", self.body);
        let body = self.json();
        let kind = body["type"].as_str().unwrap_or_default();
        assert_eq!(kind.rsplit(':').next(), Some(slug), "{body}");
        assert_eq!(body["status"], status);
        assert!(status != 503 || !self.header("retry-after").is_empty(), "a 503 says when to come back");
        body["detail"].as_str().map(str::to_owned).unwrap_or_else(|| panic!("without a detail: {body}"))
    }
}

/// Asks with a line such as `GET /orders/1`, under the name `host`.
///
/// # Panics
/// Where the line or a header is none.
pub async fn ask(router: &Router, host: &str, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let Some((method, path)) = line.split_once(' ') else { panic!("not a method and a path: {line}") };
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = match request.body(Body::from(body.to_owned())) {
        Ok(request) => request,
        Err(error) => panic!("{line}: {error}"),
    };
    let Ok(answer) = router.clone().oneshot(request).await;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = to_bytes(answer.into_body(), MOST).await.unwrap_or_else(|error| panic!("{line}: {error}"));
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}
