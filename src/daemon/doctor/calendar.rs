//! Checks what only Cal.com can answer: the key and its rights, the dialect, the server's clock,
//! and every gated event type. It only reads.

use std::collections::BTreeMap;

use super::check_result::{error, error_with_exit, ok, warning};
use super::event_type;
use crate::calcom::port::{BookingFilter, Calendar, CallError, CurrentUser, clock_difference};
use crate::config::model::{Config, StoreConfig};
use crate::control::exit;
use crate::control::protocol::check::CheckResultView;
use crate::daemon::store_access;
use crate::domain::booking::EventType;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::dialect::API_KEY_PAGE;
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{EventTypeId, EventTypeKey, HostKey};
use crate::domain::ledger_state::Identity;
use crate::domain::time::{Clock, Span, Time};

/// From this difference on, an operator should check the clock: a booking's age counts in seconds.
const CLOCK_WARNING_DIFFERENCE: Span = Span::seconds(5);

/// From this difference on, deadlines, waits and the age of bookings are wrong.
const MAX_CLOCK_DIFFERENCE: Span = Span::seconds(60);

/// Makes every check. A call that fails becomes a finding and the other checks continue, except
/// after a refused key.
pub async fn examine(
    calendar: &dyn Calendar,
    config: &Config,
    clock: &Clock,
) -> Vec<CheckResultView> {
    let policy = &config.policy;
    let mut findings = Vec::new();
    match calendar.current_user().await {
        Ok(me) => {
            findings.extend(check_key(&me));
            let (server, dialect) = (&config.calcom.base_url, config.calcom.dialect.as_str());
            findings.push(ok("dialect", format!("{server} understands {dialect}")));
            findings.extend(check_hosts(&me, policy));
            findings.extend(check_ledger(calendar, &me, &config.store));
        }
        Err(error) => {
            findings.push(call_failure("key", &error));
            return findings;
        }
    }
    let before = clock();
    match calendar.list(&BookingFilter::Pending, 0).await {
        Ok(page) => {
            let count = page.bookings.len();
            let more = if page.next.is_some() { "at least " } else { "" };
            let text = format!("the list can be read ({more}{count} waiting)");
            findings.push(ok("bookings", text));
            for row in &page.unreadable {
                findings.push(warning(
                    "bookings",
                    format!("one could not be read: {row}"),
                    "it is skipped; answer it at Cal.com",
                ));
            }
            findings.push(check_clock(page.server_time, (before, clock())));
        }
        Err(error) => findings.push(call_failure("bookings", &error)),
    }
    match calendar.event_types().await {
        Ok(all) => {
            for gate in &policy.gates {
                examine_gate(calendar, (gate, &policy.global), &all, &mut findings).await;
            }
        }
        Err(error) => findings.push(call_failure("event types", &error)),
    }
    findings
}

fn check_key(me: &CurrentUser) -> Vec<CheckResultView> {
    let name = me.username.as_deref().unwrap_or("without a user name");
    let text = format!("accepted; it acts as {name} (id {})", me.id);
    let mut findings = vec![ok("key", text)];
    if me.admin {
        findings.push(warning(
            "key",
            "it is an administrator's: it sees and may change everybody's bookings",
            "maitred answers only those of its own user and of calcom.hosts; a key of the host \
             alone is safer",
        ));
    }
    findings
}

/// Checks that the ledger belongs to this account, as every pass does. A ledger that is missing or
/// cannot be read is reported by `machine`.
fn check_ledger(
    calendar: &dyn Calendar,
    me: &CurrentUser,
    store: &StoreConfig,
) -> Vec<CheckResultView> {
    let Ok(Some(store)) = store_access::read(store, &mut |_| {}) else {
        return Vec::new();
    };
    let Ok(state) = store.ledger_state() else {
        return Vec::new();
    };
    let identity = Identity {
        server: calendar.server(),
        user: me.id,
        dialect: calendar.dialect().as_str().to_owned(),
    };
    let subject = "ledger";
    let mut findings = vec![match &state.identity {
        None => ok(
            subject,
            "it does not know its account yet; the first pass records it",
        ),
        Some(ledger) if *ledger == identity => ok(subject, format!("it belongs to {ledger}")),
        Some(ledger) => error(
            subject,
            format!("it belongs to {ledger}, and the key and calcom.base-url lead to {identity}"),
            "correct store.path, calcom.base-url or the key; after a move of the server run \
             `maitred ledger move --reason TEXT` with what has changed",
        ),
    }];
    if state.restored_at.is_some() {
        findings.push(warning(
            subject,
            "a restored backup waits for you: nothing is confirmed or declined, and a watch only reports",
            "see `maitred ledger show`",
        ));
    }
    findings
}

fn check_hosts(me: &CurrentUser, policy: &Policy) -> Vec<CheckResultView> {
    let check_host = |host: &HostKey| {
        let (name, own) = match host {
            HostKey::Id(id) => (id.to_string(), *id == me.id),
            HostKey::Address(address) => {
                (address.to_string(), me.address.as_ref() == Some(address))
            }
        };
        let subject = format!("host {name}");
        if own {
            let text = "it is the key's own user, whose bookings are answered in any case";
            return warning(&subject, text, "take it out of calcom.hosts");
        }
        let text = "its bookings are answered as far as the key shows them";
        ok(&subject, text)
    };
    policy.hosts.iter().map(check_host).collect()
}

/// Checks how far the server's clock differs from ours, given our time before and after the call.
fn check_clock(server: Option<Time>, (before, after): (Time, Time)) -> CheckResultView {
    let Some(server) = server else {
        let text = "the server does not say what time it is";
        return warning(
            "clock",
            text,
            "check that NTP keeps this machine's clock correct",
        );
    };
    let difference = clock_difference(server, (before, after));
    let skew = difference.abs();
    let seconds = skew.num_seconds();
    let direction = if difference > Span::zero() {
        "ahead of"
    } else {
        "behind"
    };
    let text = format!("the server's clock is {seconds} s {direction} this machine's");
    let help = "set this machine's clock (NTP)";
    if skew > MAX_CLOCK_DIFFERENCE {
        error_with_exit(exit::FAILED, "clock", text, help)
    } else if skew > CLOCK_WARNING_DIFFERENCE {
        warning("clock", text, help)
    } else {
        ok("clock", "this machine's clock and the server's agree")
    }
}

async fn examine_gate(
    calendar: &dyn Calendar,
    (gate, global_policy): (&Gate, &GlobalPolicy),
    all: &[EventType],
    findings: &mut Vec<CheckResultView>,
) {
    let by_id: BTreeMap<EventTypeId, &EventType> = all.iter().map(|kind| (kind.id, kind)).collect();
    for key in &gate.event_types {
        let (name, event_type) = match key {
            EventTypeKey::Slug(slug) => {
                let event_type = all.iter().find(|kind| kind.slug == *slug).cloned();
                (slug.clone(), event_type)
            }
            EventTypeKey::Id(id) => {
                let mut event_type = by_id.get(id).map(|kind| (*kind).clone());
                if event_type.is_none() {
                    // The user's own event types do not include those of a team.
                    match calendar.event_type(*id).await {
                        Ok(kind) => event_type = kind,
                        Err(error) => {
                            findings.push(call_failure(&format!("event type {id}"), &error));
                            continue;
                        }
                    }
                }
                (id.to_string(), event_type)
            }
        };
        let subject = format!("event type {name} (gate {})", gate.name);
        match event_type {
            Some(kind) => {
                findings.extend(event_type::examine(&subject, &kind, (gate, global_policy)))
            }
            None => findings.push(error(
                &subject,
                "the calendar does not show it to this key",
                "correct the slug or id in the gate's event-types; name a team's event type by its \
                 id",
            )),
        }
    }
}

fn call_failure(subject: &str, error: &CallError) -> CheckResultView {
    let create_key = format!(
        "create an API key at Cal.com ({API_KEY_PAGE}) and put it where `maitred check` says it is \
         looked for"
    );
    let help = match error {
        CallError::Credential(_) => create_key.as_str(),
        CallError::Unreachable(_) => "see calcom.base-url, the network and the proxy",
        CallError::Contract(_) => "see calcom.base-url and calcom.dialect",
        CallError::RateLimited { .. } => "try again when the limit's window is over",
        CallError::NotPermitted(_)
        | CallError::TooLate
        | CallError::Unknown(_)
        | CallError::Failed(_)
        | CallError::TooLarge { .. }
        | CallError::Refused(_) => "try again; if the problem persists, see the server's own log",
    };
    let exit = match error {
        CallError::Credential(_) => exit::CREDENTIAL,
        CallError::Unreachable(_) | CallError::RateLimited { .. } | CallError::Unknown(_) => {
            exit::UNREACHABLE
        }
        CallError::NotPermitted(_)
        | CallError::TooLate
        | CallError::Failed(_)
        | CallError::TooLarge { .. }
        | CallError::Refused(_)
        | CallError::Contract(_) => exit::CONFIGURATION,
    };
    error_with_exit(exit, subject, error.to_string(), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_difference_is_reported_with_its_amount() {
        let at = |seconds: i64| chrono::DateTime::from_timestamp_millis(seconds * 1_000);
        // when the call began and ended, what the server's clock says, what is found
        let rows = [
            ((100, 100), Some(100), "ok", "agree"),
            // The server's time has no fractions of a second, and the answer took its time.
            ((100, 130), Some(99), "ok", "agree"),
            ((100, 130), Some(130), "ok", "agree"),
            ((100, 101), Some(106), "ok", "agree"),
            ((100, 101), Some(107), "warning", "6 s ahead"),
            ((100, 101), Some(93), "warning", "6 s behind"),
            ((100, 101), Some(161), "warning", "60 s ahead"),
            ((100, 101), Some(162), "error", "61 s ahead"),
            ((100, 101), Some(0), "error", "99 s behind"),
            ((100, 101), None, "warning", "does not say"),
        ];
        for ((before, after), server, level, text) in rows {
            let between = (at(before).unwrap(), at(after).unwrap());
            let finding = check_clock(server.and_then(at), between);
            let actual = (finding.level.as_str(), finding.text.as_str());
            assert!(
                actual.0 == level && actual.1.contains(text),
                "{server:?}: {finding:?}"
            );
        }
    }
}
