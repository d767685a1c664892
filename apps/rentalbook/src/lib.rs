//! The online library: the only place that knows every context, and how they are wired.

pub mod audit;
pub mod cli;
pub mod config;
pub mod control;
pub mod data_folder;
pub mod door;
pub mod embedded;
pub mod in_process_rent;
pub mod meters;
pub mod scratch;
pub mod service;
pub mod stores;
pub mod tools;
pub mod version;
pub mod welcome;
