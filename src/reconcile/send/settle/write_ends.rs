//! Writes the ends of intents, and says which accounts only this pass has changed since the plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::expected::Expected;
use crate::domain::fact::Fact;
use crate::domain::id::AccountId;
use crate::domain::ledger::Violation;
use crate::domain::time::Time;
use crate::reconcile::context::PassError;
use crate::store::port::{CommitError, Store};

/// How often a commit is tried when others write between its reads and the commit.
const MAX_TRIES: u32 = 8;

/// What is to be written about one intent.
pub struct EndOfIntent {
    /// The facts that end the intent.
    pub facts: Vec<Fact>,
    /// The intent's record, which must be as the pass has left it.
    pub expected: Expected,
}

/// The result of writing the ends of intents.
pub struct EndsWritten {
    /// The new versions of the accounts that had no other change.
    pub versions: BTreeMap<AccountId, u64>,
    /// The indices of the ends that were not written.
    pub rejected_ends: BTreeSet<usize>,
}

/// Writes the ends of intents, all in one commit. If the facts of one do not fit, because an
/// operator has meanwhile ended the charge that its intent takes over, each end is written
/// individually. The next pass reads the intents again whose ends were not written.
///
/// `planned_versions` are the versions that this pass has given to the accounts.
///
/// # Errors
/// Returns an error if the store fails.
pub fn write_ends(
    store: &mut dyn Store,
    at: Time,
    ends: Vec<EndOfIntent>,
    planned_versions: BTreeMap<AccountId, u64>,
) -> Result<EndsWritten, PassError> {
    let mut writer = EndsWriter {
        store,
        at,
        planned_versions,
        written: EndsWritten {
            versions: BTreeMap::new(),
            rejected_ends: BTreeSet::new(),
        },
    };
    let ends: Vec<(usize, EndOfIntent)> = ends.into_iter().enumerate().collect();
    if writer.try_write(&ends)?.is_some() {
        for end in ends {
            let number = end.0;
            if let Some(why) = writer.try_write(&[end])? {
                tracing::warn!(%why, "a result that does not fit: the next pass continues");
                writer.written.rejected_ends.insert(number);
            }
        }
    }
    Ok(writer.written)
}

struct EndsWriter<'a> {
    store: &'a mut dyn Store,
    at: Time,
    planned_versions: BTreeMap<AccountId, u64>,
    written: EndsWritten,
}

impl EndsWriter<'_> {
    /// Writes these ends in one commit, without those whose intents were changed by others. If the
    /// facts do not fit, returns why, and nothing was written.
    fn try_write(&mut self, ends: &[(usize, EndOfIntent)]) -> Result<Option<Violation>, PassError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let remaining = ends
                .iter()
                .filter(|(number, _)| !self.written.rejected_ends.contains(number));
            let (mut facts, mut expected) = (Vec::new(), Vec::new());
            for (_, end) in remaining.filter(|(_, end)| !end.facts.is_empty()) {
                facts.extend(end.facts.iter().cloned());
                expected.push(end.expected.clone());
            }
            // The versions that are read now are compared again by the commit.
            let head_seen = Expected::Head {
                seq: self.store.head().seq,
            };
            let unchanged = self.read_unchanged_accounts()?;
            expected.push(head_seen.clone());
            match self.store.commit(self.at, facts, &expected) {
                Ok(committed) => {
                    self.written.versions = unchanged;
                    for (account, version) in committed.accounts {
                        if let Some(known) = self.written.versions.get_mut(&account) {
                            *known = version;
                        }
                    }
                    self.planned_versions.clone_from(&self.written.versions);
                    return Ok(None);
                }
                // Others wrote between the reads and the commit.
                Err(CommitError::Conflict(Expected::Head { .. })) if tries < MAX_TRIES => {}
                Err(CommitError::Conflict(changed)) if changed != head_seen => {
                    tracing::info!(%changed, "changed in the meantime: the next pass continues");
                    let affected = ends.iter().filter(|(_, end)| end.expected == changed);
                    let numbers = affected.map(|(number, _)| *number);
                    self.written.rejected_ends.extend(numbers);
                }
                Err(CommitError::Violation(why)) => return Ok(Some(why)),
                Err(error) => return Err(PassError::Commit(error)),
            }
        }
    }

    /// Returns the accounts that still have the version that the plan has given to them.
    fn read_unchanged_accounts(&self) -> Result<BTreeMap<AccountId, u64>, PassError> {
        let mut unchanged = BTreeMap::new();
        for (id, planned_version) in &self.planned_versions {
            let account = self.store.account(id).map_err(PassError::Store)?;
            if account.map(|account| account.version) == Some(*planned_version) {
                unchanged.insert(id.clone(), *planned_version);
            }
        }
        Ok(unchanged)
    }
}
