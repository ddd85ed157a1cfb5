//! Logs, written to stderr as plain text or JSON, or to the journal as entries with fields. They are a product for operators, see `style.md`:
//! INFO reports what happened to bookings, credits and the process; e-mail addresses and names
//! appear only at lower levels.

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::journal::{JournalLayer, JournalLines, Stderr};

mod journal;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Every event is a line of text.
    Plain,
    /// Every event is a line of JSON.
    Json,
}

/// The scheduler reports its own start at INFO, which is no news to an operator.
const SCHEDULER_TARGET: &str = "tokio_cron_scheduler";

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
    let stderr = journal::find_stderr();
    // JSON stays on standard error, because programs read whole lines.
    if (format, stderr) == (LogFormat::Plain, Stderr::JournalStream)
        && let Ok(journal) = JournalLayer::connect()
    {
        let _ = registry.with(journal).try_init();
        return Ok(());
    }
    let is_journal = stderr != Stderr::Other;
    // A second start in the same process (in tests) keeps the first configuration.
    let _ = match format {
        LogFormat::Plain if is_journal => {
            let lines = fmt::format()
                .with_target(false)
                .with_ansi(false)
                .without_time();
            let layer = layer.with_ansi(false).event_format(JournalLines(lines));
            registry.with(layer).try_init()
        }
        LogFormat::Json if is_journal => {
            let lines = fmt::format()
                .json()
                .flatten_event(true)
                .with_target(false)
                .without_time();
            let layer = layer.json().event_format(JournalLines(lines));
            registry.with(layer).try_init()
        }
        LogFormat::Plain => {
            // For terminals, as NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM say.
            let colour = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            registry.with(layer.with_ansi(colour)).try_init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    Ok(())
}

/// Returns the text as it is written to standard error: for the journal, each line begins with the
/// priority of an error.
pub fn mark_for_stderr(text: String) -> String {
    match journal::find_stderr() {
        Stderr::JournalStream | Stderr::OtherJournal => journal::mark_as_error(&text),
        Stderr::Other => text,
    }
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
    let for_all = parts.iter().rfind(|part| !part.contains('='));
    let filter = match for_all {
        Some(level) if level.eq_ignore_ascii_case("info") && !text.contains(SCHEDULER_TARGET) => {
            let quiet = format!("{SCHEDULER_TARGET}=warn");
            filter.add_directive(
                quiet
                    .parse()
                    .map_err(|_| format!("{quiet:?} is no filter"))?,
            )
        }
        Some(_) => filter,
        None => filter.add_directive(LevelFilter::ERROR.into()),
    };
    Ok(filter)
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
        let rows = [
            ("info", true),
            ("info,maitred=debug", true),
            ("debug", false),
            ("info,tokio_cron_scheduler=info", false),
        ];
        for (text, is_quiet) in rows {
            let filter = filter(text).unwrap().to_string();
            assert_eq!(
                filter.contains("tokio_cron_scheduler=warn"),
                is_quiet,
                "{text}"
            );
        }
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
