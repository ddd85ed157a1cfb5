//! The command line of `maitred policy`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, Subcommand, ValueHint};

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Policy {
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
    Test(Test),
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Test {
    /// The directory, or one file of cases
    #[arg(value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Show every case, and what each rule said
    #[arg(long, short, env = "MAITRED_VERBOSE", value_parser = BoolishValueParser::new())]
    pub verbose: bool,
}
