//! A service made of this crate alone, asked as its clients ask it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actuator;
#[cfg(feature = "client")]
mod client;
mod lists;
mod requests;
mod server;
mod service;
