//! Logs: to stderr, plain or as JSON. A product for operators, see `style`: INFO is what happened
//! to bookings, credits and the process; e-mail addresses and names stay below.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Plain,
    Json,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the log level {level:?} cannot be used: {why} (expected error, warn, info, debug, trace)")]
pub struct LevelError {
    level: String,
    why: String,
}

/// Starts logging for the process. `level` is a level, or tracing's filter language.
///
/// # Errors
/// When the level is none.
pub fn start(format: LogFormat, level: &str) -> Result<(), LevelError> {
    let filter = EnvFilter::try_new(level).map_err(|error| LevelError {
        level: level.to_owned(),
        why: error.to_string(),
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    // A second start in one process (tests) keeps the first one.
    let _ = match format {
        LogFormat::Plain => registry
            .with(layer.with_ansi(std::io::stderr().is_terminal()))
            .try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    Ok(())
}
