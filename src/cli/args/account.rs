//! The arguments of `account`: members, and what is known about them.

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, Subcommand};

use crate::cli::limit;

/// Members, and what is known about them.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AccountArgs {
    /// Show an account: what is available, held, posted and expired
    #[command(after_help = "\
Example:
  maitred account show bo@example.com")]
    Show {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// List accounts
    #[command(after_help = "\
Examples:
  maitred account list --limit 1000
  maitred account list --search @example.com")]
    List {
        /// Start behind this account
        #[arg(long, value_name = "ACCOUNT")]
        after: Option<String>,
        /// The maximum number of accounts
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = limit::parse)]
        limit: u32,
        /// Only accounts with this text in their name or in an alias
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show what became of an account's credits: the newest entries, or those of a period
    #[command(after_help = "\
With --from or --to, the entries are those of that period, oldest first, with the balances at its beginning
and its end. Days are those of the configured time zone.

Examples:
  maitred account statement bo@example.com --limit 20
  maitred account statement bo@example.com --from 2026-11-01 --to 2026-11-30
  maitred account statement bo@example.com --from 2026-01-01 --format csv > bo.csv
  maitred account statement bo@example.com --format html > statement.html
                                 a page that can be sent to the member")]
    Statement(StatementArgs),
    /// Give an account another e-mail address by which its member is known
    #[command(after_help = "\
Examples:
  maitred account alias bo@example.com bo@work.example
  maitred account alias bo@example.com bo@work.example --remove")]
    Alias {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// An e-mail address
        #[arg(value_name = "ALIAS")]
        alias: String,
        /// Take the alias away
        #[arg(long, value_parser = BoolishValueParser::new())]
        remove: bool,
    },
    /// Say what rules may look at: a tier, tags, attributes; what is not named stays
    #[command(after_help = "\
Examples:
  maitred account set bo@example.com --tier gold --tag founder
  maitred account set bo@example.com --untag founder --attribute seat=12")]
    Set(AccountSetArgs),
    /// Have nothing confirmed for an account before an operator says so
    #[command(after_help = "\
Example:
  maitred account freeze bo@example.com --reason \"dues are open\"")]
    Freeze {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// Why; for operators, the member is not told
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End a freeze
    #[command(after_help = "\
Example:
  maitred account thaw bo@example.com")]
    Thaw {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// Close the account of a member who leaves
    #[command(after_help = "\
Examples:
  maitred account close bo@example.com --reason \"left\"
  maitred account close bo@example.com --reason \"left\" --forfeit
A closed account accepts no credits, and its bookings are refused like those of a frozen one. What is
confirmed already stays as it is.")]
    Close {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// Why; for operators, the member is not told
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Take back the credits that are left
        #[arg(long, value_parser = BoolishValueParser::new())]
        forfeit: bool,
    },
    /// Open a closed account again
    #[command(after_help = "\
Example:
  maitred account reopen bo@example.com")]
    Reopen {
        /// The account's name
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// Make one account of two: credits, names and charges of the first go to the second
    #[command(after_help = "\
Example:
  maitred account merge bo@old.example bo@example.com --reason \"one person\"
The first account is closed, and its names lead to the second. Tier, tags, attributes and PIN of the
second stay as they are. It cannot be undone.")]
    Merge {
        /// The account that is closed
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// The account that has everything from now on
        #[arg(value_name = "INTO")]
        into: String,
        /// Why; shown in the statements of both
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Give an account another name; the old one stays an alias
    #[command(after_help = "\
Example:
  maitred account rename bo@old.example bo@example.com
The statement of the new name begins with what it received; the entries before stay with the old name in
the ledger.")]
    Rename {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// The new name
        #[arg(value_name = "NAME")]
        name: String,
        /// Why; shown in statements
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Replace a person by a pseudonym everywhere in the ledger; all sums stay the same
    #[command(after_help = "\
The whole log is written again, and hashes of commits change; the new log names the old end. Texts
about the person are removed, and the address is unknown afterwards. Open charges continue under
the pseudonym. This cannot be undone. What other places still hold is listed in docs/privacy.md.

Examples:
  maitred account erase bo@example.com --reason \"request of 1 December\"
  maitred account erase bo@example.com --name \"Bo Roe\" --reason \"left\" --yes")]
    Erase(AccountEraseArgs),
    /// Set or clear the PIN by which a member is known
    #[command(subcommand)]
    Pin(PinArgs),
}

/// Replace a person by a pseudonym.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct AccountEraseArgs {
    /// The member's e-mail address, or the account's name where it has another; or the address of
    /// a booker who has no account
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// Why; kept in the ledger, so it must not name the person
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// A further name of the person that texts about others may mention, such as the full name; may
    /// be given more than once
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    /// Do not ask; needed where no terminal is
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub yes: bool,
}

/// Show what became of the credits of an account.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct StatementArgs {
    /// The member's e-mail address, or the account's name where it has another
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// The maximum number of entries; a period has all of its entries
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 100,
        value_parser = limit::parse,
        conflicts_with_all = ["from", "to"]
    )]
    pub limit: u32,
    /// The first day of the period, a time, or a duration back from now [default: the first entry]
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,
    /// The last day of the period, or a time [default: the last entry]
    #[arg(long, value_name = "WHEN")]
    pub to: Option<String>,
}

/// Change what rules may read about a member.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct AccountSetArgs {
    /// The member's e-mail address, or the account's name where it has another
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// The member's tier
    #[arg(long, value_name = "TIER", conflicts_with = "no_tier")]
    pub tier: Option<String>,
    /// Take the tier away
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub no_tier: bool,
    /// Add a tag; may be given more than once
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Take a tag away; may be given more than once
    #[arg(long = "untag", value_name = "TAG")]
    pub untags: Vec<String>,
    /// Set an attribute; may be given more than once
    #[arg(
        long = "attribute",
        value_name = "NAME=VALUE",
        value_parser = parse_attribute
    )]
    pub attributes: Vec<(String, String)>,
    /// Take an attribute away; may be given more than once
    #[arg(long = "no-attribute", value_name = "NAME")]
    pub no_attributes: Vec<String>,
    /// How many credits bookings may take beyond what is there
    #[arg(long, value_name = "NUMBER", conflicts_with = "no_overdraft")]
    pub overdraft: Option<u64>,
    /// Let the configuration say how far the account may be overdrawn
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub no_overdraft: bool,
}

fn parse_attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err("write NAME=VALUE, as in seat=12".to_owned()),
    }
}

/// Set or remove the PIN of a member.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum PinArgs {
    /// Set the PIN: it is asked for, or read from standard input, and kept as a hash only
    #[command(after_help = "\
Examples:
  maitred account pin set bo@example.com
  maitred account pin set bo@example.com < pin.txt")]
    Set {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// Take the PIN away
    #[command(after_help = "\
Example:
  maitred account pin clear bo@example.com")]
    Clear {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
}
