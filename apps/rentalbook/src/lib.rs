//! The online library: the only place that knows every context, and how they are wired.

pub mod audit;
pub mod cli;
pub mod config;
pub mod control;
pub mod data_folder;
#[cfg(feature = "distributed")]
pub mod distributed;
pub mod door;
pub mod embedded;
pub mod faults;
pub mod in_process_rent;
pub mod meters;
pub mod parts;
#[cfg(feature = "distributed")]
pub mod role;
pub mod scratch;
pub mod service;
mod services;
pub mod stores;
pub mod tools;
pub mod version;
mod watched_stores;
pub mod welcome;
