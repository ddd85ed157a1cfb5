//! The file that remembers what a target received. It lies in the state directory and not in the
//! projection, so that a rebuild of the projection sends nothing again. It is replaced by rename.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::time::Time;

/// The folder of the files, in the state directory.
const FOLDER: &str = "notify";

/// The most members whose notification of a low balance is remembered. Beyond this, one of them may be
/// told again.
const MAX_LOW: usize = 10_000;

/// What a target received. Instants are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetState {
    /// The id of the ledger.
    pub ledger: String,
    /// The number of the last commit whose notifications were all delivered or dropped.
    pub cursor: u64,
    /// In the commit after the cursor: the last fact whose notification was delivered or dropped.
    #[serde(default)]
    pub handled_fact: Option<usize>,
    /// Until when requests in review were examined.
    pub reviews_until: i64,
    /// Until when expiring credits were examined.
    pub expiring_until: i64,
    /// The examination of expiring credits that is not complete.
    #[serde(default)]
    pub expiring_scan: Option<ExpiringScan>,
    /// The ids of notifications about states that last, and of those in an examination that is not
    /// complete.
    #[serde(default)]
    pub handled_states: BTreeSet<String>,
    /// The pseudonyms of members who received a notification of a low balance.
    #[serde(default)]
    pub told_of_low_balance: BTreeSet<String>,
    /// How many deliveries failed in a row.
    #[serde(default)]
    pub failures: u32,
    /// When the first of them failed.
    #[serde(default)]
    pub failing_since: Option<i64>,
    /// When the next delivery is tried.
    #[serde(default)]
    pub retry_at: Option<i64>,
    /// Why the last delivery failed.
    #[serde(default)]
    pub last_error: Option<String>,
    /// How many notifications were delivered.
    #[serde(default)]
    pub delivered: u64,
    /// When the last one was delivered.
    #[serde(default)]
    pub last_delivered_at: Option<i64>,
    /// How many notifications were dropped.
    #[serde(default)]
    pub dropped: u64,
    /// The last one that was dropped.
    #[serde(default)]
    pub last_dropped: Option<DroppedNotification>,
}

/// An examination of all accounts that is not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiringScan {
    /// The instant of the examination.
    pub until: i64,
    /// The name of the last account that was examined.
    pub after: String,
}

/// A notification that was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedNotification {
    /// The id.
    pub id: String,
    /// The kind.
    pub kind: String,
    /// When the notification was dropped.
    pub at: i64,
}

impl TargetState {
    /// Returns the state of a target that has received nothing: what happened before is not sent.
    pub fn starting_at(ledger: &str, head: u64, now: Time) -> Self {
        Self {
            ledger: ledger.to_owned(),
            cursor: head,
            reviews_until: now.timestamp_millis(),
            expiring_until: now.timestamp_millis(),
            ..Self::default()
        }
    }

    /// Remembers that a member received a notification of a low balance.
    pub fn remember_low_balance(&mut self, pseudonym: String) {
        if self.told_of_low_balance.len() >= MAX_LOW {
            self.told_of_low_balance.pop_first();
        }
        self.told_of_low_balance.insert(pseudonym);
    }
}

/// Returns the path of a target's file.
pub fn state_path(state_dir: &Path, target: &str) -> PathBuf {
    state_dir.join(FOLDER).join(format!("target-{target}.json"))
}

/// Returns the path of the file with the states of the process.
pub fn conditions_path(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER).join("conditions.json")
}

/// Reads a file of this folder. Returns `None` if there is none.
///
/// # Errors
/// Returns an error if the file cannot be read or is damaged.
pub fn load<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let value = serde_json::from_slice(&text);
    value.map(Some).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        io::Error::other(format!("it is damaged (line {line}, column {column})"))
    })
}

/// Replaces a file of this folder. With `durable`, the new content survives a loss of power when
/// this returns.
///
/// # Errors
/// Returns an error if the file cannot be written. The old content is then still there.
pub fn save<T: Serialize>(path: &Path, value: &T, durable: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    let text = serde_json::to_string(value).map_err(io::Error::other)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    if durable {
        file.sync_all()?;
    }
    fs::rename(&new, path)?;
    if durable {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written_and_damage_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = state_path(folder.path(), "ops");
        assert_eq!(load::<TargetState>(&path).expect("no file"), None);
        let now: Time = "2026-12-01T09:00:00Z".parse().expect("a time");
        let mut state = TargetState::starting_at("a-ledger", 7, now);
        state.handled_fact = Some(3);
        state.remember_low_balance("x".to_owned());
        for durable in [true, false] {
            state.cursor += 1;
            save(&path, &state, durable).expect("it is written");
            assert_eq!(load(&path).expect("it is read"), Some(state.clone()));
        }
        fs::write(&path, "{").expect("it is written");
        assert!(load::<TargetState>(&path).is_err());
    }

    #[test]
    fn the_members_who_were_told_are_limited() {
        let mut state = TargetState::default();
        for number in 0..MAX_LOW + 10 {
            state.remember_low_balance(format!("{number:08}"));
        }
        assert_eq!(state.told_of_low_balance.len(), MAX_LOW);
        assert!(!state.told_of_low_balance.contains("00000000"));
    }
}
