//! Compares an answer of ours with what is expected.

use std::collections::BTreeSet;

use serde_json::Value;

use super::recorded::{Answered, Body};
use crate::harness::Answer;

/// Headers that must be as expected, and absent where nothing is expected.
const ALWAYS: [&str; 4] = ["content-type", "location", "link", "access-control-allow-origin"];

/// What differs, one sentence each; and the keys that ours has in addition, without the numbers of items.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) differences: Vec<String>,
    pub(super) added: BTreeSet<String>,
}

impl Comparison {
    /// Compares.
    pub(super) fn of(expected: &Answered, ours: &Answer) -> Self {
        let mut comparison = Self::default();
        if expected.status != ours.status {
            comparison.differs("status", expected.status, ours.status);
        }
        comparison.headers(expected, ours);
        match &expected.body {
            Body::Empty if ours.body.is_empty() => {}
            Body::Empty => comparison.differs("body", "none", String::from_utf8_lossy(&ours.body)),
            Body::Problem(slug) => comparison.problem(slug, ours),
            Body::Json(expected) => match serde_json::from_slice(&ours.body) {
                Ok(ours) => comparison.json("", expected, &ours),
                Err(_) => comparison.differs("body", expected, String::from_utf8_lossy(&ours.body)),
            },
        }
        comparison
    }

    fn differs(&mut self, place: &str, expected: impl std::fmt::Display, ours: impl std::fmt::Display) {
        self.differences.push(format!("{place}: expected {expected}, ours {ours}"));
    }

    fn headers(&mut self, expected: &Answered, ours: &Answer) {
        let names: BTreeSet<_> =
            expected.headers.keys().chain(&expected.absent).map(String::as_str).chain(ALWAYS).collect();
        for name in names {
            let (expected, ours) = (expected.headers.get(name).map(String::as_str), ours.header(name));
            if expected != ours {
                let text = |value: Option<&str>| value.unwrap_or("none").to_owned();
                self.differs(name, text(expected), text(ours));
            }
        }
    }

    fn problem(&mut self, slug: &str, ours: &Answer) {
        let body: Value = serde_json::from_slice(&ours.body).unwrap_or_default();
        let expected = format!("urn:rentalbook:problem:{slug}");
        if body["type"] != expected {
            self.differs("problem", expected, &body);
        }
        if body["status"] != ours.status || body["detail"].as_str().is_none_or(str::is_empty) {
            self.differs("problem", "its status and a sentence", &body);
        }
    }

    fn json(&mut self, place: &str, expected: &Value, ours: &Value) {
        match (expected, ours) {
            (Value::Object(expected), Value::Object(ours)) => {
                for (key, value) in expected {
                    match ours.get(key) {
                        Some(ours) => self.json(&format!("{place}/{key}"), value, ours),
                        None => self.differs(&format!("{place}/{key}"), value, "none"),
                    }
                }
                let added = ours.keys().filter(|key| !expected.contains_key(*key));
                self.added.extend(added.map(|key| format!("{}/{key}", without_numbers(place))));
            }
            (Value::Array(expected), Value::Array(ours)) if expected.len() == ours.len() => {
                for (n, (expected, ours)) in expected.iter().zip(ours).enumerate() {
                    self.json(&format!("{place}/{n}"), expected, ours);
                }
            }
            _ if expected == ours => {}
            _ => self.differs(place, expected, ours),
        }
    }
}

fn without_numbers(place: &str) -> String {
    let named = place.split('/').filter(|part| !part.is_empty() && part.parse::<usize>().is_err());
    named.flat_map(|part| ["/", part]).collect()
}
