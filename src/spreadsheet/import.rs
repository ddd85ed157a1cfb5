//! Imports a file: first everything is checked and nothing written, then the rows are written in
//! parts.
//!
//! A file that fits one part is imported as a whole or not at all. A larger one is written in several
//! parts, each of which is one commit. Each row counts once by its reference, so an import that ended
//! in between is completed when the same file is imported again.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::time::SystemTime;

use super::cross_checks::CrossChecks;
use super::parts::{ImportPart, Parts};
use super::problems::FileProblems;
use super::rows::{ReadOptions, RowReader, SheetRow};
use crate::control::protocol::Refusal;
use crate::control::protocol::account::ImportView;
use crate::control::protocol::credits::{ImportProblem, ImportRow};
use crate::domain::progress::{Progress, WorkStep};

/// How many rows are read between two reports of the progress.
const REPORTED_ROWS: u64 = 1_000;

/// Most doubts and similar names that are reported.
const MAX_REPORTED: usize = 20;

/// What the ledger is asked to do with a part of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartAction {
    /// Return what is wrong with the rows, and what an import would do.
    Check,
    /// Import the rows.
    Write,
}

/// What an import needs from outside.
pub struct ImportHooks<'a> {
    /// Sends a part to the ledger.
    pub send: &'a mut dyn FnMut(Vec<ImportRow>, PartAction) -> Result<ImportView, Refusal>,
    /// Shows how far the import has come.
    pub progress: &'a mut dyn FnMut(Progress),
    /// Returns true if the import has to end before the next part.
    pub is_stopped: &'a dyn Fn() -> bool,
}

/// Why a file was not imported, or not completely.
#[derive(Debug)]
pub enum ImportError {
    /// Something is wrong with the file. Nothing was written.
    Problems(FileProblems),
    /// The ledger could not be asked. Nothing was written. The file has these problems of its own.
    NotAsked(Refusal, FileProblems),
    /// The import was stopped before anything was written.
    StoppedBefore,
    /// The import ended between two parts.
    Halfway(Box<Halfway>),
}

/// An import that ended between two parts.
#[derive(Debug)]
pub struct Halfway {
    /// What was done until then.
    pub written: ImportView,
    /// How many rows the file has.
    pub rows: u64,
    /// Why the import ended; `None` if it was stopped.
    pub refusal: Option<Refusal>,
}

/// Imports the file, or only checks it for a dry run.
///
/// # Errors
/// Returns why the file was not imported, or not completely.
pub fn import(
    file: &File,
    options: &ReadOptions,
    dry_run: bool,
    hooks: &mut ImportHooks<'_>,
) -> Result<ImportView, ImportError> {
    let unreadable = |error: &io::Error| {
        ImportError::Problems(FileProblems::of_file(format!("it cannot be read: {error}")))
    };
    let before = FileVersion::of(file).map_err(|error| unreadable(&error))?;
    let (mut view, only_part) = FileCheck::run(file, options, before.length, hooks)?;
    view.dry_run = dry_run;
    let changes_nothing =
        view.granted == 0 && view.accounts_opened == 0 && view.accounts_updated == 0;
    if dry_run || changes_nothing {
        return Ok(view);
    }
    let written = match only_part {
        Some(rows) if (hooks.is_stopped)() => {
            drop(rows);
            return Err(ImportError::StoppedBefore);
        }
        Some(rows) => (hooks.send)(rows, PartAction::Write)
            .map_err(|refusal| ImportError::NotAsked(refusal, FileProblems::default()))?,
        None => {
            let mut source = file;
            source
                .seek(SeekFrom::Start(0))
                .map_err(|error| unreadable(&error))?;
            write_parts(file, &before, options, view.rows, hooks)?
        }
    };
    Ok(ImportView {
        rows: view.rows,
        ignored_columns: view.ignored_columns,
        doubtful: view.doubtful,
        ..written
    })
}

/// What changes when a file is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileVersion {
    length: u64,
    modified: Option<SystemTime>,
}

impl FileVersion {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

/// The check of a file, which writes nothing.
struct FileCheck<'a, 'b> {
    hooks: &'a mut ImportHooks<'b>,
    cross_checks: CrossChecks,
    parts: Parts,
    problems: FileProblems,
    doubtful: Vec<ImportProblem>,
    view: Option<ImportView>,
    /// The rows of the first part, in case it is the only one.
    only_part: Option<Vec<ImportRow>>,
}

impl<'a, 'b> FileCheck<'a, 'b> {
    /// Checks all rows. Returns what an import would do, and the rows if they fit one part.
    fn run(
        file: &File,
        options: &ReadOptions,
        length: u64,
        hooks: &'a mut ImportHooks<'b>,
    ) -> Result<(ImportView, Option<Vec<ImportRow>>), ImportError> {
        let mut reader = RowReader::open(file, options).map_err(ImportError::Problems)?;
        let mut check = Self {
            hooks,
            cross_checks: CrossChecks::new(reader.has_references(), reader.has_details()),
            parts: Parts::default(),
            problems: FileProblems::default(),
            doubtful: Vec::new(),
            view: None,
            only_part: None,
        };
        loop {
            match reader.read_row() {
                Ok(Some(row)) => check.add_row(row)?,
                Ok(None) => break,
                Err(text) => {
                    check.problems.of_file = Some(text);
                    return Err(ImportError::Problems(check.problems));
                }
            }
            report_progress(check.hooks, WorkStep::CheckFile, &reader, length);
        }
        if reader.rows() == 0 {
            check.problems.of_file = Some("there are no rows under the header".to_owned());
        }
        if let Some(last) = check.parts.take_last() {
            check.check_part(last)?;
        }
        if !check.problems.is_empty() {
            return Err(ImportError::Problems(check.problems));
        }
        let Some(mut view) = check.view else {
            return Err(ImportError::Problems(check.problems));
        };
        view.rows = usize::try_from(reader.rows()).unwrap_or(usize::MAX);
        view.ignored_columns = reader.ignored_columns();
        view.doubtful = check.doubtful;
        Ok((view, check.only_part))
    }

    fn add_row(&mut self, sheet_row: SheetRow) -> Result<(), ImportError> {
        let SheetRow {
            line,
            row,
            problems,
            doubts,
        } = sheet_row;
        for text in problems {
            self.problems.add(line, text);
        }
        let free = MAX_REPORTED.saturating_sub(self.doubtful.len());
        let doubts = doubts.into_iter().take(free);
        self.doubtful
            .extend(doubts.map(|text| ImportProblem { line, text }));
        let Some(row) = row else { return Ok(()) };
        if let Some(problem) = self.cross_checks.check_reference(&row) {
            self.problems.add(line, problem);
            return Ok(());
        }
        for part in self.parts.add(row) {
            self.check_part(part)?;
        }
        Ok(())
    }

    fn check_part(&mut self, part: ImportPart) -> Result<(), ImportError> {
        if (self.hooks.is_stopped)() {
            return Err(ImportError::StoppedBefore);
        }
        let is_only = !self.parts.are_several();
        if !is_only {
            for row in &part.rows {
                for problem in self.cross_checks.check_details(row, part.number) {
                    self.problems.add(row.line, problem);
                }
            }
        }
        // The wrong file: the ledger need not say so, too.
        if self.problems.is_full() {
            return Ok(());
        }
        if is_only && self.problems.is_empty() {
            self.only_part = Some(part.rows.clone());
        }
        let mut view = match (self.hooks.send)(part.rows, PartAction::Check) {
            Ok(view) => view,
            Err(refusal) => {
                let problems = std::mem::take(&mut self.problems);
                return Err(ImportError::NotAsked(refusal, problems));
            }
        };
        let found = std::mem::take(&mut view.problems);
        self.problems.add_all(found, view.problem_count);
        view.problem_count = 0;
        add_part(&mut self.view, view);
        Ok(())
    }
}

/// Writes the rows of a file that has more than one part.
fn write_parts(
    file: &File,
    before: &FileVersion,
    options: &ReadOptions,
    rows: usize,
    hooks: &mut ImportHooks<'_>,
) -> Result<ImportView, ImportError> {
    let mut written = None;
    let result = write_each_part(file, before, options, hooks, &mut written);
    match (result, written) {
        (Ok(()), Some(view)) => Ok(view),
        (Ok(()), None) => Err(ImportError::StoppedBefore),
        (Err(Some(refusal)), None) => Err(ImportError::NotAsked(refusal, FileProblems::default())),
        (Err(None), None) => Err(ImportError::StoppedBefore),
        (Err(refusal), Some(written)) => Err(ImportError::Halfway(Box::new(Halfway {
            written,
            rows: rows as u64,
            refusal,
        }))),
    }
}

/// Writes the parts one by one. The error is why the import ended; `None` if it was stopped.
fn write_each_part(
    file: &File,
    before: &FileVersion,
    options: &ReadOptions,
    hooks: &mut ImportHooks<'_>,
    written: &mut Option<ImportView>,
) -> Result<(), Option<Refusal>> {
    let changed = || Some(Refusal::usage("the file changed while it was imported"));
    let mut reader = RowReader::open(file, options).map_err(|_| changed())?;
    let mut parts = Parts::several();
    loop {
        let row = reader.read_row().map_err(|_| changed())?;
        let is_last = row.is_none();
        let ready = match row.map(|row| (row.problems.is_empty(), row.row)) {
            Some((true, Some(row))) => parts.add(row),
            Some(_) => return Err(changed()),
            None => parts.take_last().into_iter().collect(),
        };
        for part in ready {
            if (hooks.is_stopped)() {
                return Err(None);
            }
            if FileVersion::of(file).ok().as_ref() != Some(before) {
                return Err(changed());
            }
            let view = (hooks.send)(part.rows, PartAction::Write).map_err(Some)?;
            add_part(written, view);
        }
        if is_last {
            return Ok(());
        }
        report_progress(hooks, WorkStep::ImportFile, &reader, before.length);
    }
}

fn report_progress(
    hooks: &mut ImportHooks<'_>,
    step: WorkStep,
    reader: &RowReader<'_>,
    length: u64,
) {
    if reader.rows().is_multiple_of(REPORTED_ROWS) {
        (hooks.progress)(Progress {
            step,
            done: reader.read_bytes().min(length),
            total: Some(length),
        });
    }
}

/// Adds what was done with one more part.
fn add_part(to: &mut Option<ImportView>, part: ImportView) {
    let Some(sum) = to else {
        *to = Some(part);
        return;
    };
    sum.rows += part.rows;
    sum.granted += part.granted;
    sum.already_imported += part.already_imported;
    sum.credits = sum.credits.saturating_add(part.credits);
    sum.accounts_opened += part.accounts_opened;
    sum.accounts_updated += part.accounts_updated;
    sum.parts += part.parts;
    let free = MAX_REPORTED.saturating_sub(sum.similar_names.len());
    sum.similar_names
        .extend(part.similar_names.into_iter().take(free));
}
