//! The library as its users see it: over HTTP, on real files.

mod harness;
mod stories;
