//! Events to JSON.

use bytes::Bytes;
use serde::Serialize;

use crate::{Event, WireClock};

/// The wire's keys in the wire's order. `orderId` stands early in the events of rent and delivery, as the original
/// has it, and late in those of order, where it is new.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    event_type: &'a str,
    timestamp: String,
    id: i64,
    #[serde(rename = "orderId", skip_serializing_if = "Option::is_none")]
    order_id_of_others: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    status: &'a str,
    me: bool,
    #[serde(rename = "orderId", skip_serializing_if = "Option::is_none")]
    order_id_of_order: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    event_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
}

impl Event {
    /// The record's value: one compact line.
    #[must_use]
    pub fn encode(&self, clock: &WireClock) -> Bytes {
        let of_order = self.kind.is_of_order();
        let wire = Wire {
            event_type: self.kind.event_type(),
            timestamp: self.occurred_at.map(|at| clock.local(at)).unwrap_or_default(),
            id: self.id,
            order_id_of_others: (!of_order).then_some(self.order_id),
            item: self.kind.item(),
            status: self.kind.status(),
            me: true,
            order_id_of_order: of_order.then_some(self.order_id),
            reason: match &self.kind {
                crate::EventKind::OrderRejected { reason, .. } => reason.as_deref(),
                _ => None,
            },
            event_id: &self.event_id,
            version: self.version,
            correlation_id: self.correlation_id.as_deref(),
            customer: self.customer.as_deref(),
            occurred_at: self.occurred_at.map(crate::Timestamp::to_rfc3339),
        };
        let mut line = Vec::with_capacity(384);
        // Writing text and numbers to memory has no way to fail.
        let written = serde_json::to_writer(&mut line, &wire);
        debug_assert!(written.is_ok());
        line.into()
    }
}

/// The record's key: the order id as text, so that one order's events stay in order on any number of partitions.
#[must_use]
pub fn key(order_id: i64) -> Bytes {
    order_id.to_string().into()
}

/// The record's headers as names and values.
#[must_use]
pub fn headers(event: &Event) -> [(&'static str, &'static [u8]); 1] {
    [(crate::HEADER_EVENT_TYPE, event.kind.event_type().as_bytes())]
}
