//! The command line. Every flag has an environment variable, so that a unit file or a container
//! needs no wrapper; secrets are never arguments, for every user of the machine can read those.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, Parser, Subcommand, ValueEnum, ValueHint};

use super::credits;
use super::policy::args::Policy;
use super::usage;

/// Where the configuration is looked for.
pub const DEFAULT_CONFIG: &str = "/etc/maitred/config.toml";

/// Where the sandbox listens: Cal.com's own API has this port on a developer's machine.
const DEFAULT_LISTEN: &str = "127.0.0.1:5555";

/// Confirms and declines the booking requests of a Cal.com calendar against a ledger of credits.
///
/// maitred looks at the requests that wait for confirmation, checks each booker against the ledger
/// and the house's rules, writes the decision down, and confirms or declines. It needs outgoing
/// HTTPS only.
#[derive(Debug, Parser)]
#[command(
    name = "maitred",
    version,
    after_help = usage::exit_codes(),
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every command understands.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The configuration
    #[arg(
        long,
        global = true,
        env = "MAITRED_CONFIG",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        default_value = DEFAULT_CONFIG
    )]
    pub config: PathBuf,
    /// How answers and errors are printed
    #[arg(
        long,
        global = true,
        env = "MAITRED_FORMAT",
        value_enum,
        default_value_t
    )]
    pub format: Format,
    /// How the log is written to standard error
    #[arg(
        long,
        global = true,
        env = "MAITRED_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace, or a filter such as `info,maitred=debug`
    /// [default: info for the daemon, else warn]
    #[arg(long, global = true, env = "MAITRED_LOG", value_name = "LEVEL")]
    pub log_level: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Plain,
    /// For machines
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text for each
    #[default]
    Plain,
    /// A line of JSON for each
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Verb {
    /// Run the daemon: passes on schedule, and answers for the other commands
    #[command(
        display_order = 1,
        after_help = "\
Examples:
  maitred run                    until SIGTERM or SIGINT; SIGHUP reads the configuration again
  maitred run --once             one pass, its report, and out: for a timer
  maitred run --once --dry-run   what that pass would do; writes nothing anywhere"
    )]
    Run(Run),
    #[command(flatten)]
    Ask(Ask),
    /// Check the configuration and report all findings at once
    #[command(display_order = 3)]
    Check(Check),
    /// Try a policy before it is let loose: on examples, or on what was asked before
    #[command(display_order = 3, subcommand)]
    Policy(Policy),
    /// Watch the whole story in a minute, against the built-in sandbox; needs nothing
    #[command(display_order = 4)]
    Demo,
    /// Serve a local Cal.com to rehearse against
    #[command(
        display_order = 5,
        after_help = "\
Example:
  maitred sandbox --listen 127.0.0.1:5555
and in the configuration: base-url = \"http://127.0.0.1:5555\""
    )]
    Sandbox(Sandbox),
    /// Make what is missing to begin: the commented configuration at --config FILE, and the ledger
    #[command(display_order = 16)]
    Init,
    /// Print completions for a shell
    #[command(
        display_order = 17,
        after_help = "\
Example:
  maitred completions bash > /etc/bash_completion.d/maitred"
    )]
    Completions {
        /// The shell that is to complete
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    #[command(
        display_order = 18,
        after_help = "\
Example:
  maitred man /usr/local/share/man/man1"
    )]
    Man {
        /// The directory; it is made when it is not there
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

/// What is asked of the house. While a daemon runs it answers; else the command opens the store.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Ask {
    /// Say what a pass would do now, and why; nothing is done
    #[command(display_order = 2)]
    Plan(Plan),
    /// Judge one booking from a file as if it were pending; nothing is done
    #[command(
        display_order = 6,
        after_help = "\
The file holds a booking as the API lists it, or the payload of a BOOKING_CREATED or
BOOKING_REQUESTED webhook.

Examples:
  maitred evaluate booking.json
  maitred evaluate --at 2026-12-01T09:00:00Z - < payload.json"
    )]
    Evaluate(Evaluate),
    /// Give, take back and list credits
    #[command(display_order = 7, subcommand)]
    Credits(Credits),
    /// Look at accounts, and give them aliases
    #[command(display_order = 8, subcommand)]
    Account(Account),
    /// List what was decided, newest first
    #[command(
        display_order = 9,
        after_help = "\
Examples:
  maitred decisions --since 7d
  maitred decisions --since 2026-12-01 --limit 500"
    )]
    Decisions(Decisions),
    /// Tell all that is known of a booking: every finding, the calls, the credits
    #[command(display_order = 10)]
    Explain {
        /// The booking's uid, or that of its series
        #[arg(value_name = "BOOKING")]
        booking: String,
    },
    /// Look at charges of confirmed bookings, and end one by hand
    #[command(display_order = 10, subcommand)]
    Charges(Charges),
    /// Say how the daemon is
    #[command(display_order = 11)]
    Status,
    /// Start no more passes until `resume`; requests wait
    #[command(display_order = 12)]
    Pause,
    /// Start passes again
    #[command(display_order = 13)]
    Resume,
    /// Have the daemon look now, and print the report
    #[command(display_order = 14)]
    Pass,
    /// Look after the ledger itself
    #[command(display_order = 15, subcommand)]
    Ledger(Ledger),
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Run {
    /// Run one pass, print its report and exit
    #[arg(long, env = "MAITRED_ONCE", value_parser = BoolishValueParser::new())]
    pub once: bool,
    /// Stop before anything is written or sent
    #[arg(long, env = "MAITRED_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// With --once: also look after confirmed bookings, whether that is due or not
    #[arg(
        long,
        env = "MAITRED_WATCH",
        value_parser = BoolishValueParser::new(),
        requires = "once",
        conflicts_with = "dry_run"
    )]
    pub watch: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Plan {
    /// Exit with 3 when a pass would do something
    #[arg(long, env = "MAITRED_EXIT_CODE", value_parser = BoolishValueParser::new())]
    pub exit_code: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Check {
    /// Also ask Cal.com about the key, the host and the event types
    #[arg(long, env = "MAITRED_LIVE", value_parser = BoolishValueParser::new())]
    pub live: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Sandbox {
    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "MAITRED_LISTEN", value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// What is in the calendar, and what goes wrong
    #[arg(
        long,
        env = "MAITRED_SCENARIO",
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    pub scenario: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Evaluate {
    /// The booking; - reads standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Judge as of this time: RFC 3339, a date, or a duration from now [default: the payload's own]
    #[arg(long, env = "MAITRED_AT", value_name = "TIME")]
    pub at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Credits {
    /// Give credits; opens the account when there is none
    #[command(after_help = "\
Examples:
  maitred credits grant bo@example.com 4
  maitred credits grant bo@example.com 4 --expires 2026-12-31 --reference dues-2026-bo
With a reference the command is safe to repeat: the second time it does nothing and says so. Give
the expiry as a date or a time then, for a duration from now is another one each time.")]
    Grant(Grant),
    /// Take back credits that are left
    #[command(after_help = "\
Example:
  maitred credits revoke bo@example.com 2 --reason \"granted twice\"")]
    Revoke(Revoke),
    /// List an account's grants, newest first
    List {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// Give credits to many, from a CSV file: all rows or none
    #[command(after_help = "\
The first line names the columns: account,credits and, if wanted, expires,reason,reference.

  account,credits,expires,reason
  bo@example.com,4,2026-12-31,autumn 2026
  al@example.com,10,,patron

The same file twice counts once, and a file that has grown counts for what is new. A row without a
reference is known by its account, credits, expiry and reason: give each round of grants an expiry
or a reason of its own, or the next round is taken for the last one. Of rows that are alike within
one file each counts.")]
    Import(Import),
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Grant {
    /// The member's e-mail address, or the account's name where it has another
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// A whole number
    #[arg(value_name = "CREDITS", value_parser = credits::parse, allow_negative_numbers = true)]
    pub credits: u64,
    /// Until when they can be spent: RFC 3339, a date (to the end of that day in UTC), or a
    /// duration from now such as 90d [default: for ever]
    #[arg(long, env = "MAITRED_EXPIRES", value_name = "TIME|DATE|DURATION")]
    pub expires: Option<String>,
    /// Why; shown in statements
    #[arg(long, env = "MAITRED_REASON", value_name = "TEXT")]
    pub reason: Option<String>,
    /// Your name for this grant; the same one twice counts once
    #[arg(long, env = "MAITRED_REFERENCE", value_name = "NAME")]
    pub reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Revoke {
    /// The member's e-mail address, or the account's name where it has another
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// A whole number
    #[arg(value_name = "CREDITS", value_parser = credits::parse, allow_negative_numbers = true)]
    pub credits: u64,
    /// Why; shown in statements
    #[arg(long, env = "MAITRED_REASON", value_name = "TEXT")]
    pub reason: Option<String>,
    /// Your name for this revocation; the same one twice counts once
    #[arg(long, env = "MAITRED_REFERENCE", value_name = "NAME")]
    pub reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Import {
    /// The file; - reads standard input
    #[arg(value_name = "FILE.csv", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Say what would be given, and give nothing
    #[arg(long, env = "MAITRED_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Account {
    /// Show an account: what is available, held, posted and expired
    Show {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// List accounts
    List {
        /// Start behind this account
        #[arg(long, env = "MAITRED_AFTER", value_name = "ACCOUNT")]
        after: Option<String>,
        /// At most so many
        #[arg(
            long,
            env = "MAITRED_LIMIT",
            value_name = "NUMBER",
            default_value_t = 100
        )]
        limit: u32,
    },
    /// Show what became of an account's credits, newest first
    Statement {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// At most so many entries
        #[arg(
            long,
            env = "MAITRED_LIMIT",
            value_name = "NUMBER",
            default_value_t = 100
        )]
        limit: u32,
    },
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
        #[arg(long, env = "MAITRED_REMOVE", value_parser = BoolishValueParser::new())]
        remove: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct Decisions {
    /// Not older than this: a duration back from now such as 7d, a date, or RFC 3339
    #[arg(long, env = "MAITRED_SINCE", value_name = "DURATION|DATE|TIME")]
    pub since: Option<String>,
    /// At most so many
    #[arg(
        long,
        env = "MAITRED_LIMIT",
        value_name = "NUMBER",
        default_value_t = 50
    )]
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Charges {
    /// List charges: of the newest decisions, or all that are still open, and why
    List {
        /// Only those that are still open
        #[arg(long, env = "MAITRED_OPEN", value_parser = BoolishValueParser::new())]
        open: bool,
        /// At most so many
        #[arg(
            long,
            env = "MAITRED_LIMIT",
            value_name = "NUMBER",
            default_value_t = 100
        )]
        limit: u32,
    },
    /// End an open charge: the credits are kept, or all given back
    Settle {
        /// The booking's uid
        #[arg(value_name = "BOOKING")]
        booking: String,
        /// What becomes of the credits
        #[arg(value_enum, value_name = "HOW")]
        how: Settle,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Settle {
    /// They are spent
    Keep,
    /// They go back to the lots that paid
    Refund,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Ledger {
    /// Walk the whole log and compare it with what the store says
    Verify,
}
