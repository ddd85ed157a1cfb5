//! Reads the rows of a CSV file as trimmed text, each with the line on which it begins.

/// The rows that are not blank: the line on which each begins, and its trimmed fields, or why they
/// are not text.
pub(super) struct CsvRecords<'a> {
    reader: csv::Reader<&'a [u8]>,
    record: csv::ByteRecord,
    bytes: &'a [u8],
    /// How far lines have been counted, and the number of the line there.
    counted_bytes: usize,
    line: u64,
}

impl<'a> CsvRecords<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            reader: csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(bytes),
            record: csv::ByteRecord::new(),
            bytes,
            counted_bytes: 0,
            line: 1,
        }
    }

    /// Returns the line of the record that begins at this byte. The reader's own count is wrong by
    /// the blank lines before the record, and by the second half of the line end before it.
    fn line_at(&mut self, begin: u64) -> u64 {
        let begin = usize::try_from(begin).unwrap_or(self.bytes.len());
        while let Some(byte) = self.bytes.get(self.counted_bytes)
            && (self.counted_bytes < begin || matches!(byte, b'\r' | b'\n'))
        {
            self.counted_bytes += 1;
            let is_line_end_pair =
                *byte == b'\r' && self.bytes.get(self.counted_bytes) == Some(&b'\n');
            if matches!(byte, b'\r' | b'\n') && !is_line_end_pair {
                self.line += 1;
            }
        }
        self.line
    }
}

impl Iterator for CsvRecords<'_> {
    type Item = (u64, Result<Vec<String>, String>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let begin = self.reader.position().byte();
            match self.reader.read_byte_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some((self.line_at(begin), Err(error.to_string()))),
            }
            let line = self.line_at(begin);
            let end = usize::try_from(self.reader.position().byte()).unwrap_or(self.bytes.len());
            let start = usize::try_from(begin).unwrap_or(self.bytes.len());
            // Only the last record can be cut off, because the reader takes the end of the file for
            // the quote.
            if end >= self.bytes.len()
                && ends_in_quotes(self.bytes.get(start..).unwrap_or_default())
            {
                return Some((line, Err(UNCLOSED_QUOTE.to_owned())));
            }
            let fields: Result<Vec<String>, String> = self.record.iter().map(parse_field).collect();
            // Spreadsheets write empty rows as separators alone.
            match fields {
                Ok(fields) if fields.iter().all(String::is_empty) => {}
                fields => return Some((line, fields)),
            }
        }
    }
}

const UNCLOSED_QUOTE: &str = "the file ends within quotes: close the quote, or copy the whole file again if \
                       its end is cut off";

/// Returns true if a quote is open at the end of a record. A quote opens a field only at the
/// field's beginning, and two quotes within quotes mean one quote.
fn ends_in_quotes(record: &[u8]) -> bool {
    let (mut quoted, mut at_field_start) = (false, true);
    let mut bytes = record.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
            }
            b'"' if quoted => quoted = false,
            b'"' if at_field_start => quoted = true,
            _ => {}
        }
        at_field_start = !quoted && matches!(byte, b',' | b'\r' | b'\n');
    }
    quoted
}

/// Returns one field as text, trimmed.
fn parse_field(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        format!("it is not UTF-8 (byte 0x{byte:02x}); save the file as CSV in UTF-8")
    })?;
    let text = text.trim();
    match text.chars().find(|c| c.is_control()) {
        Some('\r' | '\n') => {
            Err("a field continues past the end of the line; is a quote not closed?".to_owned())
        }
        Some('\t') => Err("it contains a tab; separate the columns by commas".to_owned()),
        Some(c) => Err(format!("it contains a control character ({c:?})")),
        None => Ok(text.to_owned()),
    }
}
