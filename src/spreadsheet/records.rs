//! Reads the rows of a CSV file as trimmed text, each with the line on which it begins.
//!
//! A line break within quotes is refused: no field needs one, and rows would be lost after a quote
//! that is not closed.

use std::io;

use super::encoding::{LineReader, MAX_LINE};

/// A row that is not blank.
pub(super) struct Record {
    /// The line on which the row begins.
    pub(super) line: u64,
    /// The trimmed fields, or why they are not text.
    pub(super) fields: Result<Vec<String>, String>,
}

/// Reads the rows that are not blank.
pub(super) struct CsvRecords<'a> {
    lines: LineReader<'a>,
    separator: u8,
    parser: csv_core::Reader,
    record: Vec<u8>,
    output: Vec<u8>,
    ends: Vec<usize>,
}

const UNCLOSED_QUOTE: &str = "the file ends within quotes: close the quote, or copy the whole file again if \
                       its end is cut off";
const CONTINUED_FIELD: &str = "a field continues past the end of the line; is a quote not closed?";

impl<'a> CsvRecords<'a> {
    /// Reads with commas, until [`Self::split_line`] names another separator.
    pub(super) fn new(lines: LineReader<'a>) -> Self {
        Self {
            lines,
            separator: b',',
            parser: csv_core::Reader::new(),
            record: Vec::new(),
            output: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Separates the fields by this byte from now on.
    fn set_separator(&mut self, separator: u8) {
        self.separator = separator;
        self.parser = csv_core::ReaderBuilder::new().delimiter(separator).build();
    }

    /// Returns how many bytes of the file were read.
    pub(super) fn read_bytes(&self) -> u64 {
        self.lines.read_bytes()
    }

    /// Returns the next row that is not blank.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            let Some((line, problem)) = self.read_record()? else {
                return Ok(None);
            };
            let fields = match problem {
                Some(problem) => Err(problem.to_owned()),
                None => self.split(),
            };
            // Spreadsheets write empty rows as separators alone.
            match fields {
                Ok(fields) if fields.iter().all(String::is_empty) => {}
                fields => return Ok(Some(Record { line, fields })),
            }
        }
    }

    /// Returns the first line that is not blank, and its number. Its separator is not known yet.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub(super) fn first_line(&mut self) -> io::Result<Option<(u64, Result<String, String>)>> {
        loop {
            let Some((line, problem)) = self.read_record()? else {
                return Ok(None);
            };
            if let Some(problem) = problem {
                return Ok(Some((line, Err(problem.to_owned()))));
            }
            let text = std::str::from_utf8(&self.record)
                .map_err(|error| describe_encoding(self.record.get(error.valid_up_to()).copied()));
            match text {
                Ok(text) if text.trim_matches([',', ';', '\t', ' ']).is_empty() => {}
                text => return Ok(Some((line, text.map(str::to_owned)))),
            }
        }
    }

    /// Reads the lines of the next record. Returns the number of its first line, and what is wrong
    /// with the lines.
    fn read_record(&mut self) -> io::Result<Option<(u64, Option<&'static str>)>> {
        self.record.clear();
        if !self.lines.append_line(&mut self.record)? {
            return Ok(None);
        }
        let line = self.lines.line();
        let mut quotes = QuoteState::new(self.separator);
        quotes.read(&self.record);
        let mut is_continued = false;
        while quotes.is_quoted && self.record.len() <= MAX_LINE {
            is_continued = true;
            self.record.push(b'\n');
            let begin = self.record.len();
            if !self.lines.append_line(&mut self.record)? {
                // Only the end of the file can be within quotes that are not closed: the file may
                // be cut off.
                return Ok(Some((line, Some(UNCLOSED_QUOTE))));
            }
            let continuation = self.record.get(begin..).unwrap_or_default();
            quotes.read(continuation);
        }
        Ok(Some(match (is_continued, self.record.len() > MAX_LINE) {
            (true, _) => (line, Some(CONTINUED_FIELD)),
            (false, true) => (line, Some("it is longer than 64 KiB")),
            (false, false) => (line, None),
        }))
    }

    /// Splits a line by this separator, which counts from now on.
    ///
    /// # Errors
    /// Returns why the fields are not text.
    pub(super) fn split_line(&mut self, line: &str, separator: u8) -> Result<Vec<String>, String> {
        self.set_separator(separator);
        self.record.clear();
        self.record.extend_from_slice(line.as_bytes());
        self.split()
    }

    /// Splits the record into its fields.
    fn split(&mut self) -> Result<Vec<String>, String> {
        self.record.push(b'\n');
        self.output.resize(self.record.len() + 1, 0);
        self.ends.resize(self.record.len() + 1, 0);
        self.parser.reset();
        let (_, _, _, fields) =
            self.parser
                .read_record(&self.record, &mut self.output, &mut self.ends);
        let mut begin = 0;
        let ends = self.ends.iter().take(fields);
        ends.map(|end| {
            let field = self.output.get(begin..*end).unwrap_or_default();
            begin = *end;
            parse_field(field)
        })
        .collect()
    }
}

/// Whether a quote is open at the end of a text. A quote opens a field only at the field's
/// beginning, and two quotes within quotes mean one quote.
struct QuoteState {
    separator: u8,
    is_quoted: bool,
    at_field_start: bool,
}

impl QuoteState {
    fn new(separator: u8) -> Self {
        Self {
            separator,
            is_quoted: false,
            at_field_start: true,
        }
    }

    /// Reads one line, after those before.
    fn read(&mut self, line: &[u8]) {
        let mut bytes = line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' if self.is_quoted && bytes.peek() == Some(&b'"') => {
                    bytes.next();
                }
                b'"' if self.is_quoted => self.is_quoted = false,
                b'"' if self.at_field_start => self.is_quoted = true,
                _ => {}
            }
            self.at_field_start = !self.is_quoted && byte == self.separator;
        }
    }
}

/// Returns one field as text, trimmed.
fn parse_field(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| describe_encoding(bytes.get(error.valid_up_to()).copied()))?;
    let text = text.trim();
    match text.chars().find(|c| c.is_control()) {
        Some('\t') => Err("a field contains a tab; separate all columns alike".to_owned()),
        Some('\0') => Err(
            "it contains the character '\\0', as UTF-16 text without a byte order mark does; save \
             the file as CSV in UTF-8"
                .to_owned(),
        ),
        Some(c) => Err(format!("it contains a control character ({c:?})")),
        None => Ok(text.to_owned()),
    }
}

fn describe_encoding(byte: Option<u8>) -> String {
    format!(
        "it is not UTF-8 (byte 0x{:02x}); save the file as CSV in UTF-8",
        byte.unwrap_or_default()
    )
}
