//! Reads the line that names the columns: what separates the columns, and the place of each field.

use super::problems::{pluralize, shorten};
use super::records::CsvRecords;
use crate::domain::import_columns::{ColumnOptions, Field, is_never_read};

/// What may separate columns, with its name.
const SEPARATORS: [(u8, &str); 3] = [(b',', "comma"), (b';', "semicolon"), (b'\t', "tab")];

const EXPECTED_COLUMNS: &str = "the first line has to name the columns: account,credits and, if wanted, \
     expires,reason,reference,tier,tags,aliases,attribute:NAME; `--map account=COLUMN` says what a \
     column with another name holds, and `--ignore COLUMN` leaves one out";

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Header {
    /// The name of each column, up to the last one that has a name.
    names: Vec<String>,
    /// How many columns the first line has, with those at the end that have no name.
    columns: usize,
    separator_name: &'static str,
    /// The places of the fields that the file has.
    places: Vec<(Field, usize)>,
    /// The columns that are not read.
    ignored: Vec<usize>,
}

/// What the first line is.
pub(super) enum FirstLine {
    /// It names the columns.
    Header(Header),
    /// It names the separator, as some spreadsheets write: `sep=;`.
    Separator(u8),
}

impl Header {
    /// Reads the first line. `known_separator` is what a line before it said.
    ///
    /// # Errors
    /// Returns everything that is wrong with the line.
    pub(super) fn parse(
        records: &mut CsvRecords<'_>,
        line: &str,
        known_separator: Option<u8>,
        options: &ColumnOptions,
    ) -> Result<FirstLine, String> {
        if known_separator.is_none()
            && let Some(separator) = named_separator(line)
        {
            return Ok(FirstLine::Separator(separator?));
        }
        let candidates = SEPARATORS
            .iter()
            .filter(|(separator, _)| known_separator.is_none_or(|known| known == *separator));
        // The separator is the one by which the line names account and credits. Where none does, the
        // most frequent one gives the most helpful message.
        let mut best: Option<(Result<Self, String>, usize, u8)> = None;
        for (separator, separator_name) in candidates {
            let (header, count) = match records.split_line(line, *separator) {
                Ok(names) => {
                    let count = names.len();
                    (Self::from_names(names, separator_name, options), count)
                }
                Err(problem) => (Err(problem), 0),
            };
            let is_better = match &best {
                None => true,
                Some((Ok(_), ..)) => false,
                Some((Err(_), best_count, _)) => header.is_ok() || count > *best_count,
            };
            if is_better {
                best = Some((header, count, *separator));
            }
        }
        let (header, _, separator) = best.ok_or_else(|| EXPECTED_COLUMNS.to_owned())?;
        // The rows are split by the separator that was chosen.
        records.split_line("", separator)?;
        header.map(FirstLine::Header)
    }

    fn from_names(
        mut names: Vec<String>,
        separator_name: &'static str,
        options: &ColumnOptions,
    ) -> Result<Self, String> {
        let columns = names.len();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        let mut header = Self {
            names,
            columns,
            separator_name,
            places: Vec::new(),
            ignored: Vec::new(),
        };
        let problems = header.assign_columns(options);
        if problems.is_empty() {
            return Ok(header);
        }
        Err(format!("{}; {EXPECTED_COLUMNS}", problems.join("; ")))
    }

    /// Finds the field of each column, and returns everything that is wrong.
    fn assign_columns(&mut self, options: &ColumnOptions) -> Vec<String> {
        let mut problems = Vec::new();
        for mapping in &options.mappings {
            let mut named = self.columns_named(&mapping.column);
            match (named.next(), named.next()) {
                (None, _) => problems.push(format!("there is no column {:?}", mapping.column)),
                (Some(_), Some(_)) => {
                    problems.push(format!("there are two columns {:?}", mapping.column));
                }
                (Some(at), None) => {
                    drop(named);
                    self.place(mapping.field.clone(), at, &mut problems);
                }
            }
        }
        for at in 0..self.names.len() {
            let name = self.names[at].clone();
            let is_mapped = self.places.iter().any(|(_, place)| *place == at);
            if is_mapped || name.is_empty() {
                continue;
            }
            let is_ignored = options.ignored.iter().any(|other| is_same(other, &name));
            match Field::from_column(&name) {
                _ if is_ignored => self.ignored.push(at),
                // The operator named another column for it.
                Some(field) if options.mappings.iter().any(|m| m.field == field) => {
                    self.ignored.push(at);
                }
                Some(field) => self.place(field, at, &mut problems),
                None if is_never_read(&name) => self.ignored.push(at),
                None => problems.push(format!("column {} is called {:?}", at + 1, shorten(&name))),
            }
        }
        for field in [Field::Account, Field::Credits] {
            if self.place_of(&field).is_none() {
                problems.push(format!("there is no column \"{field}\""));
            }
        }
        problems
    }

    fn columns_named(&self, name: &str) -> impl Iterator<Item = usize> {
        let names = self.names.iter().enumerate();
        names
            .filter(|(_, other)| is_same(other, name))
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn place(&mut self, field: Field, at: usize, problems: &mut Vec<String>) {
        match self.place_of(&field) {
            Some(other) => problems.push(format!(
                "there are two columns for {field}: {:?} and {:?}",
                shorten(&self.names[other]),
                shorten(&self.names[at])
            )),
            None => self.places.push((field, at)),
        }
    }

    fn place_of(&self, field: &Field) -> Option<usize> {
        let mut places = self.places.iter();
        places
            .find(|(other, _)| other == field)
            .map(|(_, place)| *place)
    }

    /// Returns true if the file has such a column.
    pub(super) fn has(&self, field: &Field) -> bool {
        self.place_of(field).is_some()
    }

    /// Returns true if the file says more of accounts than their credits.
    pub(super) fn has_details(&self) -> bool {
        let mut fields = self.places.iter().map(|(field, _)| field);
        fields.any(|field| {
            matches!(
                field,
                Field::Tier | Field::Tags | Field::Aliases | Field::Attribute(_)
            )
        })
    }

    /// Returns the names of the columns that are not read.
    pub(super) fn ignored_names(&self) -> Vec<String> {
        let ignored = self.ignored.iter();
        ignored.map(|at| shorten(&self.names[*at])).collect()
    }

    /// Returns the field of the row, with its column for messages.
    pub(super) fn cell<'a>(&self, fields: &'a [String], field: &Field) -> Cell<'a> {
        let place = self.place_of(field);
        Cell {
            text: place
                .and_then(|at| fields.get(at))
                .map_or("", String::as_str),
            column: place.map(|at| {
                let name = shorten(self.names.get(at).map_or("", String::as_str));
                format!("column {} ({name})", at + 1)
            }),
        }
    }

    /// Returns the attributes that the file has.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&Field, &str)> {
        self.places.iter().filter_map(|(field, _)| match field {
            Field::Attribute(name) => Some((field, name.as_str())),
            _ => None,
        })
    }

    /// Checks that a row fits the columns. Empty columns at the end are padding.
    ///
    /// # Errors
    /// Returns what does not fit.
    pub(super) fn check_fields(&self, fields: &[String]) -> Result<(), String> {
        let filled = fields.iter().rposition(|field| !field.is_empty());
        let filled = filled.map_or(0, |at| at + 1);
        if fields.len() < self.names.len() || filled > self.columns {
            let is_single_field = fields.len() == 1 && self.names.len() > 1;
            let other = SEPARATORS.iter().find(|(byte, name)| {
                *name != self.separator_name && fields[0].contains(char::from(*byte))
            });
            let hint = match other {
                Some(_) if is_single_field => format!("separate them by {}s", self.separator_name),
                _ => format!(
                    "put quotes around a field that has a {} in it",
                    self.separator_name
                ),
            };
            return Err(format!(
                "it has {}, and the header has {}; {hint}",
                pluralize(fields.len(), "field"),
                pluralize(self.names.len(), "column")
            ));
        }
        let mut unnamed = fields.iter().enumerate().filter(|(at, field)| {
            !field.is_empty() && self.names.get(*at).is_none_or(String::is_empty)
        });
        match unnamed.next() {
            Some((at, field)) => Err(format!(
                "column {} has no name in the first line, and holds {:?} here",
                at + 1,
                shorten(field)
            )),
            None => Ok(()),
        }
    }
}

/// One field of a row.
pub(super) struct Cell<'a> {
    /// The text; empty where the file has no such column.
    pub(super) text: &'a str,
    /// The column as a message names it; `None` where the file has no such column.
    column: Option<String>,
}

impl Cell<'_> {
    /// Says what is wrong with the field, and in which column it is.
    pub(super) fn problem(&self, text: impl std::fmt::Display) -> String {
        match &self.column {
            Some(column) => format!("{column}: {text}"),
            None => text.to_string(),
        }
    }
}

fn is_same(name: &str, other: &str) -> bool {
    name.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Returns the separator that a line such as `sep=;` names, which some spreadsheets write first.
fn named_separator(line: &str) -> Option<Result<u8, String>> {
    let text = line.trim_matches([' ', '"']);
    let named = text
        .get(..4)
        .filter(|begin| begin.eq_ignore_ascii_case("sep="));
    named?;
    let separator = text.get(4..).unwrap_or_default();
    let mut known = SEPARATORS.iter();
    Some(
        match known.find(|(byte, _)| separator.as_bytes() == [*byte]) {
            Some((byte, _)) => Ok(*byte),
            None => Err(format!(
                "it names {separator:?} as the separator; commas, semicolons and tabs are read"
            )),
        },
    )
}
