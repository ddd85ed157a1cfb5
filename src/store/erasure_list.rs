//! The list of erasures: a file next to the log that says whose data was replaced by which
//! pseudonym. It holds no names, only salted hashes of them, so that the data of an erased person is
//! recognized in an older backup and replaced there too, before anything reads it.
//!
//! ```text
//! {"format":1,"pseudonym":"erased-1a2b3c4d","at":"2026-12-01T09:00:00Z","seq":7,"hash":"<64>",
//!  "salt":"<32>","account":"<64>","names":["<64>",…]}
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::timestamp::Timestamp;
use super::durable_fs::{self, DiskError};
use super::log::line::{Hash, ReplacedLog};
use crate::domain::time::Time;

/// The file's name in the store's directory and in a backup.
pub const NAME: &str = "erasures";

const FORMAT: u32 = 1;

/// The longest list that is read, in bytes: some hundred thousand erasures.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// One erased person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureEntry {
    /// The name that stands in place of the person's.
    pub pseudonym: String,
    /// When the person was erased. Older commits are changed, newer ones are not.
    pub at: Time,
    /// The end of the log before.
    pub replaced: ReplacedLog,
    salt: String,
    /// The hash of the account's name, or of the address that was erased.
    account: Hash,
    names: Vec<Hash>,
}

/// All erasures, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasureList(Vec<ErasureEntry>);

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ErasureListError {
    /// A line is not an entry of this version.
    #[error(
        "accept line {line} of the list of erasures {}; use the maitred that wrote it or a newer \
         one, or bring the file back from a backup",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
    },
    /// The file cannot be read or written.
    #[error("use the list of erasures")]
    Disk(#[from] DiskError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryRecord {
    format: u32,
    pseudonym: String,
    at: Timestamp,
    seq: u64,
    hash: String,
    salt: String,
    account: String,
    names: Vec<String>,
}

impl ErasureEntry {
    /// Returns true if this is the name of the account, or the address, that was erased.
    pub fn is_account(&self, name: &str) -> bool {
        self.account == hash_name(&self.salt, name)
    }

    /// Returns true if this is a name of the erased person.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains(&hash_name(&self.salt, name))
    }

    /// Returns the line of the entry, without a newline; `None` if its instant cannot be written.
    pub fn to_line(&self) -> Option<String> {
        let record = EntryRecord {
            format: FORMAT,
            pseudonym: self.pseudonym.clone(),
            at: Timestamp(self.at),
            seq: self.replaced.seq,
            hash: self.replaced.hash.to_string(),
            salt: self.salt.clone(),
            account: self.account.to_string(),
            names: self.names.iter().map(Hash::to_string).collect(),
        };
        serde_json::to_string(&record).ok()
    }

    /// Reads a line; `None` if it is no entry of this version.
    pub fn parse(line: &str) -> Option<Self> {
        let record: EntryRecord = serde_json::from_str(line).ok()?;
        if record.format != FORMAT {
            return None;
        }
        let names = record.names.iter();
        let names: Option<Vec<Hash>> = names.map(|name| Hash::parse(name.as_bytes())).collect();
        Some(Self {
            pseudonym: record.pseudonym,
            at: record.at.0,
            replaced: ReplacedLog {
                seq: record.seq,
                hash: Hash::parse(record.hash.as_bytes())?,
            },
            salt: record.salt,
            account: Hash::parse(record.account.as_bytes())?,
            names: names?,
        })
    }
}

impl ErasureList {
    /// Reads the list in a directory; an empty one if there is none.
    ///
    /// # Errors
    /// When the file cannot be read, or one of its lines is damaged: an erasure that is overlooked
    /// would bring the person's data back.
    pub fn read(dir: &Path) -> Result<Self, ErasureListError> {
        Self::read_file(&dir.join(NAME))
    }

    /// Reads the list in a file; an empty one if there is no such file.
    ///
    /// # Errors
    /// Like [`Self::read`].
    pub fn read_file(path: &Path) -> Result<Self, ErasureListError> {
        let Some(bytes) = durable_fs::read_if_exists(path)? else {
            return Ok(Self::default());
        };
        let damaged = |line| ErasureListError::Damaged {
            path: path.to_owned(),
            line,
        };
        if bytes.len() > MAX_BYTES {
            return Err(damaged(1));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged(1))?;
        let mut entries = Vec::new();
        for (at, line) in text.lines().enumerate() {
            entries.push(ErasureEntry::parse(line).ok_or_else(|| damaged(at + 1))?);
        }
        if !text.is_empty() && !text.ends_with('\n') {
            return Err(damaged(entries.len()));
        }
        Ok(Self(entries))
    }

    /// Returns the entry for the person with this account and these names. It has the salt of the
    /// other entries, so that a name is hashed once to look for it in all of them.
    pub fn new_entry<'a>(
        &self,
        person: (&str, &str),
        at: Time,
        replaced: ReplacedLog,
        names: impl Iterator<Item = &'a str>,
    ) -> ErasureEntry {
        let (account, pseudonym) = person;
        let salt = match self.0.last() {
            Some(entry) => entry.salt.clone(),
            None => Uuid::new_v4().as_simple().to_string(),
        };
        ErasureEntry {
            pseudonym: pseudonym.to_owned(),
            at,
            replaced,
            account: hash_name(&salt, account),
            names: names.map(|name| hash_name(&salt, name)).collect(),
            salt,
        }
    }

    /// Returns what finds the entries that have a name.
    pub fn index(&self) -> ErasureIndex<'_> {
        let mut by_salt: HashMap<&str, HashMap<[u8; 32], Vec<usize>>> = HashMap::new();
        for (number, entry) in self.0.iter().enumerate() {
            let hashes = by_salt.entry(&entry.salt).or_default();
            for name in &entry.names {
                hashes.entry(name.to_bytes()).or_default().push(number);
            }
        }
        ErasureIndex(by_salt)
    }

    /// Returns the entries, oldest first.
    pub fn entries(&self) -> &[ErasureEntry] {
        &self.0
    }

    /// Adds entries that the list does not have yet.
    pub fn add(&mut self, entries: impl IntoIterator<Item = ErasureEntry>) {
        for entry in entries {
            if !self.0.contains(&entry) {
                self.0.push(entry);
            }
        }
    }

    /// Writes the list to a directory, completely or not at all. An empty list needs no file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), DiskError> {
        if self.0.is_empty() {
            return Ok(());
        }
        durable_fs::write_atomically(&dir.join(NAME), self.to_text().as_bytes())
    }

    fn to_text(&self) -> String {
        let lines = self.0.iter().filter_map(ErasureEntry::to_line);
        lines.map(|line| line + "\n").collect()
    }
}

/// Finds the entries that have a name.
pub struct ErasureIndex<'a>(HashMap<&'a str, HashMap<[u8; 32], Vec<usize>>>);

impl ErasureIndex<'_> {
    /// Returns the numbers of the entries that have this name, from 0.
    pub fn find(&self, name: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for (salt, hashes) in &self.0 {
            let hash = hash_name(salt, name).to_bytes();
            found.extend(hashes.get(&hash).into_iter().flatten());
        }
        found
    }
}

fn hash_name(salt: &str, name: &str) -> Hash {
    Hash::of(format!("{salt}\n{name}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_no_names_and_recognizes_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = Time::from_timestamp(1_795_420_000, 0).expect("in range");
        let replaced = ReplacedLog {
            seq: 7,
            hash: Hash::of(b"a line"),
        };
        let names = ["bo@example.com", "bo@work.example"];
        let mut list = ErasureList::default();
        let person = (names[0], "erased-1a2b3c4d");
        let entry = list.new_entry(person, at, replaced, names.into_iter());
        list.write(dir.path()).expect("nothing is written");
        assert!(!dir.path().join(NAME).exists());
        list.add([entry.clone(), entry]);
        list.write(dir.path()).expect("it is written");
        let text = std::fs::read_to_string(dir.path().join(NAME)).expect("there");
        assert!(!text.contains("example"), "{text}");
        assert_eq!(text.lines().count(), 1, "an entry is listed once");
        let read = ErasureList::read(dir.path()).expect("it is read");
        assert_eq!(read, list);
        for (name, expect) in [
            (names[0], true),
            (names[1], true),
            ("al@example.com", false),
        ] {
            assert_eq!(read.entries()[0].has_name(name), expect, "{name}");
            assert_eq!(read.index().find(name).len(), usize::from(expect), "{name}");
        }
        let again = read.new_entry(person, at, replaced, names.into_iter());
        assert_eq!(again, read.entries()[0], "all entries have one salt");
        assert!(again.is_account(names[0]) && !again.is_account(names[1]));
        for damaged in [
            text.replace("\"format\":1", "\"format\":2"),
            text.trim_end().to_owned(),
            format!("{text}x\n"),
        ] {
            std::fs::write(dir.path().join(NAME), damaged).expect("written");
            let error = ErasureList::read(dir.path()).expect_err("it is damaged");
            assert!(error.to_string().contains("line"), "{error}");
        }
    }
}
