//! Read, decide, commit: the explicit transaction of the store port.
//!
//! `decide` reads the store and returns the facts to write. They are committed only if nothing was
//! committed since the reads began; otherwise `decide` runs again on the new state. So a decision
//! never rests on records that another writer has changed meanwhile, whether or not the store allows
//! a second writer.

use super::port::{CommitError, Committed, Store};
use crate::domain::actor::Actor;
use crate::domain::expected::Expected;
use crate::domain::fact::Fact;
use crate::domain::time::Time;

/// How often a transaction is tried. Each try costs some reads, and a writer that lost this many
/// races in a row is better told so.
const MAX_TRIES: u32 = 8;

/// When, and at whose command, a commit is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The instant of the commit.
    pub at: Time,
    /// Who gave the command. `None`: no command makes the commit.
    pub by: Option<Actor>,
}

impl From<Time> for Stamp {
    fn from(at: Time) -> Self {
        Self { at, by: None }
    }
}

impl From<&Stamp> for Stamp {
    fn from(stamp: &Stamp) -> Self {
        stamp.clone()
    }
}

/// Decides from the state of the store and commits the facts, if there are any, with
/// the actor as the first fact. Returns what `decide` returned with the facts that were committed, and the commit.
///
/// `decide` may run several times, so it must not do anything but read and decide.
///
/// # Errors
/// Returns the error of `decide`, or of the commit. A conflict is returned only if other writers
/// were quicker each time.
pub fn transact<T, E: From<CommitError>>(
    store: &mut dyn Store,
    stamp: &Stamp,
    mut decide: impl FnMut(&dyn Store) -> Result<(Vec<Fact>, T), E>,
) -> Result<(T, Committed), E> {
    let mut tries = 1;
    loop {
        let head = store.head();
        let (mut facts, value) = decide(store)?;
        if facts.is_empty() {
            return Ok((value, Committed::nothing(head)));
        }
        if let Some(actor) = &stamp.by {
            facts.insert(0, Fact::By(actor.clone()));
        }
        let expected = [Expected::Head { seq: head.seq }];
        match store.commit(stamp.at, facts, &expected) {
            Ok(committed) => return Ok((value, committed)),
            Err(CommitError::Conflict(_)) if tries < MAX_TRIES => {
                tracing::debug!(tries, "another writer was quicker: decided again");
                tries += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
