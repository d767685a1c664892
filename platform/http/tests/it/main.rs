//! A service made of this crate alone, asked as its clients ask it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actuator;
mod lists;
mod requests;
mod server;
mod service;
