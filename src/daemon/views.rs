//! Converts the domain's types to the shapes of `control::protocol`.

use chrono::SecondsFormat;

use crate::control::protocol::SCHEMA;
use crate::control::protocol::account::{AccountView, GrantRecordView, LotView};
use crate::control::protocol::charges::{ChangeView, ChargeView, WatchView};
use crate::control::protocol::decisions::{CallView, DecisionView, FindingView};
use crate::control::protocol::pass::{
    BalanceView, GrantedAllowanceView, PassSummaryView, PassView, ReasonView, StepView,
};
use crate::control::protocol::problem::ProblemView;
use crate::control::protocol::review::{NotedRequestView, OperatorReviewView};
use crate::control::protocol::status::WatchSummaryView;
use crate::control::protocol::unresolved::{ResolvedView, UnresolvedItem, UnresolvedSummary};
use crate::domain::account::Account;
use crate::domain::decision::{Finding, ReasonCode};
use crate::domain::entry_reason::EntryReason;
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState, OperatorReview, Request, RequestState};
use crate::domain::time::Time;
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedState};
use crate::reconcile::allowances::GrantedAllowance;
use crate::reconcile::report::{PassReport, StepOutcome, StepReport, UnresolvedReport};
use crate::reconcile::watch::WatchReport;

pub mod facts;

/// Formats a time as RFC 3339 in UTC, with milliseconds.
pub fn format_time(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Returns the report of a pass, without a watch after it.
pub fn pass(report: &PassReport) -> PassView {
    PassView {
        schema: SCHEMA,
        pass: pass_summary(report),
        steps: report
            .steps
            .iter()
            .map(|one| reported_step(report, one))
            .collect(),
        allowances: report
            .allowances
            .granted
            .iter()
            .map(granted_allowance)
            .collect(),
        problems: report.problems.iter().map(problem).collect(),
        more: report.more,
        unresolved: unresolved_summary(&report.unresolved),
        stopped: None,
        watch: None,
    }
}

fn granted_allowance(granted: &GrantedAllowance) -> GrantedAllowanceView {
    GrantedAllowanceView {
        allowance: granted.name.clone(),
        accounts: granted.accounts,
        credits: granted.credits,
        rolled_over: granted.rolled_over,
        expires: format_time(granted.until),
    }
}

/// Returns the report of a watch.
pub fn watch(watch_report: &WatchReport) -> WatchView {
    WatchView {
        started: format_time(watch_report.started),
        finished: format_time(watch_report.finished),
        audit: watch_report.audit,
        suppressed_by: watch_report.report_only.map(|why| why.as_str().to_owned()),
        checked: watch_report.checked_charges,
        calls: watch_report.calls,
        changes: watch_report
            .changes
            .iter()
            .map(|change| ChangeView {
                booking: change.booking.to_string(),
                account: change.account.as_ref().map(ToString::to_string),
                outcome: change.outcome.as_str().to_owned(),
                text: change.text.clone(),
            })
            .collect(),
        problems: watch_report.problems.iter().map(problem).collect(),
        unresolved: unresolved_summary(&watch_report.unresolved),
    }
}

/// Returns a watch in numbers.
pub fn watch_summary(watch_report: &WatchReport) -> WatchSummaryView {
    WatchSummaryView {
        started: format_time(watch_report.started),
        finished: format_time(watch_report.finished),
        audit: watch_report.audit,
        checked: watch_report.checked_charges,
        calls: watch_report.calls,
        changes: watch_report.changes.len(),
    }
}

/// Returns a pass in numbers.
pub fn pass_summary(report: &PassReport) -> PassSummaryView {
    PassSummaryView {
        started: format_time(report.started),
        finished: format_time(report.finished),
        observed: report.pending_count,
        calls: report.calls,
        dry_run: report.dry_run,
        deferred_requests: report.deferral.requests,
        list_incomplete: report.deferral.list_incomplete,
    }
}

/// Returns a problem that an operator should look at.
pub fn problem(problem: &Problem) -> ProblemView {
    ProblemView {
        code: problem.code.to_owned(),
        text: problem.text.clone(),
    }
}

fn reported_step(report: &PassReport, reported: &StepReport) -> StepView {
    let balance = report.balances.get(&reported.request.id);
    StepView {
        balance: balance.map(|(before, after)| BalanceView {
            before: *before,
            after: *after,
        }),
        waiting_for: reported.why.clone(),
        ..step(&reported.request, reported.outcome.as_str())
    }
}

/// Returns a request with its decision, and this outcome.
pub fn step(request: &Request, outcome: &str) -> StepView {
    StepView {
        request: request.id.to_string(),
        bookings: request
            .bookings
            .iter()
            .map(|booking| booking.uid.to_string())
            .collect(),
        title: request.title.clone(),
        start: format_time(request.start),
        booker: request.booker.as_ref().map(ToString::to_string),
        account: request.account.as_ref().map(ToString::to_string),
        account_not_looked_up: !request.account_was_looked_up(),
        gate: request.gate.clone(),
        decision: request.decision.as_str().to_owned(),
        credits: credits_of(request),
        outcome: outcome.to_owned(),
        reasons: request
            .reasons
            .iter()
            .map(|reason| ReasonView {
                code: reason.code.to_string(),
                text: reason.text.clone(),
            })
            .collect(),
        waiting_for: None,
        balance: None,
    }
}

/// Returns the credits that the request moves: only a confirmation moves credits.
fn credits_of(request: &Request) -> u64 {
    match request.decision {
        crate::domain::decision::Decision::Confirm => request.credits,
        crate::domain::decision::Decision::Decline
        | crate::domain::decision::Decision::Wait { .. }
        | crate::domain::decision::Decision::Review
        | crate::domain::decision::Decision::Leave => 0,
    }
}

/// Returns a decision, still without its refunds.
pub fn decision(request: &Request) -> DecisionView {
    DecisionView {
        decided_at: format_time(request.decided_at),
        step: step(request, outcome(request)),
        policy: request.policy_hash.clone(),
        refunds: Vec::new(),
    }
}

/// Returns the word for how far the decision has come.
pub fn outcome(request: &Request) -> &'static str {
    match request.state {
        RequestState::Noted => StepOutcome::NothingToDo.as_str(),
        RequestState::Recorded => StepOutcome::Unresolved.as_str(),
        RequestState::Settled { outcome, .. } => outcome.as_str(),
    }
}

/// Returns a noted request with what its booker's account has available.
pub fn noted_request(request: &Request, account: Option<&Account>, now: Time) -> NotedRequestView {
    NotedRequestView {
        step: step(request, outcome(request)),
        cost: is_price_known(request).then_some(request.credits),
        available: account.map(|account| account.available(now)),
        since: format_time(request.first_evaluated_at),
        review: request.review.as_ref().map(operator_review),
    }
}

fn is_price_known(request: &Request) -> bool {
    let mut reasons = request.reasons.iter();
    reasons.all(|reason| reason.code != ReasonCode::PriceUnknown)
}

/// Returns the operator's decision about a request.
pub fn operator_review(review: &OperatorReview) -> OperatorReviewView {
    OperatorReviewView {
        decision: review.decision.as_str().to_owned(),
        reason: review.reason.clone(),
        at: format_time(review.at),
    }
}

/// Returns an item of the unresolved list.
pub fn unresolved(item: &UnresolvedBooking) -> UnresolvedItem {
    UnresolvedItem {
        booking: item.booking.uid.to_string(),
        code: item.code.to_string(),
        account: item.account.as_ref().map(ToString::to_string),
        since: format_time(item.since),
        until: item.until.map(format_time),
        detail: item.detail.clone(),
        resolved: match &item.state {
            UnresolvedState::Open => None,
            UnresolvedState::Resolved { reason, by, at } => Some(ResolvedView {
                reason: reason.clone(),
                resolved_by: by.as_str().to_owned(),
                at: format_time(*at),
            }),
        },
    }
}

/// Returns the number of unresolved items and the first few of them.
pub fn unresolved_summary(listed: &UnresolvedReport) -> UnresolvedSummary {
    UnresolvedSummary {
        count: listed.count,
        items: listed.first_items.iter().map(unresolved).collect(),
    }
}

/// Returns the outcome of one rule.
pub fn finding(finding: &Finding) -> FindingView {
    FindingView {
        rule: finding.rule.to_string(),
        code: finding.code.map(|code| code.to_string()),
        passed: finding.passed,
        detail: finding.detail.clone(),
    }
}

/// Returns the calls of the request, oldest first.
pub fn calls(request: &Request) -> Vec<CallView> {
    request
        .calls
        .iter()
        .map(|call| CallView {
            at: format_time(call.at),
            booking: call.booking.to_string(),
            call: call.kind.as_str().to_owned(),
            answered: call.is_answered(),
            text: call.text.clone(),
        })
        .collect()
}

/// Returns a charge.
pub fn charge(charge: &Charge) -> ChargeView {
    let (state, moved_to) = match &charge.state {
        ChargeState::Held => ("held", None),
        ChargeState::Void => ("void", None),
        ChargeState::Open => ("open", None),
        ChargeState::Final => ("final", None),
        ChargeState::Refunded => ("refunded", None),
        ChargeState::Moved { to } => ("moved", Some(to.to_string())),
    };
    ChargeView {
        booking: charge.booking.uid.to_string(),
        account: charge.account.to_string(),
        state: state.to_owned(),
        credits: charge.credits(),
        refunded: charge.refunded,
        start: format_time(charge.start),
        end: format_time(charge.end),
        moved_to,
        moved_from: charge.moved_from.as_ref().map(ToString::to_string),
        note: charge.reason.as_ref().map(EntryReason::full_text),
    }
}

/// Returns an account with its balance at `now`.
pub fn account(account: &Account, now: Time) -> AccountView {
    let balance = account.balance(now);
    AccountView {
        schema: SCHEMA,
        account: account.id.to_string(),
        available: balance.available,
        held: balance.held,
        posted: balance.posted,
        refunded: balance.refunded,
        expired: balance.expired,
        revoked: balance.revoked,
        granted: balance.granted,
        received: balance.received,
        sent: balance.sent,
        lent: balance.lent,
        repaid: balance.repaid,
        overdraft_limit: account.overdraft_limit,
        closed_reason: account
            .closed
            .as_ref()
            .map(|closing| closing.reason.clone()),
        merged_into: {
            let closing = account.closed.as_ref();
            let successor = closing.and_then(|closing| closing.merged_into.as_ref());
            successor.map(ToString::to_string)
        },
        aliases: account.aliases.iter().map(ToString::to_string).collect(),
        tier: account.tier.clone(),
        tags: account.tags.iter().cloned().collect(),
        attributes: account.attributes.clone(),
        frozen_reason: account.freeze_reason.clone(),
        has_pin: account.pin_hash.is_some(),
        lots: account
            .lots
            .iter()
            .filter(|lot| lot.is_spendable(account.lot_clock(now)))
            .map(|lot| LotView {
                grant: lot.grant.to_string(),
                left: lot.remaining,
                granted: lot.granted,
                expires: lot.expires.map(format_time),
                source: lot.terms.source.as_str().to_owned(),
                priority: lot.terms.priority.into(),
                gates: lot.terms.gates.iter().cloned().collect(),
                lasts_after_first_use: lot
                    .terms
                    .lasts_after_first_use
                    .map(crate::domain::messages::format_span),
            })
            .collect(),
    }
}

/// Returns a grant or a revocation. `existed` says whether it was recorded before, and `available`
/// is what the account can spend now.
pub fn grant_record(given: &GrantRecord, existed: bool, available: u64) -> GrantRecordView {
    GrantRecordView {
        schema: SCHEMA,
        account: given.account.to_string(),
        kind: match given.kind {
            GrantKind::Grant => "grant",
            GrantKind::Revoke => "revoke",
            GrantKind::Restored => "restored",
            GrantKind::Transfer => "transfer",
            GrantKind::Received => "received",
            GrantKind::Overdraft => "overdraft",
        }
        .to_owned(),
        credits: given.credits,
        expires: given.expires.map(format_time),
        reason: given.reason.clone(),
        reference: given.reference.to_string(),
        at: format_time(given.at),
        already_recorded: existed,
        account_opened: false,
        available,
    }
}
