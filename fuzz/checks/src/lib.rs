//! What must hold for any bytes from outside. The fuzzers in `fuzz/` look for bytes for which it does not; the test
//! beside this file asks about all that they have found worth keeping.
//!
//! Every check panics where something does not hold, and nothing that it calls may panic by itself.

mod bodies;
mod events;
mod queries;
mod settings;

pub use bodies::{body, patch};
pub use events::event;
pub use queries::query;
pub use settings::setting;

/// A check of any bytes.
pub type Check = fn(&[u8]);

/// Every check with its name: of the fuzz target, and of the folder of its corpus.
pub const CHECKS: [(&str, Check); 5] =
    [("event", event), ("body", body), ("patch", patch), ("query", query), ("setting", setting)];
