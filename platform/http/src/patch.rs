//! PATCH of one field, in the three formats that clients send.

use http::HeaderValue;
use http::header::HeaderName;
use serde_json::Value;

use crate::{Object, Problem, RawBody};

/// The formats, for the `Accept-Patch` header.
pub const ACCEPT_PATCH: &str = "application/json, application/merge-patch+json, application/json-patch+json";

/// How often a patch with a test is tried, where others change what it has tested before it is written: each time
/// its test is asked again. Then it is a [`Problem::conflict`].
pub const TRIES: usize = 16;

/// A change of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldPatch {
    /// What the field has to be before the change; see [`FieldPatch::check`].
    pub tests: Vec<Value>,
    /// What it is to become.
    pub value: String,
}

impl FieldPatch {
    /// A 409 if a test of the patch expects something else than `current`.
    pub fn check(&self, current: &str) -> Result<(), Problem> {
        match self.tests.iter().all(|expected| expected.as_str() == Some(current)) {
            true => Ok(()),
            false => Err(test_failed(current)),
        }
    }
}

/// Reads a patch of `field`, the only one that may be changed.
///
/// `application/json` and `application/merge-patch+json`: an object with this field alone.
/// `application/json-patch+json`: `test` and `replace` of `/field`.
pub fn parse_patch(body: &RawBody, field: &str) -> Result<FieldPatch, Problem> {
    match body.media_type().as_str() {
        "application/json" | "application/merge-patch+json" => merge_patch(&body.bytes, field),
        "application/json-patch+json" => json_patch(&body.bytes, field),
        _ => Err(Problem::unsupported_media_type("one of the types in Accept-Patch")
            .with_header(HeaderName::from_static("accept-patch"), HeaderValue::from_static(ACCEPT_PATCH))),
    }
}

fn merge_patch(bytes: &[u8], field: &str) -> Result<FieldPatch, Problem> {
    let object = Object::parse(bytes)?;
    if let Some(other) = object.names().find(|name| *name != field) {
        return Err(not_changeable(other, field));
    }
    let value = object.get(field).ok_or_else(|| missing(field))?;
    Ok(FieldPatch { tests: Vec::new(), value: text(value, field)? })
}

fn json_patch(bytes: &[u8], field: &str) -> Result<FieldPatch, Problem> {
    let document: Value = serde_json::from_slice(bytes).map_err(Problem::malformed_json)?;
    let operations = document.as_array().ok_or_else(|| shape(field))?;
    let (mut tests, mut value) = (Vec::new(), None::<String>);
    for operation in operations {
        let (kind, path) = (operation["op"].as_str(), operation["path"].as_str());
        let (Some(kind), Some(path)) = (kind, path) else { return Err(shape(field)) };
        if path.strip_prefix('/') != Some(field) {
            return Err(not_changeable(path, field));
        }
        let operand = operation.get("value").ok_or_else(|| shape(field))?;
        match (kind, &value) {
            ("replace", _) => value = Some(text(operand, field)?),
            ("test", None) => tests.push(operand.clone()),
            // A test after a replace is one of what the patch itself wrote.
            ("test", Some(written)) if operand.as_str() == Some(written) => {}
            ("test", Some(written)) => return Err(test_failed(written)),
            _ => return Err(shape(field)),
        }
    }
    let value = value.ok_or_else(|| missing(field))?;
    Ok(FieldPatch { tests, value })
}

fn text(value: &Value, field: &str) -> Result<String, Problem> {
    value.as_str().map(str::to_owned).ok_or_else(|| Problem::invalid_field(field, "It has to be a text."))
}

fn missing(field: &str) -> Problem {
    Problem::invalid_field(field, "It is missing, and it is what can be changed.")
}

fn not_changeable(other: &str, field: &str) -> Problem {
    Problem::invalid_field(other, format!("Only `{field}` can be changed. Send it alone."))
}

fn test_failed(current: &str) -> Problem {
    Problem::refused(
        "test-failed",
        "Test failed",
        format!("A test of the patch does not hold: the value is `{current}`. Look at it again first."),
    )
}

fn shape(field: &str) -> Problem {
    Problem::invalid_body(format!(
        "The patch has to be an array of `test` and `replace` on `/{field}`, each with a `value`."
    ))
}

#[cfg(test)]
mod tests;
