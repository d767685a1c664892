//! 대여 (rent): confirms requests. It alone decides which order has a copy, and until when.
//!
//! `domain/` decides, `application/` loads, decides and saves, `adapters/` speak HTTP, events and SQL. See the
//! README beside this crate for the words and the states.

pub mod adapters;
pub mod application;
pub mod domain;
