//! The commands and their results, as the control socket carries them and as commands print them
//! with `--format json`: one documented, versioned shape per command. Times are RFC 3339 in UTC,
//! words are lower case. `api` says which path of the socket takes which command.

use serde::{Deserialize, Deserializer, Serialize};

use super::exit;

use self::account::{
    AccountSetCommand, AccountView, AccountsView, CreditsExportView, GrantRecordView, GrantsView,
    ImportView, StatementView,
};
use self::charges::{ChargeView, ChargesView, WatchView};
use self::ledger::{HeadView, LedgerMoveCommand, LedgerView, VerifyView};
use self::review::{OperatorReviewView, ReviewCommand, ReviewResultView, ReviewsView};
use self::status::{PageLinkView, ReloadView, StatusView};
use self::unresolved::{UnresolvedItem, UnresolvedSummary, UnresolvedView};

pub mod account;
pub mod charges;
pub mod ledger;
pub mod review;
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
    /// Set the hash of the member's PIN; without a hash the PIN is removed.
    AccountPin {
        /// The account's name, or an alias.
        account: String,
        /// The hash of the PIN, never the PIN; null: the PIN is removed.
        #[serde(deserialize_with = "named")]
        hash: Option<String>,
    },
    /// List what happened to an account's credits, newest first.
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
    },
    /// List decisions, newest first.
    Decisions(DecisionQuery),
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

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseCommand {
    /// The gate; absent: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// After how many seconds the pause ends by itself; absent: `resume` ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Why; recorded in the ledger.
    pub reason: String,
}

/// A grant of credits to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantCommand {
    /// The account's name, or an alias; a name without an account opens the account.
    pub account: String,
    /// How many credits are granted; at least 1.
    pub credits: u64,
    /// RFC 3339; absent: the grant never expires.
    pub expires: Option<String>,
    /// Why; absent: a default text is recorded.
    pub reason: Option<String>,
    /// Absent: a reference is generated, and the command is not safe to repeat.
    pub reference: Option<String>,
    /// Open the account even if its name is nearly that of another one.
    #[serde(default)]
    pub new: bool,
}

/// Selects the decisions to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionQuery {
    /// RFC 3339.
    pub since: Option<String>,
    /// The maximum number of decisions; absent: 100.
    #[serde(default = "default_limit")]
    pub limit: u32,
    /// An account, or the address of a booker.
    #[serde(default)]
    pub booker: Option<String>,
    /// Only decisions of the gate with this name.
    #[serde(default)]
    pub gate: Option<String>,
    /// A decision (`wait`) or an outcome (`confirmed`).
    #[serde(default)]
    pub outcome: Option<String>,
    /// Continue after this place, the `next` of an earlier answer to the same query; absent: start
    /// with the newest decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Credits that are taken back from an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeCommand {
    /// The account's name, or an alias.
    pub account: String,
    /// How many credits are taken back; at least 1.
    pub credits: u64,
    /// Why; absent: a default text is recorded.
    pub reason: Option<String>,
    /// Absent: a reference is generated, and the command is not safe to repeat.
    pub reference: Option<String>,
}

/// One row of an import, with its line number in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    /// The number of the line in the file.
    pub line: u64,
    /// The account's name, or an alias; a name without an account opens the account.
    pub account: String,
    /// How many credits are granted. A row with 0 credits only opens the account.
    pub credits: u64,
    /// RFC 3339; absent: the grant never expires.
    pub expires: Option<String>,
    /// Why; absent: a default text is recorded.
    pub reason: Option<String>,
    /// The reference of the grant. A row whose reference is recorded already grants nothing.
    pub reference: String,
    /// The account's new tier; absent: the tier stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The account's new tags; empty: the tags stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What is wrong with one line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportProblem {
    /// The number of the line in the file.
    pub line: u64,
    /// What is wrong, and what to do, as text for an operator.
    pub text: String,
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
    /// What happened to the credits of one account.
    Statement(StatementView),
    /// The decisions that match a query.
    Decisions(DecisionsView),
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

/// The report of a pass, or of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassView {
    /// The version of the protocol.
    pub schema: u32,
    /// The pass in numbers.
    pub pass: PassSummaryView,
    /// What the pass decided about each request, or would decide.
    pub steps: Vec<StepView>,
    /// What an operator should look at.
    pub problems: Vec<ProblemView>,
    /// Whether requests are left for the next pass.
    pub more: bool,
    /// The unresolved list after the pass.
    #[serde(default, skip_serializing_if = "UnresolvedSummary::is_empty")]
    pub unresolved: UnresolvedSummary,
    /// Why the pass stopped before its end. What this report lists was done before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StoppedView>,
    /// What the watch did after the pass, when a watch was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchView>,
}

/// The failure that ended a pass or a run before its end, with the exit code that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedView {
    /// The exit code.
    pub exit: u8,
    /// A word for programs: `credential`, `permission`, `unreachable`, `configuration`,
    /// `store-locked`, `store` or `failed`.
    pub code: String,
    /// Why, as text for an operator.
    pub text: String,
}

/// A pass in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassSummaryView {
    /// When the pass started. RFC 3339 in UTC.
    pub started: String,
    /// When the pass ended. RFC 3339 in UTC.
    pub finished: String,
    /// How many pending bookings were seen, regardless of whose they are.
    pub observed: usize,
    /// How many calls were sent to Cal.com.
    pub calls: u64,
    /// Whether nothing was written or sent.
    pub dry_run: bool,
    /// How many requests would have been decided and were postponed because Cal.com's answers did
    /// not say enough. `problems` gives the reasons.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deferred_requests: usize,
    /// Whether more requests may wait than were seen, because the list of pending bookings broke
    /// off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub list_incomplete: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// One request: what was decided about it, and how far the decision has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// The id of the request.
    pub request: String,
    /// The uids of the request's bookings, in order of start.
    pub bookings: Vec<String>,
    /// The title of the booking.
    pub title: String,
    /// When the first booking starts. RFC 3339 in UTC.
    pub start: String,
    /// The booker's e-mail address; absent when it is not known.
    pub booker: Option<String>,
    /// The booker's account; absent when there is none.
    pub account: Option<String>,
    /// Whether there may be an account that was not looked up, because the request was left alone
    /// before that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub account_not_looked_up: bool,
    /// The gate that the request belongs to; absent when no gate matches.
    pub gate: Option<String>,
    /// `confirm`, `decline`, `wait`, `review` or `leave`.
    pub decision: String,
    /// How many credits the confirmation costs in total; 0 for other decisions.
    pub credits: u64,
    /// `planned`, `confirmed`, `declined`, `superseded`, `unresolved`, `failed`, `refused`, or
    /// `none` when there was nothing to do.
    pub outcome: String,
    /// Why it was decided so, the most important reason first.
    pub reasons: Vec<ReasonView>,
    /// Why the step is not finished, and until when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// What the account could spend before and after the step, in a plan that would confirm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceView>,
}

/// What an account can spend before and after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    /// Credits before the step.
    pub before: u64,
    /// Credits after the step.
    pub after: u64,
}

/// Credits that were refunded after a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundView {
    /// The uid of the booking.
    pub booking: String,
    /// When the credits were given back. RFC 3339 in UTC.
    pub at: String,
    /// How many credits were given back.
    pub credits: u64,
    /// Why they were given back.
    pub reason: String,
}

/// One reason of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    /// The code of the reason, such as `short-of-credit`.
    pub code: String,
    /// The reason as a sentence.
    pub text: String,
}

/// What an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemView {
    /// A word for programs that names the kind of the problem.
    pub code: String,
    /// The problem, as text for an operator.
    pub text: String,
}

/// One fact, as a line for people and as separate fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    /// The number of the commit that wrote the fact.
    pub sequence: u64,
    /// When the fact was written. RFC 3339 in UTC.
    pub at: String,
    /// `grant`, `hold`, `post`, `void`, `refund`, `move`, `revoke`, `expire`, `decided`, `called`,
    /// `settled`, `closed`, …
    pub kind: String,
    /// How many credits the fact moves; absent for other facts.
    pub credits: Option<u64>,
    /// The uid of the booking that the fact is about; absent when it is about no booking.
    pub booking: Option<String>,
    /// The booking's title and start, where a statement shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When the booking starts. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// In a statement: the account's balance right after this entry, including lots that have
    /// expired since and are not written off yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<u64>,
    /// The fact as text for people.
    pub text: String,
}

/// The decisions that match a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionsView {
    /// The version of the protocol.
    pub schema: u32,
    /// The decisions, newest first.
    pub decisions: Vec<DecisionView>,
    /// Whether there are more decisions than the limit.
    pub more: bool,
    /// The place to continue after, when there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A decision, with what happened to its credits later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// When the request was decided. RFC 3339 in UTC.
    pub decided_at: String,
    /// The request and the decision. Its fields are on the same level as `decided_at`.
    #[serde(flatten)]
    pub step: StepView,
    /// The hash of the policy that decided.
    pub policy: String,
    /// Refunds since the decision, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<RefundView>,
}

/// Everything that is known about a booking, or about the request that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainView {
    /// The version of the protocol.
    pub schema: u32,
    /// Absent: the booking was accepted without a decision, and is on the unresolved list.
    pub decision: Option<DecisionView>,
    /// The booking's items on the unresolved list, open and resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<UnresolvedItem>,
    /// The uids of the occurrences that were added to the series after the decision. The decision
    /// answers them, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined_bookings: Vec<String>,
    /// The outcome of every rule that was evaluated.
    pub findings: Vec<FindingView>,
    /// The text that the booker received, when the request was declined.
    pub booker_message: Option<String>,
    /// What an operator decided about the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<OperatorReviewView>,
    /// The last calls to Cal.com for the request, oldest first.
    pub calls: Vec<CallView>,
    /// The charges of the request's bookings, and of the bookings that they were moved from and to.
    pub charges: Vec<ChargeView>,
    /// Every fact about the booking, oldest first.
    pub entries: Vec<EntryView>,
}

/// The outcome of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    /// The name of the rule.
    pub rule: String,
    /// Why the request does not meet the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether the request meets the rule.
    pub passed: bool,
    /// What the rule looked at, as text for people.
    pub detail: String,
}

/// One call to Cal.com, and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// When the call was made. RFC 3339 in UTC.
    pub at: String,
    /// The uid of the booking.
    pub booking: String,
    /// `confirm`, `decline` or `cancel`.
    pub call: String,
    /// Whether the booking's state was known after the call.
    pub answered: bool,
    /// The result of the call, without secrets.
    pub text: String,
}

/// What would be decided about a booking from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluateView {
    /// The version of the protocol.
    pub schema: u32,
    /// The time at which the booking was judged. RFC 3339 in UTC.
    pub at: String,
    /// The decision about the booking.
    pub decision: StepView,
    /// The outcome of every rule that was evaluated.
    pub findings: Vec<FindingView>,
    /// The text that the booker would receive.
    pub booker_message: Option<String>,
    /// What could not be known from a file, and was assumed.
    pub assumptions: Vec<String>,
}

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// The version of the protocol.
    pub schema: u32,
    /// Whether there is no error.
    pub ok: bool,
    /// The results of all checks.
    pub results: Vec<CheckResultView>,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResultView {
    /// `ok`, `warning` or `error`.
    pub level: String,
    /// The exit code that fits, when this is an error.
    pub exit: u8,
    /// What was checked: `key`, `event type book-club (gate main)`, `config.toml:12:3`.
    pub subject: String,
    /// What was found, as text for an operator.
    pub text: String,
    /// What to do.
    pub help: String,
}
