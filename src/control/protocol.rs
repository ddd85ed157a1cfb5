//! What is said over the control socket, and what commands print with `--format json`: one
//! documented, versioned shape per command. Times are RFC 3339 in UTC, words are lower case.
//!
//! One line of JSON each way per connection: a [`Request`], then a [`Response`].

use serde::{Deserialize, Serialize};

use super::exit;

use self::account::{
    AccountSetCommand, AccountView, AccountsView, ExportView, GivenView, GrantsView, ImportView,
    StatementView,
};
use self::charges::{ChargeView, ChargesView, WatchView};
use self::ledger::{HeadView, LedgerMoveCommand, LedgerView, VerifyView};
use self::review::{ReviewCommand, ReviewedView, ReviewsView, WordView};
use self::status::StatusView;
use self::unresolved::{UnresolvedItem, UnresolvedSummary, UnresolvedView};

pub mod account;
pub mod charges;
pub mod ledger;
pub mod review;
pub mod status;
pub mod unresolved;

/// The version of every shape here. A newer daemon refuses an older client by it, and says so.
pub const SCHEMA: u32 = 1;

/// The longest request line: an import of a large club fits.
pub const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The longest response line.
pub const MAX_RESPONSE: usize = 64 * 1024 * 1024;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketRequest {
    pub schema: u32,
    pub command: Command,
}

/// What the daemon says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketResponse {
    Ok(Box<CommandResult>),
    Err(Refusal),
}

/// Why a command was not carried out. Also what commands print on stderr with `--format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// The exit code that fits.
    pub exit: u8,
    /// A word for machines: `usage`, `not-found`, `conflict`, `store`, `calendar`, `credential`,
    /// `configuration`, `unreachable`, `held`, `internal`.
    pub code: String,
    pub text: String,
}

impl Refusal {
    /// The command line, or a file that it names, cannot be used.
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
    /// What a pass would do now.
    Plan {},
    /// Run a pass now, and a watch after it where one is asked for, and wait for the report.
    Pass {
        #[serde(default)]
        watch: bool,
    },
    Status {},
    /// No passes until `resume`; what is open waits.
    Pause {},
    Resume {},
    Grant(GrantCommand),
    Revoke(RevokeCommand),
    /// Rows of a CSV file, already parsed. All or nothing.
    Import {
        rows: Vec<ImportRow>,
        dry_run: bool,
    },
    /// What is left of each grant, of so many accounts after the given one.
    CreditsExport {
        after: Option<String>,
        limit: u32,
    },
    /// Grants of one account, newest first.
    Grants {
        account: String,
    },
    AccountShow {
        account: String,
    },
    AccountList {
        after: Option<String>,
        limit: u32,
        /// Only accounts with this in their name or in an alias.
        #[serde(default)]
        search: Option<String>,
    },
    AccountAlias {
        account: String,
        alias: String,
        remove: bool,
    },
    /// Tier, tags and attributes.
    AccountSet(AccountSetCommand),
    /// No request of a frozen account is confirmed before an operator says so. None: thawed.
    AccountFreeze {
        account: String,
        why: Option<String>,
    },
    /// The hash of the member's PIN; none: there is no PIN any more.
    AccountPin {
        account: String,
        hash: Option<String>,
    },
    /// What became of an account's credits, newest first.
    AccountStatement {
        account: String,
        limit: u32,
    },
    Decisions(DecisionQuery),
    /// All that is known of a booking, or of the request it belongs to.
    Explain {
        booking: String,
    },
    /// Judges the booking in the text (an API item or a webhook payload) as if it were pending.
    Evaluate {
        text: String,
        at: Option<String>,
    },
    /// Requests that wait for an operator's word; with `all`, what else is only noted.
    Reviews {
        all: bool,
        limit: u32,
    },
    /// An operator's word about a request.
    Review(ReviewCommand),
    /// Charges with their state, and what those that are open wait for.
    Charges {
        open: bool,
        limit: u32,
    },
    /// Ends an open charge: everything comes back, or nothing.
    ChargeSettle {
        booking: String,
        refund: bool,
    },
    /// What is on the unresolved list.
    Unresolved {
        limit: u32,
    },
    /// An operator takes a booking off the unresolved list.
    Resolve {
        booking: String,
        /// None: whatever it is on the list for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        reason: String,
    },
    /// Walks the whole log and compares it with what the store says.
    Verify {},
    /// How far the log is durable.
    Head {},
    /// What the ledger knows of itself.
    LedgerShow {},
    /// The ledger belongs to another server, account or dialect from now on.
    LedgerMove(LedgerMoveCommand),
    /// An operator accepts a restored backup.
    LedgerAcceptRestore {
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantCommand {
    pub account: String,
    pub credits: u64,
    /// RFC 3339; none: never.
    pub expires: Option<String>,
    pub reason: Option<String>,
    /// None: one is made up, and the command is not safe to repeat.
    pub reference: Option<String>,
    /// Open the account even if its name is nearly that of another one.
    #[serde(default)]
    pub new: bool,
}

/// Which decisions are listed, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionQuery {
    /// RFC 3339.
    pub since: Option<String>,
    pub limit: u32,
    /// An account, or the address of a booker.
    #[serde(default)]
    pub who: Option<String>,
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

/// One row of an import, with its line in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    pub line: u64,
    pub account: String,
    pub credits: u64,
    pub expires: Option<String>,
    pub reason: Option<String>,
    pub reference: String,
    /// The account's tier from now on; none: it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The account's tags from now on; none: they stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What a command gives back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandResult {
    Pass(PassView),
    Status(StatusView),
    Given(GivenView),
    Import(ImportView),
    Grants(GrantsView),
    Account(AccountView),
    Accounts(AccountsView),
    Statement(StatementView),
    Decisions(DecisionsView),
    Explain(Box<ExplainView>),
    Evaluate(EvaluateView),
    Reviews(ReviewsView),
    Reviewed(ReviewedView),
    Charges(ChargesView),
    Unresolved(UnresolvedView),
    Verify(VerifyView),
    CreditsExport(ExportView),
    Head(HeadView),
    Ledger(LedgerView),
}

/// A pass or a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassView {
    pub schema: u32,
    pub pass: PassHead,
    pub steps: Vec<StepView>,
    pub problems: Vec<ProblemView>,
    /// Requests were left for the next pass.
    pub more: bool,
    /// What is on the unresolved list after it.
    #[serde(default, skip_serializing_if = "UnresolvedSummary::is_empty")]
    pub unresolved: UnresolvedSummary,
    /// Why it did not come to its end, when it did not: what stands here was done before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StoppedView>,
    /// What the watch did after it, when one was due.
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
pub struct PassHead {
    pub started: String,
    pub finished: String,
    pub observed: usize,
    pub calls: u64,
    pub dry_run: bool,
    /// Requests that would have been decided, and were put off because Cal.com's answers did not tell
    /// enough: the problems say why.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub put_off: usize,
    /// Whether more may wait than was seen, because the list of what waits broke off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
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
    /// Whether there may be an account, because the request was left alone before it was looked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_looked_up: bool,
    pub gate: Option<String>,
    pub decision: String,
    pub credits: u64,
    pub outcome: String,
    pub reasons: Vec<ReasonView>,
    /// Why it is not finished, and until when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// What the account could spend before and after it, in a plan that would confirm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    pub before: u64,
    pub after: u64,
}

/// Credits that came back after a decision.
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

/// One fact, as a line for people and in its parts.
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
    /// Of a statement: the account's balance right after it, with what has expired since and is not
    /// written off yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<u64>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionsView {
    pub schema: u32,
    pub decisions: Vec<DecisionView>,
    /// There are more than were asked for.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    pub decided: String,
    #[serde(flatten)]
    pub step: StepView,
    pub policy: String,
    /// What came back since, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<RefundView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainView {
    pub schema: u32,
    /// None: the booking was accepted without a decision, and is on the unresolved list.
    pub decision: Option<DecisionView>,
    /// What it is on the unresolved list for, and was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<UnresolvedItem>,
    pub findings: Vec<FindingView>,
    /// What the booker was told, when declined.
    pub told: Option<String>,
    /// What an operator said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<WordView>,
    pub calls: Vec<CallView>,
    pub charges: Vec<ChargeView>,
    /// Everything written about it, oldest first.
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
    /// What the booker would be told.
    pub told: Option<String>,
    /// What could not be known from a file, and was assumed.
    pub assumed: Vec<String>,
}

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    pub schema: u32,
    /// Whether there is no error.
    pub ok: bool,
    pub findings: Vec<CheckFinding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckFinding {
    /// `ok`, `warning` or `error`.
    pub level: String,
    /// The exit code that fits when this is an error.
    pub exit: u8,
    /// What was looked at: `key`, `event type book-club (gate main)`, `config.toml:12:3`.
    pub subject: String,
    pub text: String,
    /// What to do.
    pub help: String,
}
