//! 배송 (delivery): prepares parcels and hands them over. The hand-over is the point of no return.
//!
//! `domain/` decides, `application/` loads, decides and saves, `adapters/` speak HTTP, events and SQL. See the
//! README beside this crate for the words and the states.

pub mod adapters;
pub mod application;
pub mod domain;
