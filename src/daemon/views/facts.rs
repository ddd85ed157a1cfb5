//! Converts one fact to a line of a statement or an explanation.

use std::collections::{BTreeMap, BTreeSet};

use super::format_time;
use crate::control::protocol::account::EntryView;
use crate::control::protocol::decisions::RefundView;
use crate::domain::account::sum_credits;
use crate::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RequestFact, UnresolvedFact};
use crate::domain::ledger_state::LedgerFact;
use crate::domain::lot::{LotSource, LotTerms};
use crate::domain::messages;
use crate::domain::time::format_instant;
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
        change: None,
        balance: None,
        by: written.by.as_ref().map(ToString::to_string),
        text,
    }
}

/// Returns a refund as a decision shows it; `None` for other facts.
pub fn refund(written: &LoggedFact) -> Option<RefundView> {
    match &written.fact {
        Fact::Charge(ChargeFact::Refund {
            booking,
            parts,
            reason,
            ..
        }) => Some(RefundView {
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
        Fact::Account(fact) => describe_account_fact(fact),
        Fact::Credit(fact) => describe_credit_fact(fact),
        Fact::Charge(fact) => describe_charge_fact(fact),
        Fact::Request(fact) => describe_request_fact(fact),
        Fact::Unresolved(fact) => describe_unresolved_fact(fact),
        Fact::Ledger(fact) => describe_ledger_fact(fact),
        Fact::By(actor) => ("by", None, None, format!("{actor} gave the command")),
    }
}

fn describe_account_fact(fact: &AccountFact) -> EntryParts {
    match fact {
        AccountFact::Opened { account } => {
            ("opened", None, None, format!("account {account} opened"))
        }
        AccountFact::AliasAdded { alias, .. } => {
            ("aliased", None, None, format!("alias {alias} added"))
        }
        AccountFact::AliasRemoved { alias, .. } => {
            ("unaliased", None, None, format!("alias {alias} removed"))
        }
        AccountFact::Described {
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
        AccountFact::FreezeChanged { reason: why, .. } => {
            let text = why
                .as_ref()
                .map_or_else(|| "thawed".to_owned(), |why| format!("frozen: {why}"));
            ("frozen", None, None, text)
        }
        AccountFact::PinChanged { hash, .. } => {
            let text = if hash.is_some() {
                "PIN set"
            } else {
                "PIN removed"
            };
            ("pinned", None, None, text.to_owned())
        }
        AccountFact::OverdraftChanged { limit, .. } => {
            let text = limit.map_or_else(
                || "the overdraft limit is that of the configuration".to_owned(),
                |limit| format!("overdraft limit {limit}"),
            );
            ("overdraft", None, None, text)
        }
        AccountFact::Closed { reason, .. } => ("account-closed", None, None, reason.clone()),
        AccountFact::Reopened { .. } => {
            let text = "the account is open again";
            ("account-reopened", None, None, text.to_owned())
        }
        AccountFact::Merged {
            account,
            into,
            credits,
            reason,
            ..
        } => {
            let text = format!("account {account} continues as {into}: {reason}");
            ("merged", Some(*credits), None, text)
        }
    }
}

fn describe_credit_fact(fact: &CreditFact) -> EntryParts {
    match fact {
        CreditFact::Grant {
            reference,
            credits,
            expires,
            terms,
            reason,
            ..
        } => {
            let until = expires.map_or_else(
                || "without expiry".to_owned(),
                |at| format!("until {}", format_time(at)),
            );
            let text = format!("{reason} ({reference}), {until}{}", describe_terms(terms));
            ("grant", Some(*credits), None, text)
        }
        CreditFact::Revoke {
            reference,
            parts,
            reason,
            ..
        } => {
            let text = format!("{reason} ({reference})");
            ("revoke", Some(sum_credits(parts)), None, text)
        }
        CreditFact::Transfer {
            reference,
            account,
            to,
            parts,
            reason,
        } => {
            let text = format!("from {account} to {to}: {reason} ({reference})");
            ("transfer", Some(sum_credits(parts)), None, text)
        }
        CreditFact::Expire { part, .. } => {
            let text = format!("what was left of {}", part.grant);
            ("expire", Some(part.credits), None, text)
        }
    }
}

/// Returns the terms of a lot as the end of a sentence; empty for a lot without terms.
pub fn describe_terms(terms: &LotTerms) -> String {
    let mut text = String::new();
    if terms.source != LotSource::default() {
        text.push_str(&format!(", {}", terms.source.as_str()));
    }
    if terms.priority != 0 {
        text.push_str(&format!(", priority {}", terms.priority));
    }
    if !terms.gates.is_empty() {
        let gates: Vec<&str> = terms.gates.iter().map(String::as_str).collect();
        text.push_str(&format!(", only for {}", gates.join(", ")));
    }
    if let Some(span) = terms.lasts_after_first_use {
        let span = messages::format_span(span);
        text.push_str(&format!(", for {span} after the first use"));
    }
    text
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
        LedgerFact::Paused {
            gate,
            until,
            reason,
        } => {
            let until =
                until.map_or_else(String::new, |at| format!(" until {}", format_instant(at)));
            let text = format!("{}{until}: {reason}", paused_part(gate.as_deref()));
            ("paused", None, None, text)
        }
        LedgerFact::Resumed { gate } => ("resumed", None, None, paused_part(gate.as_deref())),
    }
}

/// Returns what a pause is about.
fn paused_part(gate: Option<&str>) -> String {
    gate.map_or_else(|| "everything".to_owned(), |gate| format!("gate {gate}"))
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

fn describe_charge_fact(fact: &ChargeFact) -> EntryParts {
    match fact {
        ChargeFact::Hold {
            booking,
            request,
            parts,
            lent,
            ..
        } => {
            let mut lots: Vec<String> = parts
                .iter()
                .map(|part| format!("{} from {}", part.credits, part.grant))
                .collect();
            if *lent > 0 {
                lots.push(format!("{lent} as an overdraft"));
            }
            let text = if lots.is_empty() {
                format!("held for request {request}: costs nothing")
            } else {
                format!("held for request {request}: {}", lots.join(", "))
            };
            let uid = Some(booking.uid.to_string());
            ("hold", Some(sum_credits(parts) + lent), uid, text)
        }
        ChargeFact::Post { booking } => {
            let text = "the booking was confirmed: the hold is spent";
            ("post", None, Some(booking.to_string()), text.to_owned())
        }
        ChargeFact::Void {
            booking, reason, ..
        } => {
            let text = format!("the hold is given back: {}", reason.full_text());
            ("void", None, Some(booking.to_string()), text)
        }
        ChargeFact::Refund {
            booking,
            parts,
            reason,
            ..
        } => {
            let credits = parts.iter().map(|part| part.credits).sum();
            let uid = Some(booking.to_string());
            ("refund", Some(credits), uid, reason.full_text())
        }
        ChargeFact::Move {
            from,
            to,
            non_refundable: keeps,
            ..
        } => {
            let mut text = format!(
                "the charge of {from} continues with {}: rescheduled",
                to.uid
            );
            if *keeps > 0 {
                text.push_str(&format!(
                    ", so late that a cancellation would have cost {}: as much stays when the \
                     booker cancels later",
                    messages::format_credits(*keeps)
                ));
            }
            ("move", None, Some(to.uid.to_string()), text)
        }
        ChargeFact::Closed { booking, reason } => (
            "closed",
            None,
            Some(booking.to_string()),
            reason.full_text(),
        ),
    }
}

fn describe_request_fact(fact: &RequestFact) -> EntryParts {
    match fact {
        RequestFact::Decided { request } => {
            let reasons: Vec<&str> = request.reasons.iter().map(|r| r.text.as_str()).collect();
            let text = format!("{}: {}", request.decision.as_str(), reasons.join(" "));
            ("decided", None, None, text)
        }
        RequestFact::Reviewed {
            decision: verdict,
            reason,
            ..
        } => {
            let text = format!("{}: {reason}", verdict.as_str());
            ("reviewed", None, None, text)
        }
        RequestFact::CallRecorded { call, .. } => {
            let text = format!("{}: {}", call.kind.as_str(), call.text);
            ("called", None, Some(call.booking.to_string()), text)
        }
        RequestFact::IntentSettled { outcome, .. } => {
            ("settled", None, None, outcome.as_str().to_owned())
        }
    }
}

fn describe_unresolved_fact(fact: &UnresolvedFact) -> EntryParts {
    match fact {
        UnresolvedFact::Listed {
            booking,
            code,
            detail,
            ..
        } => {
            let text = format!("{code}: {detail}");
            ("unresolved", None, Some(booking.uid.to_string()), text)
        }
        UnresolvedFact::Resolved {
            booking,
            code,
            reason,
            by,
        } => {
            let text = format!("{code}, by the {}: {reason}", by.as_str());
            ("resolved", None, Some(booking.to_string()), text)
        }
    }
}
