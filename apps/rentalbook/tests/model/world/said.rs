//! What the services have said, as the events that their outboxes would have.

use contracts::{Event, EventKind, Timestamp, WireClock};
use delivery::application::ports::DeliveryStore as _;
use order::application::ports::OrderStore as _;
use platform_event_bus::{Headers, NewRecord};
use rent::application::ports::RentStore as _;

use super::World;

impl World {
    pub(super) async fn said_by_order(&self) -> Vec<Event> {
        use order::domain::Fact;
        let mut events = Vec::new();
        for (id, said) in self.order_store.said() {
            let order = self.order_store.by_id(id).await.expect("a store").expect("an order");
            let item = Some(order.item.as_str().to_owned());
            let kind = match said.fact {
                Fact::Ordered => EventKind::Ordered { item },
                Fact::OrderDeferred => EventKind::OrderDeferred { item },
                Fact::OrderRejected => EventKind::OrderRejected { item, reason: None },
                Fact::OrderCancelled => EventKind::OrderCancelled { item },
            };
            events.push(event(kind, id.0, id.0, said.version.0, said.at.0));
        }
        events
    }

    pub(super) async fn said_by_rent(&self) -> Vec<Event> {
        use rent::domain::Fact;
        let mut events = Vec::new();
        for (order, said) in self.rent_store.said() {
            let rent = self.rent_store.by_order(order).await.expect("a store").expect("a rent");
            let kind = match said.fact {
                Fact::Rented => EventKind::Rented,
                Fact::RentCanceled => EventKind::RentCanceled,
                Fact::RentReinstated => EventKind::RentReinstated,
            };
            events.push(event(kind, rent.id.0, order.0, said.version.0, said.at.0));
        }
        events
    }

    pub(super) async fn said_by_delivery(&self) -> Vec<Event> {
        use delivery::domain::Fact;
        let mut events = Vec::new();
        for (order, said) in self.delivery_store.said() {
            let parcel = self.delivery_store.by_order(order).await.expect("a store").expect("a delivery");
            let kind = match said.fact {
                Fact::ParcelPrepared => EventKind::ParcelPrepared,
                Fact::ParcelHandedOver => EventKind::ParcelHandedOver,
                Fact::DeliveryCanceled => EventKind::DeliveryCanceled,
                Fact::CancelRejected => EventKind::CancelRejected,
            };
            let id = parcel.id.expect("what speaks has an id").0;
            events.push(event(kind, id, order.0, said.version.0, said.at.0));
        }
        events
    }
}

fn event(kind: EventKind, id: i64, order_id: i64, version: i64, at: i64) -> Event {
    let event_id = format!("{}-{id}-{version}", kind.event_type());
    let (correlation_id, customer) = (None, None);
    let (version, occurred_at) = (Some(version), Some(Timestamp(at)));
    Event { order_id, id, kind, event_id, version, correlation_id, customer, occurred_at }
}

pub(super) fn record(event: &Event) -> NewRecord {
    NewRecord {
        key: Some(contracts::key(event.order_id)),
        headers: Headers::new(contracts::headers(event)),
        value: event.encode(&WireClock::default()),
    }
}
