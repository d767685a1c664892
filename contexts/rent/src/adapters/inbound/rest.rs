//! Rent over HTTP.
