//! The command line of `maitred policy`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, Subcommand, ValueHint};

use crate::cli::limit;

/// Try a policy: on example bookings, or on the recorded requests.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum PolicyArgs {
    /// Judge example bookings and compare with what is expected; nothing is asked of Cal.com
    #[command(after_help = "\
DIR holds *.toml files of cases, and may hold the config.toml that they try; else that of --config
is tried. Needs no API key and no store. Exits with 1 when a case comes out otherwise.

  [[case]]
  name = \"a member with credit\"
  booking = { event-type = \"book-club\", start = \"in 30h\" }
  member = { credits = 3, tier = \"gold\" }
  expect = \"confirm\"

  [[case]]
  name = \"no more than two a week\"
  member = { credits = 3, upcoming = [\"in 2days\", \"in 3days\"] }
  expect = { decision = \"decline\", reasons = [\"over-cap\"] }

Examples:
  maitred policy test tests/policy
  maitred policy test --config new.toml caps.toml")]
    Test(PolicyTestArgs),
    /// Judge the recorded requests by another configuration, and say what would differ
    #[command(after_help = "\
Each request is judged as of its first decision, against the ledger as it was then. Nothing is done
and nothing is written; a daemon may be running. What was not recorded (answers, guests, location,
what other systems said, the booker's name, language and time zone) is not guessed: where a rule
needs it the outcome is unknown. That the host is one whose bookings are answered is taken for
granted, and a move that was not paid along is judged as a new request.

Examples:
  maitred policy replay --since 30d --config new.toml
  maitred policy replay --since 2026-11-01 --config new.toml --store /var/lib/maitred")]
    Replay(PolicyReplayArgs),
}

/// Judge example bookings and compare with what is expected.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct PolicyTestArgs {
    /// The directory, or one file of cases
    #[arg(value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Show every case, and what each rule said
    #[arg(long, short, value_parser = BoolishValueParser::new())]
    pub verbose: bool,
}

/// Judge the recorded requests by another policy.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct PolicyReplayArgs {
    /// Not older than this: a duration back from now such as 30d, a date, or RFC 3339
    #[arg(long, value_name = "DURATION|DATE|TIME", default_value = "30d")]
    pub since: String,
    /// Where the ledger is [default: as the configuration says]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,
    /// The maximum number of differences that are listed; all are counted
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = limit::parse)]
    pub limit: u32,
}
