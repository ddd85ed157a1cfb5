//! The ledger is lost: the folder is empty, contains another ledger, or an older backup was put in
//! its place. Cal.com shows what others and the earlier ledger did, and this ledger contains
//! nothing about that.

use std::collections::BTreeSet;

use maitred::domain::ledger_state::LedgerFact;
use maitred::domain::time::Time;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

use super::coverage::Coverage;
use super::faulty_store::{FaultyStore, FaultyStoreState};
use super::model_calcom::BOOKERS;
use super::reference_ledger::{Author, ReferenceLedger};
use crate::rng::Rng;

/// The state when the ledger was lost.
pub struct LostLedger {
    /// Every booking that existed before.
    pub rows: BTreeSet<String>,
    /// An older backup was restored.
    pub restored: bool,
}

impl FaultyStore {
    /// Replaces the ledger by another one.
    pub fn lose_ledger(&self, rng: &mut Rng, coverage: &mut Coverage, now: Time) {
        let restored = rng.chance(400);
        coverage.count(if restored {
            "ledger: an older backup"
        } else {
            "ledger: an empty or another one"
        });
        let keeps = if restored {
            let all = self.state().commits.len();
            all - rng.index(all + 1) / 2
        } else {
            0
        };
        self.state().reopen_with(keeps, restored);
        if restored {
            // Does the same as `maitred restore`.
            let commit = keeps as u64;
            self.commit_ledger_fact(now, LedgerFact::Restored { commit });
        }
        if !restored {
            for who in &BOOKERS[..BOOKERS.len() - 2] {
                if rng.chance(500) {
                    self.grant(now, who, 1 + rng.up_to(6), None);
                }
            }
        }
        self.reopen();
    }
}

impl FaultyStoreState {
    fn reopen_with(&mut self, keeps: usize, restored: bool) {
        let mut commits = std::mem::take(&mut self.commits);
        commits.truncate(keeps);
        self.store = MemoryStore::new();
        self.reference = ReferenceLedger::default();
        self.end_reasons.clear();
        let tally = std::mem::take(&mut self.coverage);
        self.policies.truncate(keeps);
        let policies = self.policies.clone();
        let history = std::sync::Arc::clone(&self.history);
        let history = history.lock().unwrap();
        for ((at, facts), policy) in commits.iter().zip(&policies) {
            self.store.commit(*at, facts.clone(), &[]).unwrap();
            for fact in facts {
                self.apply_fact(&history, *at, (fact, Author::Process), policy);
            }
        }
        self.coverage = tally;
        self.commits = commits;
        let rows = history.all_rows().map(|row| row.uid.clone()).collect();
        drop(history);
        self.lost_ledger = Some(LostLedger { rows, restored });
    }
}
