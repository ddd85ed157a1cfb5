//! The file that `credits import` reads: a header that names the columns, then a row for each
//! grant. Every bad row is reported with its line and what to do about it, and then no row at all
//! is returned.
//! The crate `csv` reads the file. The messages are hand-written, because the crate's stop at the
//! first error and name neither the column nor what to do.
//!
//! A row without a reference is given one that depends on the file's content alone, so that
//! importing the same file twice counts once. The reference is `import:` and a hash over account,
//! credits, expiry, reason and the number of the row among the rows with that content. Therefore
//! rows that are alike each count, the order of rows does not matter, and when rows are added to a
//! file that was imported before, the added ones count. It also means that a new round of grants
//! needs an expiry or a reason of its own.
//!
//! A line break within quotes is refused: no field needs one, and rows would be lost after a quote
//! that is not closed.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use self::records::CsvRecords;
use super::credits;
use super::time::{self, TimeError, TimeMeaning};
use crate::control::protocol::credits::ImportRow;

pub mod formula;
mod records;

/// The longest file that is read.
pub const MAX_FILE: usize = 8 * 1024 * 1024;

/// The most rows. As one request they fit through the control socket, however long their reasons
/// are in practice.
pub const MAX_ROWS: usize = 50_000;

/// The longest account or reference in bytes. The ledger has the same limit and checks again.
const MAX_NAME: usize = 320;

/// The longest reason in characters.
const MAX_REASON: usize = 500;

/// How derived references begin.
const PREFIX: &str = "import:";

/// Why a file is not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvProblems {
    /// All problems, in the order of the lines.
    pub problems: Vec<CsvProblem>,
    /// What can be read of the rows, so that the ledger can check the rest of them, too. A value
    /// that cannot be read is replaced by a harmless one.
    pub rows: Vec<ImportRow>,
}

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvProblem {
    /// `None` for a problem of the file as a whole.
    pub line: Option<u64>,
    /// What is wrong, as text for an operator.
    pub text: String,
}

impl CsvProblems {
    fn of_file(text: impl Into<String>) -> Self {
        Self::of_one(None, text.into())
    }

    fn of_line(line: u64, text: String) -> Self {
        Self::of_one(Some(line), text)
    }

    fn of_one(line: Option<u64>, text: String) -> Self {
        Self {
            problems: vec![CsvProblem { line, text }],
            rows: Vec::new(),
        }
    }

    /// Describes the problems for the operator.
    pub fn describe(&self, path: &Path) -> String {
        let mut message = format!("nothing of {} was imported:", path.display());
        for CsvProblem { line, text } in &self.problems {
            message.push_str("\n  ");
            if let Some(line) = line {
                let _ = write!(message, "line {line}: ");
            }
            message.push_str(text);
        }
        message
    }
}

/// Returns all rows of the file. Expiry dates are days of the zone.
///
/// # Errors
/// Returns all problems if anything is wrong in any row.
pub fn parse(bytes: &[u8], zone: Tz) -> Result<Vec<ImportRow>, CsvProblems> {
    if bytes.len() > MAX_FILE {
        return Err(CsvProblems::of_file(format!(
            "it is longer than {} MiB; split it",
            MAX_FILE / 1024 / 1024
        )));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(CsvProblems::of_file(
            "it is UTF-16 text; save it as CSV in UTF-8",
        ));
    }
    let mut records = CsvRecords::new(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let Some((line, first)) = records.next() else {
        return Err(CsvProblems::of_file(
            "it is empty; its first line has to name the columns, as in account,credits",
        ));
    };
    let header = first
        .and_then(|names| CsvHeader::parse(&names).map_err(|problems| problems.join("; ")))
        .map_err(|text| CsvProblems::of_line(line, text))?;
    let mut file = CsvFile::default();
    for (number, (line, fields)) in records.enumerate() {
        if number >= MAX_ROWS {
            file.add_problem(
                line,
                format!("there are more than {MAX_ROWS} rows; split the file"),
            );
            break;
        }
        file.add_row(&header, line, fields, zone);
    }
    file.into_rows()
}

/// The place of each column in a row.
#[derive(Debug, Default)]
struct CsvHeader {
    columns: usize,
    account: usize,
    credits: usize,
    expires: Option<usize>,
    reason: Option<usize>,
    reference: Option<usize>,
    tier: Option<usize>,
    tags: Option<usize>,
}

impl CsvHeader {
    fn parse(names: &[String]) -> Result<Self, Vec<String>> {
        if let [single] = names
            && single.contains(';')
        {
            return Err(vec![
                "the columns are separated by semicolons; save the file with commas, as in \
                 account,credits"
                    .to_owned(),
            ]);
        }
        let mut header = Self {
            columns: names.len(),
            ..Self::default()
        };
        let (mut account_column, mut credits_column) = (None, None);
        let mut problems = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let place = match name.to_lowercase().as_str() {
                "account" => &mut account_column,
                "credits" => &mut credits_column,
                "expires" => &mut header.expires,
                "reason" => &mut header.reason,
                "reference" => &mut header.reference,
                "tier" => &mut header.tier,
                "tags" => &mut header.tags,
                _ => {
                    problems.push(format!("column {} is called {:?}", at + 1, shorten(name)));
                    continue;
                }
            };
            if place.replace(at).is_some() {
                problems.push(format!("there are two columns {name:?}"));
            }
        }
        for (name, place) in [("account", account_column), ("credits", credits_column)] {
            if place.is_none() {
                problems.push(format!("there is no column {name:?}"));
            }
        }
        match (account_column, credits_column) {
            (Some(account), Some(credits)) if problems.is_empty() => Ok(Self {
                account,
                credits,
                ..header
            }),
            _ => {
                problems.push(
                    "the first line has to name the columns: account,credits and, if wanted, \
                     expires,reason,reference,tier,tags"
                        .to_owned(),
                );
                Err(problems)
            }
        }
    }
}

/// What identifies a row without a reference.
type RowContent = (String, u64, Option<String>, Option<String>);

/// The rows and problems that have been read so far.
#[derive(Debug, Default)]
struct CsvFile {
    rows: Vec<ImportRow>,
    problems: Vec<CsvProblem>,
    /// How many rows there are of each content.
    rows_by_content: HashMap<RowContent, u64>,
    /// The line of each reference.
    lines_by_reference: HashMap<String, u64>,
}

impl CsvFile {
    fn add_problem(&mut self, line: u64, text: String) {
        self.problems.push(CsvProblem {
            line: Some(line),
            text,
        });
    }

    fn add_row(
        &mut self,
        header: &CsvHeader,
        line: u64,
        fields: Result<Vec<String>, String>,
        zone: Tz,
    ) {
        let fields = match fields {
            Ok(fields) => fields,
            Err(problem) => return self.add_problem(line, problem),
        };
        if fields.len() != header.columns {
            let is_single_field = fields.len() == 1 && header.columns > 1;
            let hint = if is_single_field && fields[0].contains(';') {
                "separate them by commas"
            } else {
                "put quotes around a field that has a comma in it"
            };
            let field_count = pluralize(fields.len(), "field");
            let column_count = pluralize(header.columns, "column");
            return self.add_problem(
                line,
                format!("it has {field_count}, and the header has {column_count}; {hint}"),
            );
        }
        let (row, problems) = parse_row(header, &fields, zone);
        for problem in problems {
            self.add_problem(line, problem);
        }
        if let Some(row) = row {
            self.accept_row(line, row);
        }
    }

    fn accept_row(&mut self, line: u64, row: CsvRow) {
        let reference = match row.reference {
            Some(reference) => reference,
            None => {
                let occurrence = self.rows_by_content.entry(row.content.clone()).or_default();
                *occurrence += 1;
                derive_reference(&row.content, *occurrence)
            }
        };
        if let Some(other_line) = self.lines_by_reference.insert(reference.clone(), line) {
            let text = format!(
                "line {other_line} has the reference {:?} already; each row needs its own",
                shorten(&reference)
            );
            return self.add_problem(line, text);
        }
        let (account, credits, expires, reason) = row.content;
        self.rows.push(ImportRow {
            line,
            account,
            credits,
            expires,
            reason,
            reference,
            tier: row.tier,
            tags: row.tags,
        });
    }

    fn into_rows(self) -> Result<Vec<ImportRow>, CsvProblems> {
        if !self.problems.is_empty() {
            return Err(CsvProblems {
                problems: self.problems,
                rows: self.rows,
            });
        }
        if self.rows.is_empty() {
            return Err(CsvProblems::of_file("there are no rows under the header"));
        }
        Ok(self.rows)
    }
}

/// A row whose account can be read.
#[derive(Debug)]
struct CsvRow {
    content: RowContent,
    reference: Option<String>,
    tier: Option<String>,
    tags: Vec<String>,
}

/// Returns the row, and everything that is wrong with it. A row of which something cannot be read
/// has no reference, because its content is not that of the grant that the reference names.
fn parse_row(header: &CsvHeader, fields: &[String], zone: Tz) -> (Option<CsvRow>, Vec<String>) {
    let optional = |at: Option<usize>| {
        at.and_then(|at| fields.get(at))
            .map(|field| formula::unescape(field))
            .filter(|field| !field.is_empty())
    };
    let mut problems = Vec::new();
    let account = parse_account(formula::unescape(&fields[header.account]));
    let account = account.map_err(|text| problems.push(text)).ok();
    let credits = credits::parse_or_zero(&fields[header.credits]);
    let credits = credits.map_err(|e| problems.push(e.to_string()));
    let expires = optional(header.expires)
        .map(|text| time::parse_instant(text, TimeMeaning::Until, zone))
        .transpose()
        .map_err(|error: TimeError| problems.push(format!("expires: {error}")));
    let reason = optional(header.reason)
        .map(check_reason)
        .transpose()
        .map_err(|text| problems.push(text));
    let reference = optional(header.reference)
        .map(check_reference)
        .transpose()
        .map_err(|text| problems.push(text));
    let reference = reference.unwrap_or_default();
    let reference = reference.filter(|_| problems.is_empty());
    let row = account.map(|account| CsvRow {
        content: (
            account,
            credits.unwrap_or(1),
            expires.unwrap_or_default(),
            reason.unwrap_or_default(),
        ),
        reference,
        // The ledger checks tier and tags.
        tier: optional(header.tier).map(str::to_owned),
        tags: optional(header.tags)
            .map(|tags| tags.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
    });
    (row, problems)
}

/// Returns the account in lower case, as accounts are compared.
fn parse_account(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the account is missing".to_owned());
    }
    if text.len() > MAX_NAME {
        return Err(format!("the account is longer than {MAX_NAME} bytes"));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(format!("the account {:?} contains a space", shorten(text)));
    }
    Ok(text.to_lowercase())
}

fn check_reason(text: &str) -> Result<String, String> {
    if text.chars().count() > MAX_REASON {
        return Err(format!("the reason is longer than {MAX_REASON} characters"));
    }
    Ok(text.to_owned())
}

fn check_reference(text: &str) -> Result<String, String> {
    if text.len() > MAX_NAME {
        return Err(format!("the reference is longer than {MAX_NAME} bytes"));
    }
    Ok(text.to_owned())
}

/// Derives the reference of a row from its content and its number among the rows with this content.
/// Half of the hash is enough: a search for two rows that share 128 bits is not expected, and
/// people read the reference.
fn derive_reference(content: &RowContent, occurrence: u64) -> String {
    let parts = serde_json::to_vec(&(content, occurrence)).expect("texts and numbers are JSON");
    let hash = Sha256::digest(&parts);
    let mut reference = PREFIX.to_owned();
    for byte in &hash[..16] {
        let _ = write!(reference, "{byte:02x}");
    }
    reference
}

fn pluralize(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Shortens a value for an error message.
fn shorten(text: &str) -> String {
    const MAX_SHOWN: usize = 60;
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests;
