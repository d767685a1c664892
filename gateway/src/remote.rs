//! A service in other processes: the request goes on over HTTP, and its answer comes back as it is.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use platform_http::{
    Deadline, Peer, Problem, REQUEST_DEADLINE,
    client::{CallError, Client},
    read_body,
};

/// Time for a request that nobody has limited.
const UNLIMITED: Duration = Duration::from_secs(10);

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers that are about one connection and end with it (RFC 9110, 7.6.1). `Expect` was answered when the body was
/// asked for.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];

/// Sends it to a replica. What it may not repeat it sends once at most.
pub(crate) async fn forward(client: &Client, collection: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let deadline = parts.extensions.get().copied().unwrap_or_else(|| Deadline::after(UNLIMITED));
    // Whole, and not piece by piece: a client that sends slowly keeps no replica busy.
    let body = match read_body(&parts, body).await {
        Ok(body) => Body::from(body),
        Err(problem) => return problem.into_response(),
    };
    let request = Request::from_parts(onward(parts, deadline), body);
    match client.call(request, deadline.0).await {
        Ok(mut answer) => {
            end_hop(answer.headers_mut());
            answer
        }
        Err(error) => failed(&error, collection),
    }
}

/// The head as the replica gets it.
fn onward(mut parts: Parts, deadline: Deadline) -> Parts {
    end_hop(&mut parts.headers);
    if let Some(authority) = parts.uri.authority() {
        // The whole address was asked for: then it says what Host would say.
        if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
            parts.headers.insert(header::HOST, host);
        }
        parts.uri = parts.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    }
    parts.version = Version::HTTP_11;
    say_who_asks(&mut parts);
    parts.headers.insert(REQUEST_DEADLINE, deadline.to_header());
    parts
}

/// What came from a proxy that is believed stays; from anybody else it is gone already.
fn say_who_asks(parts: &mut Parts) {
    let headers = &mut parts.headers;
    if let Some(Peer(peer)) = parts.extensions.get() {
        let peer = peer.ip().to_canonical().to_string();
        let before = headers.get_all(FOR).iter().filter_map(|before| before.to_str().ok());
        let all = before.chain([peer.as_str()]).collect::<Vec<_>>().join(", ");
        if let Ok(all) = HeaderValue::from_str(&all) {
            headers.insert(FOR, all);
        }
    }
    if headers.contains_key(header::FORWARDED) || headers.contains_key(HOST) {
        return;
    }
    // The Host that the client used stays as well, so the service's links name the gateway in any case.
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert(HOST, host);
    }
    headers.entry(PROTO).or_insert(HeaderValue::from_static("http"));
}

/// Takes out what is about this connection alone, and what `Connection` names.
fn end_hop(headers: &mut HeaderMap) {
    if let Some(named) = headers.remove(header::CONNECTION) {
        for name in named.to_str().unwrap_or_default().split(',') {
            headers.remove(name.trim());
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn failed(error: &CallError, collection: &str) -> Response {
    let problem = match error {
        CallError::NotSent(_) => {
            let what =
                format!("No replica of the service behind /{collection} can be reached; nothing was done.");
            Problem::unavailable(&what)
        }
        CallError::Broken(_) => Problem::broken_off(),
        CallError::Late => Problem::deadline_exceeded(),
        // It is in memory.
        CallError::Body(_) => Problem::internal(),
    };
    if problem.status().is_server_error() {
        tracing::debug!(%error, collection, "a request could not be passed on");
    }
    problem.into_response()
}
