//! The arguments of commands that operate a daemon or a timer: `status`, `pause`, `resume`.

use std::time::Duration;

use clap::Args as Arguments;
use clap::builder::BoolishValueParser;

/// Say how things are.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct StatusArgs {
    /// For monitoring: print one line, and exit with 0 only if everything is in order
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub check: bool,
    /// With --check: how long ago the last pass may have ended, such as 1h [default: where a timer
    /// starts the passes, two runs of schedule.poll and 15 minutes]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "check")]
    pub max_age: Option<Duration>,
}

/// Pause everything, or one gate.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct PauseArgs {
    /// How long, such as 2h [default: until `maitred resume`]
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub length: Option<Duration>,
    /// Pause only this gate: nothing is decided about its requests, and all else continues
    #[arg(long, value_name = "GATE")]
    pub gate: Option<String>,
    /// Why; recorded in the ledger and shown by `status`
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// End a pause.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct ResumeArgs {
    /// End the pause of this gate, and not that of everything
    #[arg(long, value_name = "GATE")]
    pub gate: Option<String>,
}
