//! Checks whether the ledger belongs to the account that the key opens. Before anything is read for
//! the ledger, the server, the key's user and the dialect are compared with those that the ledger
//! has recorded: a booking that another server does not know is not gone, and another host's
//! members are not in this ledger.

use super::clock::clock_is_off;
use super::context::{PassError, Ports, Session};
use crate::domain::fact::Fact;
use crate::domain::ledger_state::{Identity, LedgerFact, LedgerState};

/// The reason that the ledger records with the account that it belongs to.
const FIRST_PASS_REASON: &str = "recorded by the first pass";

/// Compares the account with the ledger's, or records the account in a ledger that has none yet.
///
/// # Errors
/// Returns [`PassError::ForeignLedger`] if the ledger belongs to another account, and the errors of
/// the calls and of the store.
pub(super) async fn identify(
    ports: &Ports<'_>,
    session: &mut Session,
) -> Result<LedgerState, PassError> {
    let actual = Identity {
        server: ports.calendar.server(),
        user: session.me(ports).await?.id,
        dialect: ports.calendar.dialect().as_str().to_owned(),
    };
    let at = (ports.clock)();
    let dry_run = ports.store.is_scratch();
    // The first commit of a ledger says since when the ledger exists, so its time must be right.
    let clock_off = clock_is_off(ports);
    let ledger = actual.to_string();
    let (state, is_new) = ports
        .store
        .transaction(at, move |store| {
            let state = store.ledger_state().map_err(PassError::Store)?;
            match state.identity.clone() {
                Some(ledger) if ledger == actual => Ok((Vec::new(), (state, false))),
                Some(ledger) => Err(PassError::ForeignLedger(Box::new((ledger, actual.clone())))),
                None if clock_off => Ok((Vec::new(), (state, false))),
                // A dry run writes this fact to its scratch store, which is dropped.
                None => {
                    let fact = LedgerFact::Identified {
                        identity: actual.clone(),
                        reason: FIRST_PASS_REASON.to_owned(),
                    };
                    Ok((vec![Fact::Ledger(fact)], (state, true)))
                }
            }
        })
        .await?;
    if !is_new {
        return Ok(state);
    }
    if !dry_run {
        tracing::warn!("the ledger named no account; it belongs to {ledger} from now on");
    }
    let state = ports.store.read(|store| store.ledger_state()).await;
    state.map_err(PassError::Store)
}
