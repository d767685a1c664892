//! What delivery says, as a message of the outbox.

use contracts::{Event, EventKind, Timestamp, WireClock};
use platform_event_bus::Headers;
use platform_outbox::OutboxMessage;

use crate::{
    application::ports::Said,
    domain::{Delivery, Fact},
};

/// The event that publishes `said`.
///
/// # Panics
/// Where a delivery without an id says something: a bug.
pub(super) fn message(delivery: &Delivery, said: &Said, clock: &WireClock) -> OutboxMessage {
    let id = delivery.id.expect("a remembered release says nothing, and everything else has an id").0;
    let event = Event {
        order_id: delivery.order_id.0,
        id,
        kind: match said.fact {
            Fact::ParcelPrepared => EventKind::ParcelPrepared,
            Fact::ParcelHandedOver => EventKind::ParcelHandedOver,
            Fact::DeliveryCanceled => EventKind::DeliveryCanceled,
            Fact::CancelRejected => EventKind::CancelRejected,
        },
        event_id: format!("delivery-{id}-{}", said.version.0),
        version: Some(said.version.0),
        correlation_id: said.correlation_id.as_deref().map(str::to_owned),
        customer: delivery.customer.as_ref().map(|customer| customer.as_str().to_owned()),
        occurred_at: Some(Timestamp(said.at.0)),
    };
    OutboxMessage {
        key: contracts::key(event.order_id),
        headers: Headers::new(contracts::headers(&event)),
        value: event.encode(clock),
    }
}
