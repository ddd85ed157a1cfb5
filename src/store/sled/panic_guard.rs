//! Guards sled: opens, uses and releases it so that its panics do not spread, and no caller waits
//! forever for a write.

use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use super::super::durable_fs::{self, DiskError};
use super::keys::TREES;
use super::watchdog_thread::{Worker, WorkerGone};

/// sled's cache, in bytes. sled takes four to five times as much, and the daemon is to stay small.
const CACHE: u64 = 4 * 1024 * 1024;

/// How many times, and at what interval, sled's files are checked for their release: after sled's
/// drop, its own threads may hold them for some milliseconds. Two seconds in all.
const RELEASE_TRIES: u32 = 200;
const RELEASE_PAUSE: Duration = Duration::from_millis(10);

/// How long sled may take for one operation. A busy disk takes seconds; see [`Worker`] for
/// operations that never end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why the projection cannot be used. Nothing is lost, because the projection can be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// sled reported an error.
    #[error("use the projection{}", sled_remedy(.0))]
    Sled(#[from] ::sled::Error),
    /// sled panicked.
    #[error("use the projection: sled panicked")]
    Panicked,
    /// sled did not answer; the payload is how long the caller waited.
    #[error(
        "use the projection: sled has not answered for {}, as happens when the disk fails or is \
         full (make \
         room, or see the kernel's log)",
        humantime::format_duration(*.0)
    )]
    TimedOut(Duration),
    /// The system provides no thread for the database.
    #[error("use the projection: its thread could not be started")]
    Thread(#[source] std::io::Error),
    /// The database was closed already.
    #[error("use the projection: it was closed")]
    Released,
    /// sled was closed, and still holds its files.
    #[error("use the projection: sled does not close its files")]
    NotReleased,
    /// A file operation around the database failed.
    #[error("use the projection's files")]
    Disk(#[from] DiskError),
}

/// An open sled database. A thread of its own, which may be abandoned, does everything that may
/// write. The database is always released under guard, because sled's own drop panics when the disk
/// refuses its last sync.
pub struct GuardedSled {
    worker: Worker,
    /// `None` once released.
    sled: Option<SledDatabase>,
    /// Whether an operation has timed out; a release would then wait forever, too.
    timed_out: Cell<bool>,
}

/// sled and the trees of [`TREES`]. A clone is another handle to the same database.
#[derive(Clone)]
struct SledDatabase {
    db: ::sled::Db,
    trees: Vec<::sled::Tree>,
}

impl SledDatabase {
    fn open(path: &Path) -> Result<Self, ProjectionError> {
        let config = ::sled::Config::new();
        let config = config.path(path).cache_capacity(CACHE).flush_every_ms(None);
        let db = catch_panic(|| config.open())?;
        let trees = || TREES.iter().map(|tree| db.open_tree(tree.name())).collect();
        match catch_panic(trees) {
            Ok(trees) => Ok(Self { db, trees }),
            Err(error) => {
                // The drop may panic as well; the first error is the one that is reported.
                drop(catch_panic(|| {
                    drop(db);
                    Ok(())
                }));
                Err(error)
            }
        }
    }
}

impl GuardedSled {
    /// Opens the folder or creates it, with every tree of [`TREES`].
    pub fn open(path: &Path) -> Result<Self, ProjectionError> {
        let worker = Worker::start(TIMEOUT).map_err(ProjectionError::Thread)?;
        let path = path.to_owned();
        let sled = flatten_answer(worker.run(move || SledDatabase::open(&path)))?;
        Ok(Self {
            worker,
            sled: Some(sled),
            timed_out: Cell::new(false),
        })
    }

    /// Returns the trees, for reading.
    pub fn trees(&self) -> &[::sled::Tree] {
        self.sled.as_ref().map_or(&[], |sled| &sled.trees)
    }

    /// Runs an operation that may write.
    pub fn write(
        &self,
        write: impl FnOnce(&[::sled::Tree]) -> Result<(), ::sled::Error> + Send + 'static,
    ) -> Result<(), ProjectionError> {
        self.run_on_worker(move |sled| write(&sled.trees))
    }

    /// Makes everything that was written durable.
    pub fn flush(&self) -> Result<(), ProjectionError> {
        self.run_on_worker(|sled| sled.db.flush().map(|_| ()))
    }

    fn run_on_worker(
        &self,
        work: impl FnOnce(&SledDatabase) -> Result<(), ::sled::Error> + Send + 'static,
    ) -> Result<(), ProjectionError> {
        let sled = self.sled.clone().ok_or(ProjectionError::Released)?;
        let result = flatten_answer(self.worker.run(move || work(&sled)));
        if matches!(result, Err(ProjectionError::TimedOut(_))) {
            self.timed_out.set(true);
        }
        result
    }

    /// Releases the database now.
    pub fn release(&mut self) -> Result<(), ProjectionError> {
        let Some(sled) = self.sled.take() else {
            return Ok(());
        };
        if self.timed_out.get() {
            // The process is to end anyway.
            std::mem::forget(sled);
            return Err(ProjectionError::NotReleased);
        }
        flatten_answer(self.worker.run(move || {
            drop(sled);
            Ok::<(), ProjectionError>(())
        }))
    }
}

impl Drop for GuardedSled {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::warn!(%error, "the projection was not closed cleanly; the next start \
             rebuilds it");
        }
    }
}

fn flatten_answer<T, E>(done: Result<Result<T, E>, WorkerGone>) -> Result<T, ProjectionError>
where
    ProjectionError: From<E>,
{
    match done {
        Ok(result) => Ok(result?),
        Err(WorkerGone::Panicked) => Err(ProjectionError::Panicked),
        Err(WorkerGone::TimedOut(patience)) => Err(ProjectionError::TimedOut(patience)),
    }
}

/// Reads from sled, which may panic, and turns a panic into an error. A panic exposes no half-done
/// state, because a caller that gets the error does not use the projection again.
pub fn catch_panic<T>(
    run: impl FnOnce() -> Result<T, ::sled::Error>,
) -> Result<T, ProjectionError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Ok(result?),
        Err(_) => Err(ProjectionError::Panicked),
    }
}

/// Returns what the operator can do about the error, in brackets.
fn sled_remedy(error: &::sled::Error) -> &'static str {
    use std::io::ErrorKind as K;
    match error {
        // The folder was created right before, so it exists but cannot be examined. And for a lock
        // that sled does not get, the error holds the system's message as a text only.
        ::sled::Error::Io(error) if matches!(error.kind(), K::AlreadyExists | K::Other) => {
            " (the disk does not work, or another process uses it; see the kernel's log)"
        }
        ::sled::Error::Io(error) => durable_fs::remedy(error),
        // For other errors only a rebuild helps, which the next start does.
        _ => "",
    }
}

/// Waits until sled's own threads have released its files, because only then are they complete.
pub fn wait_until_released(path: &Path) -> Result<(), ProjectionError> {
    let path = path.join("db");
    let file = durable_fs::with_path("open", &path, File::open(&path))?;
    for _ in 0..RELEASE_TRIES {
        if file.try_lock().is_ok() {
            return Ok(());
        }
        std::thread::sleep(RELEASE_PAUSE);
    }
    Err(ProjectionError::NotReleased)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_never_ends_times_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut sled = GuardedSled::open(dir.path()).expect("it opens");
        sled.worker = Worker::start(Duration::from_millis(20)).expect("a thread");
        let error = sled.write(|_| {
            loop {
                std::thread::park();
            }
        });
        let text = error.expect_err("it never ends").to_string();
        assert!(text.contains("has not answered for 20ms"), "{text}");
        let error = sled.release().expect_err("that would never end, too");
        assert!(matches!(error, ProjectionError::NotReleased), "{error}");
        drop(sled);
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut sled = GuardedSled::open(dir.path()).expect("it opens");
        let panics = |_: &[::sled::Tree]| panic!("as sled does on a disk that fails");
        let error = sled.write(panics).expect_err("it panics");
        assert!(matches!(error, ProjectionError::Panicked), "{error}");
        sled.flush().expect("the thread is still there");
        sled.release().expect("all holds on it are let go of");
        wait_until_released(dir.path()).expect("its files, too");
    }
}
