//! Comparing the two halves: every line of the log checked and folded anew in memory, and the
//! outcome held against the fold, row by row.

use std::collections::BTreeMap;

use super::log::walk::{LogError, Walk};
use super::memory::Memory;
use super::open::Progress;
use super::opened::{LOG, LogStore};
use super::overlay::Overlay;
use super::port::{Head, Store, StoreError};
use super::sled::fold;
use super::sled::keys::{self, TREES, Tree};
use super::sled::parts::needed;
use super::sled::rows;
use crate::domain::ledger::ApplyError;

/// Differences that are listed one by one.
const MAX_LISTED: usize = 100;

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub commits: u64,
    pub facts: u64,
    pub head: Head,
    /// What is otherwise in the fold than the log says, the first few; empty when all is well.
    pub differences: Vec<String>,
    /// Differences that are not listed.
    pub more: u64,
}

/// Why it could not be told.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("verify the log")]
    Log(#[from] LogError),
    #[error("verify the fold")]
    Fold(#[from] StoreError),
}

/// The rows that the log adds up to.
type Expected = BTreeMap<(Tree, Vec<u8>), Vec<u8>>;

impl LogStore {
    /// Checks every line of the log and every row of the fold. Holds what the log adds up to in
    /// memory while it works.
    ///
    /// # Errors
    /// When a line does not check, or the fold cannot be read.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<Verified, VerifyError> {
        let mut verified = Verified {
            commits: 0,
            facts: 0,
            head: self.head(),
            differences: Vec::new(),
            more: 0,
        };
        let mut expected = self.replay(&mut verified, progress)?;
        let fold = self.fold()?;
        let mut parts = 0;
        for tree in TREES {
            match tree {
                Tree::Parts => continue,
                Tree::Accounts
                | Tree::Aliases
                | Tree::Given
                | Tree::Requests
                | Tree::Charges
                | Tree::Decided
                | Tree::Open
                | Tree::Noted
                | Tree::Asked
                | Tree::Live
                | Tree::Standing
                | Tree::Joined
                | Tree::Pieces
                | Tree::Marks
                | Tree::Unresolved
                | Tree::Listed
                | Tree::Declined
                | Tree::WrongPins
                | Tree::Meta => {}
            }
            fold.each(tree, |key, value| {
                if (tree, key) == (Tree::Meta, keys::APPLIED) {
                    return;
                }
                parts += needed(value);
                match expected.remove(&(tree, key.to_owned())) {
                    Some(right) if right == value => {}
                    Some(_) => verified.differs(tree, key, "is not what the log adds up to"),
                    None => verified.differs(tree, key, "is nowhere in the log"),
                }
            })?;
        }
        for (tree, key) in expected.into_keys() {
            verified.differs(tree, &key, "is missing");
        }
        let found = fold.keys(Tree::Parts, None, usize::MAX)?.len();
        if found != parts {
            verified.differs(Tree::Parts, b"", "do not belong to the rows that are there");
        }
        if fold.applied()? != Some(self.applied()) {
            verified.differs(Tree::Meta, keys::APPLIED, "does not name the last commit");
        }
        Ok(verified)
    }

    fn replay(
        &self,
        verified: &mut Verified,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Expected, VerifyError> {
        let nothing = Memory::default();
        let mut overlay = Overlay::new(&nothing);
        let mut marks = Vec::new();
        let mut last_mark = None;
        let mut walk = Walk::start(&self.path().join(LOG))?;
        while let Some(line) = walk.line()? {
            let (place, hash, seq, commit) = (line.place, line.hash, line.seq, line.commit());
            let commit = commit.map_err(|fault| walk.refuse_last(fault))?;
            overlay.apply(&commit).map_err(|error| match error {
                ApplyError::Violation(violation) => walk.misfit(place, violation).into(),
                ApplyError::Read(error) => VerifyError::Fold(error),
            })?;
            if fold::is_mark_due(last_mark, place) {
                last_mark = Some(place);
                marks.push(rows::Row::put(
                    Tree::Marks,
                    seq.to_be_bytes(),
                    keys::place(place),
                ));
            }
            verified.commits += 1;
            verified.facts += commit.facts.len() as u64;
            if seq == self.head().seq && hash != self.applied().hash {
                verified.differs(Tree::Meta, keys::APPLIED, "has another hash than the log");
            }
            if seq.is_multiple_of(PROGRESS_EVERY) {
                let total = self.head().seq;
                progress(Progress { done: seq, total });
            }
        }
        if verified.commits != verified.head.seq {
            verified.differs(Tree::Meta, keys::APPLIED, "is not where the log ends");
        }
        let rows = rows::rows(overlay.changes()).chain(marks);
        Ok(rows
            .filter_map(|row| Some(((row.tree, row.key), row.value?)))
            .collect())
    }
}

/// Commits between two words of progress, which here counts commits.
const PROGRESS_EVERY: u64 = 1_000;

impl Verified {
    fn differs(&mut self, tree: Tree, key: &[u8], how: &str) {
        if self.differences.len() < MAX_LISTED {
            let key = String::from_utf8_lossy(key);
            let key: String = key.chars().filter(|c| !c.is_control()).collect();
            self.differences
                .push(format!("{} {key} {how}", tree.name()));
        } else {
            self.more += 1;
        }
    }
}
