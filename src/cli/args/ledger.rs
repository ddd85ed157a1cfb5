//! `ledger`, `backup` and `restore`: looking after the log itself.

use std::path::PathBuf;

use clap::{Args as Arguments, Subcommand, ValueHint};

use super::credits::Export;

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Ledger {
    /// Walk the whole log and compare it with what the store says
    #[command(after_help = "\
Example:
  maitred ledger verify")]
    Verify,
    /// Print the log's commits, a line of JSON each, as they stand in the log
    #[command(after_help = "\
Every line is checked before it is printed. They name members and hold the hashes of their PINs:
keep them as safe as the ledger.

Example:
  maitred ledger export | jq .facts")]
    Export(Export),
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Backup {
    /// A directory that is empty or not there yet
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub to: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Restore {
    /// The directory that `maitred backup` made
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub from: PathBuf,
}
