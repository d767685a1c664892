//! The use cases of rent: load, decide, save, and again where somebody else was faster.

mod confirm_rent;
mod look_up_rents;
mod on_events;
pub mod ports;

use std::sync::Arc;

pub use confirm_rent::{ConfirmRent, Confirmed};
pub use on_events::{Reaction, ReactionKind};

use crate::domain::{Policy, Refusal};
use ports::{Clock, RentStore, Unavailable};

/// The application: what the adapters call.
#[derive(Clone)]
pub struct Rents {
    store: Arc<dyn RentStore>,
    clock: Arc<dyn Clock>,
    policy: Arc<Policy>,
}

impl Rents {
    /// Rents on `store`.
    #[must_use]
    pub fn new(store: Arc<dyn RentStore>, clock: Arc<dyn Clock>, policy: Policy) -> Self {
        Self { store, clock, policy: Arc::new(policy) }
    }
}

/// Why a rent was not confirmed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConfirmError {
    /// A rule refuses, now and on every repeat.
    #[error("{}", .0.0)]
    Refused(Refusal),
    /// The store is away; a retry may help.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
