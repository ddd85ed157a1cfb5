//! sled under guard: opened, used and let go of so that none of its panics goes further.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use super::super::disk::{self, DiskError};
use super::keys::TREES;

/// sled's cache, in bytes. It takes four to five times as much; the daemon is to stay small.
const CACHE: u64 = 4 * 1024 * 1024;

/// How often, and how long apart, it is looked whether sled has let go of its files: after its drop
/// its own threads may hold them for some milliseconds. Two seconds in all.
const RELEASE_TRIES: u32 = 200;
const RELEASE_PAUSE: Duration = Duration::from_millis(10);

/// Why the fold cannot be used. Never a reason to lose anything: it can be made anew.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error("use the fold{}", helps(.0))]
    Sled(#[from] ::sled::Error),
    #[error("use the fold: sled panicked")]
    Panicked,
    #[error("use the fold: sled does not let go of its files")]
    NotReleased,
    #[error("use the fold's files")]
    Disk(#[from] DiskError),
}

/// What sled gave us, let go of under guard wherever that happens: its own drop panics when the disk
/// refuses its last sync.
pub struct Guarded {
    /// `None` once let go of.
    db: Option<::sled::Db>,
    pub trees: Vec<::sled::Tree>,
}

impl Guarded {
    /// Opens the folder, or makes it, with a tree for each in [`TREES`].
    pub fn open(path: &Path) -> Result<Self, FoldError> {
        let mut sled = Self {
            db: None,
            trees: Vec::new(),
        };
        guarded(|| {
            let config = ::sled::Config::new();
            let config = config.path(path).cache_capacity(CACHE).flush_every_ms(None);
            let db = sled.db.insert(config.open()?);
            for tree in TREES {
                sled.trees.push(db.open_tree(tree.name())?);
            }
            Ok(())
        })?;
        Ok(sled)
    }

    pub fn flush(&self) -> Result<(), ::sled::Error> {
        self.db.as_ref().map_or(Ok(()), |db| db.flush().map(|_| ()))
    }

    /// Lets go of it now.
    pub fn release(&mut self) -> Result<(), FoldError> {
        let (db, trees) = (self.db.take(), std::mem::take(&mut self.trees));
        guarded(move || {
            drop(trees);
            drop(db);
            Ok(())
        })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::warn!(%error, "the fold was let go of in disorder; the next start makes it anew");
        }
    }
}

/// Runs something of sled's, which may panic. Nothing of ours is left half done by that: whoever
/// gets the error does not use the fold again.
pub fn guarded<T>(run: impl FnOnce() -> Result<T, ::sled::Error>) -> Result<T, FoldError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Ok(result?),
        Err(_) => Err(FoldError::Panicked),
    }
}

/// What the operator can do about it, in brackets.
fn helps(error: &::sled::Error) -> &'static str {
    match error {
        ::sled::Error::Io(error) => disk::remedy(error),
        // Of these only making it anew helps, which is what the next start does.
        _ => "",
    }
}

/// Waits until sled's own threads have let go of its files: only then are they complete.
pub fn released(path: &Path) -> Result<(), FoldError> {
    let path = path.join("db");
    let file = disk::at("open", &path, File::open(&path))?;
    for _ in 0..RELEASE_TRIES {
        if file.try_lock().is_ok() {
            return Ok(());
        }
        std::thread::sleep(RELEASE_PAUSE);
    }
    Err(FoldError::NotReleased)
}
