//! Bringing the fold up to the log. One thread reads, checks and parses; the other folds in memory
//! and writes rows, in the order of keys and many at once.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::super::changes::Changes;
use super::super::log::line::{Fault, Hash};
use super::super::log::segment::Place;
use super::super::log::walk::{LogError, Walk};
use super::super::marker::Applied;
use super::super::overlay::Overlay;
use super::super::port::StoreError;
use super::beneath::Beneath;
use super::fold::{Fold, MAX_ROWS};
use super::rows::{self, Row};
use crate::domain::fact::Commit;
use crate::domain::ledger::{ApplyError, Violation};

/// Records held in memory before their rows are written, so that the memory of a rebuild does not
/// grow with the log: around 50 MB when they are requests. With fewer, sled reads and writes the same
/// pages more often, because the keys of each part lie anywhere in its trees.
pub const MAX_RECORDS: usize = 50_000;

/// Facts that are handed over at once, at least.
const BATCH: usize = 1_000;

/// Batches that may wait: enough for the reader to go on while rows are written. Some 16 MB.
const WAITING: usize = 16;

/// Pieces of rows that may wait: enough to keep both threads busy.
const WAITING_ROWS: usize = 4;

/// Why the fold could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    #[error(transparent)]
    Log(LogError),
    /// The fold's own fault.
    #[error("bring the fold up to the log")]
    Fold(#[source] StoreError),
}

/// How far it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caught {
    pub commits: u64,
    pub facts: u64,
}

/// A commit that was read and parsed.
struct Parsed {
    commit: Commit,
    place: Place,
    hash: Hash,
}

/// Applies all that the walk still finds, and writes the rows, whenever there are so many records
/// in memory. `applied` is where the fold stands; `seen` is told the bytes of the log that were
/// folded.
///
/// # Errors
/// When a line does not check or does not fit, or the fold fails.
pub fn catch_up(
    fold: &Fold,
    walk: &mut Walk,
    applied: &mut Applied,
    records: usize,
    seen: &mut dyn FnMut(Place),
) -> Result<Caught, CatchUpError> {
    let (sender, receiver) = sync_channel(WAITING);
    let (folded, read) = thread::scope(|scope| {
        let reader = scope.spawn(|| read(walk, sender));
        let folded = fold_all(fold, receiver, applied, records, seen);
        // A fold that fails drops the receiver, and the reader ends at its next batch.
        (folded, reader.join().expect("the reader does not panic"))
    });
    match (folded, read) {
        (Err(Failed::Misfit(place, violation)), _) => {
            Err(CatchUpError::Log(walk.misfit(place, violation)))
        }
        (Err(Failed::Fold(error)), _) => Err(CatchUpError::Fold(error)),
        (Ok(_), Err(error)) => Err(CatchUpError::Log(error)),
        (Ok(caught), Ok(())) => Ok(caught),
    }
}

enum Failed {
    Misfit(Place, Violation),
    Fold(StoreError),
}

fn read(walk: &mut Walk, sender: SyncSender<Vec<Parsed>>) -> Result<(), LogError> {
    let mut batch = Vec::new();
    let mut facts = 0;
    loop {
        let parsed = match walk.line()? {
            None => break,
            Some(line) => (line.place, line.hash, line.commit()),
        };
        let (place, hash, commit) = parsed;
        let commit = commit.map_err(|fault: Fault| walk.refuse_last(fault))?;
        facts += commit.facts.len();
        batch.push(Parsed {
            commit,
            place,
            hash,
        });
        if facts >= BATCH {
            facts = 0;
            if sender.send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    // When nobody takes it any more, the other side has its own error to report.
    drop(sender.send(batch));
    Ok(())
}

fn fold_all(
    fold: &Fold,
    batches: Receiver<Vec<Parsed>>,
    applied: &mut Applied,
    records: usize,
    seen: &mut dyn FnMut(Place),
) -> Result<Caught, Failed> {
    let mut caught = Caught::default();
    let mut beneath = Beneath::new(fold, applied.seq == 0);
    let mut overlay = Overlay::new(&beneath);
    let mut marks = Vec::new();
    for batch in batches {
        for parsed in batch {
            let Parsed {
                commit,
                place,
                hash,
            } = parsed;
            overlay.apply(&commit).map_err(|error| match error {
                ApplyError::Violation(violation) => Failed::Misfit(place, violation),
                ApplyError::Read(error) => Failed::Fold(error),
            })?;
            marks.extend(fold.mark(commit.seq, place));
            caught.commits += 1;
            caught.facts += commit.facts.len() as u64;
            *applied = Applied {
                seq: commit.seq,
                hash,
                place,
            };
            if overlay.records() >= records {
                let changes = overlay.changes();
                write(&mut beneath, changes, &mut marks, applied)?;
                overlay = Overlay::new(&beneath);
            }
        }
        seen(applied.place);
    }
    let changes = overlay.changes();
    write(&mut beneath, changes, &mut marks, applied)?;
    Ok(caught)
}

/// Writes what changed. Another thread makes the rows meanwhile, and frees what they came from.
fn write(
    beneath: &mut Beneath<'_>,
    changes: Changes,
    marks: &mut Vec<Row>,
    applied: &Applied,
) -> Result<(), Failed> {
    let (sender, receiver) = sync_channel(WAITING_ROWS);
    let written = thread::scope(|scope| {
        scope.spawn(move || make_rows(changes, sender));
        receiver
            .into_iter()
            .try_for_each(|rows: Vec<Row>| beneath.write_part(rows))
    });
    let written = written.and_then(|()| beneath.write(std::mem::take(marks), applied));
    written.map_err(Failed::Fold)
}

fn make_rows(changes: Changes, sender: SyncSender<Vec<Row>>) {
    let mut rows = rows::rows(changes);
    loop {
        let some: Vec<Row> = rows.by_ref().take(MAX_ROWS).collect();
        // When nobody takes them any more, the fold has failed, and says so.
        if some.is_empty() || sender.send(some).is_err() {
            return;
        }
    }
}
