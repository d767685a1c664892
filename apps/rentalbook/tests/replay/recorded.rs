//! What was recorded.

use std::collections::{BTreeMap, BTreeSet};

use rentalbook::cli::ServiceArg;
use serde::Deserialize;
use serde_json::Value;

/// A request and what the original answered.
#[derive(Debug, Deserialize)]
pub(super) struct Exchange {
    pub(super) request: Asked,
    pub(super) response: Answered,
}

/// A request.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) service: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<String>,
}

/// An answer. Headers have small letters.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    /// Headers that it must not have.
    #[serde(skip)]
    pub(super) absent: BTreeSet<String>,
    #[serde(deserialize_with = "body")]
    pub(super) body: Body,
}

/// What an answer carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    /// Nothing.
    Empty,
    /// JSON, in which keys may be added.
    Json(Value),
    /// A problem that clients recognise by the end of its `type`.
    Problem(&'static str),
}

fn body<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(Body::Empty);
    }
    serde_json::from_str(&text).map(Body::Json).map_err(serde::de::Error::custom)
}

impl Asked {
    /// Which of our services stands in, and the address under which the original's clients knew it.
    pub(super) fn place(&self) -> (ServiceArg, &'static str) {
        match self.service.as_str() {
            "order" => (ServiceArg::Order, "localhost:8081"),
            "rent" => (ServiceArg::Rent, "localhost:8082"),
            "delivery" => (ServiceArg::Delivery, "localhost:8083"),
            "mypage" => (ServiceArg::Mypage, "localhost:8084"),
            "gateway" => (ServiceArg::Gateway, "localhost:8088"),
            other => panic!("no service {other}"),
        }
    }
}

/// The exchange, numbered from 1 as in the file's lines.
pub(super) fn exchanges() -> impl Iterator<Item = (u16, Exchange)> {
    let lines = include_str!("original.jsonl").lines();
    (1..).zip(lines.map(|line| serde_json::from_str(line).expect("a recorded exchange")))
}
