//! The use cases of delivery: load, decide, save, and again where somebody else was faster.

mod hand_over;
mod look_up_deliveries;
mod on_events;
pub mod ports;

use std::sync::Arc;

pub use hand_over::{HandOver, HandOverError};
pub use on_events::{Reaction, ReactionKind};

use ports::{Clock, DeliveryStore};

/// The application: what the adapters call.
#[derive(Clone)]
pub struct Deliveries {
    store: Arc<dyn DeliveryStore>,
    clock: Arc<dyn Clock>,
}

impl Deliveries {
    /// Deliveries on `store`.
    #[must_use]
    pub fn new(store: Arc<dyn DeliveryStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}
