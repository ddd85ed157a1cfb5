//! Compares the log with the projection: checks every line of the log, replays the log in memory,
//! and compares the result with the projection row by row.

use std::collections::BTreeMap;

use super::log::reader::{LogError, LogReader};
use super::log_store::{LOG, LogStore};
use super::memory_records::MemoryRecords;
use super::port::{Head, Store, StoreError};
use super::sled::keys::{self, TREES, Tree};
use super::sled::projection;
use super::sled::rows;
use super::sled::value_chunks::chunks_needed;
use super::write_set::WriteSet;
use crate::domain::ledger::ApplyError;
use crate::domain::progress::{Progress, WorkStep};

/// How many differences are listed individually.
const MAX_LISTED: usize = 100;

/// The result of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The commits in the log.
    pub commits: u64,
    /// The facts in the log.
    pub facts: u64,
    /// The last commit in the log.
    pub head: Head,
    /// The first differences between the projection and what the log adds up to; empty if they
    /// agree.
    pub differences: Vec<String>,
    /// The number of differences that are not listed.
    pub unlisted: u64,
}

/// Why the comparison could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log cannot be read, or one of its lines cannot be accepted.
    #[error("verify the log")]
    Log(#[from] LogError),
    /// The projection cannot be read.
    #[error("verify the projection")]
    Fold(#[from] StoreError),
}

/// The rows that the log adds up to.
type ExpectedRows = BTreeMap<(Tree, Vec<u8>), Vec<u8>>;

impl LogStore {
    /// Checks every line of the log and every row of the projection. While it works, it holds what
    /// the log adds up to in memory.
    ///
    /// # Errors
    /// When a line fails its checks, or the projection cannot be read.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, VerifyError> {
        let mut report = VerifyReport {
            commits: 0,
            facts: 0,
            head: self.head(),
            differences: Vec::new(),
            unlisted: 0,
        };
        let mut expected = self.replay(&mut report, progress)?;
        let projection = self.projection()?;
        let mut expected_chunks = 0;
        for tree in TREES {
            match tree {
                Tree::ValueChunks => continue,
                Tree::Accounts
                | Tree::Aliases
                | Tree::GrantRecords
                | Tree::Requests
                | Tree::Charges
                | Tree::DecidedRequests
                | Tree::OpenIntents
                | Tree::NotedRequests
                | Tree::RequestsByBooker
                | Tree::LiveCharges
                | Tree::CountedCharges
                | Tree::JoinedBookings
                | Tree::HistoryPages
                | Tree::CommitPositions
                | Tree::Unresolved
                | Tree::OpenUnresolved
                | Tree::DeclinedRequests
                | Tree::WrongPins
                | Tree::DailyTotals
                | Tree::CreditFlows
                | Tree::Meta => {}
            }
            projection.for_each_row(tree, |key, value| {
                if (tree, key) == (Tree::Meta, keys::APPLIED) {
                    return;
                }
                expected_chunks += chunks_needed(value);
                match expected.remove(&(tree, key.to_owned())) {
                    Some(right) if right == value => {}
                    Some(_) => report.add_difference(tree, key, "is not what the log gives"),
                    None => report.add_difference(tree, key, "is nowhere in the log"),
                }
            })?;
        }
        for (tree, key) in expected.into_keys() {
            report.add_difference(tree, &key, "is missing");
        }
        let stored_chunks = projection.keys(Tree::ValueChunks, None, usize::MAX)?.len();
        if stored_chunks != expected_chunks {
            report.add_difference(
                Tree::ValueChunks,
                b"",
                "do not belong to the rows that are there",
            );
        }
        if projection.applied()? != Some(self.applied()) {
            report.add_difference(Tree::Meta, keys::APPLIED, "does not name the last commit");
        }
        Ok(report)
    }

    fn replay(
        &self,
        report: &mut VerifyReport,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ExpectedRows, VerifyError> {
        let no_records = MemoryRecords::default();
        let mut write_set = WriteSet::new(&no_records);
        let mut position_rows = Vec::new();
        let mut last_position = None;
        let mut reader = LogReader::open(&self.path().join(LOG))?;
        while let Some(line) = reader.next_line()? {
            let (position, hash, seq, commit) = (line.position, line.hash, line.seq, line.commit());
            let commit = commit.map_err(|fault| reader.last_line_error(fault))?;
            write_set.apply(&commit).map_err(|error| match error {
                ApplyError::Violation(violation) => {
                    reader.violation_error(position, violation).into()
                }
                ApplyError::Read(error) => VerifyError::Fold(error),
            })?;
            if projection::is_position_row_due(last_position, position) {
                last_position = Some(position);
                position_rows.push(rows::ProjectionRow::put(
                    Tree::CommitPositions,
                    seq.to_be_bytes(),
                    keys::encode_position(position),
                ));
            }
            report.commits += 1;
            report.facts += commit.facts.len() as u64;
            if seq == self.head().seq && hash != self.applied().hash {
                report.add_difference(Tree::Meta, keys::APPLIED, "has another hash than the log");
            }
            if seq.is_multiple_of(PROGRESS_EVERY) {
                progress(Progress {
                    step: WorkStep::Verify,
                    done: seq,
                    total: Some(self.head().seq),
                });
            }
        }
        if report.commits != report.head.seq {
            report.add_difference(Tree::Meta, keys::APPLIED, "is not where the log ends");
        }
        let rows = rows::into_rows(write_set.into_changes()).chain(position_rows);
        Ok(rows
            .filter_map(|row| Some(((row.tree, row.key), row.value?)))
            .collect())
    }
}

/// Commits between two progress reports, which here count commits.
const PROGRESS_EVERY: u64 = 1_000;

impl VerifyReport {
    fn add_difference(&mut self, tree: Tree, key: &[u8], how: &str) {
        if self.differences.len() < MAX_LISTED {
            let key = String::from_utf8_lossy(key);
            let key: String = key.chars().filter(|c| !c.is_control()).collect();
            self.differences
                .push(format!("{} {key} {how}", tree.name()));
        } else {
            self.unlisted += 1;
        }
    }
}
