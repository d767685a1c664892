//! What those who run the program see of it: metrics, and log output: readable lines for people, JSON for machines.
//! The log is always on standard error, so that standard output carries nothing but answers.

mod metrics;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::IsTerminal as _,
};

use tracing_subscriber::{EnvFilter, fmt};

pub use metrics::{Labels, Meter, Meters};

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
    let started = match format {
        LogFormat::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .with_timer(fmt::time::ChronoLocal::new("%H:%M:%S%.3f".to_owned()))
            .try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // An error means that a logger is there already, as in tests.
    if started.is_ok() {
        log_panics();
    }
    Ok(())
}

/// From now on a panic is a line like any other: plain text between lines of JSON is lost on those who read them.
fn log_panics() {
    let plain = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !tracing::enabled!(tracing::Level::ERROR) {
            return plain(panic);
        }
        let reason = panic.payload_as_str().unwrap_or("a panic without a text");
        let location = panic.location().map(ToString::to_string);
        let thread = std::thread::current().name().map(ToOwned::to_owned);
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(reason, location, thread, backtrace, "a bug: this should never happen");
    }));
}

#[cfg(test)]
mod tests;
