//! The library over many processes, on a real PostgreSQL, a real Kafka and a real Redis.

mod away;
mod backlog;
mod faults;
mod leaving;
mod original_events;
mod processes;
mod secrets;
mod tools;
mod topics;

use crate::harness::{SceneOn, distributed::Distributed};

/// The stories are told of this library, too.
type Scene = SceneOn<Distributed>;

#[expect(clippy::duplicate_mod, reason = "the same stories, of another library")]
#[path = "../stories/mod.rs"]
mod stories;
