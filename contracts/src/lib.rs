//! The published language of the online library: its events as plain data, and their JSON.
//!
//! The shape is that of the original (Java) services, so that ours and theirs read each other: the first keys and
//! their order are theirs, what is ours comes after them.

mod decode;
mod encode;
mod event;
mod time;

pub use decode::{DecodeError, decode, may_concern};
pub use encode::{headers, key};
pub use event::{Event, EventKind, UnknownEvent};
pub use time::{Timestamp, WireClock};

/// The one topic of everything.
pub const TOPIC: &str = "rentalbook";

/// The consumer groups, named after the services that consume.
pub const GROUPS: [&str; 4] = ["order", "rent", "delivery", "mypage"];

/// Record header with the event's type, so that a consumer can pass over a record without parsing it.
pub const HEADER_EVENT_TYPE: &str = "rentalbook-event-type";
