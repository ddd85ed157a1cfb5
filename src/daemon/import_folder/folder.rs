//! Imports the files of a folder. A file that is complete is checked and imported like one of
//! `credits import`, and then moved into the folder `done`. A file with problems is moved into the
//! folder `bad`, with a report next to it, and none of its rows is imported.
//!
//! Each step may be the last one before a crash: rows count once by their references, so a file that
//! was imported and not moved changes nothing when it is imported again.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::OFlags;

use crate::control::protocol::Refusal;
use crate::control::protocol::account::ImportView;
use crate::control::protocol::credits::ImportRow;
use crate::domain::time::{Span, Time, format_instant};
use crate::spreadsheet::import::{self, ImportError, ImportHooks, PartAction};
use crate::spreadsheet::rows::ReadOptions;

/// How long a file must not have changed before it counts as complete.
const SETTLE: Span = Span::seconds(5);

/// The most files that one look handles. The others follow with the next look.
const MAX_FILES: usize = 20;

/// The most files of the folder that are considered. More files are a mistake, and a look must end.
const MAX_ENTRIES: usize = 10_000;

/// The endings of the files that are imported, in lower case.
const ENDINGS: [&str; 3] = ["csv", "tsv", "txt"];

/// The most names that are tried for a file when files of its name were moved before.
const MAX_NAMES: u32 = 10_000;

/// The mode of the folders that are made, and of reports: files name members.
const FOLDER_MODE: u32 = 0o700;
const REPORT_MODE: u32 = 0o600;

/// Sends rows to the ledger.
pub(super) type SendRows<'a> =
    &'a mut dyn FnMut(Vec<ImportRow>, PartAction) -> Result<ImportView, Refusal>;

/// A folder whose files are imported.
pub(super) struct ImportFolder {
    path: PathBuf,
    options: ReadOptions,
    /// What the files were when they were seen first, and when that was.
    seen: BTreeMap<PathBuf, (FileMark, Time)>,
}

/// What changes when a file is written to or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileMark {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl FileMark {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Why a file stays in the folder, as text for operators.
type Kept = Option<String>;

impl ImportFolder {
    pub(super) fn new(path: PathBuf, options: ReadOptions) -> Self {
        Self {
            path,
            options,
            seen: BTreeMap::new(),
        }
    }

    /// Handles the files that are complete. Returns what keeps files from being imported or moved, as
    /// text for operators; it is tried again with the next look.
    pub(super) fn look(
        &mut self,
        now: Time,
        send: SendRows<'_>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Option<String> {
        let files = match self.complete_files(now) {
            Ok(files) => files,
            Err(error) => {
                return Some(format!(
                    "import.folder {} cannot be read: {error}",
                    self.path.display()
                ));
            }
        };
        let mut problem = None;
        for (path, mark) in files.into_iter().take(MAX_FILES) {
            if is_stopped() {
                break;
            }
            let kept = self.handle(&path, mark, now, send, is_stopped);
            problem = problem.or(kept);
        }
        problem
    }

    /// Returns the files that have not changed for some time, by name.
    fn complete_files(&mut self, now: Time) -> io::Result<Vec<(PathBuf, FileMark)>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.path)?.take(MAX_ENTRIES) {
            let entry = entry?;
            let path = entry.path();
            if !is_wanted(&path) {
                continue;
            }
            // Not the target of a link: users who write into the folder may not read other files.
            let metadata = match entry.metadata() {
                Ok(metadata) if metadata.is_file() => metadata,
                Ok(_) | Err(_) => continue,
            };
            let mark = FileMark::of(&metadata);
            let since = match self.seen.get(&path) {
                Some((seen, since)) if *seen == mark => *since,
                Some(_) | None => now,
            };
            let modified = metadata
                .modified()
                .map(DateTime::<Utc>::from)
                .unwrap_or(now);
            let is_complete = modified + SETTLE <= now || since + SETTLE <= now;
            found.insert(path, (mark, since, is_complete));
        }
        let marks = found.iter();
        self.seen = marks
            .map(|(path, (mark, since, _))| (path.clone(), (*mark, *since)))
            .collect();
        let complete = found
            .into_iter()
            .filter(|(_, (.., is_complete))| *is_complete);
        Ok(complete.map(|(path, (mark, ..))| (path, mark)).collect())
    }

    /// Imports a file, and moves it.
    fn handle(
        &self,
        path: &Path,
        mark: FileMark,
        now: Time,
        send: SendRows<'_>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Kept {
        let name = file_name(path);
        let file = match open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => return Some(format!("{name} cannot be read: {error}")),
        };
        let mut hooks = ImportHooks {
            send,
            progress: &mut |_| {},
            is_stopped,
        };
        let result = import::import(&file, &self.options, false, &mut hooks);
        // A file that was written to meanwhile is looked at again when it is complete.
        let is_unchanged = |path: &Path| {
            let metadata = fs::symlink_metadata(path);
            metadata.is_ok_and(|metadata| FileMark::of(&metadata) == mark)
        };
        match result {
            Ok(view) => {
                log_import(&view);
                is_unchanged(path)
                    .then(|| self.move_to("done", path, None))?
                    .err()
                    .map(|error| {
                        format!("{name} is imported and cannot be moved into done: {error}")
                    })
            }
            Err(ImportError::Problems(problems)) => {
                let report = format!(
                    "At {} maitred read {name}.\n\n{}\n\nCorrect the file, and move it back into the folder.\n",
                    format_instant(now),
                    problems.describe(&name)
                );
                let moved = is_unchanged(path).then(|| self.move_to("bad", path, Some(&report)))?;
                match moved {
                    Ok(()) => {
                        tracing::warn!(
                            folder = %self.path.display(),
                            "a file was not imported; it is in the folder bad, with a report"
                        );
                        None
                    }
                    Err(error) => Some(format!(
                        "{name} is not imported, and cannot be moved into bad: {error}"
                    )),
                }
            }
            Err(ImportError::NotAsked(refusal, _)) => {
                Some(format!("{name} waits: {}", refusal.text))
            }
            Err(ImportError::StoppedBefore) => None,
            Err(ImportError::Halfway(halfway)) => {
                let refusal = halfway.refusal?;
                Some(format!(
                    "{name} is imported in part, and waits: {}",
                    refusal.text
                ))
            }
        }
    }

    /// Moves a file into a folder in this one, with a report. The report is there first, so that a
    /// crash in between leaves the file where it is read again.
    fn move_to(&self, folder: &str, path: &Path, report: Option<&str>) -> io::Result<()> {
        let folder = self.path.join(folder);
        let made = DirBuilder::new().mode(FOLDER_MODE).create(&folder);
        match made {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let name = free_name(&folder, &file_name(path))?;
        if let Some(text) = report {
            write_report(&folder, &name, text)?;
        }
        fs::rename(path, folder.join(&name))?;
        File::open(&folder)?.sync_all()?;
        File::open(&self.path)?.sync_all()
    }
}

fn log_import(view: &ImportView) {
    tracing::info!(
        rows = view.rows,
        granted = view.granted,
        already_imported = view.already_imported,
        "a file of import.folder is imported"
    );
}

/// Returns true for files that are imported: not for hidden ones, and not for those that programs use
/// while they write or edit.
fn is_wanted(path: &Path) -> bool {
    let name = file_name(path);
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    !name.starts_with(['.', '~', '#']) && ENDINGS.contains(&ending.to_lowercase().as_str())
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Opens a file that is no link.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Returns a name that no file of the folder has.
fn free_name(folder: &Path, name: &str) -> io::Result<String> {
    let is_free = |name: &String| {
        let found = fs::symlink_metadata(folder.join(name));
        found.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    let others = (2..MAX_NAMES).map(|number| format!("{name}.{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(others);
    names
        .find(is_free)
        .ok_or_else(|| io::Error::other("too many files have this name"))
}

/// Writes a report as a whole or not at all.
fn write_report(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let new = folder.join(format!(".{name}.report.new"));
    let written = write_new(&new, text);
    if written.is_err() {
        // A full disk leaves half a report.
        let _ = fs::remove_file(&new);
    }
    written?;
    fs::rename(&new, folder.join(format!("{name}.report.txt")))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(REPORT_MODE);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
