//! What rent says, as a message of the outbox.

use contracts::{Event, EventKind, Timestamp, WireClock};
use platform_event_bus::Headers;
use platform_outbox::OutboxMessage;

use crate::{
    application::ports::Said,
    domain::{Fact, Rent},
};

/// The event that publishes `said`.
pub(super) fn message(rent: &Rent, said: &Said, clock: &WireClock) -> OutboxMessage {
    let event = Event {
        order_id: rent.order_id.0,
        id: rent.id.0,
        kind: match said.fact {
            Fact::Rented => EventKind::Rented,
            Fact::RentCanceled => EventKind::RentCanceled,
            Fact::RentReinstated => EventKind::RentReinstated,
        },
        event_id: format!("rent-{}-{}", rent.id.0, said.version.0),
        version: Some(said.version.0),
        correlation_id: said.correlation_id.as_deref().map(str::to_owned),
        customer: rent.customer.as_ref().map(|customer| customer.as_str().to_owned()),
        occurred_at: Some(Timestamp(said.at.0)),
    };
    OutboxMessage {
        key: contracts::key(event.order_id),
        headers: Headers::new(contracts::headers(&event)),
        value: event.encode(clock),
    }
}
