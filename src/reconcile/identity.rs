//! Whether the ledger belongs to the account that the key opens. Before anything is read for it, the
//! server, the key's user and the dialect are compared with those that the ledger remembers: a booking
//! that another server does not know is not gone, and another host's members are not in this ledger.

use super::clock::clock_is_off;
use super::ports::{PassError, Ports, Session};
use crate::domain::fact::Fact;
use crate::domain::ledger_state::{Identity, LedgerFact, LedgerState};
use crate::store::port::{Store, StoreError};

/// What the ledger remembers of why it belongs to its account.
const ADOPTED: &str = "recorded by the first pass";

/// Compares, or records the account in a ledger that does not know its own yet.
///
/// # Errors
/// [`PassError::Foreign`] when the ledger belongs to another account; as the calls and the store.
pub(super) async fn identify(
    ports: &Ports<'_>,
    session: &mut Session,
) -> Result<LedgerState, PassError> {
    let found = Identity {
        server: ports.calendar.server(),
        user: session.me(ports).await?.id,
        dialect: ports.calendar.dialect().word().to_owned(),
    };
    let at = (ports.clock)();
    let dry_run = ports.store.is_scratch();
    // What a ledger begins with says since when it exists, so that the time must be right.
    let off = clock_is_off(ports);
    ports
        .store
        .with(move |store| {
            let state = store.ledger_state().map_err(PassError::Store)?;
            match state.identity.clone() {
                Some(ledger) if ledger == found => Ok(state),
                Some(ledger) => Err(PassError::Foreign(Box::new((ledger, found)))),
                None if off => Ok(state),
                // A dry run writes this to its scratch store, which is dropped.
                None => {
                    let fact = LedgerFact::Identified {
                        identity: found.clone(),
                        reason: ADOPTED.to_owned(),
                    };
                    let written = store.commit(at, vec![Fact::Ledger(fact)], &[]);
                    written.map_err(PassError::Commit)?;
                    if !dry_run {
                        tracing::warn!(
                            "the ledger named no account; it belongs to {found} from now on"
                        );
                    }
                    read(store)
                }
            }
        })
        .await
}

fn read(store: &dyn Store) -> Result<LedgerState, PassError> {
    let state: Result<LedgerState, StoreError> = store.ledger_state();
    state.map_err(PassError::Store)
}
