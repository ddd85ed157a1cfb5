//! The rows of a file that `credits import` reads: a header that names the columns, then a row for
//! each grant. Every problem of a row is named, with its column and what to do.
//!
//! A row without a reference is given one that depends on the file's content alone, so that
//! importing the same file twice counts once. The reference is `import:` and a hash over account,
//! credits, expiry, reason and the number of the row among the rows with that content. Therefore
//! rows that are alike each count, the order of rows does not matter, and when rows are added to a
//! file that was imported before, the added ones count. It also means that a new round of grants
//! needs an expiry or a reason of its own.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read};

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::encoding::LineReader;
use super::header::{FirstLine, Header};
use super::problems::FileProblems;
use super::records::{CsvRecords, Record};
use super::{formula, values};
use crate::control::protocol::credits::ImportRow;
use crate::domain::import_columns::{ColumnOptions, Field};

/// The most rows of a file. Rows are counted by content in memory, with about 40 bytes for each.
pub const MAX_ROWS: u64 = 2_000_000;

/// How derived references begin.
const PREFIX: &str = "import:";

/// How a file is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The zone whose days the expiry dates are.
    pub zone: Tz,
    /// What the operator says about the columns.
    pub columns: ColumnOptions,
}

/// A row of the file.
#[derive(Debug)]
pub struct SheetRow {
    /// The number of its line.
    pub line: u64,
    /// What can be read of the row, so that the ledger can check the rest, too. A value that
    /// cannot be read is replaced by a harmless one. `None` if the account cannot be read.
    pub row: Option<ImportRow>,
    /// Everything that is wrong with the row.
    pub problems: Vec<String>,
    /// What may be wrong with the row, and does not keep it from being imported.
    pub doubts: Vec<String>,
}

/// What identifies a row without a reference.
type RowContent = (String, u64, Option<String>, Option<String>);

/// Reads the rows one by one.
pub struct RowReader<'a> {
    records: CsvRecords<'a>,
    header: Header,
    zone: Tz,
    rows: u64,
    /// How many rows there are of each content, by the hash of the content.
    rows_by_content: HashMap<u64, u32>,
}

impl<'a> RowReader<'a> {
    /// Reads the line that names the columns.
    ///
    /// # Errors
    /// Returns what is wrong with the file as a whole, or with that line.
    pub fn open(source: impl Read + 'a, options: &ReadOptions) -> Result<Self, FileProblems> {
        let unreadable = |error: &io::Error| FileProblems::of_file(describe_read_error(error));
        let lines = LineReader::new(source).map_err(|error| unreadable(&error))?;
        let mut records = CsvRecords::new(lines);
        let mut separator = None;
        loop {
            let first = records.first_line().map_err(|error| unreadable(&error))?;
            let Some((line, text)) = first else {
                return Err(FileProblems::of_file(
                    "it is empty; its first line has to name the columns, as in account,credits",
                ));
            };
            let parsed = text
                .and_then(|text| Header::parse(&mut records, &text, separator, &options.columns));
            match parsed {
                Ok(FirstLine::Separator(named)) => separator = Some(named),
                Ok(FirstLine::Header(header)) => {
                    return Ok(Self {
                        records,
                        header,
                        zone: options.zone,
                        rows: 0,
                        rows_by_content: HashMap::new(),
                    });
                }
                Err(text) => {
                    let mut problems = FileProblems::default();
                    problems.add(line, text);
                    return Err(problems);
                }
            }
        }
    }

    /// Returns true if the file has a column of references.
    pub fn has_references(&self) -> bool {
        self.header.has(&Field::Reference)
    }

    /// Returns true if the file says more of accounts than their credits.
    pub fn has_details(&self) -> bool {
        self.header.has_details()
    }

    /// Returns the names of the columns that are not read.
    pub fn ignored_columns(&self) -> Vec<String> {
        self.header.ignored_names()
    }

    /// Returns how many bytes of the file were read.
    pub fn read_bytes(&self) -> u64 {
        self.records.read_bytes()
    }

    /// Returns how many rows were read.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the next row.
    ///
    /// # Errors
    /// Returns the problem if the file cannot be read any further.
    pub fn read_row(&mut self) -> Result<Option<SheetRow>, String> {
        let record = self.records.next();
        let record = record.map_err(|error| describe_read_error(&error))?;
        let Some(Record { line, fields }) = record else {
            return Ok(None);
        };
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(format!(
                "there are more than {MAX_ROWS} rows; split the file at line {line}"
            ));
        }
        let mut row = SheetRow {
            line,
            row: None,
            problems: Vec::new(),
            doubts: Vec::new(),
        };
        let fields = fields.and_then(|fields| {
            self.header.check_fields(&fields)?;
            Ok(fields)
        });
        match fields {
            Ok(fields) => self.parse_row(&fields, &mut row),
            Err(problem) => row.problems.push(problem),
        }
        Ok(Some(row))
    }

    fn parse_row(&mut self, fields: &[String], to: &mut SheetRow) {
        let mut cells = RowCells {
            header: &self.header,
            fields,
            problems: &mut to.problems,
        };
        let account = cells.required(&Field::Account, |text| {
            values::account(formula::unescape(text))
        });
        let credits = cells.required(&Field::Credits, values::credits);
        let zone = self.zone;
        let expires = cells.optional(&Field::Expires, |text| values::expiry(text, zone));
        let reason = cells.optional(&Field::Reason, values::reason);
        let reference = cells.optional(&Field::Reference, values::reference);
        // The ledger checks tier, tags and attributes.
        let tier = cells.optional(&Field::Tier, |text| Ok(text.to_owned()));
        let tags = cells.optional(&Field::Tags, |text| Ok(split_words(text)));
        let aliases = cells.optional(&Field::Aliases, parse_aliases);
        let mut attributes = BTreeMap::new();
        for (field, name) in self.header.attributes() {
            if let Some(value) = cells.optional(field, |text| Ok(text.to_owned())) {
                attributes.insert(name.to_owned(), value);
            }
        }
        let Some(account) = account else { return };
        to.doubts.extend(values::doubt(&account));
        let content = (account, credits.unwrap_or(1), expires, reason);
        // A row of which something cannot be read has no reference, because its content is not that
        // of the grant that the reference names.
        let reference = reference.filter(|_| to.problems.is_empty());
        let reference = reference.unwrap_or_else(|| self.derive_reference(&content));
        let (account, credits, expires, reason) = content;
        to.row = Some(ImportRow {
            line: to.line,
            account,
            credits,
            expires,
            reason,
            reference,
            tier,
            tags: tags.unwrap_or_default(),
            aliases: aliases.unwrap_or_default(),
            attributes,
        });
    }

    /// Derives the reference of a row from its content and its number among the rows with this
    /// content. Half of the hash is enough: a search for two rows that share 128 bits is not
    /// expected, and people read the reference.
    fn derive_reference(&mut self, content: &RowContent) -> String {
        let occurrence = self.rows_by_content.entry(hash_of(content)).or_default();
        *occurrence += 1;
        let parts = serde_json::to_vec(&(content, u64::from(*occurrence)));
        let hash = Sha256::digest(parts.expect("texts and numbers are JSON"));
        let mut reference = PREFIX.to_owned();
        for byte in &hash[..16] {
            let _ = write!(reference, "{byte:02x}");
        }
        reference
    }
}

/// The cells of a row, and what is wrong with them.
struct RowCells<'a> {
    header: &'a Header,
    fields: &'a [String],
    problems: &'a mut Vec<String>,
}

impl RowCells<'_> {
    fn required<T>(
        &mut self,
        field: &Field,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let cell = self.header.cell(self.fields, field);
        let parsed = parse(cell.text);
        parsed
            .map_err(|text| self.problems.push(cell.problem(text)))
            .ok()
    }

    fn optional<T>(
        &mut self,
        field: &Field,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let cell = self.header.cell(self.fields, field);
        let text = formula::unescape(cell.text);
        if text.is_empty() {
            return None;
        }
        let parsed = parse(text);
        parsed
            .map_err(|text| self.problems.push(cell.problem(text)))
            .ok()
    }
}

fn split_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Parses addresses with blanks, commas or semicolons between them, which no address contains.
fn parse_aliases(text: &str) -> Result<Vec<String>, String> {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | ';');
    let addresses = text.split(is_separator).filter(|part| !part.is_empty());
    addresses
        .map(|part| values::address(part).map(|()| part.to_lowercase()))
        .collect()
}

/// Returns a number that differs for different values.
pub(super) fn hash_of(value: &impl serde::Serialize) -> u64 {
    let bytes = serde_json::to_vec(value).expect("texts and numbers are JSON");
    let hash = Sha256::digest(bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(first)
}

fn describe_read_error(error: &io::Error) -> String {
    match error.kind() {
        // The text is our own.
        ErrorKind::InvalidData => error.to_string(),
        _ => format!("it cannot be read: {error}"),
    }
}
