//! The messages of the control socket, and what commands print with `--format json`: one
//! documented, versioned shape per command. Times are RFC 3339 in UTC, words are lower case.
//!
//! Each connection carries one line of JSON in each direction: a [`SocketRequest`], then a
//! [`SocketResponse`].

use serde::{Deserialize, Serialize};

use super::exit;

use self::account::{
    AccountSetCommand, AccountView, AccountsView, CreditsExportView, GrantRecordView, GrantsView,
    ImportView, StatementView,
};
use self::charges::{ChargeView, ChargesView, WatchView};
use self::ledger::{HeadView, LedgerMoveCommand, LedgerView, VerifyView};
use self::review::{OperatorReviewView, ReviewCommand, ReviewResultView, ReviewsView};
use self::status::StatusView;
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

/// The longest request line, in bytes: an import of a large club fits.
pub const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The longest response line, in bytes.
pub const MAX_RESPONSE: usize = 64 * 1024 * 1024;

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketRequest {
    pub schema: u32,
    pub command: Command,
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketResponse {
    Ok(Box<CommandResult>),
    Err(Refusal),
}

/// Why a command was not carried out. Commands also print it on stderr with `--format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// The exit code that fits.
    pub exit: u8,
    /// A word for programs: `usage`, `not-found`, `conflict`, `store`, `calendar`, `credential`,
    /// `configuration`, `unreachable`, `held`, `internal`.
    pub code: String,
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Show what a pass would do now.
    Plan {},
    /// Run a pass now, and a watch after it if `watch` is set, and wait for the report. Like `Plan`,
    /// the command waits for a running pass or watch to end first, and then has a pass of its own.
    Pass {
        #[serde(default)]
        watch: bool,
    },
    Status {},
    /// Start no passes until `resume`; open work waits.
    Pause {},
    Resume {},
    Grant(GrantCommand),
    Revoke(RevokeCommand),
    /// Import rows of a CSV file, already parsed: all of them or none.
    Import {
        rows: Vec<ImportRow>,
        dry_run: bool,
    },
    /// Return what is left of each grant, of at most `limit` accounts after the account `after`.
    CreditsExport {
        after: Option<String>,
        limit: u32,
    },
    /// List the grants of one account, newest first.
    Grants {
        account: String,
    },
    AccountShow {
        account: String,
    },
    AccountList {
        after: Option<String>,
        limit: u32,
        /// Only accounts with this text in their name or in an alias.
        #[serde(default)]
        search: Option<String>,
    },
    AccountAlias {
        account: String,
        alias: String,
        remove: bool,
    },
    /// Change tier, tags and attributes.
    AccountSet(AccountSetCommand),
    /// Freeze an account with a reason, or thaw it without. No request of a frozen account is
    /// confirmed before an operator says so.
    AccountFreeze {
        account: String,
        reason: Option<String>,
    },
    /// Set the hash of the member's PIN; without a hash the PIN is removed.
    AccountPin {
        account: String,
        hash: Option<String>,
    },
    /// List what happened to an account's credits, newest first.
    AccountStatement {
        account: String,
        limit: u32,
    },
    Decisions(DecisionQuery),
    /// Show everything that is known about a booking, or about the request that it belongs to.
    Explain {
        booking: String,
    },
    /// Judge the booking in the text (an API item or a webhook payload) as if it were pending.
    Evaluate {
        text: String,
        at: Option<String>,
    },
    /// List the requests that wait for an operator's decision; with `all`, also the other noted
    /// requests.
    Reviews {
        all: bool,
        limit: u32,
    },
    /// Record an operator's decision about a request.
    Review(ReviewCommand),
    /// List charges with their state, and what the open charges wait for.
    Charges {
        open: bool,
        limit: u32,
    },
    /// End an open charge: refund everything, or nothing.
    ChargeSettle {
        booking: String,
        refund: bool,
    },
    /// Show the unresolved list.
    Unresolved {
        limit: u32,
    },
    /// Take a booking off the unresolved list.
    Resolve {
        booking: String,
        /// Absent: all codes that the booking is listed for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
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
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantCommand {
    pub account: String,
    pub credits: u64,
    /// RFC 3339; absent: the grant never expires.
    pub expires: Option<String>,
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
    pub limit: u32,
    /// An account, or the address of a booker.
    #[serde(default)]
    pub booker: Option<String>,
    #[serde(default)]
    pub gate: Option<String>,
    /// A decision (`wait`) or an outcome (`confirmed`).
    #[serde(default)]
    pub outcome: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeCommand {
    pub account: String,
    pub credits: u64,
    pub reason: Option<String>,
    pub reference: Option<String>,
}

/// One row of an import, with its line number in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    pub line: u64,
    pub account: String,
    pub credits: u64,
    pub expires: Option<String>,
    pub reason: Option<String>,
    pub reference: String,
    /// The account's new tier; absent: the tier stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The account's new tags; empty: the tags stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What a command returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandResult {
    Pass(PassView),
    Status(StatusView),
    GrantRecord(GrantRecordView),
    Import(ImportView),
    Grants(GrantsView),
    Account(AccountView),
    Accounts(AccountsView),
    Statement(StatementView),
    Decisions(DecisionsView),
    Explain(Box<ExplainView>),
    Evaluate(EvaluateView),
    Reviews(ReviewsView),
    ReviewResult(ReviewResultView),
    Charges(ChargesView),
    Unresolved(UnresolvedView),
    Verify(VerifyView),
    CreditsExport(CreditsExportView),
    Head(HeadView),
    Ledger(LedgerView),
}

/// The report of a pass, or of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassView {
    pub schema: u32,
    pub pass: PassSummaryView,
    pub steps: Vec<StepView>,
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
    pub exit: u8,
    pub code: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassSummaryView {
    pub started: String,
    pub finished: String,
    pub observed: usize,
    pub calls: u64,
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

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    pub request: String,
    pub bookings: Vec<String>,
    pub title: String,
    pub start: String,
    pub booker: Option<String>,
    pub account: Option<String>,
    /// Whether there may be an account that was not looked up, because the request was left alone
    /// before that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub account_not_looked_up: bool,
    pub gate: Option<String>,
    pub decision: String,
    pub credits: u64,
    pub outcome: String,
    pub reasons: Vec<ReasonView>,
    /// Why the step is not finished, and until when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// What the account could spend before and after the step, in a plan that would confirm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    pub before: u64,
    pub after: u64,
}

/// Credits that were refunded after a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundView {
    pub booking: String,
    pub at: String,
    pub credits: u64,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    pub code: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemView {
    pub code: String,
    pub text: String,
}

/// One fact, as a line for people and as separate fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    pub sequence: u64,
    pub at: String,
    /// `grant`, `hold`, `post`, `void`, `refund`, `move`, `revoke`, `expire`, `decided`, `called`,
    /// `settled`, `closed`, …
    pub kind: String,
    pub credits: Option<u64>,
    pub booking: Option<String>,
    /// The booking's title and start, where a statement shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// In a statement: the account's balance right after this entry, including lots that have
    /// expired since and are not written off yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<u64>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionsView {
    pub schema: u32,
    pub decisions: Vec<DecisionView>,
    /// Whether there are more decisions than the limit.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    pub decided_at: String,
    #[serde(flatten)]
    pub step: StepView,
    pub policy: String,
    /// Refunds since the decision, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<RefundView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainView {
    pub schema: u32,
    /// Absent: the booking was accepted without a decision, and is on the unresolved list.
    pub decision: Option<DecisionView>,
    /// The booking's items on the unresolved list, open and resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<UnresolvedItem>,
    pub findings: Vec<FindingView>,
    /// The text that the booker received, when the request was declined.
    pub booker_message: Option<String>,
    /// What an operator decided about the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<OperatorReviewView>,
    pub calls: Vec<CallView>,
    pub charges: Vec<ChargeView>,
    /// Every fact about the booking, oldest first.
    pub entries: Vec<EntryView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    pub rule: String,
    /// Why the request does not meet the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub passed: bool,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    pub at: String,
    pub booking: String,
    pub call: String,
    pub answered: bool,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluateView {
    pub schema: u32,
    pub at: String,
    pub decision: StepView,
    pub findings: Vec<FindingView>,
    /// The text that the booker would receive.
    pub booker_message: Option<String>,
    /// What could not be known from a file, and was assumed.
    pub assumptions: Vec<String>,
}

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    pub schema: u32,
    /// Whether there is no error.
    pub ok: bool,
    pub results: Vec<CheckResultView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResultView {
    /// `ok`, `warning` or `error`.
    pub level: String,
    /// The exit code that fits, when this is an error.
    pub exit: u8,
    /// What was checked: `key`, `event type book-club (gate main)`, `config.toml:12:3`.
    pub subject: String,
    pub text: String,
    /// What to do.
    pub help: String,
}
