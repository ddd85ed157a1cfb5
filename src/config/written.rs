//! Where a part of a text stands in the TOML that it was written in.

use std::ops::Range;

/// How texts begin and end; the longer come first.
const QUOTES: [&str; 4] = ["\"\"\"", "'''", "\"", "'"];

/// The place of a part of the value, in bytes of what is written with its quotes. `None` where the
/// parser took the text for something else than we do.
pub(super) fn within(written: &str, value: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let quote = QUOTES.iter().find(|quote| written.starts_with(**quote))?;
    let end = written.len().checked_sub(quote.len())?;
    let mut start = quote.len();
    if quote.len() == 3 {
        // A line break right after the quotes is no part of the value.
        let line = written.get(start..end)?;
        start += ["\r\n", "\n"]
            .iter()
            .find(|line_break| line.starts_with(**line_break))
            .map_or(0, |line_break| line_break.len());
    }
    let (decoded, places) = decode(written.get(start..end)?, quote.starts_with('"'))?;
    if decoded != value || part.end > places.len() {
        return None;
    }
    let place = |at: usize| places.get(at).cloned().unwrap_or(end - start..end - start);
    let from = place(part.start).start;
    let to = match part.end.checked_sub(1) {
        Some(last) if last >= part.start => place(last).end,
        Some(_) | None => from,
    };
    Some(start + from..start + to)
}

/// The text, and for each of its bytes where that was written.
fn decode(written: &str, escapes: bool) -> Option<(String, Vec<Range<usize>>)> {
    let mut text = String::new();
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(c) = written.get(at..)?.chars().next() {
        let (decoded, length) = match c {
            '\\' if escapes => escape(&written[at + 1..])?,
            plain => (Some(plain), plain.len_utf8()),
        };
        if let Some(decoded) = decoded {
            text.push(decoded);
            places.resize(text.len(), at..at + length);
        }
        at += length;
    }
    Some((text, places))
}

/// The character that the rest of an escape stands for, if any, and the length of the escape.
fn escape(rest: &str) -> Option<(Option<char>, usize)> {
    let digits = |count: usize| {
        let number = u32::from_str_radix(rest.get(1..=count)?, 16).ok()?;
        Some((Some(char::from_u32(number)?), 2 + count))
    };
    let plain = |c: char| Some((Some(c), 2));
    match rest.chars().next()? {
        'b' => plain('\u{8}'),
        't' => plain('\t'),
        'n' => plain('\n'),
        'f' => plain('\u{c}'),
        'r' => plain('\r'),
        'e' => plain('\u{1b}'),
        same @ ('"' | '\\') => plain(same),
        'x' => digits(2),
        'u' => digits(4),
        'U' => digits(8),
        // The line goes on in the next one.
        blank if blank.is_whitespace() => {
            let blanks = rest.len() - rest.trim_start().len();
            Some((None, 1 + blanks))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use toml::de::{DeTable, DeValue};

    use super::*;

    #[test]
    fn a_part_is_found_however_the_text_is_written() {
        // what is written, the part of the value, the part of what is written
        let rows = [
            ("'a bc d'", "bc", "bc"),
            ("\"a bc d\"", "bc", "bc"),
            ("'a \\bc d'", "\\bc", "\\bc"),
            ("\"\\\"a\\\" bc d\"", "bc", "bc"),
            ("\"\\u00e4\\x41\\U0001F600\\n bc\"", "bc", "bc"),
            ("\"a b\\\"c d\"", "b\"c", "b\\\"c"),
            ("'''\na\nbc d'''", "bc", "bc"),
            ("'''\r\na bc d'''", "bc", "bc"),
            ("\"\"\"\nä bc d\"\"\"", "bc", "bc"),
            ("\"\"\"a \\\n   bc d\"\"\"", "bc", "bc"),
            ("\"\"\"a \"\"bc\"\" d\"\"\"", "bc", "bc"),
            ("'''a''bc'''", "bc", "bc"),
        ];
        for (written, part, expect) in rows {
            let text = format!("k = {written}");
            let tree = DeTable::parse(&text).expect(written);
            let DeValue::String(value) = tree.get_ref()["k"].get_ref() else {
                panic!("{written}");
            };
            let at = value.find(part).expect(written);
            let found = within(written, value, &(at..at + part.len()));
            assert_eq!(
                found.map(|found| &written[found]),
                Some(expect),
                "{written}"
            );
            let end = within(written, value, &(value.len()..value.len()));
            assert!(end.is_some_and(|end| end.is_empty()), "{written}");
        }
    }

    #[test]
    fn what_was_written_otherwise_is_not_guessed_at() {
        assert_eq!(within("'abc'", "abd", &(0..1)), None);
        assert_eq!(within("'abc'", "abc", &(0..4)), None);
        assert_eq!(within("abc", "abc", &(0..1)), None);
        assert_eq!(within("\"\\q\"", "q", &(0..1)), None);
        assert_eq!(within("'", "", &(0..0)), None);
    }
}
