//! The commands and their results, as the control socket carries them and as commands print them
//! with `--format json`: one documented, versioned shape per command. Times are RFC 3339 in UTC,
//! words are lower case. `api` says which path of the socket takes which command.

use serde::{Deserialize, Deserializer, Serialize};

use super::exit;

use self::account::{
    AccountEraseCommand, AccountSetCommand, AccountView, AccountsView, CreditsExportView,
    ErasureView, GrantRecordView, GrantsView, ImportView, StatementView,
};
use self::accounting::AccountingView;
use self::charges::ChargesView;
use self::credits::{
    GrantCommand, ImportProblem, ImportRow, RevokeCommand, SetBalanceCommand, TransferCommand,
};
use self::decisions::{DecisionQuery, DecisionsView, EvaluateView, ExplainView};
use self::ledger::{HeadView, LedgerMoveCommand, LedgerView, VerifyView};
use self::members::{MembersSyncCommand, MembersSyncView};
use self::pass::PassView;
use self::review::{ReviewCommand, ReviewResultView, ReviewsView};
use self::statistics::StatisticsView;
use self::status::{PageLinkView, PauseCommand, ReloadView, StatusView};
use self::unresolved::UnresolvedView;

pub mod account;
pub mod accounting;
pub mod charges;
pub mod check;
pub mod credits;
pub mod decisions;
pub mod ledger;
pub mod members;
pub mod pass;
pub mod problem;
pub mod review;
pub mod statistics;
pub mod status;
pub mod unresolved;

/// The version of every shape here. A daemon and a command of different versions refuse each other
/// and say so.
pub const SCHEMA: u32 = 1;

/// The longest body of a request, in bytes: an import of a large club fits.
pub const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The longest body of an answer, in bytes.
pub const MAX_RESPONSE: usize = 64 * 1024 * 1024;

/// How many entries a list has when a request does not give a limit.
pub const DEFAULT_LIMIT: u32 = 100;

fn default_limit() -> u32 {
    DEFAULT_LIMIT
}

/// The most days of statistics in one answer: a year.
pub const MAX_STATISTICS_DAYS: u32 = 366;

/// How many days statistics have when a request does not say.
pub const DEFAULT_STATISTICS_DAYS: u32 = 30;

fn default_statistics_days() -> u32 {
    DEFAULT_STATISTICS_DAYS
}

/// Reads an optional value that a request must name, as null where there is none: to leave it out
/// by mistake would undo something.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq)]
pub enum SocketResponse {
    /// The result of the command.
    Ok(Box<CommandResult>),
    /// The command was not carried out, or not completely.
    Err(Refusal),
}

/// Why a command was not carried out. Commands also print it on stderr with `--format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// The exit code that fits.
    pub exit: u8,
    /// A word for programs: `usage`, `not-found`, `conflict`, `refused`, `short-of-credit`,
    /// `reference-used`, `similar-name`, `already-started`, `already-decided`, `credential`,
    /// `permission`, `configuration`, `unreachable`, `busy`, `store-locked`, `store`, `output`,
    /// `failed` or `internal`.
    pub code: String,
    /// Why, as text for an operator.
    pub text: String,
}

impl Refusal {
    /// Builds the refusal of a command line, or of a file named there, that cannot be used.
    pub fn usage(text: impl Into<String>) -> Self {
        Self {
            exit: exit::USAGE,
            code: "usage".to_owned(),
            text: text.into(),
        }
    }
}

/// What a client can ask of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Show what a pass would do now.
    Plan {},
    /// Run a pass now, and a watch after it if `watch` is set, and wait for the report. Like `Plan`,
    /// the command waits for a running pass or watch to end first, and then has a pass of its own.
    Pass {
        /// Whether a watch follows the pass.
        #[serde(default)]
        watch: bool,
        /// Decide only about the booking with this uid. The report then has only what was done about
        /// it, or a problem `booking-not-waiting` or `booking-not-gated`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        booking: Option<String>,
    },
    /// Show what the daemon does and what needs attention.
    Status {},
    /// Make a link that logs one browser in to the daemon's web page.
    Page {},
    /// Start no passes and no watches until `resume`, or decide nothing about the requests of one
    /// gate.
    Pause(PauseCommand),
    /// End the pause of everything, or that of one gate. A pass is due immediately.
    Resume {
        /// The gate; absent: everything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<String>,
    },
    /// Read and check the configuration, and use it from now on if it has no error.
    Reload {},
    /// Give credits to an account.
    Grant(GrantCommand),
    /// Take credits back from an account.
    Revoke(RevokeCommand),
    /// Give an account this balance, by a grant or a revocation of the difference.
    SetBalance(SetBalanceCommand),
    /// Pass credits of one account on to another.
    Transfer(TransferCommand),
    /// Import rows of a CSV file, already parsed: all of them or none.
    Import {
        /// The rows, in the order of the file.
        rows: Vec<ImportRow>,
        /// What is wrong with the file already. With any problem nothing is imported, and the rows
        /// are checked only to report everything at once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<ImportProblem>,
        /// Write nothing, and return what an import would do.
        #[serde(default)]
        dry_run: bool,
        /// Write nothing, and return everything that is wrong with the rows instead of refusing
        /// them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        check: bool,
    },
    /// Return what is left of each grant, of at most `limit` accounts after the account `after`.
    CreditsExport {
        /// The account's name; absent: start with the first account.
        after: Option<String>,
        /// The maximum number of accounts; absent: 100.
        #[serde(default = "default_limit")]
        limit: u32,
    },
    /// List the grants and revocations of one account, newest first.
    Grants {
        /// The account's name, or an alias.
        account: String,
    },
    /// Show one account.
    AccountShow {
        /// The account's name, or an alias.
        account: String,
    },
    /// List accounts, ordered by name.
    AccountList {
        /// Start after the account with this name; absent: start with the first account.
        after: Option<String>,
        /// The maximum number of accounts; absent: 100.
        #[serde(default = "default_limit")]
        limit: u32,
        /// Only accounts with this text in their name or in an alias.
        #[serde(default)]
        search: Option<String>,
    },
    /// Add or remove an alias of an account.
    AccountAlias {
        /// The account's name, or an alias.
        account: String,
        /// The e-mail address that is or was an alias.
        alias: String,
        /// Remove the alias instead of adding it.
        #[serde(default)]
        remove: bool,
    },
    /// Take over what sources say about all members. The answer comes when the sources have listed
    /// them.
    MembersSync(MembersSyncCommand),
    /// Change tier, tags and attributes.
    AccountSet(AccountSetCommand),
    /// Freeze an account with a reason, or thaw it without. No request of a frozen account is
    /// confirmed before an operator says so.
    AccountFreeze {
        /// The account's name, or an alias.
        account: String,
        /// Why the account is frozen; null: the account is thawed.
        #[serde(deserialize_with = "named")]
        reason: Option<String>,
    },
    /// Close an account for good, or until it is opened again.
    AccountClose {
        /// The account's name, or an alias.
        account: String,
        /// Why the account is closed.
        reason: String,
        /// Take back the credits that are left; false: refuse to close an account that has some.
        #[serde(default)]
        forfeit: bool,
    },
    /// Open a closed account again.
    AccountReopen {
        /// The account's name.
        account: String,
    },
    /// Make one account of two: the credits, names and charges of one go to the other.
    AccountMerge {
        /// The name of the account that is closed, or an alias.
        account: String,
        /// The name of the account that has everything from now on, or an alias.
        into: String,
        /// Why; absent: a default text is recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Give an account another name. The old name stays an alias.
    AccountRename {
        /// The account's name, or an alias.
        account: String,
        /// The new name, under which no account may be open.
        name: String,
        /// Why; absent: a default text is recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Replace a person by a pseudonym in the whole ledger. All sums stay the same.
    AccountErase(AccountEraseCommand),
    /// Set the hash of the member's PIN; without a hash the PIN is removed.
    AccountPin {
        /// The account's name, or an alias.
        account: String,
        /// The hash of the PIN, never the PIN; null: the PIN is removed.
        #[serde(deserialize_with = "named")]
        hash: Option<String>,
    },
    /// List what happened to an account's credits: newest first, or of a period oldest first with the
    /// balances at its beginning and its end.
    AccountStatement {
        /// The account's name, or an alias.
        account: String,
        /// The maximum number of entries; absent: 100.
        #[serde(default = "default_limit")]
        limit: u32,
        /// Continue after this place, the `next` of an earlier answer; absent: start with the
        /// first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// The period begins at this time, RFC 3339; absent, with `to`: with the first entry. A period
        /// has all its entries in one answer, at most 50,000, and ignores `limit`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The period ends before this time, RFC 3339; absent, with `from`: with the last entry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// Add up what happened to the credits of all accounts, by months of the configured time zone.
    Accounting {
        /// The first month, as `2026-01`; absent: the eleventh before the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The last month; absent: the present month.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// List decisions, newest first.
    Decisions(DecisionQuery),
    /// Count what happened on each of the last days: decisions by reason, and credits.
    Statistics {
        /// The number of days up to today, from 1 to 366; absent: 30.
        #[serde(default = "default_statistics_days")]
        days: u32,
    },
    /// Show everything that is known about a booking, or about the request that it belongs to.
    Explain {
        /// The uid of the booking.
        booking: String,
    },
    /// Judge the booking in the text (an API item or a webhook payload) as if it were pending.
    Evaluate {
        /// The content of the file.
        text: String,
        /// The time as of which the booking is judged, RFC 3339; absent: the text or the clock
        /// says.
        at: Option<String>,
    },
    /// List the requests that wait for an operator's decision; with `all`, also the other noted
    /// requests.
    Reviews {
        /// Return also the requests that wait for something else or are left alone.
        #[serde(default)]
        all: bool,
        /// The maximum number of requests; absent: 100.
        #[serde(default = "default_limit")]
        limit: u32,
        /// Continue after this place, the `next` of an earlier answer; absent: start with the
        /// first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Record an operator's decision about a request.
    Review(ReviewCommand),
    /// List charges with their state, and what the open charges wait for.
    Charges {
        /// Return only open charges.
        #[serde(default)]
        open: bool,
        /// The maximum number of charges; absent: 100.
        #[serde(default = "default_limit")]
        limit: u32,
        /// Continue after this place, the `next` of an earlier answer; absent: start with the
        /// first. Only open charges can be continued.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// End an open charge: refund everything, or nothing.
    ChargeSettle {
        /// The uid of the booking that is charged.
        booking: String,
        /// Refund everything; false: refund nothing.
        refund: bool,
    },
    /// Show the unresolved list.
    Unresolved {
        /// The maximum number of items; absent: 100.
        #[serde(default = "default_limit")]
        limit: u32,
        /// Continue after this place, the `next` of an earlier answer; absent: start with the
        /// first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Take a booking off the unresolved list.
    Resolve {
        /// The uid of the booking.
        booking: String,
        /// Absent: all codes that the booking is listed for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Why.
        reason: String,
    },
    /// Read the whole log and compare it with the store.
    Verify {},
    /// Return up to which commit the log is durable.
    Head {},
    /// Show what the ledger records about itself.
    LedgerShow {},
    /// Make the ledger belong to another server, account or dialect from now on.
    LedgerMove(LedgerMoveCommand),
    /// Accept a restored backup.
    LedgerAcceptRestore {
        /// Why; recorded in the ledger.
        reason: String,
    },
}

/// What a command returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandResult {
    /// The report of a pass or of a plan.
    Pass(PassView),
    /// The daemon's status.
    Status(Box<StatusView>),
    /// A link to the daemon's web page.
    PageLink(PageLinkView),
    /// What a reload changed, or why it was refused.
    Reload(ReloadView),
    /// A grant or a revocation.
    GrantRecord(GrantRecordView),
    /// What an import did, or would do.
    Import(ImportView),
    /// The grants of one account.
    Grants(GrantsView),
    /// One account.
    Account(AccountView),
    /// A page of accounts.
    Accounts(AccountsView),
    /// A person who was erased.
    Erasure(ErasureView),
    /// What a sync of members changed, or would change.
    MembersSync(MembersSyncView),
    /// What happened to the credits of one account.
    Statement(StatementView),
    /// The credits of all accounts, month by month.
    Accounting(AccountingView),
    /// The decisions that match a query.
    Decisions(DecisionsView),
    /// What happened on each day, in numbers.
    Statistics(StatisticsView),
    /// Everything that is known about one booking.
    Explain(Box<ExplainView>),
    /// The decision about a booking from a file.
    Evaluate(EvaluateView),
    /// Requests that wait for an operator.
    Reviews(ReviewsView),
    /// The operator's decision as it was recorded.
    ReviewResult(ReviewResultView),
    /// A page of charges.
    Charges(ChargesView),
    /// A page of the unresolved list.
    Unresolved(UnresolvedView),
    /// The result of reading the whole log.
    Verify(VerifyView),
    /// What is left of the grants of a page of accounts.
    CreditsExport(CreditsExportView),
    /// The last commit of the log.
    Head(HeadView),
    /// What the ledger records about itself.
    Ledger(LedgerView),
}
