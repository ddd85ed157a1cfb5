//! What a power cut leaves of a file, or of the names in a directory.
//!
//! Durable are the contents of a file when it was synced, and the contents of a directory when the
//! *directory* was synced; nothing else. For the rest, chance decides what a crash keeps: nothing,
//! everything, the first changes, any whole pages or sectors of any age, or only the new length
//! filled with zeros. The same applies to names, each change as a whole. There is no order between
//! files. Three things are not modelled: bytes that no process wrote (file systems that show old
//! blocks of other files), a half-written sector, and a disk that reports syncs that did not
//! happen.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::trace::FileTime;
use crate::rng::Rng;

/// Sizes of the pieces that are written as a whole: a disk's sector, a page of memory.
const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// The state of a file.
#[derive(Default)]
pub struct FileState {
    pub durable: Vec<u8>,
    /// The times at the last full sync, and at the last sync of any kind.
    pub durable_time: FileTime,
    pub synced_time: FileTime,
    pub current: Vec<u8>,
    pub time: FileTime,
    /// Changes since the last sync, oldest first.
    pub pending: Vec<(FileChange, FileTime)>,
}

/// A change of a file: bytes at an offset, or a length.
pub enum FileChange {
    Write(usize, Arc<[u8]>),
    SetLength(usize),
}

/// Names, and the file or directory of each name.
pub type Entries = BTreeMap<String, usize>;

/// The state of a directory.
#[derive(Default)]
pub struct DirState {
    pub durable: Entries,
    pub current: Entries,
    pub pending: Vec<DirChange>,
}

/// A change of a directory.
pub enum DirChange {
    Added(String, usize),
    Removed(String),
    Renamed(String, String, usize),
}

/// Which of the changes that were not synced are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepPolicy {
    Nothing,
    Everything,
    /// The first changes, up to some change.
    Prefix,
    /// Any whole changes; for a file, the same as `Pages`.
    AnyChanges,
    /// Each page in any of its states.
    Pages,
    Sectors,
    /// The new length, filled with zeros.
    LengthOnly,
}

pub const KEEP_POLICIES: [KeepPolicy; 7] = [
    KeepPolicy::Nothing,
    KeepPolicy::Everything,
    KeepPolicy::Prefix,
    KeepPolicy::AnyChanges,
    KeepPolicy::Pages,
    KeepPolicy::Sectors,
    KeepPolicy::LengthOnly,
];

/// A file after the crash.
pub struct SurvivingFile {
    pub bytes: Vec<u8>,
    pub time: FileTime,
}

impl FileState {
    pub fn change(&mut self, change: FileChange, time: FileTime) {
        change.apply(&mut self.current);
        self.time = time;
        self.pending.push((change, time));
    }

    pub fn sync(&mut self, data_only: bool) {
        self.durable.clone_from(&self.current);
        self.pending.clear();
        self.synced_time = self.time;
        if !data_only {
            self.durable_time = self.time;
        }
    }

    pub fn survive(&self, keep: KeepPolicy, rng: &mut Rng) -> SurvivingFile {
        let all = self.pending.len();
        let up_to = match keep {
            KeepPolicy::Nothing => 0,
            KeepPolicy::Everything | KeepPolicy::LengthOnly => all,
            KeepPolicy::Prefix
            | KeepPolicy::AnyChanges
            | KeepPolicy::Pages
            | KeepPolicy::Sectors => rng.index(all + 1),
        };
        let time = match up_to.checked_sub(1) {
            Some(last) => self.pending[last].1,
            // A sync of the data alone may not have written the time.
            None if rng.chance(500) => self.durable_time,
            None => self.synced_time,
        };
        let bytes = match keep {
            KeepPolicy::Nothing | KeepPolicy::Everything | KeepPolicy::Prefix => {
                self.contents_after(up_to)
            }
            KeepPolicy::AnyChanges | KeepPolicy::Pages => self.mix_pieces(PAGE, up_to, rng),
            KeepPolicy::Sectors => self.mix_pieces(SECTOR, up_to, rng),
            KeepPolicy::LengthOnly => {
                let mut bytes = self.durable.clone();
                bytes.resize(self.current.len(), 0);
                bytes
            }
        };
        SurvivingFile { bytes, time }
    }

    fn contents_after(&self, changes: usize) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (change, _) in &self.pending[..changes] {
            change.apply(&mut bytes);
        }
        bytes
    }

    /// Returns the length after some changes, and each piece after any number of changes.
    fn mix_pieces(&self, piece: usize, length_of: usize, rng: &mut Rng) -> Vec<u8> {
        let all = self.pending.len();
        let mut length = self.durable.len();
        let mut longest = length;
        for (n, (change, _)) in self.pending.iter().enumerate() {
            let reached = change.length_after(length);
            longest = longest.max(reached);
            length = if n < length_of { reached } else { length };
        }
        let mut by_age: Vec<Vec<usize>> = vec![Vec::new(); all + 1];
        for start in (0..longest).step_by(piece) {
            let age = match rng.up_to(3) {
                0 => 0,
                1 => all,
                _ => rng.index(all + 1),
            };
            by_age[age].push(start);
        }
        let mut bytes = vec![0; longest];
        let mut state = self.durable.clone();
        for (age, starts) in by_age.iter().enumerate() {
            if let Some(before) = age.checked_sub(1) {
                self.pending[before].0.apply(&mut state);
            }
            for start in starts {
                let end = (start + piece).min(state.len());
                if *start < end {
                    bytes[*start..end].copy_from_slice(&state[*start..end]);
                }
            }
        }
        bytes.resize(length, 0);
        bytes
    }
}

impl FileChange {
    fn length_after(&self, length: usize) -> usize {
        match self {
            Self::Write(offset, data) => length.max(offset + data.len()),
            Self::SetLength(to) => *to,
        }
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
            Self::SetLength(length) => bytes.resize(*length, 0),
        }
    }
}

impl DirState {
    pub fn change(&mut self, change: DirChange) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    pub fn survive(&self, keep: KeepPolicy, rng: &mut Rng) -> Entries {
        let all = self.pending.len();
        let mut entries = self.durable.clone();
        let up_to = match keep {
            KeepPolicy::Nothing => 0,
            KeepPolicy::Prefix => rng.index(all + 1),
            KeepPolicy::Everything
            | KeepPolicy::AnyChanges
            | KeepPolicy::Pages
            | KeepPolicy::Sectors
            | KeepPolicy::LengthOnly => all,
        };
        let any = matches!(
            keep,
            KeepPolicy::AnyChanges | KeepPolicy::Pages | KeepPolicy::Sectors
        );
        for change in &self.pending[..up_to] {
            if !any || rng.chance(500) {
                change.apply(&mut entries);
            }
        }
        entries
    }
}

impl DirChange {
    fn apply(&self, entries: &mut Entries) {
        match self {
            Self::Added(name, number) => {
                entries.insert(name.clone(), *number);
            }
            Self::Removed(name) => {
                entries.remove(name);
            }
            Self::Renamed(from, to, number) => {
                if entries.get(from) == Some(number) {
                    entries.remove(from);
                }
                entries.insert(to.clone(), *number);
            }
        }
    }
}
