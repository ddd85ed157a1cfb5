//! From the domain to what is shown: the shapes of `control::protocol`.

use chrono::SecondsFormat;

use crate::control::protocol::account::{AccountView, GivenView, LotView};
use crate::control::protocol::charges::{ChangeView, ChargeView, WatchView};
use crate::control::protocol::review::{WaitingView, WordView};
use crate::control::protocol::status::WatchHead;
use crate::control::protocol::unresolved::{ResolvedView, UnresolvedItem, UnresolvedSummary};
use crate::control::protocol::{
    BalanceView, CallView, DecisionView, FindingView, PassHead, PassView, ProblemView, ReasonView,
    SCHEMA, StepView,
};
use crate::domain::account::Account;
use crate::domain::decision::Finding;
use crate::domain::entry_reason::EntryReason;
use crate::domain::ledger::{Given, GivenKind};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState, Request, RequestState, Review};
use crate::domain::time::Time;
use crate::domain::unresolved::{Unresolved, UnresolvedState};
use crate::reconcile::report::{Ended, Listed, Report, Reported};
use crate::reconcile::watch::Watched;

pub mod facts;

pub fn time(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub fn pass(report: &Report) -> PassView {
    PassView {
        schema: SCHEMA,
        pass: pass_head(report),
        steps: report
            .steps
            .iter()
            .map(|one| reported(report, one))
            .collect(),
        problems: report.problems.iter().map(problem).collect(),
        more: report.more,
        unresolved: listed(&report.unresolved),
        stopped: None,
        watch: None,
    }
}

pub fn watch(watched: &Watched) -> WatchView {
    WatchView {
        started: time(watched.started),
        finished: time(watched.finished),
        audit: watched.audit,
        held_back: watched.held_back.map(|why| why.as_str().to_owned()),
        checked: watched.checked,
        calls: watched.calls,
        changes: watched
            .changes
            .iter()
            .map(|change| ChangeView {
                booking: change.booking.to_string(),
                account: change.account.as_ref().map(ToString::to_string),
                what: change.what.as_str().to_owned(),
                text: change.text.clone(),
            })
            .collect(),
        problems: watched.problems.iter().map(problem).collect(),
        unresolved: listed(&watched.unresolved),
    }
}

pub fn watch_head(watched: &Watched) -> WatchHead {
    WatchHead {
        started: time(watched.started),
        finished: time(watched.finished),
        audit: watched.audit,
        checked: watched.checked,
        calls: watched.calls,
        changes: watched.changes.len(),
    }
}

pub fn pass_head(report: &Report) -> PassHead {
    PassHead {
        started: time(report.started),
        finished: time(report.finished),
        observed: report.observed,
        calls: report.calls,
        dry_run: report.dry_run,
        put_off: report.put_off.requests,
        unseen: report.put_off.unseen,
    }
}

pub fn problem(problem: &Problem) -> ProblemView {
    ProblemView {
        code: problem.code.to_owned(),
        text: problem.text.clone(),
    }
}

fn reported(report: &Report, reported: &Reported) -> StepView {
    let balance = report.balances.get(&reported.request.id);
    StepView {
        balance: balance.map(|(before, after)| BalanceView {
            before: *before,
            after: *after,
        }),
        waits: reported.why.clone(),
        ..step(&reported.request, reported.ended.as_str())
    }
}

pub fn step(request: &Request, outcome: &str) -> StepView {
    StepView {
        request: request.id.to_string(),
        bookings: request
            .bookings
            .iter()
            .map(|booking| booking.uid.to_string())
            .collect(),
        title: request.title.clone(),
        start: time(request.start),
        booker: request.booker.as_ref().map(ToString::to_string),
        account: request.account.as_ref().map(ToString::to_string),
        not_looked_up: !request.account_is_known(),
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
        waits: None,
        balance: None,
    }
}

/// Only a confirmation moves credits.
fn credits_of(request: &Request) -> u64 {
    match request.decision {
        crate::domain::decision::Decision::Confirm => request.credits,
        crate::domain::decision::Decision::Decline
        | crate::domain::decision::Decision::Wait { .. }
        | crate::domain::decision::Decision::Review
        | crate::domain::decision::Decision::Leave => 0,
    }
}

pub fn decision(request: &Request) -> DecisionView {
    DecisionView {
        decided: time(request.decided),
        step: step(request, outcome(request)),
        policy: request.policy.clone(),
        refunds: Vec::new(),
    }
}

pub fn outcome(request: &Request) -> &'static str {
    match request.state {
        RequestState::Noted => Ended::Nothing.as_str(),
        RequestState::Recorded => Ended::Unresolved.as_str(),
        RequestState::Settled { outcome, .. } => outcome.as_str(),
    }
}

/// A request that is only noted, with what its booker's account has.
pub fn waiting(request: &Request, account: Option<&Account>, now: Time) -> WaitingView {
    WaitingView {
        step: step(request, outcome(request)),
        cost: request.credits,
        available: account.map(|account| account.available(now)),
        since: time(request.first),
        said: request.review.as_ref().map(word),
    }
}

pub fn word(review: &Review) -> WordView {
    WordView {
        verdict: review.verdict.as_str().to_owned(),
        reason: review.reason.clone(),
        at: time(review.at),
    }
}

pub fn unresolved(item: &Unresolved) -> UnresolvedItem {
    UnresolvedItem {
        booking: item.booking.uid.to_string(),
        code: item.code.to_string(),
        account: item.account.as_ref().map(ToString::to_string),
        since: time(item.since),
        until: item.until.map(time),
        detail: item.detail.clone(),
        resolved: match &item.state {
            UnresolvedState::Open => None,
            UnresolvedState::Resolved { reason, by, at } => Some(ResolvedView {
                reason: reason.clone(),
                by: by.as_str().to_owned(),
                at: time(*at),
            }),
        },
    }
}

/// The number of unresolved items and the first of them.
pub fn listed(listed: &Listed) -> UnresolvedSummary {
    UnresolvedSummary {
        count: listed.count,
        items: listed.first.iter().map(unresolved).collect(),
    }
}

pub fn finding(finding: &Finding) -> FindingView {
    FindingView {
        rule: finding.rule.to_string(),
        code: finding.code.map(|code| code.to_string()),
        passed: finding.passed,
        detail: finding.detail.clone(),
    }
}

pub fn calls(request: &Request) -> Vec<CallView> {
    request
        .calls
        .iter()
        .map(|call| CallView {
            at: time(call.at),
            booking: call.booking.to_string(),
            call: call.kind.as_str().to_owned(),
            answered: call.answered(),
            text: call.text.clone(),
        })
        .collect()
}

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
        start: time(charge.start),
        end: time(charge.end),
        moved_to,
        moved_from: charge.moved_from.as_ref().map(ToString::to_string),
        note: charge.reason.as_ref().map(EntryReason::text),
    }
}

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
        aliases: account.aliases.iter().map(ToString::to_string).collect(),
        tier: account.tier.clone(),
        tags: account.tags.iter().cloned().collect(),
        attributes: account.attributes.clone(),
        frozen: account.frozen.clone(),
        pin: account.pin.is_some(),
        lots: account
            .lots
            .iter()
            .filter(|lot| lot.alive(now))
            .map(|lot| LotView {
                grant: lot.grant.to_string(),
                left: lot.left,
                granted: lot.granted,
                expires: lot.expires.map(time),
            })
            .collect(),
    }
}

pub fn given(given: &Given, existed: bool, available: u64) -> GivenView {
    GivenView {
        schema: SCHEMA,
        account: given.account.to_string(),
        kind: match given.kind {
            GivenKind::Grant => "grant",
            GivenKind::Revoke => "revoke",
            GivenKind::Restored => "restored",
        }
        .to_owned(),
        credits: given.credits,
        expires: given.expires.map(time),
        reason: given.reason.clone(),
        reference: given.reference.to_string(),
        at: time(given.at),
        existed,
        opened: false,
        available,
    }
}
