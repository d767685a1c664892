//! What a handler has to know of a request before it looks at the body.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderValue, Uri};

use crate::page::parameters;
use crate::{Accept, LinkBase, Problem, conditional};

/// The head of a request, read once: everything that shapes the answer.
///
/// As an argument of a handler it answers 406 before anything is done.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where the links of the answer point.
    pub base: LinkBase,
    /// The type of the answer.
    pub accept: Accept,
    /// The path and the query.
    pub uri: Uri,
    // Read with the head, but only a handler that changes something answers for it.
    if_match: Result<Option<i64>, Problem>,
    pub(crate) if_none_match: Option<HeaderValue>,
}

impl Asked {
    /// Reads the head of a request.
    pub fn of(parts: &Parts) -> Result<Self, Problem> {
        Ok(Self {
            base: LinkBase::of(parts)?,
            accept: Accept::of(&parts.headers)?,
            uri: parts.uri.clone(),
            if_match: conditional::if_match(&parts.headers),
            if_none_match: conditional::none_match(&parts.headers),
        })
    }

    /// The version that the change is for, if the client names one with `If-Match`. If it is not the version
    /// there is, answer [`Problem::precondition_failed`].
    pub fn required_version(&self) -> Result<Option<i64>, Problem> {
        self.if_match.clone()
    }

    /// A parameter of the query, decoded; a 400 if it is missing, empty or has control characters.
    pub fn text_parameter(&self, name: &str) -> Result<String, Problem> {
        let found = parameters(&self.uri)?.into_iter().find(|(key, _)| key == name);
        match found {
            Some((_, value)) if !value.is_empty() && !value.chars().any(char::is_control) => Ok(value),
            Some(_) => Err(Problem::malformed_parameter(name, format!("Send a text: ?{name}=…"))),
            None => Err(Problem::malformed_parameter(name, format!("It is missing: add ?{name}=…"))),
        }
    }

    /// A parameter of the query that is an id; else a 400.
    pub fn id_parameter(&self, name: &str) -> Result<i64, Problem> {
        let text = self.text_parameter(name)?;
        let expected = "Send a whole number from 1 to 9223372036854775807.";
        parse_id(&text).ok_or_else(|| Problem::malformed_parameter(name, expected))
    }
}

/// An id is a whole number from 1.
pub(crate) fn parse_id(text: &str) -> Option<i64> {
    // A sign is no digit: `+1` would be a second address of the same thing.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<i64>().ok().filter(|id| digits && *id > 0)
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}
