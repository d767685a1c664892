//! Records of the topic, as what they mean to order.

use async_trait::async_trait;
use contracts::{Event, EventKind, HEADER_EVENT_TYPE, decode, may_concern};
use platform_event_bus::{HandleError, Handler, Record};

use crate::{
    application::{Orders, Reaction, ReactionKind},
    domain::OrderId,
};

/// The types that concern order; a record whose header names another one is not even parsed.
const CONCERN: [&str; 4] = ["Rented", "Shipped", "CancelRejected", "DeliveryCanceled"];

/// The consumer of the group `order`.
pub struct Events(pub Orders);

#[async_trait]
impl Handler for Events {
    async fn handle(&self, records: &[Record]) -> Result<(), HandleError> {
        let mut reactions = Vec::new();
        for record in records {
            reactions.extend(read(record)?);
        }
        self.0
            .on_events(reactions)
            .await
            .map_err(|unavailable| HandleError::Unavailable(unavailable.to_string()))
    }
}

fn read(record: &Record) -> Result<Option<Reaction>, HandleError> {
    if !may_concern(record.headers.text(HEADER_EVENT_TYPE), &CONCERN) {
        return Ok(None);
    }
    let place = || format!("{}-{}-{}", contracts::TOPIC, record.partition, record.offset);
    let event =
        decode(&record.value, place).map_err(|error| HandleError::Undeliverable(error.to_string()))?;
    Ok(event.and_then(reaction))
}

fn reaction(event: Event) -> Option<Reaction> {
    let kind = match event.kind {
        EventKind::Rented => ReactionKind::Rented,
        EventKind::ParcelHandedOver => ReactionKind::HandedOver,
        EventKind::CancelRejected => ReactionKind::CancelRejected,
        EventKind::DeliveryCanceled => ReactionKind::DeliveryCanceled,
        EventKind::Ordered { .. }
        | EventKind::OrderDeferred { .. }
        | EventKind::OrderRejected { .. }
        | EventKind::OrderCancelled { .. }
        | EventKind::RentCanceled
        | EventKind::RentReinstated
        | EventKind::ParcelPrepared => return None,
    };
    Some(Reaction {
        order_id: OrderId(event.order_id),
        kind,
        correlation_id: event.correlation_id.map(Into::into),
    })
}
