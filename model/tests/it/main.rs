//! The model finds nothing in what the contexts decide, and finds every planted defect.

#![allow(clippy::print_stdout, reason = "the number of states, and ways to defects, with --nocapture")]

mod adapters;
mod clean;
mod defects;
mod view;

/// Cores that a run may use.
const THREADS: usize = 2;
