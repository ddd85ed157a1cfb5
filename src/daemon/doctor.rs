//! `check --live`: asks Cal.com all that an operator can get wrong there, and says what to do. Reads
//! only.

use std::collections::BTreeMap;

use crate::calcom::port::{Calendar, CallError, Select};
use crate::control::protocol::CheckFinding;
use crate::domain::booking::{Confirmation, EventType};
use crate::domain::gate::{EventTypeKey, Gate, Policy};
use crate::domain::id::EventTypeId;
use crate::domain::time::{Clock, Span};

/// From this difference on, deadlines and the age of what was seen are off.
const MAX_SKEW: Span = Span::seconds(30);

/// Asks everything; a call that fails is a finding and the rest goes on, except after a refused key.
pub async fn examine(calendar: &dyn Calendar, policy: &Policy, clock: &Clock) -> Vec<CheckFinding> {
    let mut findings = Vec::new();
    match calendar.me().await {
        Ok(me) => {
            let name = me.username.as_deref().unwrap_or("without a user name");
            findings.push(fine(
                "key",
                format!("accepted; it acts as {name} (id {})", me.id),
            ));
            if me.admin {
                findings.push(warning(
                    "key",
                    "it is an administrator's: it sees and may change everybody's bookings",
                    "maitred answers only those of its own user and of calcom.hosts; a key of the \
                     host alone is safer",
                ));
            }
        }
        Err(error) => {
            findings.push(failed("key", &error));
            return findings;
        }
    }
    let at = clock();
    match calendar.list(&Select::Pending, 0).await {
        Ok(page) => {
            let count = page.bookings.len();
            findings.push(fine(
                "bookings",
                format!("the list can be read ({count} waiting)"),
            ));
            for row in &page.unreadable {
                findings.push(warning(
                    "bookings",
                    format!("one could not be read: {row}"),
                    "it is left alone; answer it at Cal.com",
                ));
            }
            if let Some(server) = page.server_time
                && (server - at).abs() > MAX_SKEW
            {
                findings.push(warning(
                    "clock",
                    format!(
                        "the server's clock is {} s away",
                        (server - at).num_seconds().abs()
                    ),
                    "set this machine's clock (NTP)",
                ));
            }
        }
        Err(error) => findings.push(failed("bookings", &error)),
    }
    match calendar.event_types().await {
        Ok(all) => {
            for gate in &policy.gates {
                examine_gate(calendar, gate, &all, &mut findings).await;
            }
        }
        Err(error) => findings.push(failed("event types", &error)),
    }
    findings
}

async fn examine_gate(
    calendar: &dyn Calendar,
    gate: &Gate,
    all: &[EventType],
    findings: &mut Vec<CheckFinding>,
) {
    let by_id: BTreeMap<EventTypeId, &EventType> = all.iter().map(|kind| (kind.id, kind)).collect();
    for key in &gate.event_types {
        let (name, found) = match key {
            EventTypeKey::Slug(slug) => {
                let found = all.iter().find(|kind| kind.slug == *slug).cloned();
                (slug.clone(), found)
            }
            EventTypeKey::Id(id) => {
                let mut found = by_id.get(id).map(|kind| (*kind).clone());
                if found.is_none() {
                    // A team's event types are not among the user's own.
                    match calendar.event_type(*id).await {
                        Ok(kind) => found = kind,
                        Err(error) => {
                            findings.push(failed(&format!("event type {id}"), &error));
                            continue;
                        }
                    }
                }
                (id.to_string(), found)
            }
        };
        let subject = format!("event type {name} (gate {})", gate.name);
        match found {
            Some(kind) => findings.extend(examine_event_type(&subject, &kind)),
            None => findings.push(error(
                &subject,
                "the calendar does not show it to this key",
                "correct the slug or id in the gate's event-types; name a team's event type by its \
                 id",
            )),
        }
    }
}

fn examine_event_type(subject: &str, kind: &EventType) -> Vec<CheckFinding> {
    let mut findings = Vec::new();
    if kind.price != 0 {
        findings.push(error(
            subject,
            "it has a price at Cal.com: its bookings are left alone, because confirming would \
             bypass the payment",
            "remove the price there, or the event type from the gate",
        ));
    }
    if kind.seated {
        findings.push(error(
            subject,
            "it has seats: its bookings are left alone",
            "turn seats off there, or remove the event type from the gate",
        ));
    }
    match &kind.confirmation {
        Confirmation::Disabled => findings.push(error(
            subject,
            "it does not ask for confirmation: every booking is accepted at once, and maitred never \
             sees it",
            "turn on \"Requires confirmation\", always, in the event type's advanced settings",
        )),
        Confirmation::ByNotice { text } => findings.push(warning(
            subject,
            format!("it asks for confirmation only at short notice ({text}): bookings made earlier \
                     are accepted at once"),
            "set \"Requires confirmation\" to always",
        )),
        Confirmation::Always { blocks_slot: false } => findings.push(fine(
            subject,
            "asks for confirmation, always; requests do not block their time, so several may ask \
             for the same (see the gate's `taken`)"
                .to_owned(),
        )),
        Confirmation::Always { blocks_slot: true } => findings.push(fine(
            subject,
            "asks for confirmation, always; requests block their time".to_owned(),
        )),
        Confirmation::Unknown => findings.push(warning(
            subject,
            "the server does not say whether it asks for confirmation",
            "see that \"Requires confirmation\" is set to always there",
        )),
    }
    if kind.verifies_address == Some(false) {
        findings.push(warning(
            subject,
            "bookers need not prove their e-mail address: anybody can type a member's and spend \
             that member's credits",
            "turn on \"Booker email verification\" in the event type's advanced settings",
        ));
    }
    findings
}

fn failed(subject: &str, error: &CallError) -> CheckFinding {
    let help = match error {
        CallError::Credential(_) => {
            "create an API key at Cal.com (Settings > Developer > API keys) and put it where \
             `maitred check` says it is looked for"
        }
        CallError::Unreachable(_) => "see calcom.base-url, the network and the proxy",
        CallError::Contract(_) => "see calcom.base-url and calcom.dialect",
        CallError::Limited { .. } => "try again when the limit's window is over",
        CallError::NotYours(_)
        | CallError::TooLate
        | CallError::Unknown(_)
        | CallError::Refused(_) => "try again; if it stays, see the server's own log",
    };
    CheckFinding {
        level: "error".to_owned(),
        exit: match error {
            CallError::Credential(_) => 77,
            CallError::Unreachable(_) | CallError::Limited { .. } | CallError::Unknown(_) => 69,
            CallError::NotYours(_)
            | CallError::TooLate
            | CallError::Refused(_)
            | CallError::Contract(_) => 78,
        },
        subject: subject.to_owned(),
        text: error.to_string(),
        help: help.to_owned(),
    }
}

fn fine(subject: &str, text: String) -> CheckFinding {
    finding("ok", subject, text, String::new())
}

fn warning(subject: &str, text: impl Into<String>, help: &str) -> CheckFinding {
    finding("warning", subject, text.into(), help.to_owned())
}

fn error(subject: &str, text: impl Into<String>, help: &str) -> CheckFinding {
    finding("error", subject, text.into(), help.to_owned())
}

fn finding(level: &str, subject: &str, text: String, help: String) -> CheckFinding {
    CheckFinding {
        level: level.to_owned(),
        exit: if level == "error" { 78 } else { 0 },
        subject: subject.to_owned(),
        text,
        help,
    }
}
