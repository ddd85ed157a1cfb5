//! The ledger is lost: the folder is empty or another one, or an older backup was put in its place.
//! What others and the ledger before did is at Cal.com, and nothing of it is in this ledger.

use std::collections::BTreeSet;

use maitred::domain::ledger_state::LedgerFact;
use maitred::domain::time::Time;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

use super::book::{Book, By};
use super::rng::Rng;
use super::shelf::{Shelf, State};
use super::tally::Tally;
use super::town::PEOPLE;

/// What was there when the ledger was lost.
pub struct Lost {
    /// Every booking that was made before.
    pub rows: BTreeSet<String>,
    /// An older backup was restored.
    pub restored: bool,
}

impl Shelf {
    /// Another ledger is opened from now on.
    pub fn lose(&self, rng: &mut Rng, tally: &mut Tally, now: Time) {
        let restored = rng.chance(400);
        tally.add(if restored {
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
        self.state().replace(keeps, restored);
        if restored {
            // As `maitred restore` does.
            let commit = keeps as u64;
            self.of_ledger(now, LedgerFact::Restored { commit });
        }
        if !restored {
            for who in &PEOPLE[..PEOPLE.len() - 2] {
                if rng.chance(500) {
                    self.grant(now, who, 1 + rng.below(6), None);
                }
            }
        }
        self.reopen();
    }
}

impl State {
    fn replace(&mut self, keeps: usize, restored: bool) {
        let mut commits = std::mem::take(&mut self.commits);
        commits.truncate(keeps);
        self.store = MemoryStore::new();
        self.book = Book::default();
        self.why.clear();
        let tally = std::mem::take(&mut self.tally);
        self.policies.truncate(keeps);
        let policies = self.policies.clone();
        let history = std::sync::Arc::clone(&self.history);
        let history = history.lock().unwrap();
        for ((at, facts), policy) in commits.iter().zip(&policies) {
            self.store.commit(*at, facts.clone(), &[]).unwrap();
            for fact in facts {
                self.enter(&history, *at, (fact, By::Process), policy);
            }
        }
        self.tally = tally;
        self.commits = commits;
        let rows = history.all().map(|row| row.uid.clone()).collect();
        drop(history);
        self.lost = Some(Lost { rows, restored });
    }
}
