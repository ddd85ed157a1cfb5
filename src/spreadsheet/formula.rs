//! Keeps texts of members and operators from acting as formulas in the CSV files that maitred
//! writes. A spreadsheet takes a cell that begins with one of a few characters for a formula and
//! evaluates it when the file is opened. OWASP's page on CSV injection advises to put a single
//! quote before such a text. An import takes the quote away again, so that a file that was exported
//! gives the same texts when it is imported.

/// The characters with which a formula begins, according to OWASP, with the wide forms of the
/// printed ones.
const FORMULA_STARTS: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// The character that makes a cell a text.
const QUOTE: char = '\'';

/// Returns the text as a cell that no spreadsheet takes for a formula.
pub fn escape(text: &str) -> String {
    if is_ambiguous(text) {
        format!("{QUOTE}{text}")
    } else {
        text.to_owned()
    }
}

/// Returns the text that [`escape`] made the cell from. Any other cell is its own text.
pub fn unescape(cell: &str) -> &str {
    match cell.strip_prefix(QUOTE) {
        Some(text) if is_ambiguous(text) => text,
        Some(_) | None => cell,
    }
}

/// Returns true for a text that begins like a formula, and for one that already looks like such a
/// text in escaped form.
fn is_ambiguous(text: &str) -> bool {
    text.trim_start_matches(QUOTE).starts_with(FORMULA_STARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_begins_like_a_formula_is_quoted_and_read_back() {
        let rows = [
            ("", ""),
            ("bo@example.com", "bo@example.com"),
            ("1+1", "1+1"),
            ("'s Gravenhage", "'s Gravenhage"),
            ("'", "'"),
            (
                "=HYPERLINK(\"https://x.example\")",
                "'=HYPERLINK(\"https://x.example\")",
            ),
            ("+4915112345678", "'+4915112345678"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("'=1", "''=1"),
            ("''@x", "'''@x"),
        ];
        for (text, cell) in rows {
            assert_eq!(escape(text), cell, "{text:?}");
            assert_eq!(unescape(cell), text, "{cell:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_read_back(text in "['=@+x -]{0,6}") {
            let cell = escape(&text);
            proptest::prop_assert_eq!(unescape(&cell), text);
            proptest::prop_assert!(!cell.starts_with(FORMULA_STARTS));
        }
    }
}
