//! The gateway before services that are not ours.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cors;
#[cfg(feature = "http")]
mod headers;
#[cfg(feature = "http")]
mod remote;
