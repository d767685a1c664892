use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use serde_json::Value;

use super::{BodyLimit, Object};
use crate::Problem;

fn parse(text: &str) -> Object {
    Object::parse(text.as_bytes()).unwrap()
}

fn refused(body: &[u8]) -> (u16, &'static str) {
    let problem = Object::parse(body).unwrap_err();
    (problem.status().as_u16(), problem.slug())
}

async fn send(content_type: &str, body: &'static str, limit: Option<usize>) -> Result<Object, Problem> {
    let mut request = Request::new(Body::from(body));
    if !content_type.is_empty() {
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
    }
    if let Some(limit) = limit {
        request.extensions_mut().insert(BodyLimit(limit));
    }
    Object::from_request(request, &()).await
}

#[test]
fn what_is_no_json_is_a_400() {
    for body in [
        &b""[..],
        b"  ",
        b"{\"item\":",
        b"{} x",
        b"{'a':1}",
        b"\"unfinished",
        b"{\"item\":\"\\ud800\"}",
        b"{\"item\":\"\xff\"}",
        b"{\"item\":1e999}",
    ] {
        assert_eq!(refused(body), (400, "malformed-json"), "{}", String::from_utf8_lossy(body));
    }
    let deep = [b"{\"a\":".to_vec(), b"[".repeat(5000)].concat();
    assert_eq!(refused(&deep), (400, "malformed-json"));
}

#[test]
fn what_is_no_object_is_a_422() {
    for body in ["[]", "1", "null", "\"x\"", "true"] {
        assert_eq!(refused(body.as_bytes()), (422, "invalid-body"), "{body}");
    }
}

#[test]
fn a_field_that_is_there_twice_is_named() {
    let problem = Object::parse(br#"{"item":"a","item":"b"}"#).unwrap_err();
    assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem.detail().contains("`item`"), "{problem}");
}

#[test]
fn texts_are_counted_in_characters() {
    let object = parse(r#"{"item":"코스모스","other":[1,{"deep":null}]}"#);
    assert_eq!(object.text("item", 1, 4).unwrap(), "코스모스");
    assert_eq!(object.text("item", 1, 3).unwrap_err().slug(), "invalid-field");
    assert_eq!(object.text("item", 5, 9).unwrap_err().slug(), "invalid-field");
}

#[test]
fn a_text_is_not_blank_and_has_no_control_characters() {
    let object = parse(r#"{"blank":"  ","line":"a\nb","nul":"\u0000","number":1,"null":null}"#);
    for field in ["blank", "line", "nul", "number", "null", "absent"] {
        let problem = object.text(field, 1, 100).unwrap_err();
        assert_eq!(problem.status().as_u16(), 422);
        assert!(problem.detail().contains(&format!("`{field}`")), "{problem}");
    }
    assert_eq!(object.optional_text("null", 1, 9).unwrap(), None);
    assert_eq!(object.optional_text("absent", 1, 9).unwrap(), None);
    assert!(object.optional_text("number", 1, 9).is_err());
}

#[test]
fn an_id_is_a_whole_number_from_one() {
    let object = parse(r#"{"good":7,"zero":0,"below":-1,"half":1.5,"text":"1","huge":99999999999999999999}"#);
    assert_eq!(object.id("good").unwrap(), 7);
    for field in ["zero", "below", "half", "text", "huge"] {
        assert_eq!(object.id(field).unwrap_err().status().as_u16(), 422, "{field}");
        assert_eq!(object.optional_id(field).unwrap_err().status().as_u16(), 422, "{field}");
    }
    assert_eq!(object.id("absent").unwrap_err().status().as_u16(), 422);
    assert_eq!(object.optional_id("absent").unwrap(), None);
}

#[test]
fn a_list_of_objects_is_neither_empty_nor_too_long() {
    let listed = |text| parse(text).objects("all", 2);
    let both = listed(r#"{"all":[{"id":1},{"id":2}]}"#).unwrap();
    assert_eq!(both.iter().map(|item| item.id("id").unwrap()).collect::<Vec<_>>(), [1, 2]);
    for text in ["{}", r#"{"all":null}"#, r#"{"all":[]}"#, r#"{"all":[{},{},{}]}"#, r#"{"all":[{},1]}"#] {
        let problem = listed(text).unwrap_err();
        assert_eq!(problem.status().as_u16(), 422, "{text}");
        assert!(problem.detail().contains("1 to 2 objects"), "{problem}");
    }
}

#[test]
fn what_is_wrong_in_a_list_is_said_with_its_place() {
    let both = parse(r#"{"all":[{"id":1},{"id":0,"name":"a\nb"}]}"#).objects("all", 2).unwrap();
    let problems = [
        both[0].text("name", 1, 9).unwrap_err(),
        both[1].id("id").unwrap_err(),
        both[1].text("name", 1, 9).unwrap_err(),
    ];
    for (problem, field) in problems.iter().zip(["`all[0].name`", "`all[1].id`", "`all[1].name`"]) {
        assert!(problem.detail().contains(field), "{problem}");
    }
}

#[test]
fn a_field_is_there_once_however_deep() {
    for text in
        [r#"{"a":1,"a":1}"#, r#"{"all":[{"id":1},{"a":1,"a":2}]}"#, r#"{"b":{"c":[[{"a":null,"a":null}]]}}"#]
    {
        let problem = Object::parse(text.as_bytes()).unwrap_err();
        assert_eq!((problem.status().as_u16(), problem.slug()), (422, "invalid-field"), "{text}");
        assert!(problem.detail().contains("`a`"), "{problem}");
    }
    let text = r#"{"a":{"a":[1,-1,1.5,1e30,"a",true,null,{"a":{}}]},"b":18446744073709551615}"#;
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(parse(text).get("a"), value.get("a"));
    assert_eq!(parse(text).get("b"), value.get("b"));
}

#[tokio::test]
async fn every_kind_of_json_is_read_and_nothing_else() {
    for kind in ["application/json", "application/json;charset=UTF-8", "Application/HAL+JSON"] {
        assert!(send(kind, "{}", None).await.is_ok(), "{kind}");
    }
    for kind in ["", "text/plain", "text/json", "application/xml", "application/jsonx", "multipart/form-data"]
    {
        let problem = send(kind, "{}", None).await.unwrap_err();
        assert_eq!(problem.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
}

#[tokio::test]
async fn a_longer_body_than_the_limit_is_a_413() {
    assert!(send("application/json", "{\"a\":1}", Some(7)).await.is_ok());
    let problem = send("application/json", "{\"a\":12}", Some(7)).await.unwrap_err();
    assert_eq!(problem.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_even_read() {
    let mut request = Request::new(Body::from("{}"));
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    request.headers_mut().insert("content-length", "65537".parse().unwrap());
    let problem = Object::from_request(request, &()).await.unwrap_err();
    assert_eq!(problem.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
