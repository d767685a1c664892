//! The event bus on Kafka: topics that keep everything, groups, an idempotent producer.
//!
//! [`KafkaBus`] fills the port [`platform_event_bus::EventBus`]. It never needs the broker to exist: while Kafka is
//! away every call says so within [`KafkaSettings::answer_within`], and works again when it is back.

mod bus;
mod client;
mod member;
mod owned;
mod producer;
mod record;
mod replay;
mod settings;
mod topics;

pub use bus::KafkaBus;
pub use settings::{KafkaSettings, Security};
pub use topics::Unsuitable;

/// For those who administrate topics themselves.
pub use rdkafka;
