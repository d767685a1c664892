//! What order says, as a message of the outbox.

use contracts::{Event, EventKind, Timestamp, WireClock};
use platform_event_bus::Headers;
use platform_outbox::OutboxMessage;

use crate::{
    application::ports::Said,
    domain::{Customer, Fact, Order, OrderState},
};

/// The event that publishes `said`.
pub(super) fn message(order: &Order, said: &Said, clock: &WireClock) -> OutboxMessage {
    let item = Some(order.item.as_str().to_owned());
    let event = Event {
        order_id: order.id.0,
        id: order.id.0,
        kind: match said.fact {
            Fact::Ordered => EventKind::Ordered { item },
            Fact::OrderDeferred => EventKind::OrderDeferred { item },
            Fact::OrderRejected => EventKind::OrderRejected { item, reason: reason(order) },
            Fact::OrderCancelled => EventKind::OrderCancelled { item },
        },
        event_id: format!("order-{}-{}", order.id.0, said.version.0),
        version: Some(said.version.0),
        correlation_id: said.correlation_id.as_deref().map(str::to_owned),
        customer: order.customer.as_ref().map(Customer::as_str).map(str::to_owned),
        occurred_at: Some(Timestamp(said.at.0)),
    };
    OutboxMessage {
        key: contracts::key(event.order_id),
        headers: Headers::new(contracts::headers(&event)),
        value: event.encode(clock),
    }
}

fn reason(order: &Order) -> Option<String> {
    match &order.state {
        OrderState::Rejected(rejection) => Some(rejection.reason().to_owned()),
        OrderState::Pending
        | OrderState::Ordered
        | OrderState::Cancelling
        | OrderState::Canceled
        | OrderState::Shipped => None,
    }
}
