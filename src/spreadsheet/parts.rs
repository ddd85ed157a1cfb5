//! The parts in which the rows of a file are sent to the ledger.

use crate::control::protocol::credits::ImportRow;

/// The most rows of a file that is imported in one commit.
pub(super) const MAX_ROWS_AT_ONCE: usize = 50_000;

/// The most rows of a part, when there are several. A daemon does nothing else with its ledger while
/// it writes a part.
pub(super) const ROWS_OF_PART: usize = 10_000;

/// The longest part in bytes of JSON. The control socket takes 16 MiB.
const MAX_PART_BYTES: usize = 15 * 1024 * 1024;

/// The most facts of a part, with a reserve for credits that have expired: a commit has at most
/// 200,000.
const MAX_PART_FACTS: usize = 150_000;

/// Rows that are one commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ImportPart {
    pub(super) number: u32,
    pub(super) rows: Vec<ImportRow>,
}

/// Collects rows until a part is full. As long as all rows fit one commit there is one part; then
/// there are several smaller ones.
#[derive(Debug, Default)]
pub(super) struct Parts {
    rows: Vec<ImportRow>,
    bytes: usize,
    facts: usize,
    number: u32,
    is_several: bool,
}

impl Parts {
    /// Returns parts of a file that is known not to fit one.
    pub(super) fn several() -> Self {
        Self {
            is_several: true,
            ..Self::default()
        }
    }

    /// Returns true if there is more than one part.
    pub(super) fn are_several(&self) -> bool {
        self.is_several
    }

    /// Adds a row, and returns the parts that are full.
    pub(super) fn add(&mut self, row: ImportRow) -> Vec<ImportPart> {
        let bytes = json_bytes(&row);
        // The grant, the description, and the opening of an account or a write-off.
        let facts = 3 + row.aliases.len();
        let most_rows = match self.is_several {
            true => ROWS_OF_PART,
            false => MAX_ROWS_AT_ONCE,
        };
        let fits = self.rows.len() < most_rows
            && self.bytes + bytes <= MAX_PART_BYTES
            && self.facts + facts <= MAX_PART_FACTS.max(3 * most_rows);
        let mut full = Vec::new();
        if !fits && self.is_several {
            full.extend(self.take_last());
        } else if !fits {
            let rows = std::mem::take(&mut self.rows);
            *self = Self::several();
            full = rows.into_iter().flat_map(|row| self.add(row)).collect();
            full.extend(self.add(row));
            return full;
        }
        self.bytes += bytes;
        self.facts += facts;
        self.rows.push(row);
        full
    }

    /// Returns the rows that are left.
    pub(super) fn take_last(&mut self) -> Option<ImportPart> {
        if self.rows.is_empty() {
            return None;
        }
        let part = ImportPart {
            number: self.number,
            rows: std::mem::take(&mut self.rows),
        };
        self.number += 1;
        self.bytes = 0;
        self.facts = 0;
        Some(part)
    }
}

/// Returns how long the row is as JSON, or a little more.
fn json_bytes(row: &ImportRow) -> usize {
    /// The names of the fields, their signs, and the numbers.
    const FIXED: usize = 200;
    const SIGNS: usize = 4;
    // Quotes and backslashes take two bytes.
    let text = |text: &str| {
        SIGNS
            + text.len()
            + text
                .bytes()
                .filter(|byte| matches!(byte, b'"' | b'\\'))
                .count()
    };
    let optional = |value: &Option<String>| value.as_deref().map_or(0, text);
    let words = |words: &[String]| words.iter().map(|word| text(word)).sum::<usize>();
    let attributes = row.attributes.iter();
    FIXED
        + text(&row.account)
        + text(&row.reference)
        + optional(&row.expires)
        + optional(&row.reason)
        + optional(&row.tier)
        + words(&row.tags)
        + words(&row.aliases)
        + attributes
            .map(|(name, value)| text(name) + text(value))
            .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: u64) -> ImportRow {
        ImportRow {
            line,
            account: "bo@example.com".to_owned(),
            credits: 1_000_000_000,
            expires: Some("2099-12-31T00:00:00.000Z".to_owned()),
            reason: Some("\"autumn\"".to_owned()),
            reference: format!("row-{line}"),
            tier: Some("gold".to_owned()),
            tags: vec!["a".to_owned(), "b".to_owned()],
            aliases: vec!["al@example.com".to_owned()],
            attributes: [("seat".to_owned(), "A\\4".to_owned())].into(),
        }
    }

    fn split(mut parts: Parts, rows: u64) -> Vec<(u32, usize)> {
        let mut full: Vec<ImportPart> = (1..=rows).flat_map(|line| parts.add(row(line))).collect();
        full.extend(parts.take_last());
        let lines: Vec<u64> = full
            .iter()
            .flat_map(|part| &part.rows)
            .map(|row| row.line)
            .collect();
        assert!(
            lines.into_iter().eq(1..=rows),
            "every row is in one part, in order"
        );
        full.into_iter()
            .map(|part| (part.number, part.rows.len()))
            .collect()
    }

    #[test]
    fn a_file_has_one_part_or_several_smaller_ones_that_do_not_depend_on_how_it_begins() {
        let most = 30_000;
        assert_eq!(split(Parts::default(), most), [(0, 30_000)]);
        let several = split(Parts::default(), 60_000);
        let expect: Vec<(u32, usize)> = (0..6).map(|number| (number, ROWS_OF_PART)).collect();
        assert_eq!(several, expect);
        assert_eq!(split(Parts::several(), 60_000), several);
    }

    #[test]
    fn the_length_of_a_row_is_not_estimated_too_low() {
        let row = row(1_000_000);
        let json = serde_json::to_string(&row).expect("a row is JSON");
        assert!(json_bytes(&row) >= json.len(), "{json}");
    }
}
