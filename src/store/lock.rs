//! Lets one process at a time use the store, by an advisory lock on a file of its own. The file
//! names the process that holds the lock.
//!
//! The kernel releases the lock when the process ends, however it ends; the file's contents are
//! only for the message. The file is never removed, because another process may be waiting on it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::codec::timestamp::Timestamp;
use super::durable_fs::{self, DiskError};
use crate::domain::time::Time;

/// The file's name in the store's directory.
pub const NAME: &str = "lock";

/// How often the lock is tried again, and the pause before each attempt. A command holds the store
/// for an instant, and a daemon or timer that starts then does not give up because of that. If a
/// daemon holds the store, this is reported after three seconds.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(50);

/// How many bytes of the file are read at most; a process id and an instant are far shorter.
const MAX_TEXT: u64 = 256;

/// The lock, which is held until this value is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error("open the store at {}: it is held by {}", store.display(), describe_holder(*pid, *since))]
    Held {
        /// The directory of the store.
        store: PathBuf,
        /// `None` if the holder has not written its process id yet.
        pid: Option<u32>,
        /// When the holder took the lock; `None` if the holder has not written it yet.
        since: Option<Time>,
    },
    /// The lock's file cannot be opened, locked or written.
    #[error("lock the store")]
    Disk(#[from] DiskError),
}

impl Lock {
    /// Takes the lock of the store in this directory, which must exist. Waits a moment for another
    /// process to release the lock.
    ///
    /// # Errors
    /// When another process holds the lock, or the file cannot be used.
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

/// Returns the process id of the process that holds the lock of the store in this directory; `None`
/// if no process holds it, and `Some(None)` if the process id cannot be read. Nothing is written,
/// and the lock is not held when this returns.
pub fn holder_of(store: &Path) -> Option<Option<u32>> {
    let file = File::open(store.join(NAME)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read_holder(file).0),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn read_holder(file: File) -> (Option<u32>, Option<Time>) {
    let mut text = String::new();
    // What cannot be read is left out of the message, which makes sense without it.
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
