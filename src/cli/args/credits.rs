//! The arguments of `credits`: giving, taking back and listing.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, Subcommand, ValueHint};

use crate::domain::credit_number;
use crate::domain::import_columns::ColumnMapping;

/// Grant and revoke credits.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum CreditsArgs {
    /// Give credits; opens the account when there is none
    #[command(after_help = "\
Examples:
  maitred credits grant bo@example.com 4
  maitred credits grant bo@example.com 4 --expires 2026-12-31 --reference dues-2026-bo
  maitred credits grant bo@example.com 1 --source promotional --gate book-club --lasts 30d
With a reference the command is safe to repeat: the second time it changes nothing and reports that. Give
the expiry as a date or a time then, for a duration from now is another one each time.")]
    Grant(GrantArgs),
    /// Give an account this balance: the difference is granted or taken back
    #[command(after_help = "\
Example:
  maitred credits set bo@example.com 4 --reason \"counted by hand\" --reference count-2026-bo
With a reference the command is safe to repeat: the second time it changes nothing.")]
    Set(SetBalanceArgs),
    /// Pass credits on to another account, with their expiry and terms
    #[command(after_help = "\
Example:
  maitred credits transfer bo@example.com al@example.com 2 --reference gift-bo-al
With a reference the command is safe to repeat: the second time it changes nothing.")]
    Transfer(TransferArgs),
    /// Take back credits that are left
    #[command(after_help = "\
Example:
  maitred credits revoke bo@example.com 2 --reason \"granted twice\"")]
    Revoke(RevokeArgs),
    /// List an account's grants and revocations, newest first
    #[command(after_help = "\
Example:
  maitred credits list bo@example.com")]
    List {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// Give credits to many, from a CSV file
    #[command(after_help = "\
The first line names the columns: account,credits and, if wanted,
expires,reason,reference,tier,tags,aliases,attribute:NAME. A row with 0 credits opens the account. A
date in the column expires counts to the end of that day in the configured time zone.

  account,credits,expires,reason
  bo@example.com,4,2026-12-31,autumn 2026
  al@example.com,10,,patron

Commas, semicolons or tabs separate the columns. Common names of columns in several languages are
known (E-Mail, Guthaben), --map says what a column with another name holds, and --ignore leaves a
column out. A value with two meanings (1,000 or 01/02/2099) is refused with its line and column.

Everything is checked first. A file of at most 50,000 rows is then imported as a whole or not at all.
A larger file is imported in parts of 10,000 rows; if that ends in between, run the same command
again.

The same file twice counts once, and a file that has grown counts for what is new. A row without a
reference is known by its account, credits, expiry and reason: give each round of grants an expiry
or a reason of its own, or the next round is taken for the last one. Of rows that are alike within
one file each counts.

With the columns tier, tags (separated by blanks), aliases and attribute:NAME the file says these of
its accounts too; an empty field leaves them as they are.

Examples:
  maitred credits import members.csv --dry-run
  maitred credits import members.csv
  maitred credits import shop.csv --map account=Customer --map reference=\"Order number\" --ignore Total")]
    Import(ImportArgs),
    /// Print what is left of each grant as a CSV file that `credits import` reads
    #[command(after_help = "\
The grants keep their references, so the rows count once in another ledger. The one they came from
refuses those of which a part is spent.

Example:
  maitred credits export --out members.csv")]
    Export(ExportArgs),
    /// Add up the credits of all accounts by month, for the books
    #[command(after_help = "\
Of each month: what was owed to members at its beginning, what was granted by kind, came back, was lent,
repaid, used, expired and revoked, and what was owed at its end. Months are those of the configured time
zone. The numbers are kept, so the command does not read the history; it reads all accounts once.

Examples:
  maitred credits accounting
  maitred credits accounting --from 2026-01 --to 2026-12 --format csv > 2026.csv")]
    Accounting(AccountingArgs),
}

/// Add up the credits of all accounts by month.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct AccountingArgs {
    /// The first month, as 2026-01 [default: the eleventh before the last one]
    #[arg(long, value_name = "MONTH")]
    pub from: Option<String>,
    /// The last month [default: the present month]
    #[arg(long, value_name = "MONTH")]
    pub to: Option<String>,
}

/// Give credits to a member.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct GrantArgs {
    /// The member's e-mail address, or the account's name where it has another
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// A whole number
    #[arg(value_name = "CREDITS", value_parser = credit_number::parse, allow_negative_numbers = true)]
    pub credits: u64,
    /// Until when they can be spent: RFC 3339, a date, or a duration from now such as 90d or 3months;
    /// days count to their end in the configured time zone [default: without end]
    #[arg(long, value_name = "TIME|DATE|DURATION")]
    pub expires: Option<String>,
    /// Why; shown in statements
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Your name for this grant; the same one twice counts once
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
    /// Open the account even if its name is nearly that of another one
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub new: bool,
    /// Where the credits come from: paid, promotional or allowance. Of lots with the same priority and
    /// expiry, promotional ones pay first, then allowances [default: paid]
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Lots with a smaller number pay first [default: 0]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub priority: Option<i64>,
    /// The credits pay only at this gate; may be given more than once
    #[arg(long = "gate", value_name = "GATE")]
    pub gates: Vec<String>,
    /// How long the credits last after the first booking that they paid for was confirmed, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub lasts: Option<std::time::Duration>,
}

/// Give a member a balance.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct SetBalanceArgs {
    /// The member's e-mail address, or the account's name where it has another
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// A whole number; 0 takes everything back
    #[arg(value_name = "CREDITS", value_parser = clap::value_parser!(u64), allow_negative_numbers = true)]
    pub credits: u64,
    /// Why; shown in statements
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Your name for this change; the same one twice counts once
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
}

/// Pass credits of one member on to another.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct TransferArgs {
    /// The member who gives: an e-mail address, or the account's name where it has another
    #[arg(value_name = "FROM")]
    pub from: String,
    /// The member who gets the credits; opens the account when there is none
    #[arg(value_name = "TO")]
    pub to: String,
    /// A whole number
    #[arg(value_name = "CREDITS", value_parser = credit_number::parse, allow_negative_numbers = true)]
    pub credits: u64,
    /// Why; shown in the statements of both
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Your name for this transfer; the same one twice counts once
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
    /// Open the account even if its name is nearly that of another one
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub new: bool,
}

/// Take credits back from a member.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct RevokeArgs {
    /// The member's e-mail address, or the account's name where it has another
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// A whole number
    #[arg(value_name = "CREDITS", value_parser = credit_number::parse, allow_negative_numbers = true)]
    pub credits: u64,
    /// Why; shown in statements
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Your name for this revocation; the same one twice counts once
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
}

/// Give the credits that a CSV file lists.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct ImportArgs {
    /// The file; - reads standard input
    #[arg(value_name = "FILE.csv", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Say what would be given, and give nothing
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// Say what a column holds: account, credits, expires, reason, reference, tier, tags, aliases or
    /// attribute:NAME. The option can be given several times
    #[arg(long, value_name = "FIELD=COLUMN")]
    pub map: Vec<ColumnMapping>,
    /// Leave a column out. The option can be given several times
    #[arg(long, value_name = "COLUMN")]
    pub ignore: Vec<String>,
}

/// Write an export to a file or to standard output.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct ExportArgs {
    /// Write to this file, which must not be there yet [default: standard output]
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    pub out: Option<PathBuf>,
}
