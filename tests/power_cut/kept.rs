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
use super::trace::Stamp;

/// Sizes of the pieces that are written whole: a disk's sector, a page of memory.
const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// A file.
#[derive(Default)]
pub struct Contents {
    pub durable: Vec<u8>,
    /// Of the last whole sync, and of the last one of any kind.
    pub durable_time: Stamp,
    pub synced_time: Stamp,
    pub now: Vec<u8>,
    pub time: Stamp,
    /// Changes since the last sync, oldest first.
    pub pending: Vec<(Change, Stamp)>,
}

/// What was done to it: bytes at a place, or a length.
pub enum Change {
    Write(usize, Arc<[u8]>),
    Length(usize),
}

/// Names, and which file or directory each stands for.
pub type Entries = BTreeMap<String, usize>;

/// A directory.
#[derive(Default)]
pub struct Names {
    pub durable: Entries,
    pub now: Entries,
    pub pending: Vec<Renaming>,
}

/// What was done to it.
pub enum Renaming {
    Put(String, usize),
    Gone(String),
    Moved(String, String, usize),
}

/// What is kept of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    Everything,
    /// What came first, up to some change.
    First,
    /// Any changes, whole: of a file, as `Pages`.
    Some,
    /// Each page as old as it likes.
    Pages,
    Sectors,
    /// The new length, and zeros.
    Length,
}

pub const KEEPS: [Keep; 7] = [
    Keep::Nothing,
    Keep::Everything,
    Keep::First,
    Keep::Some,
    Keep::Pages,
    Keep::Sectors,
    Keep::Length,
];

/// A file as it stands after the crash.
pub struct Kept {
    pub bytes: Vec<u8>,
    pub time: Stamp,
}

impl Contents {
    pub fn change(&mut self, change: Change, time: Stamp) {
        change.apply(&mut self.now);
        self.time = time;
        self.pending.push((change, time));
    }

    pub fn sync(&mut self, data_only: bool) {
        self.durable.clone_from(&self.now);
        self.pending.clear();
        self.synced_time = self.time;
        if !data_only {
            self.durable_time = self.time;
        }
    }

    pub fn kept(&self, keep: Keep, rng: &mut Rng) -> Kept {
        let all = self.pending.len();
        let up_to = match keep {
            Keep::Nothing => 0,
            Keep::Everything | Keep::Length => all,
            Keep::First | Keep::Some | Keep::Pages | Keep::Sectors => rng.index(all + 1),
        };
        let time = match up_to.checked_sub(1) {
            Some(last) => self.pending[last].1,
            // A sync of the data alone need not have written it.
            None if rng.chance(500) => self.durable_time,
            None => self.synced_time,
        };
        let bytes = match keep {
            Keep::Nothing | Keep::Everything | Keep::First => self.after(up_to),
            Keep::Some | Keep::Pages => self.mixed(PAGE, up_to, rng),
            Keep::Sectors => self.mixed(SECTOR, up_to, rng),
            Keep::Length => {
                let mut bytes = self.durable.clone();
                bytes.resize(self.now.len(), 0);
                bytes
            }
        };
        Kept { bytes, time }
    }

    fn after(&self, changes: usize) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (change, _) in &self.pending[..changes] {
            change.apply(&mut bytes);
        }
        bytes
    }

    /// The length as it was after some changes, and each piece as it was after any number of them.
    fn mixed(&self, piece: usize, length_of: usize, rng: &mut Rng) -> Vec<u8> {
        let all = self.pending.len();
        let mut length = self.durable.len();
        let mut longest = length;
        for (n, (change, _)) in self.pending.iter().enumerate() {
            let reached = change.reaches(length);
            longest = longest.max(reached);
            length = if n < length_of { reached } else { length };
        }
        let mut by_age: Vec<Vec<usize>> = vec![Vec::new(); all + 1];
        for start in (0..longest).step_by(piece) {
            let age = match rng.below(3) {
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

impl Change {
    fn reaches(&self, length: usize) -> usize {
        match self {
            Self::Write(offset, data) => length.max(offset + data.len()),
            Self::Length(to) => *to,
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
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

impl Names {
    pub fn change(&mut self, change: Renaming) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    pub fn kept(&self, keep: Keep, rng: &mut Rng) -> Entries {
        let all = self.pending.len();
        let mut entries = self.durable.clone();
        let up_to = match keep {
            Keep::Nothing => 0,
            Keep::First => rng.index(all + 1),
            Keep::Everything | Keep::Some | Keep::Pages | Keep::Sectors | Keep::Length => all,
        };
        let any = matches!(keep, Keep::Some | Keep::Pages | Keep::Sectors);
        for change in &self.pending[..up_to] {
            if !any || rng.chance(500) {
                change.apply(&mut entries);
            }
        }
        entries
    }
}

impl Renaming {
    fn apply(&self, entries: &mut Entries) {
        match self {
            Self::Put(name, number) => {
                entries.insert(name.clone(), *number);
            }
            Self::Gone(name) => {
                entries.remove(name);
            }
            Self::Moved(from, to, number) => {
                if entries.get(from) == Some(number) {
                    entries.remove(from);
                }
                entries.insert(to.clone(), *number);
            }
        }
    }
}
