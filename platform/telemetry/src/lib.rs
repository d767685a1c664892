//! Log output: readable lines for people, JSON for machines. Always on standard error, so that standard output
//! carries nothing but answers.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line each, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object each.
    Json,
}

/// The environment variable with the filter, such as `debug` or `order=debug,info`.
pub const FILTER_VARIABLE: &str = "RENTALBOOK_LOG";

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
/// A sentence for the user where [`FILTER_VARIABLE`] cannot be understood.
pub fn start(format: LogFormat) -> Result<(), String> {
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|error| {
        format!("{FILTER_VARIABLE}=\"{filter}\" is not a log filter ({error}); write for example \"info,order=debug\"")
    })?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a logger is there already, as in tests.
    let _ = match format {
        LogFormat::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .with_timer(fmt::time::ChronoLocal::new("%H:%M:%S%.3f".to_owned()))
            .try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
