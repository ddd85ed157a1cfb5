//! The command line. Every option has an environment variable, so that a unit file or a container
//! needs no wrapper; `command_line::command` names the variables of options that belong to a single
//! command. Secrets are never arguments, because every user of the machine can read those.

use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum, ValueHint};

use self::account::AccountArgs;
use self::credits::CreditsArgs;
use self::decisions::{ChargesArgs, DecisionsArgs, ReviewArgs, StatisticsArgs, UnresolvedArgs};
use self::ledger::{BackupArgs, InitArgs, LedgerArgs, RestoreArgs};
use self::members::MembersArgs;
use self::operation::{PauseArgs, ResumeArgs, StatusArgs};
use self::passes::{CheckArgs, EvaluateArgs, PassArgs, PlanArgs, ReportArgs, RunArgs};
#[cfg(feature = "sandbox")]
use self::sandbox::SandboxArgs;
use super::exit_codes;
use super::policy::args::PolicyArgs;

pub mod account;
pub mod credits;
pub mod decisions;
pub mod ledger;
pub mod members;
pub mod operation;
pub mod passes;
#[cfg(feature = "sandbox")]
pub mod sandbox;

/// The path of the configuration if `--config` is not given.
pub const DEFAULT_CONFIG_PATH: &str = "/etc/maitred/config.toml";

/// Confirms and declines the booking requests of a Cal.com calendar against a ledger of credits.
///
/// maitred lists the requests that wait for confirmation, checks each booker against the ledger and
/// the operator's rules, records the decision, and confirms or declines. It needs outbound HTTPS
/// only.
#[derive(Debug, Parser)]
#[command(
    name = "maitred",
    version,
    after_help = exit_codes::exit_codes(),
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Args {
    /// The options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What the command does.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The options of every command.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// The configuration
    #[arg(
        long,
        global = true,
        env = "MAITRED_CONFIG",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        default_value = DEFAULT_CONFIG_PATH
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
    pub log_format: LogFormatArg,
    /// What is logged: error, warn, info, debug or trace, or a filter such as `info,maitred=debug`;
    /// errors are always logged [default: info for the daemon, else warn]
    #[arg(long, global = true, env = "MAITRED_LOG", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Who gives the command, for the ledger and statements [default: the user of the system]
    #[arg(long, global = true, env = "MAITRED_ACTOR", value_name = "NAME")]
    pub actor: Option<String>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Plain,
    /// For machines
    Json,
    /// A page for a browser; only `account statement` has it
    Html,
    /// For spreadsheets; only `account statement`, `credits accounting` and `credits export` have it
    Csv,
}

/// How log lines are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// A line of text for each
    #[default]
    Plain,
    /// A line of JSON for each
    Json,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Verb {
    /// Run the daemon: passes on schedule, and answers for the other commands
    #[command(
        display_order = 1,
        after_help = "\
Examples:
  maitred run                    until SIGTERM or SIGINT; SIGHUP reads the configuration again
  maitred run --once             one pass and its report, then exit: for a timer
  maitred run --once --dry-run   what that pass would do; writes nothing anywhere
  maitred run --once --dry-run --watch
                                 what a watch would do, too"
    )]
    Run(RunArgs),
    /// The commands that read or change the ledger.
    #[command(flatten)]
    Store(StoreCommand),
    /// Check the configuration and report all findings at once
    #[command(
        display_order = 3,
        after_help = "\
Examples:
  maitred check
  maitred check --live"
    )]
    Check(CheckArgs),
    /// Show the configuration that is used
    #[command(display_order = 3, subcommand)]
    Config(ConfigCommand),
    /// Try the targets of notifications
    #[command(display_order = 3, subcommand)]
    Notify(NotifyCommand),
    /// Try a policy before it decides: on examples, or on recorded requests
    #[command(display_order = 3, subcommand)]
    Policy(PolicyArgs),
    /// Write what the web page shows into one HTML file
    #[command(
        display_order = 3,
        after_help = "\
The file names members: keep it as safe as the ledger. It needs no daemon; with one it also shows what
the daemon does.

Example:
  maitred report --html report.html"
    )]
    Report(ReportArgs),
    /// Watch the whole story in a minute, against the built-in sandbox; needs nothing
    #[cfg(feature = "sandbox")]
    #[command(
        display_order = 4,
        after_help = "\
Example:
  maitred demo"
    )]
    Demo,
    /// Serve a local Cal.com to rehearse against
    #[cfg(feature = "sandbox")]
    #[command(
        display_order = 5,
        after_help = "\
Example:
  maitred sandbox --listen 127.0.0.1:5555
and in the configuration: base-url = \"http://127.0.0.1:5555\""
    )]
    Sandbox(SandboxArgs),
    /// Put a backup where there is no ledger
    #[command(
        display_order = 19,
        after_help = "\
The store's directory (store.path) must be empty or must not exist: stop maitred and move the ledger
away first. What happened after the backup is not in it, so nothing is confirmed or declined,
and a watch writes and cancels nothing, before `maitred ledger accept-restore`.

Example:
  maitred restore /var/backups/maitred/2026-12-01"
    )]
    Restore(RestoreArgs),
    /// Make what is missing to begin: the commented configuration at --config FILE, and the ledger
    #[command(
        display_order = 20,
        after_help = "\
Examples:
  maitred init --config maitred.toml
  maitred init --config config.toml --store ledger"
    )]
    Init(InitArgs),
    /// Print the script that completes commands, options and values in a shell
    #[command(
        display_order = 21,
        after_help = "\
The script asks maitred for each completion, so it also knows accounts and bookings, if the user may read
the ledger. Print it again after an update of maitred.

Example:
  maitred completions bash > /etc/bash_completion.d/maitred"
    )]
    Completions {
        /// The shell that is to complete
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory
    #[command(
        display_order = 22,
        after_help = "\
The page of the configuration, maitred-config(5), goes to the directory man5 next to DIR if DIR is named
man1, and otherwise into DIR.

Example:
  maitred man /usr/local/share/man/man1"
    )]
    Man {
        /// The directory; it is made when it is not there
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

/// Show the configuration that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Print every key with the value that is used, and where the value comes from
    #[command(after_help = "\
A value comes from the configuration (file and line), from an environment variable, from an option of
the command line, or is a default. The API key is never printed, only the place where it was found.

Examples:
  maitred config show
  maitred config show --format json")]
    Show,
}

/// Try notifications.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum NotifyCommand {
    /// Send a test notification to each target, and print which of them accepted it
    #[command(after_help = "\
The command ends with 1 if a target did not accept the test. What the targets have received so far is
not changed.

Examples:
  maitred notify test
  maitred notify test operators")]
    Test {
        /// The name of one target [default: all]
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

/// A command that the daemon or the store answers. While a daemon runs, it answers; otherwise the
/// command opens the store.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum StoreCommand {
    /// Say what a pass would do now, and why; changes nothing
    #[command(
        display_order = 2,
        after_help = "\
Examples:
  maitred plan
  maitred plan --exit-code --format json"
    )]
    Plan(PlanArgs),
    /// Judge one booking from a file as if it were pending; changes nothing
    #[command(
        display_order = 6,
        after_help = "\
The file holds a booking as the API lists it, or the payload of a BOOKING_CREATED or
BOOKING_REQUESTED webhook.

Examples:
  maitred evaluate booking.json
  maitred evaluate --at 2026-12-01T09:00:00Z - < payload.json"
    )]
    Evaluate(EvaluateArgs),
    /// Give, take back, list, import and export credits
    #[command(display_order = 7, subcommand)]
    Credits(CreditsArgs),
    /// Look at accounts, and say what is known of members
    #[command(display_order = 8, subcommand)]
    Account(AccountArgs),
    /// Take over what your own systems say about all members
    #[command(display_order = 8, subcommand)]
    Members(MembersArgs),
    /// List what was decided, newest first
    #[command(
        display_order = 9,
        after_help = "\
Examples:
  maitred decisions --since 7d
  maitred decisions --booker bo@example.com --outcome declined
  maitred decisions --since 2026-12-01 --limit 500"
    )]
    Decisions(DecisionsArgs),
    /// Count what happened on each of the last days: decisions by reason, and credits
    #[command(
        display_order = 9,
        after_help = "\
Days are days of UTC. The numbers are kept by day, so that the command does not read the history.

Examples:
  maitred statistics
  maitred statistics --days 90 --format json"
    )]
    Statistics(StatisticsArgs),
    /// Tell all that is known of a booking: every finding, the calls, the credits
    #[command(
        display_order = 10,
        after_help = "\
Example:
  maitred explain kV2s9qTtV6zB1dPz7aYw3e"
    )]
    Explain {
        /// The booking's uid, or that of its series
        #[arg(value_name = "BOOKING")]
        booking: String,
    },
    /// List the requests that wait for an operator, and decide them
    #[command(display_order = 11, subcommand)]
    Review(ReviewArgs),
    /// Look at charges of confirmed bookings, and end one by hand
    #[command(display_order = 12, subcommand)]
    Charges(ChargesArgs),
    /// List what an operator has to look at: accepted bookings without a charge, and the like
    #[command(
        display_order = 13,
        args_conflicts_with_subcommands = true,
        after_help = "\
maitred removes an item from the list when its booking is over, deleted or corrected. `maitred explain
BOOKING` tells more.

Examples:
  maitred unresolved
  maitred unresolved resolve kV2s9qTtV6zB1dPz7aYw3e --reason \"a guest of the host\""
    )]
    Unresolved(UnresolvedArgs),
    /// Say how things are: the daemon, what waits and why, and what needs a person
    #[command(
        display_order = 13,
        after_help = "\
With --check, the exit code is 0 if everything is in order, 4 if something is unfinished or needs a
person, and 69 if no daemon runs or Cal.com cannot be reached; 75, 77 and 78 are as below. Where a timer
runs `maitred run --once`, the last run counts, and 69 means that it is too long ago.

Examples:
  maitred status --format json
  maitred status --check --max-age 1h"
    )]
    Status(StatusArgs),
    /// Print a link that logs a browser in to the daemon's web page
    #[command(
        display_order = 13,
        after_help = "\
The link works for one browser and for ten minutes. `page.listen` in the configuration turns the page on.

Example:
  maitred page"
    )]
    Page,
    /// Start no more passes and watches until `resume`, or leave the requests of one gate pending
    #[command(
        display_order = 14,
        after_help = "\
The pause is recorded in the ledger, so it survives a restart, and `maitred run --once` respects it. A
recorded decision about a request of a paused gate is still finished.

Examples:
  maitred pause --reason \"the host is ill\"
  maitred pause --for 2h --gate book-club --reason \"prices change at noon\""
    )]
    Pause(PauseArgs),
    /// End a pause: a pass starts at once
    #[command(
        display_order = 15,
        after_help = "\
Examples:
  maitred resume
  maitred resume --gate book-club"
    )]
    Resume(ResumeArgs),
    /// Have the daemon read and check the configuration, and use it if it has no error
    #[command(
        display_order = 15,
        after_help = "\
Prints what changed. If the configuration is refused, the command prints what `maitred check` finds, ends
with 78, and the daemon continues with the configuration that it has.

Example:
  maitred reload"
    )]
    Reload,
    /// Have the daemon look now, and print the report
    #[command(
        display_order = 16,
        after_help = "\
Examples:
  maitred pass
  maitred pass --watch
  maitred pass --booking kV2s9qTtV6zB1dPz7aYw3e
With --booking the pass decides about one booking at once, for example when a webhook of Cal.com names
it. If an older request has to be decided first, the pass is an ordinary one."
    )]
    Pass(PassArgs),
    /// Look after the ledger itself
    #[command(display_order = 17, subcommand)]
    Ledger(LedgerArgs),
    /// Copy the ledger's log into a directory, while a daemon runs or not, and check the copy
    #[command(
        display_order = 18,
        after_help = "\
Example:
  maitred backup /var/backups/maitred/2026-12-01"
    )]
    Backup(BackupArgs),
}
