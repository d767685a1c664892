//! JSON to events, as tolerant as the original's producers demand.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{Event, EventKind, Timestamp, UnknownEvent};

/// A record that names one of our events and yet is none: it can never be understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or a key of the wrong type.
    #[error("not an event: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A known event without the id of its order.
    #[error("{event_type} without {missing}")]
    Missing {
        /// Its type.
        event_type: String,
        /// The key that is not there.
        missing: &'static str,
    },
}

/// A text that is only looked at: copied out of the record only where it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(default, borrow)]
    event_type: Option<Text<'a>>,
    #[serde(default)]
    id: Option<i64>,
    #[serde(default)]
    order_id: Option<i64>,
    #[serde(default)]
    item: Option<String>,
    #[serde(default, borrow)]
    status: Option<Text<'a>>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    customer: Option<String>,
    #[serde(default, borrow)]
    occurred_at: Option<Text<'a>>,
}

/// Reads a record's value.
///
/// `Ok(None)` for what is nobody's business here: another type, another status of `Shipped`, or a record without
/// `eventType` (the original's consumers took that one for every type at once). Unknown keys, nulls and missing
/// keys are borne. An event without its own id is named after its `place`: topic, partition and offset.
pub fn decode(value: &[u8], place: impl FnOnce() -> String) -> Result<Option<Event>, DecodeError> {
    let wire: Wire<'_> = match serde_json::from_slice(value) {
        Ok(wire) => wire,
        Err(_) if is_nobodys(value) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(Text(event_type)) = wire.event_type else { return Ok(None) };
    let status = wire.status.as_ref().map(|Text(status)| status.as_ref());
    let kind = match EventKind::from_wire(&event_type, status, wire.item, wire.reason) {
        Ok(kind) => kind,
        Err(UnknownEvent) => return Ok(None),
    };
    let missing = |missing| DecodeError::Missing { event_type: event_type.to_string(), missing };
    let id = wire.id.ok_or_else(|| missing("id"))?;
    let order_id = if kind.is_of_order() { id } else { wire.order_id.ok_or_else(|| missing("orderId"))? };
    Ok(Some(Event {
        order_id,
        id,
        kind,
        event_id: wire.event_id.unwrap_or_else(place),
        version: wire.version,
        correlation_id: wire.correlation_id,
        customer: wire.customer,
        occurred_at: wire.occurred_at.and_then(|Text(at)| Timestamp::from_rfc3339(&at)),
    }))
}

/// What decides whose business a record is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind<'a> {
    #[serde(default, borrow)]
    event_type: Option<Text<'a>>,
    #[serde(default, borrow)]
    status: Option<Text<'a>>,
}

/// Whether it is an object without a type or of an unknown one: then its other keys mean what their writer likes.
fn is_nobodys(value: &[u8]) -> bool {
    let Ok(Kind { event_type, status }) = serde_json::from_slice(value) else { return false };
    let status = status.as_ref().map(|Text(status)| status.as_ref());
    event_type.is_none_or(|Text(kind)| EventKind::from_wire(&kind, status, None, None).is_err())
}

/// Whether a record with this type header may be one of `types`. Without the header every record may.
#[must_use]
pub fn may_concern(type_header: Option<&str>, types: &[&str]) -> bool {
    type_header.is_none_or(|found| types.contains(&found))
}
