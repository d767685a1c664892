//! What this program is.

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, or `unknown`.
pub const COMMIT: &str = env!("RENTALBOOK_COMMIT");

/// Both, for `--version`.
pub const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("RENTALBOOK_COMMIT"), ")");
