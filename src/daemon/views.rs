//! From the domain to what is shown: the shapes of `control::protocol`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::SecondsFormat;

use crate::control::protocol::review::{WaitingView, WordView};
use crate::control::protocol::status::WatchHead;
use crate::control::protocol::{
    AccountView, CallView, ChangeView, ChargeView, DecisionView, EntryView, FindingView, GivenView,
    LotView, PassHead, PassView, ProblemView, ReasonView, SCHEMA, StepView, WatchView,
};
use crate::domain::account::{Account, sum};
use crate::domain::decision::Finding;
use crate::domain::fact::Fact;
use crate::domain::ledger::{Given, GivenKind};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState, Request, RequestState, Review};
use crate::domain::time::Time;
use crate::reconcile::report::{Ended, Report, Reported};
use crate::reconcile::watch::Watched;
use crate::store::port::Written;

pub fn time(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub fn pass(report: &Report) -> PassView {
    PassView {
        schema: SCHEMA,
        pass: pass_head(report),
        steps: report.steps.iter().map(reported).collect(),
        problems: report.problems.iter().map(problem).collect(),
        more: report.more,
        watch: None,
    }
}

pub fn watch(watched: &Watched) -> WatchView {
    WatchView {
        started: time(watched.started),
        finished: time(watched.finished),
        audit: watched.audit,
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
    }
}

pub fn problem(problem: &Problem) -> ProblemView {
    ProblemView {
        code: problem.code.to_owned(),
        text: problem.text.clone(),
    }
}

fn reported(reported: &Reported) -> StepView {
    step(&reported.request, reported.ended.as_str())
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
    }
}

fn outcome(request: &Request) -> &'static str {
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

pub fn finding(finding: &Finding) -> FindingView {
    FindingView {
        rule: finding.rule.to_string(),
        passed: finding.passed,
        detail: finding.detail.to_string(),
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
            answered: call.answered,
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
        note: charge.note.clone(),
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
        available,
    }
}

/// One fact as a line of a statement or an explanation.
pub fn entry(written: &Written) -> EntryView {
    let (kind, credits, booking, text) = told(&written.fact);
    EntryView {
        sequence: written.seq,
        at: time(written.at),
        kind: kind.to_owned(),
        credits,
        booking,
        text,
    }
}

type Told = (&'static str, Option<u64>, Option<String>, String);

fn told(fact: &Fact) -> Told {
    match fact {
        Fact::Opened { account } => ("opened", None, None, format!("account {account} opened")),
        Fact::Aliased { alias, .. } => ("aliased", None, None, format!("alias {alias} added")),
        Fact::Unaliased { alias, .. } => {
            ("unaliased", None, None, format!("alias {alias} removed"))
        }
        Fact::Described {
            tier,
            tags,
            attributes,
            ..
        } => (
            "described",
            None,
            None,
            description(tier.as_deref(), tags, attributes),
        ),
        Fact::Frozen { why, .. } => {
            let text = why
                .as_ref()
                .map_or_else(|| "thawed".to_owned(), |why| format!("frozen: {why}"));
            ("frozen", None, None, text)
        }
        Fact::Pinned { hash, .. } => {
            let text = if hash.is_some() {
                "PIN set"
            } else {
                "PIN removed"
            };
            ("pinned", None, None, text.to_owned())
        }
        Fact::Grant {
            reference,
            credits,
            expires,
            reason,
            ..
        } => {
            let until = expires.map_or_else(
                || "without expiry".to_owned(),
                |at| format!("until {}", time(at)),
            );
            let text = format!("{reason} ({reference}), {until}");
            ("grant", Some(*credits), None, text)
        }
        Fact::Revoke {
            reference,
            parts,
            reason,
            ..
        } => {
            let text = format!("{reason} ({reference})");
            ("revoke", Some(sum(parts)), None, text)
        }
        Fact::Expire { part, .. } => {
            let text = format!("what was left of {}", part.grant);
            ("expire", Some(part.credits), None, text)
        }
        Fact::Hold { .. }
        | Fact::Post { .. }
        | Fact::Void { .. }
        | Fact::Refund { .. }
        | Fact::Move { .. }
        | Fact::Closed { .. } => told_of_charge(fact),
        Fact::Decided { .. }
        | Fact::Reviewed { .. }
        | Fact::Called { .. }
        | Fact::Settled { .. } => told_of_request(fact),
    }
}

fn description(
    tier: Option<&str>,
    tags: &BTreeSet<String>,
    attributes: &BTreeMap<String, String>,
) -> String {
    let tier = tier.map_or_else(|| "no tier".to_owned(), |tier| format!("tier {tier}"));
    let tags = tags.iter().map(|tag| format!("tag {tag}"));
    let attributes = attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let parts: Vec<String> = std::iter::once(tier)
        .chain(tags)
        .chain(attributes)
        .collect();
    parts.join(", ")
}

fn told_of_charge(fact: &Fact) -> Told {
    match fact {
        Fact::Hold {
            booking,
            request,
            parts,
            ..
        } => {
            let lots: Vec<String> = parts
                .iter()
                .map(|part| format!("{} from {}", part.credits, part.grant))
                .collect();
            let text = if lots.is_empty() {
                format!("held for request {request}: costs nothing")
            } else {
                format!("held for request {request}: {}", lots.join(", "))
            };
            let uid = Some(booking.uid.to_string());
            ("hold", Some(sum(parts)), uid, text)
        }
        Fact::Post { booking } => {
            let text = "the booking was confirmed: the hold is spent";
            ("post", None, Some(booking.to_string()), text.to_owned())
        }
        Fact::Void { booking, reason } => {
            let text = format!("the hold is given back: {reason}");
            ("void", None, Some(booking.to_string()), text)
        }
        Fact::Refund {
            booking,
            parts,
            reason,
            ..
        } => {
            let credits = parts.iter().map(|part| part.credits).sum();
            let uid = Some(booking.to_string());
            ("refund", Some(credits), uid, reason.clone())
        }
        Fact::Move {
            from, to, reason, ..
        } => {
            let text = format!("the charge of {from} goes on with {}: {reason}", to.uid);
            ("move", None, Some(to.uid.to_string()), text)
        }
        Fact::Closed { booking, reason } => {
            ("closed", None, Some(booking.to_string()), reason.clone())
        }
        Fact::Opened { .. }
        | Fact::Aliased { .. }
        | Fact::Unaliased { .. }
        | Fact::Described { .. }
        | Fact::Frozen { .. }
        | Fact::Pinned { .. }
        | Fact::Grant { .. }
        | Fact::Revoke { .. }
        | Fact::Expire { .. }
        | Fact::Decided { .. }
        | Fact::Reviewed { .. }
        | Fact::Called { .. }
        | Fact::Settled { .. } => unreachable!("called for charges only"),
    }
}

fn told_of_request(fact: &Fact) -> Told {
    match fact {
        Fact::Decided { request } => {
            let reasons: Vec<&str> = request.reasons.iter().map(|r| r.text.as_str()).collect();
            let text = format!("{}: {}", request.decision.as_str(), reasons.join(" "));
            ("decided", None, None, text)
        }
        Fact::Reviewed {
            verdict, reason, ..
        } => {
            let text = format!("{}: {reason}", verdict.as_str());
            ("reviewed", None, None, text)
        }
        Fact::Called { call, .. } => {
            let text = format!("{}: {}", call.kind.as_str(), call.text);
            ("called", None, Some(call.booking.to_string()), text)
        }
        Fact::Settled { outcome, .. } => ("settled", None, None, outcome.as_str().to_owned()),
        Fact::Opened { .. }
        | Fact::Aliased { .. }
        | Fact::Unaliased { .. }
        | Fact::Described { .. }
        | Fact::Frozen { .. }
        | Fact::Pinned { .. }
        | Fact::Grant { .. }
        | Fact::Revoke { .. }
        | Fact::Expire { .. }
        | Fact::Hold { .. }
        | Fact::Post { .. }
        | Fact::Void { .. }
        | Fact::Refund { .. }
        | Fact::Move { .. }
        | Fact::Closed { .. } => unreachable!("called for requests only"),
    }
}
