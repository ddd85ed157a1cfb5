//! The arguments of `members`: what the sources say about all members.

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, Subcommand};

/// What the sources say about all members.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum MembersArgs {
    /// Take over what sources say about all members: tiers, tags, attributes, balances, leavers
    #[command(after_help = "\
A sync that would change more accounts than max-change allows changes nothing, and neither does an
empty list. Repeating a sync changes nothing.

Examples:
  maitred members sync --dry-run
  maitred members sync --source club
  maitred members sync --source club --force --reason \"new price list\"")]
    Sync(MembersSyncArgs),
}

/// The arguments of `members sync`.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct MembersSyncArgs {
    /// Change nothing, and show what would change
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// Only the source with this name
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Change more than max-change allows, and believe an empty list
    #[arg(long, requires = "reason", value_parser = BoolishValueParser::new())]
    pub force: bool,
    /// Why more may change; recorded in the log
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub reason: Option<String>,
}
