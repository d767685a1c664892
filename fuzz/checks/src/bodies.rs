//! Bodies of requests.

use axum::response::IntoResponse as _;
use platform_http::{Object, Problem, RawBody, parse_patch};
use serde_json::Value;

/// Most characters of a text, as the services ask for it.
const MOST: usize = 500;

/// Most objects of a list, as rent asks for it.
const MOST_OBJECTS: usize = 64;

/// Reads a JSON object and asks for its fields in every way. What is no object is a problem that says so; what is one
/// has the fields that any other reader sees.
pub fn body(bytes: &[u8]) {
    let object = match Object::parse(bytes) {
        Ok(object) => object,
        Err(problem) => return is_a_refusal(problem),
    };
    let other: Value = serde_json::from_slice(bytes).expect("what was read is JSON");
    let other = other.as_object().expect("an object");
    assert_eq!(object.names().count(), other.len());
    for (name, value) in other {
        assert_eq!(object.get(name), Some(value));
        match object.optional_text(name, 1, MOST) {
            Ok(Some(text)) => {
                assert_eq!(value.as_str(), Some(text));
                assert!((1..=MOST).contains(&text.chars().count()) && !text.contains(char::is_control));
            }
            Ok(None) => assert!(value.is_null()),
            Err(problem) => is_a_refusal(problem),
        }
        match object.optional_id(name) {
            Ok(Some(id)) => assert!(id > 0 && value.as_i64() == Some(id)),
            Ok(None) => assert!(value.is_null()),
            Err(problem) => is_a_refusal(problem),
        }
        // Required is the same, but for what is not there.
        assert_eq!(object.text(name, 1, MOST).ok(), object.optional_text(name, 1, MOST).ok().flatten());
        assert_eq!(object.id(name).ok(), object.optional_id(name).ok().flatten());
        match object.clone().objects(name, MOST_OBJECTS) {
            Ok(objects) => assert!(is_list_of(value, &objects)),
            Err(problem) => is_a_refusal(problem),
        }
    }
}

fn is_list_of(value: &Value, objects: &[Object]) -> bool {
    let Some(items) = value.as_array() else { return false };
    let same = |(item, object): (&Value, &Object)| {
        let fields = item.as_object().into_iter().flatten();
        item.is_object()
            && fields.clone().count() == object.names().count()
            && fields.into_iter().all(|(name, value)| object.get(name) == Some(value))
    };
    (1..=MOST_OBJECTS).contains(&items.len())
        && items.len() == objects.len()
        && items.iter().zip(objects).all(same)
}

/// The media types of a patch; the first byte says which.
const MEDIA: [Option<&str>; 5] = [
    Some("application/json"),
    Some("application/merge-patch+json"),
    Some("application/json-patch+json"),
    Some("text/plain"),
    None,
];

/// Reads a patch. What is understood can be asked about any word.
pub fn patch(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let media = MEDIA[usize::from(*kind) % MEDIA.len()];
    let body = RawBody { content_type: media.map(str::to_owned), bytes: bytes.to_vec().into() };
    match parse_patch(&body, "status") {
        Ok(patch) => {
            assert!(media.is_some_and(|media| media.starts_with("application/")));
            let holds = patch.tests.iter().all(|test| test.as_str() == Some("Ordered"));
            assert_eq!(patch.check("Ordered").is_ok(), holds);
        }
        Err(problem) => is_a_refusal(problem),
    }
}

/// Fails unless the problem tells the client what it did wrong: never that we could not cope.
pub(crate) fn is_a_refusal(problem: Problem) {
    let response = problem.into_response();
    assert!(response.status().is_client_error(), "{}", response.status());
}
