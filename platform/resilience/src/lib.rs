//! What keeps a service well while others are not: a call that may be slow or fail, behind a deadline, a circuit breaker
//! and a bound; work that takes long, behind a bulkhead; more requests than can be done, behind a bound that follows the
//! store.

mod bulkhead;
mod guard;
mod jitter;
mod pressure;
mod watch;

pub use bulkhead::{Awaited, Bulkhead, Place, WorkError, while_awaited};
pub use guard::{CallError, Guard, GuardConfig};
pub use jitter::{Spread, jittered};
pub use pressure::{Pressure, PressureConfig};
pub use watch::{Breaker, Calls, State};
