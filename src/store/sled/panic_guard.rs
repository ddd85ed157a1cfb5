//! sled under guard: opened, used and let go of so that none of its panics goes further, and nobody
//! waits for ever for it to write.

use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use super::super::durable_fs::{self, DiskError};
use super::keys::TREES;
use super::watchdog_thread::{Worker, WorkerGone};

/// sled's cache, in bytes. It takes four to five times as much; the daemon is to stay small.
const CACHE: u64 = 4 * 1024 * 1024;

/// How often, and how long apart, it is looked whether sled has let go of its files: after its drop
/// its own threads may hold them for some milliseconds. Two seconds in all.
const RELEASE_TRIES: u32 = 200;
const RELEASE_PAUSE: Duration = Duration::from_millis(10);

/// How long sled may take for one thing. A busy disk takes seconds; see [`Worker`] for what never ends.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why the fold cannot be used. Never a reason to lose anything: it can be made anew.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    #[error("use the fold{}", sled_remedy(.0))]
    Sled(#[from] ::sled::Error),
    #[error("use the fold: sled panicked")]
    Panicked,
    #[error(
        "use the fold: sled has not answered for {}, as happens when the disk fails or is full (make \
         room, or see the kernel's log)",
        humantime::format_duration(*.0)
    )]
    TimedOut(Duration),
    #[error("use the fold: there is no thread for it")]
    Thread(#[source] std::io::Error),
    #[error("use the fold: it was let go of")]
    Released,
    #[error("use the fold: sled does not let go of its files")]
    NotReleased,
    #[error("use the fold's files")]
    Disk(#[from] DiskError),
}

/// What sled gave us. Whatever writes is done by a thread of its own, which may be left behind; and
/// all of it is let go of under guard wherever that happens: sled's own drop panics when the disk
/// refuses its last sync.
pub struct GuardedSled {
    worker: Worker,
    /// `None` once let go of.
    sled: Option<SledDatabase>,
    /// To let go of it would wait for ever, too.
    timed_out: Cell<bool>,
}

/// sled and the trees of [`TREES`]. A clone is another hold on the same.
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
                // Its drop may panic as well: what went wrong first is what is told.
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
    /// Opens the folder, or makes it, with a tree for each in [`TREES`].
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

    /// Its trees, to read from.
    pub fn trees(&self) -> &[::sled::Tree] {
        self.sled.as_ref().map_or(&[], |sled| &sled.trees)
    }

    /// Does something that may write.
    pub fn write(
        &self,
        write: impl FnOnce(&[::sled::Tree]) -> Result<(), ::sled::Error> + Send + 'static,
    ) -> Result<(), ProjectionError> {
        self.run_on_worker(move |sled| write(&sled.trees))
    }

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

    /// Lets go of it now.
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
            tracing::warn!(%error, "the fold was let go of in disorder; the next start makes it anew");
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

/// Reads from sled, which may panic. Nothing of ours is left half done by that: whoever gets the
/// error does not use the fold again.
pub fn catch_panic<T>(
    run: impl FnOnce() -> Result<T, ::sled::Error>,
) -> Result<T, ProjectionError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Ok(result?),
        Err(_) => Err(ProjectionError::Panicked),
    }
}

/// What the operator can do about it, in brackets.
fn sled_remedy(error: &::sled::Error) -> &'static str {
    use std::io::ErrorKind as K;
    match error {
        // Its folder was made right before, so it is there and cannot be looked at; and of a lock that
        // it does not get, it has what the system says as a text only.
        ::sled::Error::Io(error) if matches!(error.kind(), K::AlreadyExists | K::Other) => {
            " (the disk does not work, or another process uses it; see the kernel's log)"
        }
        ::sled::Error::Io(error) => durable_fs::remedy(error),
        // Of these only making it anew helps, which is what the next start does.
        _ => "",
    }
}

/// Waits until sled's own threads have let go of its files: only then are they complete.
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
