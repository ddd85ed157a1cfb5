//! Logs, written to stderr as plain text or JSON. They are a product for operators, see `style.md`:
//! INFO reports what happened to bookings, credits and the process; e-mail addresses and names
//! appear only at lower levels.

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Every event is a line of text.
    Plain,
    /// Every event is a line of JSON.
    Json,
}

/// The names of levels, from the fewest lines to the most.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error(
    "the log level {level:?} cannot be used: {why}; write error, warn, info, debug or trace, or a \
     filter such as info,maitred=debug"
)]
pub struct LevelError {
    level: String,
    why: String,
}

/// Starts logging for the process. `level` is a level, or levels by target as in
/// `info,maitred=debug`. Errors are always logged.
///
/// # Errors
/// Fails when a part of `level` names no level: tracing would take the word for a target, and log
/// nothing else.
pub fn start(format: LogFormat, level: &str) -> Result<(), LevelError> {
    let filter = filter(level).map_err(|why| LevelError {
        level: level.to_owned(),
        why,
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    // A second start in the same process (in tests) keeps the first configuration.
    let _ = match format {
        LogFormat::Plain => {
            // For terminals, as NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM say.
            let colour = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            registry.with(layer.with_ansi(colour)).try_init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    Ok(())
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    for part in &parts {
        let level = part.rsplit('=').next().unwrap_or(part);
        let known = LEVELS.iter().any(|name| name.eq_ignore_ascii_case(level));
        if !known {
            return Err(match *part {
                "" => "one of its parts is empty".to_owned(),
                part => format!("{part:?} names no level"),
            });
        }
    }
    let filter = EnvFilter::builder()
        .parse(text)
        .map_err(|error| error.to_string())?;
    // A filter that names only targets would suppress the errors of all other targets.
    let for_all = parts.iter().any(|part| !part.contains('='));
    Ok(match for_all {
        true => filter,
        false => filter.add_directive(LevelFilter::ERROR.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused_and_errors_are_always_logged() {
        let good = [
            ("warn", LevelFilter::WARN),
            ("INFO", LevelFilter::INFO),
            ("info,maitred=debug", LevelFilter::DEBUG),
            ("maitred=debug", LevelFilter::DEBUG),
            ("maitred::calcom=error", LevelFilter::ERROR),
        ];
        for (text, most) in good {
            let filter = filter(text).unwrap();
            assert_eq!(filter.max_level_hint(), Some(most), "{text}");
        }
        // Without a level of its own, a target that the filter does not name is logged from ERROR
        // on.
        let named = filter("maitred=debug").unwrap().to_string();
        assert!(named.split(',').any(|part| part == "error"), "{named}");
        for text in [
            "warning",
            "inf",
            "verbose",
            "off",
            "",
            "info,",
            "maitred",
            "info,maitred",
            "maitred=all",
        ] {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
