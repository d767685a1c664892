use bytes::Bytes;
use serde_json::json;

use super::{FieldPatch, parse_patch};
use crate::{Problem, RawBody};

fn patch(content_type: &str, body: &str) -> Result<FieldPatch, Problem> {
    let content_type = Some(content_type.to_owned());
    parse_patch(&RawBody { content_type, bytes: Bytes::from(body.to_owned()) }, "status")
}

fn steps(body: &str) -> Result<FieldPatch, Problem> {
    patch("application/json-patch+json", body)
}

fn status(result: Result<FieldPatch, Problem>) -> u16 {
    result.unwrap_err().status().as_u16()
}

#[test]
fn an_object_with_the_field_alone_changes_it() {
    for kind in ["application/json", "application/merge-patch+json", "Application/JSON; charset=utf-8"] {
        let read = patch(kind, r#"{"status":"Shipped"}"#).unwrap();
        assert_eq!(read, FieldPatch { tests: vec![], value: "Shipped".to_owned() });
    }
}

#[test]
fn another_field_is_named() {
    let problem = patch("application/json", r#"{"status":"a","item":"b"}"#).unwrap_err();
    assert_eq!(problem.status().as_u16(), 422);
    assert!(problem.detail().contains("`item`"), "{problem}");
}

#[test]
fn what_changes_nothing_or_is_no_text_is_a_422() {
    for body in ["{}", r#"{"status":null}"#, r#"{"status":1}"#, "[]"] {
        assert_eq!(status(patch("application/json", body)), 422, "{body}");
    }
    assert_eq!(status(patch("application/json", "{")), 400);
    assert_eq!(status(patch("application/json", "")), 400);
}

#[test]
fn steps_replace_what_they_have_tested() {
    let read = steps(
        r#"[{"op":"test","path":"/status","value":"Ordered"},
            {"op":"replace","path":"/status","value":"Order Cancel"},
            {"op":"test","path":"/status","value":"Order Cancel"}]"#,
    )
    .unwrap();
    assert_eq!(read.value, "Order Cancel");
    assert_eq!(read.tests, [json!("Ordered")]);
    assert!(read.check("Ordered").is_ok());
    assert_eq!(read.check("Shipped").unwrap_err().status().as_u16(), 409);
}

#[test]
fn a_step_that_tests_what_the_patch_wrote_otherwise_fails() {
    let late =
        r#"[{"op":"replace","path":"/status","value":"a"},{"op":"test","path":"/status","value":"b"}]"#;
    assert_eq!(status(steps(late)), 409);
}

#[test]
fn other_steps_are_a_422() {
    for body in [
        "{}",
        "[]",
        "[1]",
        r#"[{"op":"remove","path":"/status"}]"#,
        r#"[{"op":"add","path":"/status","value":"a"}]"#,
        r#"[{"op":"replace","path":"/item","value":"a"}]"#,
        r#"[{"op":"replace","path":"status","value":"a"}]"#,
        r#"[{"op":"replace","path":"/status"}]"#,
        r#"[{"op":"replace","path":"/status","value":1}]"#,
        r#"[{"op":"test","path":"/status","value":"a"}]"#,
    ] {
        assert_eq!(status(steps(body)), 422, "{body}");
    }
    assert_eq!(status(steps("[")), 400);
}

#[test]
fn other_formats_are_a_415() {
    assert_eq!(status(patch("text/plain", "x")), 415);
    assert_eq!(status(patch("application/hal+json", "{}")), 415);
    let none = RawBody { content_type: None, bytes: Bytes::from_static(b"{}") };
    assert_eq!(status(parse_patch(&none, "status")), 415);
}
