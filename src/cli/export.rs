//! Exports what members have as CSV, and the log as lines. Rows and lines are written as they are
//! read, so that memory stays bounded for any amount of data.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::args::Format;
use super::args::ledger::LedgerExportArgs;
use super::context::{Context, print_view};
use super::execute::execute;
use super::render::layout::format_count;
use super::to_command::EXPORT_PAGE_SIZE;
use crate::config::model::Config;
use crate::control::exit;
use crate::control::protocol::account::{CreditsExportView, ExportRow};
use crate::control::protocol::ledger::{FileExportView, HeadView};
use crate::control::protocol::{Command, CommandResult, Refusal, SCHEMA};
use crate::daemon::backup::{self, ExportError};
use crate::spreadsheet::formula;

/// The mode of exported files. Exports name members, so no other user may read the file.
const FILE_MODE: u32 = 0o600;

/// The columns, as `credits import` knows them.
const COLUMNS: [&str; 7] = [
    "account",
    "credits",
    "expires",
    "reason",
    "reference",
    "tier",
    "tags",
];

/// Exports what is left of each grant. The first page is given, and the others are requested.
///
/// # Errors
/// Returns a refusal if a page cannot be requested, or if the rows cannot be written.
pub fn export_credits(
    context: &Context,
    config: &Config,
    out: Option<&Path>,
    first: CreditsExportView,
) -> Result<u8, Refusal> {
    if out.is_none() && context.global.format == Format::Json {
        let mut all = first;
        while let Some(after) = all.next.take() {
            let page = fetch_page(context, config, after)?;
            all.rows.extend(page.rows);
            all.accounts += page.accounts;
            all.empty += page.empty;
            all.next = page.next;
        }
        return print_view(Format::Json, String::new, &all);
    }
    let mut empty = 0;
    let lines = write_to(out, |to| {
        let mut writer = csv::Writer::from_writer(to);
        writer.write_record(COLUMNS).map_err(to_export_error)?;
        let mut lines = 0;
        let mut next = Some(first);
        while let Some(current) = next {
            for row in &current.rows {
                writer.write_record(fields(row)).map_err(to_export_error)?;
            }
            lines += current.rows.len() as u64;
            empty += current.empty;
            next = match current.next {
                Some(after) => {
                    Some(fetch_page(context, config, after).map_err(ExportError::Refused)?)
                }
                None => None,
            };
        }
        writer.flush().map_err(ExportError::Write)?;
        Ok(lines)
    })?;
    if empty > 0 {
        tracing::warn!(
            "{} nothing left, and therefore no row",
            if empty == 1 {
                "1 account has".to_owned()
            } else {
                format!("{empty} accounts have")
            }
        );
    }
    report_export(context, out, lines, "row")
}

fn fetch_page(
    context: &Context,
    config: &Config,
    after: String,
) -> Result<CreditsExportView, Refusal> {
    let command = Command::CreditsExport {
        after: Some(after),
        limit: EXPORT_PAGE_SIZE,
    };
    match execute(context, config, command)? {
        CommandResult::CreditsExport(view) => Ok(view),
        _ => Err(output_failure(
            "the answer is not the one to this command".to_owned(),
        )),
    }
}

/// Returns the cells of a row. No text of a member or an operator begins like a formula.
fn fields(row: &ExportRow) -> [String; 7] {
    [
        formula::escape(&row.account),
        row.credits.to_string(),
        row.expires.clone().unwrap_or_default(),
        formula::escape(&row.reason),
        formula::escape(&row.reference),
        formula::escape(row.tier.as_deref().unwrap_or_default()),
        formula::escape(&row.tags.join(" ")),
    ]
}

/// Exports the log's commits up to `head`.
///
/// # Errors
/// Returns a refusal if a line does not pass its check, or cannot be written.
pub fn export_ledger(
    context: &Context,
    config: &Config,
    args: &LedgerExportArgs,
    head: &HeadView,
) -> Result<u8, Refusal> {
    let out = args.to.out.as_deref();
    let lines = write_to(out, |to| match args.full {
        true => backup::export_full(&config.store, head, to),
        false => backup::export(&config.store, head, to),
    })?;
    report_export(context, out, lines, "commit")
}

/// Writes a text of this many rows to a new file.
///
/// # Errors
/// Returns a refusal if the file exists or cannot be written.
pub fn export_text(context: &Context, file: &Path, text: &str, rows: usize) -> Result<u8, Refusal> {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    let lines = write_to(Some(file), |to| {
        to.write_all(text.as_bytes()).map_err(ExportError::Write)?;
        Ok(rows)
    })?;
    report_export(context, Some(file), lines, "row")
}

/// Reports what was exported into a file. An export to standard output needs no report.
fn report_export(
    context: &Context,
    out: Option<&Path>,
    lines: u64,
    what: &str,
) -> Result<u8, Refusal> {
    let Some(file) = out else {
        return Ok(exit::DONE);
    };
    let view = FileExportView {
        schema: SCHEMA,
        file: file.display().to_string(),
        lines,
    };
    let plain = || {
        format!(
            "Wrote {} to {}.\n",
            format_count(view.lines, what),
            view.file
        )
    };
    print_view(context.global.format, plain, &view)
}

/// Writes to a new file, or to standard output, and returns how many lines were written. A reader
/// of standard output that has seen enough is no failure.
fn write_to(
    out: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> Result<u64, ExportError>,
) -> Result<u64, Refusal> {
    let Some(path) = out else {
        let mut stdout = BufWriter::new(io::stdout().lock());
        let written = write(&mut stdout)
            .and_then(|lines| stdout.flush().map_err(ExportError::Write).map(|()| lines));
        return match written {
            Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(0),
            Err(error) => Err(to_refusal(error, "standard output")),
            Ok(lines) => Ok(lines),
        };
    };
    let name = path.display().to_string();
    let file = create(path)?;
    let mut file = BufWriter::new(file);
    let written = write(&mut file).and_then(|lines| {
        let done = file.flush().and_then(|()| file.get_ref().sync_all());
        done.map_err(ExportError::Write).map(|()| lines)
    });
    written.map_err(|error| {
        // Half an export is useless. If the file cannot be removed, the next export reports that
        // its name is taken.
        let _ = std::fs::remove_file(path);
        to_refusal(error, &name)
    })
}

fn create(path: &Path) -> Result<File, Refusal> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path);
    made.map_err(|error| {
        let name = path.display();
        let text = match error.kind() {
            ErrorKind::AlreadyExists => format!("{name} exists already; name another file"),
            _ => format!("{name} cannot be written: {error}"),
        };
        Refusal::usage(text)
    })
}

fn to_export_error(error: csv::Error) -> ExportError {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => ExportError::Write(error),
        _ => ExportError::Write(io::Error::other(text)),
    }
}

fn to_refusal(error: ExportError, name: &str) -> Refusal {
    match error {
        ExportError::Write(error) => output_failure(format!("failed to write to {name}: {error}")),
        ExportError::Refused(refusal) => refusal,
    }
}

fn output_failure(text: String) -> Refusal {
    Refusal {
        exit: exit::FAILED,
        code: "output".to_owned(),
        text,
    }
}
