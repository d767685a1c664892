//! Bodies of requests.

mod unique;

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::Deserializer as _;
use serde_json::{Map, Value};
use tokio::time::timeout_at;

use crate::Problem;
use crate::deadline::Deadline;
use crate::limits::Seat;
use unique::Fields;

/// A body is at most so long, in bytes, where no [`BodyLimit`] says otherwise.
pub const DEFAULT_BODY_LIMIT: usize = 64 * 1024;

/// A body is given up so long before the request is, so that the client hears what was too slow.
const BEFORE: Duration = Duration::from_millis(1);

/// On a request: how long its body may be, in bytes, instead of [`DEFAULT_BODY_LIMIT`].
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

/// A body as it came, within the limit.
#[derive(Clone, Debug)]
pub struct RawBody {
    /// The `Content-Type` header, if it is one.
    pub content_type: Option<String>,
    /// The bytes.
    pub bytes: Bytes,
}

/// A JSON object. Fields that nobody asks for are ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    fields: Map<String, Value>,
    /// Where it stands in the body, before the name of a field: empty, or `list[2].`.
    place: String,
}

impl RawBody {
    async fn read(request: Request) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts, body).await?;
        let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok(Self { content_type: content_type.map(str::to_owned), bytes })
    }

    /// The media type in lower case, without parameters.
    pub(crate) fn media_type(&self) -> String {
        let text = self.content_type.as_deref().unwrap_or("");
        text.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the whole body of the request whose head this is.
///
/// A client that sends it slowly takes nobody's place meanwhile.
///
/// # Errors
/// 413 where it is too long, 408 where it does not come before the request's deadline, 503 where it came and others have
/// taken its place, 400 where it ends early.
pub async fn read_body(head: &Parts, body: Body) -> Result<Bytes, Problem> {
    let limit = head.extensions.get::<BodyLimit>().map_or(DEFAULT_BODY_LIMIT, |limit| limit.0);
    if announced_length(&head.headers).is_some_and(|length| length > limit as u64) {
        return Err(Problem::too_large(limit));
    }
    let mut collecting = pin!(Limited::new(body, limit).collect());
    // Nearly always it has come with the head.
    let collected = match poll_fn(|cx| Poll::Ready(collecting.as_mut().poll(cx))).await {
        Poll::Ready(collected) => collected,
        Poll::Pending => wait_outside(head, collecting).await?,
    };
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(limit)),
        Err(_) => Err(Problem::malformed_json("it ended before it was complete")),
    }
}

/// Waits for `collecting` without a place among the requests that are being served.
async fn wait_outside<T>(head: &Parts, collecting: impl Future<Output = T>) -> Result<T, Problem> {
    let outside = head.extensions.get::<Seat>().map(Seat::leave);
    let collected = match head.extensions.get::<Deadline>() {
        Some(Deadline(at)) => timeout_at(*at - BEFORE, collecting).await.map_err(|_| Problem::too_slow())?,
        None => collecting.await,
    };
    match outside {
        Some(outside) => outside.come_back().map(|()| collected),
        None => Ok(collected),
    }
}

impl<S: Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Self::read(request).await
    }
}

impl<S: Sync> FromRequest<S> for Object {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        // Before the body is waited for: it would not be read anyway.
        if !request.headers().get(CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes())) {
            return Err(Problem::unsupported_media_type("application/json"));
        }
        Self::parse(&RawBody::read(request).await?.bytes)
    }
}

/// `application/json` or `application/…+json`, with any parameters.
fn is_json(content_type: &[u8]) -> bool {
    if content_type == b"application/json" {
        return true;
    }
    let Ok(text) = std::str::from_utf8(content_type) else { return false };
    let name = text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    name.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

impl Object {
    /// Parses a body: 400 if it is not JSON, 422 if it is no object or names a field twice.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.trim_ascii().is_empty() {
            return Err(Problem::malformed_json("it is empty"));
        }
        let mut reader = serde_json::Deserializer::from_slice(body);
        let mut twice = None;
        let fields = reader.deserialize_any(Fields(&mut twice)).map_err(problem)?;
        reader.end().map_err(problem)?;
        match twice {
            Some(field) => Err(Problem::invalid_field(&field, "It is there twice. Send it once.")),
            None => Ok(Self { fields, place: String::new() }),
        }
    }

    /// Whatever is there under this name.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// A text of `min` to `max` characters, without control characters; else a 422 that names the field.
    ///
    /// Spaces around it do not count towards `min`, so that a text of spaces is none.
    pub fn text(&self, field: &str, min: usize, max: usize) -> Result<&str, Problem> {
        self.optional_text(field, min, max)?.ok_or_else(|| {
            self.invalid(field, format!("It is missing. Send a text of {min} to {max} characters."))
        })
    }

    /// Like [`Object::text`], but it may be absent or null.
    pub fn optional_text(&self, field: &str, min: usize, max: usize) -> Result<Option<&str>, Problem> {
        match self.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => match wrong_text(text, min, max) {
                Some(expected) => Err(self.invalid(field, expected)),
                None => Ok(Some(text)),
            },
            Some(_) => Err(self.invalid(field, "It has to be a text.")),
        }
    }

    /// A list of 1 to `most` objects; else a 422 that names the field.
    pub fn objects(mut self, field: &str, most: usize) -> Result<Vec<Self>, Problem> {
        let value = self.fields.remove(field);
        let expected = || self.invalid(field, format!("It has to be a list of 1 to {most} objects."));
        let Some(Value::Array(items)) = value else { return Err(expected()) };
        if !(1..=most).contains(&items.len()) {
            return Err(expected());
        }
        let object = |(n, item)| match item {
            Value::Object(fields) => Ok(Self { fields, place: format!("{}{field}[{n}].", self.place) }),
            _ => Err(expected()),
        };
        items.into_iter().enumerate().map(object).collect()
    }

    /// A whole number from 1; else a 422 that names the field.
    pub fn id(&self, field: &str) -> Result<i64, Problem> {
        let missing = || self.invalid(field, "It is missing. Send a whole number from 1.");
        self.optional_id(field)?.ok_or_else(missing)
    }

    /// Like [`Object::id`], but it may be absent or null.
    pub fn optional_id(&self, field: &str) -> Result<Option<i64>, Problem> {
        match self.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(id) if id > 0 => Ok(Some(id)),
                _ => Err(self.invalid(field, "It has to be a whole number from 1.")),
            },
        }
    }

    /// 422: this field of it is not accepted. `expected` is a whole sentence.
    pub fn invalid(&self, field: &str, expected: impl fmt::Display) -> Problem {
        Problem::invalid_field(&format!("{}{field}", self.place), expected)
    }
}

/// What a text has to be that is not so.
fn wrong_text(text: &str, min: usize, max: usize) -> Option<Cow<'static, str>> {
    let long_enough = min == 0 || text.trim().chars().take(min).count() == min;
    // Nothing is longer in characters than in bytes, so most texts are not counted.
    let short_enough = text.len() <= max || text.chars().count() <= max;
    if !long_enough || !short_enough {
        let not_only_spaces = if min > 0 { ", not only spaces" } else { "" };
        return Some(format!("It has to be a text of {min} to {max} characters{not_only_spaces}.").into());
    }
    text.chars().any(char::is_control).then(|| "It has control characters. Leave them out.".into())
}

fn problem(error: serde_json::Error) -> Problem {
    if error.is_data() {
        Problem::invalid_body("The body has to be a JSON object: {\"field\": value}.")
    } else {
        Problem::malformed_json(error)
    }
}

#[cfg(test)]
mod tests;
