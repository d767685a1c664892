//! 대여요청 (order): takes what customers ask for, at any hour, and sees each request through to its end.
//!
//! `domain/` decides, `application/` loads, decides and saves, `adapters/` speak HTTP, events and SQL. See the
//! README beside this crate for the words and the states.

pub mod adapters;
pub mod application;
pub mod domain;
