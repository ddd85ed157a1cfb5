//! The arguments of passes, and of commands that read without a pass: `run`, `plan`, `check`,
//! `evaluate`, `report`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, ValueHint};

/// Run the daemon, or one pass.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct RunArgs {
    /// Run one pass, print its report and exit
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub once: bool,
    /// Stop before anything is written or sent
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// With --once: also look after confirmed bookings, whether that is due or not
    #[arg(long, value_parser = BoolishValueParser::new(), requires = "once")]
    pub watch: bool,
    /// With --once: how long the notifications that are due may take; the next run continues
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = humantime::parse_duration,
        default_value = "30s"
    )]
    pub notify_within: Duration,
}

/// Run a pass now.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct PassArgs {
    /// Also look after confirmed bookings, whether that is due or not
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub watch: bool,
    /// Decide only about the booking with this uid; also works without a daemon
    #[arg(long, value_name = "UID", conflicts_with = "watch")]
    pub booking: Option<String>,
}

/// Show what a pass would do.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct PlanArgs {
    /// Exit with 3 when a pass, or the watch after it, would do something
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub exit_code: bool,
}

/// Check the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct CheckArgs {
    /// Also ask Cal.com about the key, the host and the event types
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub live: bool,
}

/// Write the state to a file.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct ReportArgs {
    /// A file that is not there yet
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: PathBuf,
}

/// Judge a booking from a file.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct EvaluateArgs {
    /// The booking; - reads standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Judge as of this time: RFC 3339, a date, or a duration from now [default: the payload's own]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}
