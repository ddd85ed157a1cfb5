//! Pauses everything or one gate, and ends a pause. Both are facts of the ledger, so a pause survives
//! a restart, and a run from a timer respects it.

use super::{ledger, parse, status};
use crate::control::protocol::status::PauseCommand;
use crate::control::protocol::{CommandResult, Refusal};
use crate::domain::fact::Fact;
use crate::domain::gate::Policy;
use crate::domain::ledger_state::LedgerFact;
use crate::domain::time::{Span, Time, truncate_to_millis};
use crate::store::port::Store;
use crate::store::transaction::{Stamp, transact};

/// The longest pause that ends by itself. A longer one is more likely a mistake.
const MAX_SECONDS: u64 = 366 * 86_400;

/// Records a pause, unless the same pause is recorded already.
///
/// # Errors
/// Fails when there is no such gate, when the length or the reason cannot be used, and when the
/// fact cannot be written.
pub fn pause(
    store: &mut dyn Store,
    policy: &Policy,
    stamp: impl Into<Stamp>,
    command: &PauseCommand,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    if let Some(gate) = &command.gate {
        check_gate(policy, gate)?;
    }
    let reason = ledger::require_reason(&command.reason)?;
    let until = command
        .seconds
        .map(|seconds| end(now, seconds))
        .transpose()?;
    transact(store, &stamp, |store| {
        let state = store.ledger_state().map_err(|e| parse::store_failed(&e))?;
        let current = match &command.gate {
            Some(gate) => state.pauses.of_gate(gate, now),
            None => state.pauses.of_all(now),
        };
        let is_same = current.is_some_and(|pause| pause.until == until && pause.reason == reason);
        let fact = Fact::Ledger(LedgerFact::Paused {
            gate: command.gate.clone(),
            until,
            reason: reason.clone(),
        });
        let facts = if is_same { Vec::new() } else { vec![fact] };
        Ok::<_, Refusal>((facts, ()))
    })?;
    status::without_daemon(store, policy, now)
}

/// Records the end of a pause. Without such a pause nothing is written.
///
/// # Errors
/// Fails when the fact cannot be written.
pub fn resume(
    store: &mut dyn Store,
    policy: &Policy,
    stamp: impl Into<Stamp>,
    gate: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    transact(store, &stamp, |store| {
        let state = store.ledger_state().map_err(|e| parse::store_failed(&e))?;
        let current = match gate {
            Some(gate) => state.pauses.of_gate(gate, now),
            None => state.pauses.of_all(now),
        };
        if let (None, Some(gate)) = (current, gate) {
            check_gate(policy, gate)?;
        }
        let fact = current.map(|_| {
            Fact::Ledger(LedgerFact::Resumed {
                gate: gate.map(str::to_owned),
            })
        });
        Ok::<_, Refusal>((fact.into_iter().collect(), ()))
    })?;
    status::without_daemon(store, policy, now)
}

/// Returns when a pause of this length ends.
fn end(now: Time, seconds: u64) -> Result<Time, Refusal> {
    let length = i64::try_from(seconds)
        .ok()
        .filter(|_| (1..=MAX_SECONDS).contains(&seconds));
    match length {
        Some(seconds) => Ok(truncate_to_millis(now + Span::seconds(seconds))),
        None => Err(parse::usage(format!(
            "--for lasts {seconds} seconds: expected from 1 second to 366 days; without --for a pause \
             lasts until `maitred resume`"
        ))),
    }
}

pub(super) fn check_gate(policy: &Policy, gate: &str) -> Result<(), Refusal> {
    if policy.gates.iter().any(|known| known.name == gate) {
        return Ok(());
    }
    let names: Vec<&str> = { policy.gates.iter() }
        .map(|gate| gate.name.as_str())
        .collect();
    Err(parse::not_found(match names.as_slice() {
        [] => format!("there is no gate {gate}: the configuration has no gate"),
        names => format!(
            "there is no gate {gate}; the gates are {}",
            names.join(", ")
        ),
    }))
}
