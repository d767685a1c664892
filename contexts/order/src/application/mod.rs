//! The use cases of order: load, decide, save, and again where somebody else was faster.

mod cancel_order;
mod confirm_order;
mod first_calls;
mod look_up_orders;
mod on_events;
mod place_order;
pub mod ports;
mod resume_orders;

use std::{sync::Arc, time::Duration};

pub use cancel_order::{CancelError, CancelOrder};
pub use confirm_order::decide_answer;
pub use on_events::{Reaction, ReactionKind};
pub use place_order::{PlaceError, PlaceOrder, TO_COMMIT_AND_ANSWER};
pub use resume_orders::Resuming;

use first_calls::FirstCalls;
use ports::{Clock, OrderStore, RentDesk};

/// What is done with an order while rent does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRentUnavailable {
    /// Take it, and confirm it as soon as rent is back.
    #[default]
    Defer,
    /// Refuse it: the customer is asked to come back.
    Reject,
}

/// What the library has set for its orders.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// What is done while rent does not answer.
    pub on_rent_unavailable: OnRentUnavailable,
    /// Most orders that wait for their confirmation; beyond it no further one is taken.
    pub max_pending: u64,
    /// How long a request may wait for its order to be durable. Then it is refused, and the order with it.
    pub store_deadline: Duration,
    /// How long a call to rent may take. A request that has less time than that is not gathered with others.
    pub call_deadline: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            on_rent_unavailable: OnRentUnavailable::Defer,
            max_pending: 1_000_000,
            store_deadline: Duration::from_secs(5),
            call_deadline: Duration::from_secs(1),
        }
    }
}

/// The application: what the adapters call.
#[derive(Clone)]
pub struct Orders {
    store: Arc<dyn OrderStore>,
    rent: Arc<dyn RentDesk>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    /// `None`: every order calls for itself.
    first_calls: Option<FirstCalls>,
}

impl Orders {
    /// Orders on `store`, confirmed by `rent`.
    #[must_use]
    pub fn new(
        store: Arc<dyn OrderStore>,
        rent: Arc<dyn RentDesk>,
        clock: Arc<dyn Clock>,
        policy: Policy,
    ) -> Self {
        Self { store, rent, clock, policy, first_calls: None }
    }
}
