//! Brings the projection up to the log: reads, checks and parses commits, applies them in memory, and
//! writes rows, in the order of their keys and many at a time.

use super::super::changes::Changes;
use super::super::clean_shutdown_marker::AppliedCommit;
use super::super::log::reader::{LogError, LogReader};
use super::super::log::segment::LogPosition;
use super::super::port::StoreError;
use super::super::write_set::WriteSet;
use super::projection::{MAX_ROWS, Projection};
use super::rebuild_view::RebuildView;
use super::rows::{self, ProjectionRow};
use crate::domain::ledger::ApplyError;

/// Records held in memory before their rows are written, so that the memory of a rebuild does not
/// grow with the log: around 50 MB if they are requests. With fewer records, sled reads and writes
/// the same pages more often, because the keys of each batch lie anywhere in its trees.
pub const MAX_RECORDS: usize = 50_000;

/// After how many commits the progress is reported.
const COMMITS_PER_REPORT: u64 = 1_000;

/// Why the projection could not be brought up to the log.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(LogError),
    /// The projection itself failed.
    #[error("bring the projection up to the log")]
    Projection(#[source] StoreError),
}

/// How much of the log was applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CatchUpReport {
    /// The commits that were applied.
    pub commits: u64,
    /// The facts that were applied.
    pub facts: u64,
}

/// Applies everything that the reader still finds, and writes the rows whenever `records` records
/// are in memory. `applied` is how far the projection has come; `on_position` receives the position
/// of the last commit that was applied.
///
/// # Errors
/// When a line fails its checks or does not fit, or the projection fails.
pub fn catch_up(
    projection: &Projection,
    reader: &mut LogReader,
    applied: &mut AppliedCommit,
    records: usize,
    on_position: &mut dyn FnMut(LogPosition),
) -> Result<CatchUpReport, CatchUpError> {
    let mut report = CatchUpReport::default();
    let mut rebuild_view = RebuildView::new(projection, applied.seq == 0);
    let mut write_set = WriteSet::new(&rebuild_view);
    let mut position_rows = Vec::new();
    while let Some(line) = reader.next_line().map_err(CatchUpError::Log)? {
        let (position, hash, commit) = (line.position, line.hash, line.commit());
        let commit = commit.map_err(|fault| CatchUpError::Log(reader.last_line_error(fault)))?;
        write_set.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => {
                CatchUpError::Log(reader.violation_error(position, violation))
            }
            ApplyError::Read(error) => CatchUpError::Projection(error),
        })?;
        position_rows.extend(projection.position_row(commit.seq, position));
        report.commits += 1;
        report.facts += commit.facts.len() as u64;
        *applied = AppliedCommit {
            seq: commit.seq,
            hash,
            position,
        };
        if write_set.record_count() >= records {
            let changes = write_set.into_changes();
            write_changes(&mut rebuild_view, changes, &mut position_rows, applied)?;
            write_set = WriteSet::new(&rebuild_view);
        }
        if report.commits.is_multiple_of(COMMITS_PER_REPORT) {
            on_position(position);
        }
    }
    let changes = write_set.into_changes();
    write_changes(&mut rebuild_view, changes, &mut position_rows, applied)?;
    on_position(applied.position);
    Ok(report)
}

/// Writes the rows of the changes, some at a time.
fn write_changes(
    rebuild_view: &mut RebuildView<'_>,
    changes: Changes,
    position_rows: &mut Vec<ProjectionRow>,
    applied: &AppliedCommit,
) -> Result<(), CatchUpError> {
    let mut rows = rows::into_rows(changes);
    loop {
        let part: Vec<ProjectionRow> = rows.by_ref().take(MAX_ROWS).collect();
        if part.is_empty() {
            break;
        }
        rebuild_view
            .write_part(part)
            .map_err(CatchUpError::Projection)?;
    }
    rebuild_view
        .write(std::mem::take(position_rows), applied)
        .map_err(CatchUpError::Projection)
}
