//! One process at a time: an advisory lock on a file of our own, which says who holds it.
//!
//! The kernel lets go of the lock when the process ends, however it ends; what stands in the file
//! is only for the message. The file is never removed: another process may be waiting on it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::codec::timestamp::Timestamp;
use super::durable_fs::{self, DiskError};
use crate::domain::time::Time;

/// The file's name in the store's directory.
pub const NAME: &str = "lock";

/// How often the lock is tried again, and how long after each time: a command has the store for an
/// instant, and a daemon or timer that starts then does not give up for that. A daemon that keeps it
/// is told after three seconds.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(50);

/// What is read of the file at most: a number and an instant are far shorter.
const MAX_TEXT: u64 = 256;

/// The lock, held while this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("open the store at {}: it is held by {}", store.display(), describe_holder(*pid, *since))]
    Held {
        store: PathBuf,
        /// `None` when the holder has not written it yet.
        pid: Option<u32>,
        since: Option<Time>,
    },
    #[error("lock the store")]
    Disk(#[from] DiskError),
}

impl Lock {
    /// Takes the lock of the store in this directory, which must exist. Waits a moment for another
    /// process to let go of it.
    ///
    /// # Errors
    /// When another process has it, or the file cannot be used.
    pub fn take(store: &Path, now: Time) -> Result<Self, LockError> {
        let path = store.join(NAME);
        let mut file = durable_fs::open_or_make(&path)?;
        let mut lock_result = file.try_lock();
        for _ in 0..ATTEMPTS {
            if !matches!(lock_result, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(PAUSE);
            lock_result = file.try_lock();
        }
        match lock_result {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let (pid, since) = read_holder(file);
                return Err(LockError::Held {
                    store: store.to_owned(),
                    pid,
                    since,
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(
                    durable_fs::with_path("lock", &path, Err(error)).map(|()| unreachable!())?
                );
            }
        }
        let since = Timestamp(now).to_text().unwrap_or_default();
        let text = format!("{} {since}\n", std::process::id());
        let write_result = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        durable_fs::with_path("write", &path, write_result)?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock of the store in this directory, if somebody does. Only looks: nothing is written,
/// and the lock is free again when this returns.
pub fn holder_of(store: &Path) -> Option<Option<u32>> {
    let file = File::open(store.join(NAME)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read_holder(file).0),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn read_holder(file: File) -> (Option<u32>, Option<Time>) {
    let mut text = String::new();
    // Whatever cannot be read is left out of the message, which stands without it.
    if file.take(MAX_TEXT).read_to_string(&mut text).is_err() {
        return (None, None);
    }
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|word| word.parse().ok());
    let since = words.next().and_then(Timestamp::parse).map(|stamp| stamp.0);
    (pid, since)
}

fn describe_holder(pid: Option<u32>, since: Option<Time>) -> String {
    let process = pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    );
    match since.and_then(|since| Timestamp(since).to_text()) {
        Some(since) => format!("{process} since {since}"),
        None => process,
    }
}
