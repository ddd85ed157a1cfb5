//! A short run of the ledger in its own process, on a disk that fails; and what must be true
//! afterwards.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use maitred::store::open::{self, CreateIfMissing, OpenedStore};
use maitred::store::open_report::OpenError;
use maitred::store::port::{CommitError, HistorySubject, Maintenance, Store, StoreError};
use maitred::store::store_parts::StoreLimits;

use crate::child_process::{self, Notes};
use crate::fixture::store_support::{account, at, error_chain};
use crate::shim::{DiskFailure, Shim, read_counts, scratch_folder};
use crate::workload;

/// The role of the process.
/// The test that plays the role.
const CHILD_TEST: &str = "disk_faults::as_a_child_process";

pub const ROLE: &str = "ledger";

/// So small that the run starts several segments.
const SEGMENT_BYTES: u64 = 8_000;

/// Commits of the run, and commits from before the run.
const COMMITS: u64 = 8;
const EARLIER_COMMITS: u64 = 5;

/// How long one run may take on a busy machine, including a minute in which sled is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

/// The state of the store when the run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialState {
    Empty,
    ClosedCleanly,
    /// The projection has to be rebuilt.
    NotClosed,
}

fn open(path: &Path) -> Result<OpenedStore, OpenError> {
    let limits = StoreLimits {
        segment_bytes: SEGMENT_BYTES,
        full_check_bytes: 0,
        max_records: 5,
    };
    open::open_with(path, CreateIfMissing::Yes, at(0), limits, &mut |_| {})
}

fn commit(store: &mut dyn Store) -> Result<u64, CommitError> {
    let n = store.head().seq;
    let made = store.commit(workload::commit_time(n), workload::commit_facts(n), &[])?;
    Ok(made.head.seq)
}

/// Runs the ledger on the failing disk. Each event is a line.
pub fn run_on_failing_disk(path: &Path) -> ! {
    let notes = Mutex::new(Notes::new());
    let say = |text: String| {
        // One line, whatever the message contains.
        let text = text.replace('\n', " ");
        notes.lock().unwrap().write_line(&text);
    };
    let lived = catch_unwind(AssertUnwindSafe(|| match open(path) {
        Err(error) => say(format!("not opened: {}", error_chain(&error))),
        Ok(opened) => commit_all(opened.store, &say),
    }));
    say(match lived {
        Ok(()) => "done".to_owned(),
        Err(_) => "panicked".to_owned(),
    });
    std::process::exit(0);
}

fn commit_all(mut store: impl Maintenance, say: &dyn Fn(String)) {
    say(format!("there are {}", store.head().seq));
    let mut all_went_well = true;
    for _ in 0..COMMITS {
        let made = commit(&mut store);
        all_went_well &= made.is_ok();
        match made {
            Ok(seq) => say(format!("there are {seq}")),
            Err(CommitError::Indeterminate(error)) => {
                say(format!("perhaps: {}", error_chain(&error)))
            }
            Err(error) => say(format!("refused: {}", error_chain(&error))),
        }
    }
    if all_went_well {
        match read(&store) {
            Ok(Ok(())) => say("all was read".to_owned()),
            Ok(Err(wrong)) => say(format!("lied: {wrong}")),
            Err(error) => say(format!("not read: {}", error_chain(&error))),
        }
    }
    match store.close() {
        Ok(()) => say("closed".to_owned()),
        Err(error) => say(format!("not closed: {}", error_chain(&error))),
    }
}

/// Reads everything in every way. Everything that is read must be right; an error while reading is
/// a separate result.
fn read(store: &dyn Maintenance) -> Result<Result<(), String>, StoreError> {
    let commits = store.head().seq;
    let verified = store.verify()?;
    if !verified.differences.is_empty() || verified.commits != commits {
        return Ok(Err(format!("verified: {verified:?}")));
    }
    let member = HistorySubject::Account(account("member0@example.com"));
    let history = store.history(&member, None, usize::MAX)?;
    if history.len() < 2 {
        return Ok(Err(format!("history: {history:?}")));
    }
    let accounts = store.accounts(None, usize::MAX)?;
    Ok(workload::check_accounts(&accounts, commits))
}

/// A run and its output.
pub struct FailingDiskRun {
    folder: tempfile::TempDir,
    pub lines: Vec<String>,
    pub counted_calls: u64,
    /// The letters of the calls that were made to fail.
    pub failed_letters: String,
}

/// Adds projections that were set aside before: so many that the run removes one.
fn add_doubtful_projections(path: &Path) {
    for number in [1, 2] {
        let old = path.join(format!("projection.doubtful-{number}"));
        fs::create_dir(&old).unwrap();
        fs::write(old.join("db"), "old").unwrap();
    }
}

impl FailingDiskRun {
    fn store(&self) -> PathBuf {
        self.folder.path().join("house/ledger")
    }

    pub fn new(initial: InitialState, fail: DiskFailure) -> Self {
        let folder = scratch_folder();
        let path = folder.path().join("house/ledger");
        if initial != InitialState::Empty {
            let mut store = open(&path).unwrap().store;
            for _ in 0..EARLIER_COMMITS {
                commit(&mut store).unwrap();
            }
            if initial == InitialState::ClosedCleanly {
                store.close().unwrap();
            } else {
                add_doubtful_projections(&path);
            }
        }
        let (notes, count) = (folder.path().join("notes"), folder.path().join("count"));
        let args = path.display().to_string();
        let mut command = child_process::command(CHILD_TEST, ROLE, &args, &notes);
        let shim = Shim {
            dir: folder.path().join("house"),
            count_file: Some(count.clone()),
            fail: Some(fail),
            ..Shim::default()
        };
        shim.apply(&mut command);
        let code = child_process::exit_code_within(command, PATIENCE);
        let notes_text = fs::read_to_string(notes).unwrap_or_default();
        let mut lines: Vec<String> = notes_text.lines().map(str::to_owned).collect();
        if code != Some(0) {
            lines.push(format!("it ended with {code:?}"));
        }
        let (counted_calls, failed_letters) = read_counts(&count);
        Self {
            folder,
            lines,
            counted_calls,
            failed_letters,
        }
    }

    fn lines_starting_with(&self, with: &str) -> impl Iterator<Item = &str> {
        let with = with.to_owned();
        self.lines
            .iter()
            .filter_map(move |line| line.strip_prefix(&with))
    }

    /// Returns the number of commits that were acknowledged, or found by a successful opening.
    fn acknowledged_commits(&self, initial: InitialState) -> u64 {
        let last = self.lines_starting_with("there are ").last();
        let before = if initial == InitialState::Empty {
            0
        } else {
            EARLIER_COMMITS
        };
        last.map_or(before, |seq| seq.parse().unwrap())
    }

    /// Returns what is wrong with the run.
    pub fn find_violation(&self, initial: InitialState, errno: i32) -> Result<(), String> {
        if self.lines.last().map(String::as_str) != Some("done") {
            return Err("it did not end in order".to_owned());
        }
        if let Some(wrong) = self.lines_starting_with("lied: ").next() {
            return Err(format!("it read what is not so: {wrong}"));
        }
        let acknowledged = self.acknowledged_commits(initial);
        let perhaps = self.lines_starting_with("perhaps: ").count() as u64;
        // `not closed` is left out: it only means that the next start rebuilds the projection.
        let messages = ["not opened: ", "perhaps: ", "refused: ", "not read: "];
        for message in messages
            .iter()
            .flat_map(|kind| self.lines_starting_with(kind))
        {
            self.check_error_message(message, errno)?;
        }
        let first_bad = self
            .lines
            .iter()
            .position(|line| line.starts_with("perhaps: ") || line.starts_with("refused: "));
        if let Some(first) = first_bad {
            let rest = &self.lines[first + 1..];
            let refused = rest.iter().filter(|line| line.starts_with("refused: "));
            let not_closed = rest.iter().any(|line| line.starts_with("not closed: "));
            if refused.count() + 2 != rest.len() || !not_closed {
                return Err("it went on after a failure".to_owned());
            }
        }
        let opened = open(&self.store()).map_err(|error| {
            format!(
                "it does not open on a disk that is well: {}",
                error_chain(&error)
            )
        })?;
        let mut store = opened.store;
        let found = store.head().seq;
        if found != acknowledged && found != acknowledged + perhaps {
            return Err(format!("{acknowledged} acknowledged, {found} there"));
        }
        workload::check_ledger(&store, found)?;
        commit(&mut store).map_err(|error| error_chain(&error))?;
        workload::check_ledger(&store, found + 1)
    }

    /// Checks that a message names a file and what to do, or says that an earlier write failed. If
    /// sled only reports that it panicked, the remedy is a restart, which rebuilds the projection.
    fn check_error_message(&self, message: &str, errno: i32) -> Result<(), String> {
        let names = message.contains(&*self.folder.path().to_string_lossy());
        let is_later = message.contains("an earlier write failed; start maitred again")
            || (names && message.contains("; start maitred again: "));
        let words = match errno {
            super::ENOSPC => ["make room", "make room"],
            super::EROFS => ["mount the file system writable", "see why first"],
            _ => ["the disk fails", "see why first"],
        };
        let helps = words.iter().any(|word| message.contains(word));
        let says = is_later || (names && helps);
        says.then_some(())
            .ok_or_else(|| format!("the message does not help: {message}"))
    }
}

/// Returns how the run ended, in a few words.
pub fn ending_name(lived: &FailingDiskRun) -> &'static str {
    let has = |kind| lived.lines_starting_with(kind).next().is_some();
    if has("not opened: ") {
        "not opened"
    } else if has("perhaps: ") {
        "a commit indeterminate"
    } else if has("refused: ") {
        "a commit refused"
    } else if has("not read: ") {
        "not read"
    } else if has("not closed: ") {
        "not closed"
    } else {
        "not noticed"
    }
}
