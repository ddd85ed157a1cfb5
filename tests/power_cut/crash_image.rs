//! What a power cut leaves of one file, or of the names in one directory.
//!
//! Durable is what was in a file when it was synced, and what was in a directory when *that* was
//! synced; nothing else. Of the rest a crash keeps what chance says: nothing, all, what came first,
//! any whole pages or sectors of any age, or only the new length with zeros behind it. Names go the
//! same way, each change whole. No order is kept between files. Three things are not modelled: bytes
//! that nobody wrote (file systems that show old blocks of other files), a sector written by half,
//! and a disk that lies about its syncs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rng::Rng;
use super::trace::FileTime;

/// Sizes of the pieces that are written whole: a disk's sector, a page of memory.
const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// A file.
#[derive(Default)]
pub struct FileState {
    pub durable: Vec<u8>,
    /// Of the last whole sync, and of the last one of any kind.
    pub durable_time: FileTime,
    pub synced_time: FileTime,
    pub current: Vec<u8>,
    pub time: FileTime,
    /// Changes since the last sync, oldest first.
    pub pending: Vec<(FileChange, FileTime)>,
}

/// What was done to it: bytes at a place, or a length.
pub enum FileChange {
    Write(usize, Arc<[u8]>),
    SetLength(usize),
}

/// Names, and which file or directory each stands for.
pub type Entries = BTreeMap<String, usize>;

/// A directory.
#[derive(Default)]
pub struct DirState {
    pub durable: Entries,
    pub current: Entries,
    pub pending: Vec<DirChange>,
}

/// What was done to it.
pub enum DirChange {
    Added(String, usize),
    Removed(String),
    Renamed(String, String, usize),
}

/// What is kept of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepPolicy {
    Nothing,
    Everything,
    /// What came first, up to some change.
    Prefix,
    /// Any changes, whole: of a file, as `Pages`.
    AnyChanges,
    /// Each page as old as it likes.
    Pages,
    Sectors,
    /// The new length, and zeros.
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

/// A file as it stands after the crash.
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
            // A sync of the data alone need not have written it.
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

    /// The length as it was after some changes, and each piece as it was after any number of them.
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
