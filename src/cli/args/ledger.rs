//! `ledger`, `backup` and `restore`: looking after the log itself.

use clap::Subcommand;

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Ledger {
    /// Walk the whole log and compare it with what the store says
    Verify,
}
