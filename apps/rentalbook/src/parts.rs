//! A library as its tools see it, whatever it is kept on.

use std::sync::Arc;

use delivery::application::ports::DeliveryStore;
use mypage::query::View;
use order::application::ports::OrderStore;
use platform_event_bus::EventBus;
use platform_outbox::Outbox;
use rent::application::ports::RentStore;

/// Its stores and its events. Clones share them.
#[derive(Clone)]
pub struct Parts {
    /// Orders.
    pub orders: Arc<dyn OrderStore>,
    /// Rents.
    pub rents: Arc<dyn RentStore>,
    /// Deliveries.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// What the customers see.
    pub view: Arc<dyn View>,
    /// Where the events are.
    pub bus: Arc<dyn EventBus>,
    /// What is committed and not published yet.
    pub outboxes: Vec<Arc<dyn Outbox>>,
    /// The topic of all events.
    pub topic: String,
    /// The consumer groups of the services.
    pub groups: Vec<String>,
}
