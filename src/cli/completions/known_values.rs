//! Finds values that the daemon, the ledger or the configuration knows. The daemon is asked if it
//! runs, and otherwise the ledger is read, without its lock. Where nothing may be read, or in time,
//! there are no values: somebody is typing, and an error would only disturb.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap_complete::engine::CompletionCandidate;

use crate::config::load::load;
use crate::config::socket::find_socket;
use crate::control::client::{self, ClientError};
use crate::control::protocol::account::AccountView;
use crate::control::protocol::charges::ListedChargeView;
use crate::control::protocol::decisions::DecisionQuery;
use crate::control::protocol::pass::StepView;
use crate::control::protocol::unresolved::UnresolvedItem;
use crate::control::protocol::{Command, CommandResult};
use crate::daemon::{clock, offline};

/// How long values are looked for. Longer, and the shell seems to hang. To read a ledger of more than
/// some 20,000 decisions takes longer, so such a ledger needs a running daemon.
const TIME_LIMIT: Duration = Duration::from_millis(700);

/// The most values of one completion. More do not fit a screen.
const MAX_VALUES: u32 = 200;

/// Signs that a value may have in addition to letters and digits. Others have a meaning in some shell, or
/// separate words.
const SAFE_SIGNS: &str = "@._+-:=/,%";

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompletedValue {
    Account,
    DecidedBooking,
    RequestInReview,
    OpenCharge,
    UnresolvedBooking,
    Gate,
    NotificationTarget,
}

/// A value, and what a shell may show next to it.
struct KnownValue {
    text: String,
    help: Option<String>,
}

/// Returns the values that begin with `start`.
pub(super) fn find(kind: CompletedValue, config: &Path, start: &str) -> Vec<CompletionCandidate> {
    let mut values = read_in_time(kind, config.to_owned(), start.to_owned()).unwrap_or_default();
    values.retain(|value| value.text.starts_with(start) && is_safe(&value.text));
    let mut seen = BTreeSet::new();
    values.retain(|value| seen.insert(value.text.clone()));
    let to_candidate = |(at, value): (usize, KnownValue)| {
        let candidate = CompletionCandidate::new(value.text).display_order(Some(at));
        candidate.help(value.help.map(Into::into))
    };
    values.into_iter().enumerate().map(to_candidate).collect()
}

fn is_safe(text: &str) -> bool {
    let is_safe_char = |c: char| c.is_alphanumeric() || SAFE_SIGNS.contains(c);
    !text.is_empty() && text.chars().all(is_safe_char)
}

/// Reads the values in a thread, which is left behind if it takes too long: the process ends soon,
/// and reading changes nothing.
fn read_in_time(kind: CompletedValue, config: PathBuf, start: String) -> Option<Vec<KnownValue>> {
    let (send, values) = mpsc::channel();
    let reader = thread::Builder::new().spawn(move || send.send(read(kind, &config, &start)));
    reader.ok()?;
    values.recv_timeout(TIME_LIMIT).ok()?
}

fn read(kind: CompletedValue, config: &Path, start: &str) -> Option<Vec<KnownValue>> {
    let name = |name: &String| KnownValue {
        text: name.clone(),
        help: None,
    };
    let command = match kind {
        CompletedValue::Gate => {
            let config = load(config).ok()?.config;
            return Some(
                config
                    .policy
                    .gates
                    .iter()
                    .map(|gate| name(&gate.name))
                    .collect(),
            );
        }
        CompletedValue::NotificationTarget => {
            let config = load(config).ok()?.config;
            return Some(
                config
                    .notify
                    .iter()
                    .map(|target| name(&target.name))
                    .collect(),
            );
        }
        CompletedValue::Account => Command::AccountList {
            after: None,
            limit: MAX_VALUES,
            search: Some(start.to_owned()).filter(|start| !start.is_empty()),
        },
        CompletedValue::DecidedBooking => Command::Decisions(DecisionQuery {
            limit: MAX_VALUES,
            ..DecisionQuery::default()
        }),
        CompletedValue::RequestInReview => Command::Reviews {
            all: true,
            limit: MAX_VALUES,
            after: None,
        },
        CompletedValue::OpenCharge => Command::Charges {
            open: true,
            limit: MAX_VALUES,
            after: None,
        },
        CompletedValue::UnresolvedBooking => Command::Unresolved {
            limit: MAX_VALUES,
            after: None,
        },
    };
    Some(to_values(ask(config, command)?))
}

/// Asks the daemon, or reads the ledger if no daemon runs. With a configuration that cannot be used,
/// only the daemon can answer.
fn ask(config: &Path, command: Command) -> Option<CommandResult> {
    let Ok(loaded) = load(config) else {
        return client::send_command(&find_socket(config)?, command, None).ok();
    };
    if let Some(socket) = &loaded.config.control.socket {
        match client::send_command(socket, command.clone(), None) {
            Ok(result) => return Some(result),
            Err(ClientError::NotRunning(_)) => {}
            Err(_) => return None,
        }
    }
    offline::run_command(
        &loaded.config,
        &clock::system_clock(),
        &command,
        None,
        &mut |_| {},
    )
    .ok()
}

fn to_values(result: CommandResult) -> Vec<KnownValue> {
    match result {
        CommandResult::Accounts(view) => {
            let accounts = view.accounts.into_iter();
            let value = |account: AccountView| KnownValue {
                help: Some(format!("{} available", account.available)),
                text: account.account,
            };
            accounts.map(value).collect()
        }
        CommandResult::Decisions(view) => {
            let decisions = view.decisions.iter();
            decisions
                .flat_map(|decision| bookings_of(&decision.step))
                .collect()
        }
        CommandResult::Reviews(view) => {
            let requests = view.requests.iter();
            requests
                .flat_map(|request| bookings_of(&request.step))
                .collect()
        }
        CommandResult::Charges(view) => {
            let charges = view.charges.into_iter();
            let value = |listed: ListedChargeView| KnownValue {
                help: Some(listed.charge.start.clone()),
                text: listed.charge.booking,
            };
            charges.map(value).collect()
        }
        CommandResult::Unresolved(view) => {
            let items = view.items.into_iter();
            let value = |item: UnresolvedItem| KnownValue {
                help: Some(item.code),
                text: item.booking,
            };
            items.map(value).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the bookings of a request. Names and titles come from strangers, and are not shown.
fn bookings_of(step: &StepView) -> Vec<KnownValue> {
    let help = format!("{}, starts {}", step.decision, step.start);
    let bookings = step.bookings.iter();
    let value = |booking: &String| KnownValue {
        text: booking.clone(),
        help: Some(help.clone()),
    };
    bookings.map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_a_meaning_in_a_shell_is_not_offered() {
        for text in [
            "ann@example.com",
            "kV2s9qTtV6zB1dPz7aYw3e",
            "jörg+x@example.com",
        ] {
            assert!(is_safe(text), "{text}");
        }
        for text in [
            "",
            "a b",
            "$(reboot)",
            "a;b",
            "a`b",
            "a\nb",
            "a\"b",
            "a'b",
            "a*",
            "~a",
            "a\\b",
        ] {
            assert!(!is_safe(text), "{text}");
        }
    }

    #[test]
    fn without_a_configuration_there_are_no_values() {
        let folder = tempfile::tempdir().unwrap();
        for kind in [
            CompletedValue::Account,
            CompletedValue::Gate,
            CompletedValue::OpenCharge,
        ] {
            assert_eq!(find(kind, &folder.path().join("none"), ""), []);
        }
    }
}
