//! Records of the topic.

use contracts::{Event, WireClock, decode};
use serde_json::Value;

/// Reads a record. What is read can be written, and read again as the same; and what is written is such that every
/// reader of the original understands it.
pub fn event(bytes: &[u8]) {
    let Ok(Some(event)) = decode(bytes, || "rentalbook-0-0".to_owned()) else { return };
    let written = event.encode(&WireClock::default());
    let again = decode(&written, || panic!("what is written has a name"));
    assert_eq!(again.ok().flatten().as_ref(), Some(&event), "{}", String::from_utf8_lossy(&written));
    of_the_original(&event, &written);
}

/// The original's readers parse every record, whatever it is: numbers where they expect numbers, texts where texts.
fn of_the_original(event: &Event, written: &[u8]) {
    assert!(!written.contains(&b'\n'), "one line");
    let value: Value = serde_json::from_slice(written).expect("JSON");
    assert_eq!(value["id"].as_i64(), Some(event.id));
    assert_eq!(value["orderId"].as_i64(), Some(event.order_id));
    assert!(value["me"].is_boolean());
    for key in ["eventType", "status", "timestamp"] {
        assert!(value[key].is_string(), "{key}");
    }
    let timestamp = value["timestamp"].as_str().expect("checked above");
    let is_date = timestamp.len() == 14 && timestamp.bytes().all(|digit| digit.is_ascii_digit());
    assert!(is_date || event.occurred_at.is_none(), "{timestamp}");
}
