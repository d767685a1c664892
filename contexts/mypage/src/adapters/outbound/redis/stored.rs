//! A row as it is stored: JSON, so that `redis-cli` shows it.

use contracts::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    projection::{Known, Row},
    query::Unavailable,
};

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    /// When each fact happened, by its place.
    known: [Option<i64>; KNOWN],
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    item: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    customer: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<std::borrow::Cow<'a, str>>,
}

const KNOWN: usize = crate::projection::Fact::ALL.len();

/// The same row always gives the same bytes: that is how it is known whether it has changed.
pub(super) fn encode(row: &Row) -> Vec<u8> {
    let stored = Stored {
        known: row.known().map(|at| at.map(|at| at.0)),
        item: row.item().map(Into::into),
        customer: row.customer().map(Into::into),
        reason: row.reason().map(Into::into),
    };
    // Numbers and texts can be written as JSON.
    serde_json::to_vec(&stored).unwrap_or_default()
}

pub(super) fn decode(order_id: i64, bytes: &[u8]) -> Result<Row, Unavailable> {
    let unreadable =
        |reason: String| Unavailable(format!("the row of order {order_id} is damaged: {reason}"));
    let stored: Stored<'_> = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    let known: Known = stored.known.map(|at| at.map(Timestamp));
    let text = |text: Option<std::borrow::Cow<'_, str>>| text.map(std::borrow::Cow::into_owned);
    Row::restore(order_id, known, text(stored.item), text(stored.customer), text(stored.reason))
        .ok_or_else(|| unreadable("it has no fact".to_owned()))
}
