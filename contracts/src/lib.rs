//! The published language: events as plain data.
