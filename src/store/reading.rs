//! The log read into memory: for commands that only look. Nothing is written, no lock is taken and no
//! projection is made on disk, so that a command typed as root leaves nothing that the service could
//! not use, and a daemon that starts meanwhile is not kept from its store.

use std::path::Path;

use super::ground;
use super::log::segment;
use super::log::walk::{End, Walk};
use super::marker;
use super::memory::{Memory, MemoryStore};
use super::open::{OpenError, Progress};
use super::opened::LOG;
use super::overlay::Overlay;
use super::port::StoreError;
use super::sent;
use super::trust;
use crate::domain::ledger::ApplyError;

/// What was read.
pub struct Reading {
    pub store: MemoryStore,
    /// What there is to say about a line at the end that is not whole.
    pub torn: Option<String>,
}

/// Bytes read between two words of progress.
const PROGRESS_EVERY: u64 = 8 * 1024 * 1024;

/// Reads the log of the store in this directory up to its end, whether another process is writing to
/// it or not. What commits say is read again from the log when it is asked for, so that the memory
/// grows with the records and not with their history.
///
/// # Errors
/// When there is no log, or it does not check: as [`super::open::open`].
pub fn read(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Reading, OpenError> {
    if !ground::has_log(path)? {
        return Err(OpenError::Absent(path.to_owned()));
    }
    // Before the log, which only grows: so it never names a commit that was made after the walk.
    let marker = marker::read(path)?;
    let log = path.join(LOG);
    let total = trust::size(&log, u32::MAX)?;
    let named = marker.map(|marker| (marker.applied.seq, marker.applied.hash));
    let mut memory = Memory::of_log(&log);
    let mut walk = Walk::start(&log)?;
    let mut trusts = named.is_none() || named == Some((0, walk.end().head));
    let (mut done, mut told) = (0, 0);
    while let Some(line) = walk.line()? {
        trusts |= named == Some((line.seq, line.hash));
        let (place, commit) = (line.place, line.commit());
        let commit = commit.map_err(|fault| walk.refuse_last(fault))?;
        let mut overlay = Overlay::new(&memory);
        overlay.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => OpenError::Log(walk.misfit(place, violation)),
            ApplyError::Read(error) => OpenError::Fold(error),
        })?;
        let changes = overlay.changes();
        memory.take(changes);
        memory.add_place(place);
        done += walk.text().len() as u64;
        if done - told >= PROGRESS_EVERY {
            told = done;
            progress(Progress { done, total });
        }
    }
    let end = walk.end();
    let closed = marker.map_or(0, |marker| marker.applied.seq);
    if closed > end.chain.seq + u64::from(end.torn > 0) {
        return Err(OpenError::Short {
            end: end.chain.seq,
            closed,
            log,
            marker: path.join(marker::NAME),
        });
    }
    if !trusts && closed <= end.chain.seq {
        return Err(OpenError::Swapped {
            closed,
            log,
            marker: path.join(marker::NAME),
        });
    }
    let torn = torn(&log, &end);
    Ok(Reading {
        store: MemoryStore::read_only(memory, end.head, sent::read(path)?),
        torn,
    })
}

fn torn(log: &Path, end: &End) -> Option<String> {
    (end.torn > 0).then(|| {
        format!(
            "the log ends in a torn line ({} line {}, {} bytes), which is not read: another process \
             is writing it, or a crash left it, and then the next start cuts it off",
            segment::path(log, end.place.segment).display(),
            end.line,
            end.torn
        )
    })
}

/// What a commit through a store that was only read is refused with.
pub(super) fn only_read() -> StoreError {
    StoreError {
        text: "write to the ledger: it was opened for reading only, which is a defect; please report it"
            .to_owned(),
        source: None,
    }
}
