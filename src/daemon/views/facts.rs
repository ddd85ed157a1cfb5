//! Converts one fact to a line of a statement or an explanation.

use std::collections::{BTreeMap, BTreeSet};

use super::format_time;
use crate::control::protocol::{EntryView, RefundView};
use crate::domain::account::sum_credits;
use crate::domain::fact::Fact;
use crate::domain::ledger_state::LedgerFact;
use crate::domain::messages;
use crate::store::port::LoggedFact;

/// Returns a fact as one entry, without title, start and balance.
pub fn entry(written: &LoggedFact) -> EntryView {
    let (kind, credits, booking, text) = describe_fact(&written.fact);
    EntryView {
        sequence: written.seq,
        at: format_time(written.at),
        kind: kind.to_owned(),
        credits,
        booking,
        title: None,
        start: None,
        balance: None,
        text,
    }
}

/// Returns a refund as a decision shows it; `None` for other facts.
pub fn refund(written: &LoggedFact) -> Option<RefundView> {
    match &written.fact {
        Fact::Refund {
            booking,
            parts,
            reason,
            ..
        } => Some(RefundView {
            booking: booking.to_string(),
            at: format_time(written.at),
            credits: parts.iter().map(|part| part.credits).sum(),
            reason: reason.full_text(),
        }),
        _ => None,
    }
}

type EntryParts = (&'static str, Option<u64>, Option<String>, String);

fn describe_fact(fact: &Fact) -> EntryParts {
    match fact {
        Fact::AccountOpened { account } => {
            ("opened", None, None, format!("account {account} opened"))
        }
        Fact::AliasAdded { alias, .. } => ("aliased", None, None, format!("alias {alias} added")),
        Fact::AliasRemoved { alias, .. } => {
            ("unaliased", None, None, format!("alias {alias} removed"))
        }
        Fact::AccountDescribed {
            tier,
            tags,
            attributes,
            ..
        } => (
            "described",
            None,
            None,
            format_attributes(tier.as_deref(), tags, attributes),
        ),
        Fact::FreezeChanged { reason: why, .. } => {
            let text = why
                .as_ref()
                .map_or_else(|| "thawed".to_owned(), |why| format!("frozen: {why}"));
            ("frozen", None, None, text)
        }
        Fact::PinChanged { hash, .. } => {
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
                |at| format!("until {}", format_time(at)),
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
            ("revoke", Some(sum_credits(parts)), None, text)
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
        | Fact::ChargeClosed { .. } => describe_charge_fact(fact),
        Fact::RequestDecided { .. }
        | Fact::RequestReviewed { .. }
        | Fact::CallRecorded { .. }
        | Fact::IntentSettled { .. } => describe_request_fact(fact),
        Fact::UnresolvedListed { .. } | Fact::UnresolvedResolved { .. } => {
            describe_unresolved_fact(fact)
        }
        Fact::Ledger(fact) => describe_ledger_fact(fact),
    }
}

fn describe_ledger_fact(fact: &LedgerFact) -> EntryParts {
    match fact {
        LedgerFact::Identified { identity, reason } => {
            let text = format!("the ledger belongs to {identity}: {reason}");
            ("identified", None, None, text)
        }
        LedgerFact::Restored { commit } => {
            let text = format!("restored from a backup that ends with commit {commit}");
            ("restored", None, None, text)
        }
        LedgerFact::RestoreAccepted { reason } => ("restore-accepted", None, None, reason.clone()),
    }
}

fn format_attributes(
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

fn describe_charge_fact(fact: &Fact) -> EntryParts {
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
            ("hold", Some(sum_credits(parts)), uid, text)
        }
        Fact::Post { booking } => {
            let text = "the booking was confirmed: the hold is spent";
            ("post", None, Some(booking.to_string()), text.to_owned())
        }
        Fact::Void {
            booking, reason, ..
        } => {
            let text = format!("the hold is given back: {}", reason.full_text());
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
            ("refund", Some(credits), uid, reason.full_text())
        }
        Fact::Move {
            from,
            to,
            non_refundable: keeps,
            ..
        } => {
            let mut text = format!("the charge of {from} goes on with {}: rescheduled", to.uid);
            if *keeps > 0 {
                text.push_str(&format!(
                    ", so late that a cancellation would have cost {}: as much stays when the \
                     booker cancels later",
                    messages::format_credits(*keeps)
                ));
            }
            ("move", None, Some(to.uid.to_string()), text)
        }
        Fact::ChargeClosed { booking, reason } => (
            "closed",
            None,
            Some(booking.to_string()),
            reason.full_text(),
        ),
        Fact::AccountOpened { .. }
        | Fact::AliasAdded { .. }
        | Fact::AliasRemoved { .. }
        | Fact::AccountDescribed { .. }
        | Fact::FreezeChanged { .. }
        | Fact::PinChanged { .. }
        | Fact::Grant { .. }
        | Fact::Revoke { .. }
        | Fact::Expire { .. }
        | Fact::RequestDecided { .. }
        | Fact::RequestReviewed { .. }
        | Fact::CallRecorded { .. }
        | Fact::IntentSettled { .. }
        | Fact::UnresolvedListed { .. }
        | Fact::UnresolvedResolved { .. }
        | Fact::Ledger(_) => unreachable!("called for charges only"),
    }
}

fn describe_request_fact(fact: &Fact) -> EntryParts {
    match fact {
        Fact::RequestDecided { request } => {
            let reasons: Vec<&str> = request.reasons.iter().map(|r| r.text.as_str()).collect();
            let text = format!("{}: {}", request.decision.as_str(), reasons.join(" "));
            ("decided", None, None, text)
        }
        Fact::RequestReviewed {
            decision: verdict,
            reason,
            ..
        } => {
            let text = format!("{}: {reason}", verdict.as_str());
            ("reviewed", None, None, text)
        }
        Fact::CallRecorded { call, .. } => {
            let text = format!("{}: {}", call.kind.as_str(), call.text);
            ("called", None, Some(call.booking.to_string()), text)
        }
        Fact::IntentSettled { outcome, .. } => ("settled", None, None, outcome.as_str().to_owned()),
        Fact::AccountOpened { .. }
        | Fact::AliasAdded { .. }
        | Fact::AliasRemoved { .. }
        | Fact::AccountDescribed { .. }
        | Fact::FreezeChanged { .. }
        | Fact::PinChanged { .. }
        | Fact::Grant { .. }
        | Fact::Revoke { .. }
        | Fact::Expire { .. }
        | Fact::Hold { .. }
        | Fact::Post { .. }
        | Fact::Void { .. }
        | Fact::Refund { .. }
        | Fact::Move { .. }
        | Fact::ChargeClosed { .. }
        | Fact::UnresolvedListed { .. }
        | Fact::UnresolvedResolved { .. }
        | Fact::Ledger(_) => unreachable!("called for requests only"),
    }
}

fn describe_unresolved_fact(fact: &Fact) -> EntryParts {
    if let Fact::UnresolvedListed {
        booking,
        code,
        detail,
        ..
    } = fact
    {
        let text = format!("{code}: {detail}");
        return ("unresolved", None, Some(booking.uid.to_string()), text);
    }
    let Fact::UnresolvedResolved {
        booking,
        code,
        reason,
        by,
    } = fact
    else {
        unreachable!("called for the unresolved list only")
    };
    let text = format!("{code}, by the {}: {reason}", by.as_str());
    ("resolved", None, Some(booking.to_string()), text)
}
