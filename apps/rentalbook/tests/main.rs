//! The library as its users see it: over HTTP, on real files.

mod bad_input;
mod defects;
#[cfg(feature = "distributed")]
mod distributed;
mod harness;
mod killing;
mod limits;
mod metrics;
mod model;
mod over_http;
mod readme;
mod replay;
mod stories;
mod tools;

use harness::Scene;
