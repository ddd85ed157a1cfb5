//! The commands about the ledger as a whole: the account that it belongs to, and an operator's
//! acceptance of a restored backup.

use super::parse;
use crate::control::protocol::ledger::{LedgerMoveCommand, LedgerView};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::fact::Fact;
use crate::domain::id::HostId;
use crate::domain::ledger_state::{Identity, LedgerFact, LedgerState};
use crate::store::port::Store;
use crate::store::transaction::{Stamp, transact};

/// The longest server name that is accepted: a host name of 253 characters with a port and a path.
const MAX_SERVER: usize = 400;

/// Shows what the ledger records about itself.
///
/// # Errors
/// Fails when the store cannot be read.
pub fn show(store: &dyn Store) -> Result<CommandResult, Refusal> {
    let state = store.ledger_state().map_err(|e| parse::store_failed(&e))?;
    Ok(CommandResult::Ledger(view(&state)))
}

/// Returns the view of what the ledger records about itself.
pub fn view(state: &LedgerState) -> LedgerView {
    let identity = state.identity.as_ref();
    LedgerView {
        schema: SCHEMA,
        first_commit_at: state.first_commit_at.map(views::format_time),
        server: identity.map(|known| known.server.clone()),
        account: identity.map(|known| known.user.0),
        dialect: identity.map(|known| known.dialect.clone()),
        restored_at: state.restored_at.map(views::format_time),
    }
}

/// Records that the ledger belongs to another server, account or dialect from now on.
///
/// # Errors
/// Fails when nothing would change, when a value is missing, or when the fact cannot be written.
pub fn move_ledger(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    command: &LedgerMoveCommand,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    commit_and_show(store, stamp, |state| decide_move(state, command))
}

fn decide_move(state: &LedgerState, command: &LedgerMoveCommand) -> Result<LedgerFact, Refusal> {
    let current = state.identity.as_ref();
    let missing = |flag: &str| {
        parse::usage(format!(
            "the ledger does not know its account yet, so {flag} is needed too; the next pass records \
             all three by itself"
        ))
    };
    let server = match &command.server {
        Some(text) => Some(normalize_server(text)?),
        None => current.map(|known| known.server.clone()),
    };
    let user = command
        .account
        .map(HostId)
        .or(current.map(|known| known.user));
    let dialect = match command.dialect.as_deref() {
        None => current.map(|known| known.dialect.clone()),
        Some(word @ ("v1" | "v2")) => Some(word.to_owned()),
        Some(other) => {
            return Err(parse::usage(format!(
                "--dialect {other} is neither v1 nor v2"
            )));
        }
    };
    let identity = Identity {
        server: server.ok_or_else(|| missing("--server"))?,
        user: user.ok_or_else(|| missing("--account"))?,
        dialect: dialect.ok_or_else(|| missing("--dialect"))?,
    };
    if current == Some(&identity) {
        return Err(parse::refusal(
            "refused",
            format!("the ledger belongs to {identity} already"),
        ));
    }
    let reason = require_reason(&command.reason)?;
    Ok(LedgerFact::Identified { identity, reason })
}

/// Records that an operator accepts a restored backup and knows that it lacks what happened after
/// it was made.
///
/// # Errors
/// Fails when no restored backup waits, or when the fact cannot be written.
pub fn accept_restore(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    reason: &str,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    commit_and_show(store, stamp, |state| {
        if state.restored_at.is_none() {
            return Err(parse::refusal(
                "refused",
                "no restored backup waits to be accepted",
            ));
        }
        let reason = require_reason(reason)?;
        Ok(LedgerFact::RestoreAccepted { reason })
    })
}

fn commit_and_show(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    decide: impl Fn(&LedgerState) -> Result<LedgerFact, Refusal>,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    transact(store, &stamp, |store| {
        let state = store.ledger_state().map_err(|e| parse::store_failed(&e))?;
        Ok::<_, Refusal>((vec![Fact::Ledger(decide(&state)?)], ()))
    })?;
    show(store)
}

/// Requires a reason, because an operator may need it years later.
pub(super) fn require_reason(text: &str) -> Result<String, Refusal> {
    let reason = parse::reason(Some(text), "")?;
    if reason.is_empty() {
        return Err(parse::usage(
            "--reason is empty: give a reason, because the ledger keeps it",
        ));
    }
    Ok(reason)
}

/// Returns the server as the ledger stores it. The text may be a URL.
fn normalize_server(text: &str) -> Result<String, Refusal> {
    let bare = text.trim();
    let bare = bare.strip_prefix("https://").unwrap_or(bare);
    let bare = bare.strip_prefix("http://").unwrap_or(bare);
    let bare = bare.trim_end_matches('/');
    // Only the host's name is case-insensitive.
    let bare = match bare.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.to_ascii_lowercase()),
        None => bare.to_ascii_lowercase(),
    };
    let usable = |c: char| c.is_ascii_graphic() && !"?#@".contains(c);
    if bare.is_empty() || bare.len() > MAX_SERVER || !bare.chars().all(usable) {
        return Err(parse::usage(format!(
            "--server {text:?} is not a server (expected something like cal.example.com)"
        )));
    }
    Ok(bare)
}
