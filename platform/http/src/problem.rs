//! What went wrong, as a client can read it (RFC 9457).

use std::borrow::Cow;
use std::sync::OnceLock;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The media type.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What every `type` starts with; the rest is the slug. Clients compare it, so a slug never changes.
const TYPE_PREFIX: &str = "urn:rentalbook:problem:";

/// An answer that says what was wrong and what to do about it.
///
/// Boxed, because it is the rare half of every `Result` on the way of a request.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    retry_after: Option<u32>,
    reason: Option<Reason>,
}

/// In the extensions of an answer: what the log says of it, and the client does not hear.
#[derive(Clone, Debug)]
pub(crate) struct Reason(pub(crate) String);

/// In the extensions of a 503: in how many seconds a retry may help, if not many others are told the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtLeast(pub(crate) u32);

/// Seconds after which a part that was away may be there again.
const AWAY: u32 = 2;

impl Problem {
    /// A problem of a kind that has no constructor of its own.
    ///
    /// `slug` is what clients recognise it by; `detail` says what was wrong and what to do.
    pub fn new(
        status: StatusCode,
        slug: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (members, headers, detail) = (Map::new(), Vec::new(), detail.into());
        Self(Box::new(Inner {
            status,
            slug,
            title,
            detail,
            members,
            headers,
            retry_after: None,
            reason: None,
        }))
    }

    /// 400: the body is not JSON.
    pub fn malformed_json(reason: impl std::fmt::Display) -> Self {
        let detail = format!("The body is not valid JSON: {reason}. Send one JSON document in UTF-8.");
        Self::new(StatusCode::BAD_REQUEST, "malformed-json", "Malformed JSON", detail)
    }

    /// 400: a part of the address or a header is not what it has to be. `expected` is a whole sentence.
    pub fn malformed_parameter(name: &str, expected: impl std::fmt::Display) -> Self {
        let detail = format!("`{name}` cannot be read. {expected}");
        Self::new(StatusCode::BAD_REQUEST, "malformed-parameter", "Malformed parameter", detail)
            .with("parameter", name)
    }

    /// 422: a field of the body is missing or has a value that is not allowed. `expected` is a whole sentence.
    pub fn invalid_field(field: &str, expected: impl std::fmt::Display) -> Self {
        let detail = format!("The field `{field}` is not accepted. {expected}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", "Invalid field", detail)
            .with("field", field)
    }

    /// 422: the body is JSON, but not of the shape that is wanted.
    pub fn invalid_body(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "Invalid body", detail)
    }

    /// 404: the address is of the right form, but there is nothing with this id.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        let detail = format!("There is no {what} {id}. Check the id, or look it up in the collection.");
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 404: what stands in the place of an id cannot be one.
    pub fn no_such_id(text: &str) -> Self {
        let detail = format!(
            "There is nothing with the id {text}: ids are whole numbers from 1. Check the id, or look it up in the \
             collection."
        );
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 404: nothing answers at this address.
    pub fn no_such_address(path: &str) -> Self {
        let detail = format!("Nothing answers at {path}. Start from the links at /.");
        Self::new(StatusCode::NOT_FOUND, "no-such-address", "No such address", detail)
    }

    /// 409: a rule refuses it in the state things are in. `slug` names the rule; `detail` says what can be done
    /// instead.
    pub fn refused(slug: &'static str, title: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, slug, title, detail)
    }

    /// 409: whenever it was tried, it met another change of the same thing.
    pub fn conflict() -> Self {
        let detail = "It was changed by others again and again. Get it, look whether the change is still wanted, and \
                      send it again.";
        Self::refused("conflict", "Conflict", detail)
    }

    /// 405: the address exists, the method does not. `instead` is a whole sentence.
    pub fn method_not_allowed(method: &http::Method, allow: &'static str, instead: &str) -> Self {
        let detail = format!("{method} is not possible here. {instead}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
            .with_header(ALLOW, HeaderValue::from_static(allow))
    }

    /// 406: the client accepts none of the types there are.
    pub fn not_acceptable() -> Self {
        let detail = "None of the types in the Accept header can be sent. Accept application/hal+json or \
                      application/json, or leave the header out.";
        Self::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not acceptable", detail)
    }

    /// 412: it is not the version that `If-Match` names.
    pub fn precondition_failed() -> Self {
        let detail = "It has changed since the version that If-Match names. Get it again, look whether the \
                      change is still wanted, and send it with the new ETag.";
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", "Precondition failed", detail)
    }

    /// 413: the body is longer than `limit` bytes.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("The body is longer than {limit} bytes. Send a shorter one.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail)
    }

    /// 415: the body is of a type that is not read here.
    pub fn unsupported_media_type(expected: &str) -> Self {
        let detail = format!("The Content-Type of the body is not read here. Send {expected}.");
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
            detail,
        )
    }

    /// 408: the body has not come in time; nothing was done.
    pub fn too_slow() -> Self {
        let detail = "The body did not arrive in time. Nothing was done; send it again, faster.";
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "Too slow", detail)
    }

    /// 503: more is asked at once than is taken on; nothing was done. `retry_after` are seconds, at least.
    pub fn overloaded(retry_after: u32) -> Self {
        let detail = "Too many requests are being served. Nothing was done; try again after as many seconds as \
                      Retry-After says.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Overloaded", detail)
            .with_retry_after(retry_after)
    }

    /// [`Problem::overloaded`] as an answer. In a rush it is given by the ten thousand, so its body is made once.
    pub(crate) fn overloaded_answer(retry_after: u32) -> Response {
        static BODY: OnceLock<Bytes> = OnceLock::new();
        let body = BODY.get_or_init(|| Self::overloaded(retry_after).to_json().into()).clone();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
        response
    }

    /// 503: the page would have to be looked for in the whole collection, and so do too many others already.
    pub fn too_many_long_reads() -> Self {
        let detail = "Too many pages that have to be looked for in the whole collection are asked for. Sort by id, or \
                      try again after as many seconds as Retry-After says.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Overloaded", detail).with_retry_after(AWAY)
    }

    /// 504: the answer took longer than a client may be kept waiting; what was asked may still happen. Not 503,
    /// which says that it will not.
    pub fn deadline_exceeded() -> Self {
        let detail = "The answer took too long. A change may have happened all the same: look before you repeat \
                      it, or repeat it with the same Idempotency-Key.";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "deadline-exceeded", "Deadline exceeded", detail)
    }

    /// 504: the store failed while it wrote; what was asked may have happened. Not 503, which says that it has not.
    pub fn in_doubt() -> Self {
        let detail = "The store failed while it wrote. The change may have happened all the same: look before you \
                      repeat it, or repeat it with the same Idempotency-Key.";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "in-doubt", "In doubt", detail)
    }

    /// 502: the connection to the one who was to answer broke; what was asked may have happened.
    pub fn broken_off() -> Self {
        let detail = "The connection to the service broke before it answered. A change may have happened all the \
                      same: look before you repeat it, or repeat it with the same Idempotency-Key.";
        Self::new(StatusCode::BAD_GATEWAY, "broken-off", "Broken off", detail)
    }

    /// 503: a part that is needed does not answer now. `what` is a whole sentence.
    pub fn unavailable(what: &str) -> Self {
        let detail = format!("{what} Please try again after as many seconds as Retry-After says.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", detail)
            .with_retry_after(AWAY)
    }

    /// 500: a bug. What it was belongs into the log, not here.
    pub fn internal() -> Self {
        let detail = "Something went wrong on our side. Try again; if it stays, report the X-Request-Id of \
                      this answer.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    /// Why it is so, for the log: the line about this answer says it.
    #[must_use]
    pub fn because(mut self, reason: impl std::fmt::Display) -> Self {
        self.0.reason = Some(Reason(reason.to_string()));
        self
    }

    /// Adds a member to the body.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Says in how many seconds a retry may help. With a 503 it is the least: the more are turned away, the later they
    /// may come back, and not together.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The end of the `type`, by which kinds are told apart.
    pub fn slug(&self) -> &'static str {
        self.0.slug
    }

    /// What was wrong and what to do.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    fn to_json(&self) -> Vec<u8> {
        // As nearly all are, and all that have to be made by the ten thousand.
        if self.0.members.is_empty() {
            let Inner { slug, status, title, detail, .. } = &*self.0;
            let plain = Plain { detail, status: status.as_u16(), title, kind: Kind(slug) };
            return serde_json::to_vec(&plain).unwrap_or_default();
        }
        let mut all = Map::new();
        all.insert("type".to_owned(), format!("{TYPE_PREFIX}{}", self.0.slug).into());
        all.insert("title".to_owned(), self.0.title.into());
        all.insert("status".to_owned(), self.0.status.as_u16().into());
        all.insert("detail".to_owned(), self.0.detail.as_ref().into());
        for (name, value) in &self.0.members {
            // The members of the format are not to be written over.
            all.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Value::Object(all).to_string().into_bytes()
    }
}

/// A problem without members of its own, in the order in which the others are.
#[derive(Serialize)]
struct Plain<'p> {
    detail: &'p str,
    status: u16,
    title: &'p str,
    #[serde(rename = "type")]
    kind: Kind<'p>,
}

/// The end of a `type`.
struct Kind<'p>(&'p str);

impl Serialize for Kind<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{TYPE_PREFIX}{}", self.0))
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_u16(), self.0.slug, self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = self.0.status;
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM);
        for (name, value) in self.0.headers {
            response.headers_mut().insert(name, value);
        }
        if let Some(seconds) = self.0.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            if self.0.status == StatusCode::SERVICE_UNAVAILABLE {
                response.extensions_mut().insert(AtLeast(seconds));
            }
        }
        if let Some(reason) = self.0.reason {
            response.extensions_mut().insert(reason);
        }
        response
    }
}
