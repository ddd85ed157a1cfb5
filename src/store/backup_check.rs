//! A rehearsal of a restore: reads a backup as a restore would, with later erasures repeated, and
//! adds it up in memory. Nothing is written.

use std::path::Path;

use super::backup::CopyError;
use super::erased_backup;
use super::erasure_list::ErasureList;
use super::log::reader::{LogError, LogReader};
use super::log::segment;
use super::log_store::LOG;
use super::memory_records::MemoryRecords;
use super::port::Head;
use super::projection_recovery::log_size;
use super::write_set::WriteSet;
use crate::domain::account::Totals;
use crate::domain::ledger::ApplyError;
use crate::domain::progress::{Progress, WorkStep};
use crate::domain::time::Time;

/// Bytes between two progress reports.
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupContents {
    /// The last commit.
    pub head: Head,
    /// The number of facts.
    pub facts: u64,
    /// The size of the log in bytes.
    pub bytes: u64,
    /// When the last commit was written; `None` without a commit.
    pub last_commit_at: Option<Time>,
    /// The number of accounts.
    pub accounts: u64,
    /// The sums of all accounts.
    pub totals: Totals,
    /// The credits that can be spent at the instant of the check.
    pub available: u64,
    /// How many erased persons are still in the backup.
    pub erased: u64,
}

/// Reads and checks the backup in `from`, as a restore to `store` would.
///
/// # Errors
/// As for [`super::backup::restore`].
pub fn check(
    from: &Path,
    store: &Path,
    now: Time,
    progress: &mut dyn FnMut(Progress),
) -> Result<BackupContents, CopyError> {
    let log = from.join(LOG);
    if segment::count(&log).map_err(LogError::from)? == 0 {
        return Err(CopyError::NoBackup(from.to_owned()));
    }
    let mut list = ErasureList::read(store)?;
    list.add(erased_backup::lists_near(from)?.entries().iter().cloned());
    let (redaction, erased) = erased_backup::find_erased(&log, &list, progress)?;
    // The size is only shown to people.
    let total = log_size(&log, u32::MAX).unwrap_or(0);
    let no_records = MemoryRecords::default();
    let mut write_set = WriteSet::new(&no_records);
    let (mut facts, mut done, mut reported) = (0, 0, 0);
    let mut last_commit_at = None;
    let mut reader = LogReader::open(&log)?;
    while let Some(line) = reader.next_line()? {
        let (position, commit) = (line.position, line.commit());
        let mut commit = commit.map_err(|fault| reader.last_line_error(fault))?;
        facts += commit.facts.len() as u64;
        last_commit_at = Some(commit.at);
        redaction.apply(&mut commit);
        write_set.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => reader.violation_error(position, violation).into(),
            ApplyError::Read(error) => CopyError::Facts(error),
        })?;
        done += reader.text().len() as u64;
        if done - reported >= PROGRESS_EVERY {
            reported = done;
            progress(Progress {
                step: WorkStep::CheckLog,
                done,
                total: Some(total),
            });
        }
    }
    let end = reader.end();
    let mut records = MemoryRecords::default();
    records.apply_changes(write_set.into_changes());
    let mut contents = BackupContents {
        head: Head {
            seq: end.chain.seq,
            hash: end.head.to_string(),
        },
        facts,
        bytes: total,
        last_commit_at,
        accounts: 0,
        totals: Totals::default(),
        available: 0,
        erased: erased.persons,
    };
    for account in records.accounts.values().map(|versioned| &versioned.record) {
        contents.accounts += 1;
        contents.available += account.available(now);
        let (sum, one) = (&mut contents.totals, &account.totals);
        sum.granted += one.granted;
        sum.refunded += one.refunded;
        sum.held += one.held;
        sum.posted += one.posted;
        sum.expired += one.expired;
        sum.revoked += one.revoked;
    }
    Ok(contents)
}
