//! Brings the projection up to the log. One thread reads, checks and parses commits; the other
//! applies them in memory and writes rows, in the order of their keys and many at a time.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::super::changes::Changes;
use super::super::clean_shutdown_marker::AppliedCommit;
use super::super::log::line::{Hash, LineFault};
use super::super::log::reader::{LogError, LogReader};
use super::super::log::segment::LogPosition;
use super::super::port::StoreError;
use super::super::write_set::WriteSet;
use super::projection::{MAX_ROWS, Projection};
use super::rebuild_view::RebuildView;
use super::rows::{self, ProjectionRow};
use crate::domain::fact::Commit;
use crate::domain::ledger::{ApplyError, Violation};

/// Records held in memory before their rows are written, so that the memory of a rebuild does not
/// grow with the log: around 50 MB if they are requests. With fewer records, sled reads and writes
/// the same pages more often, because the keys of each batch lie anywhere in its trees.
pub const MAX_RECORDS: usize = 50_000;

/// The minimum number of facts in a batch, which is handed over as a whole.
const MIN_BATCH_FACTS: usize = 1_000;

/// How many batches may be queued: enough for the reader to continue while rows are written. Some
/// 16 MB.
const MAX_WAITING_BATCHES: usize = 16;

/// How many batches of rows may be queued: enough to keep both threads busy.
const MAX_WAITING_ROW_BATCHES: usize = 4;

/// Why the projection could not be brought up to the log.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(LogError),
    /// The projection itself failed.
    #[error("bring the fold up to the log")]
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

/// A commit that was read and parsed.
struct ParsedCommit {
    commit: Commit,
    position: LogPosition,
    hash: Hash,
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
    let (sender, receiver) = sync_channel(MAX_WAITING_BATCHES);
    let (apply_result, read_result) = thread::scope(|scope| {
        let reader_thread = scope.spawn(|| read_commits(reader, sender));
        let apply_result = apply_all(projection, receiver, applied, records, on_position);
        // If the projection fails, the receiver is dropped, and the reader thread ends at its next
        // batch.
        (
            apply_result,
            reader_thread.join().expect("the reader does not panic"),
        )
    });
    match (apply_result, read_result) {
        (Err(ApplyFailure::Violation(place, violation)), _) => {
            Err(CatchUpError::Log(reader.violation_error(place, violation)))
        }
        (Err(ApplyFailure::Projection(error)), _) => Err(CatchUpError::Projection(error)),
        (Ok(_), Err(error)) => Err(CatchUpError::Log(error)),
        (Ok(caught), Ok(())) => Ok(caught),
    }
}

enum ApplyFailure {
    Violation(LogPosition, Violation),
    Projection(StoreError),
}

fn read_commits(
    reader: &mut LogReader,
    sender: SyncSender<Vec<ParsedCommit>>,
) -> Result<(), LogError> {
    let mut batch = Vec::new();
    let mut facts = 0;
    loop {
        let parsed = match reader.next_line()? {
            None => break,
            Some(line) => (line.position, line.hash, line.commit()),
        };
        let (position, hash, commit) = parsed;
        let commit = commit.map_err(|fault: LineFault| reader.last_line_error(fault))?;
        facts += commit.facts.len();
        batch.push(ParsedCommit {
            commit,
            position,
            hash,
        });
        if facts >= MIN_BATCH_FACTS {
            facts = 0;
            if sender.send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    // If the receiver is gone, the other side has its own error to report.
    drop(sender.send(batch));
    Ok(())
}

fn apply_all(
    projection: &Projection,
    batches: Receiver<Vec<ParsedCommit>>,
    applied: &mut AppliedCommit,
    records: usize,
    on_position: &mut dyn FnMut(LogPosition),
) -> Result<CatchUpReport, ApplyFailure> {
    let mut report = CatchUpReport::default();
    let mut rebuild_view = RebuildView::new(projection, applied.seq == 0);
    let mut write_set = WriteSet::new(&rebuild_view);
    let mut position_rows = Vec::new();
    for batch in batches {
        for parsed in batch {
            let ParsedCommit {
                commit,
                position: place,
                hash,
            } = parsed;
            write_set.apply(&commit).map_err(|error| match error {
                ApplyError::Violation(violation) => ApplyFailure::Violation(place, violation),
                ApplyError::Read(error) => ApplyFailure::Projection(error),
            })?;
            position_rows.extend(projection.position_row(commit.seq, place));
            report.commits += 1;
            report.facts += commit.facts.len() as u64;
            *applied = AppliedCommit {
                seq: commit.seq,
                hash,
                position: place,
            };
            if write_set.record_count() >= records {
                let changes = write_set.into_changes();
                write_changes(&mut rebuild_view, changes, &mut position_rows, applied)?;
                write_set = WriteSet::new(&rebuild_view);
            }
        }
        on_position(applied.position);
    }
    let changes = write_set.into_changes();
    write_changes(&mut rebuild_view, changes, &mut position_rows, applied)?;
    Ok(report)
}

/// Writes the changes. Another thread makes the rows meanwhile, and frees the changes.
fn write_changes(
    rebuild_view: &mut RebuildView<'_>,
    changes: Changes,
    position_rows: &mut Vec<ProjectionRow>,
    applied: &AppliedCommit,
) -> Result<(), ApplyFailure> {
    let (sender, receiver) = sync_channel(MAX_WAITING_ROW_BATCHES);
    let result = thread::scope(|scope| {
        scope.spawn(move || make_rows(changes, sender));
        receiver
            .into_iter()
            .try_for_each(|rows: Vec<ProjectionRow>| rebuild_view.write_part(rows))
    });
    let result = result.and_then(|()| rebuild_view.write(std::mem::take(position_rows), applied));
    result.map_err(ApplyFailure::Projection)
}

fn make_rows(changes: Changes, sender: SyncSender<Vec<ProjectionRow>>) {
    let mut rows = rows::into_rows(changes);
    loop {
        let batch: Vec<ProjectionRow> = rows.by_ref().take(MAX_ROWS).collect();
        // If the receiver is gone, the projection has failed, and the receiving side reports it.
        if batch.is_empty() || sender.send(batch).is_err() {
            return;
        }
    }
}
