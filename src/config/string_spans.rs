//! Finds where a part of a text is in the TOML source that contains the text.

use std::ops::Range;

/// The quotes of texts; the longer come first.
const QUOTES: [&str; 4] = ["\"\"\"", "'''", "\"", "'"];

/// Returns the place of a part of the value, in bytes of the source with its quotes. `None` if the
/// parser read the text differently than this module.
pub(super) fn find_part(source: &str, value: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let quote = QUOTES.iter().find(|quote| source.starts_with(**quote))?;
    let end = source.len().checked_sub(quote.len())?;
    let mut start = quote.len();
    if quote.len() == 3 {
        // A line break right after the quotes is not part of the value.
        let line = source.get(start..end)?;
        start += ["\r\n", "\n"]
            .iter()
            .find(|line_break| line.starts_with(**line_break))
            .map_or(0, |line_break| line_break.len());
    }
    let (decoded, spans) = decode_string(source.get(start..end)?, quote.starts_with('"'))?;
    if decoded != value || part.end > spans.len() {
        return None;
    }
    let span_of_byte = |at: usize| spans.get(at).cloned().unwrap_or(end - start..end - start);
    let from = span_of_byte(part.start).start;
    let to = match part.end.checked_sub(1) {
        Some(last) if last >= part.start => span_of_byte(last).end,
        Some(_) | None => from,
    };
    Some(start + from..start + to)
}

/// Returns the text, and for each of its bytes the place in the source.
fn decode_string(source: &str, escapes: bool) -> Option<(String, Vec<Range<usize>>)> {
    let mut text = String::new();
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(c) = source.get(at..)?.chars().next() {
        let (decoded, length) = match c {
            '\\' if escapes => decode_escape(&source[at + 1..])?,
            plain => (Some(plain), plain.len_utf8()),
        };
        if let Some(decoded) = decoded {
            text.push(decoded);
            spans.resize(text.len(), at..at + length);
        }
        at += length;
    }
    Some((text, spans))
}

/// Returns the character that the rest of an escape means, if any, and the length of the escape.
fn decode_escape(rest: &str) -> Option<(Option<char>, usize)> {
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
        // The text continues on the next line.
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
    fn a_part_is_found_in_every_kind_of_string() {
        // (the source, a part of the value, the same part of the source)
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
        for (source, part, expect) in rows {
            let text = format!("k = {source}");
            let tree = DeTable::parse(&text).expect(source);
            let DeValue::String(value) = tree.get_ref()["k"].get_ref() else {
                panic!("{source}");
            };
            let at = value.find(part).expect(source);
            let found = find_part(source, value, &(at..at + part.len()));
            assert_eq!(found.map(|found| &source[found]), Some(expect), "{source}");
            let end = find_part(source, value, &(value.len()..value.len()));
            assert!(end.is_some_and(|end| end.is_empty()), "{source}");
        }
    }

    #[test]
    fn text_that_decodes_differently_has_no_span() {
        assert_eq!(find_part("'abc'", "abd", &(0..1)), None);
        assert_eq!(find_part("'abc'", "abc", &(0..4)), None);
        assert_eq!(find_part("abc", "abc", &(0..1)), None);
        assert_eq!(find_part("\"\\q\"", "q", &(0..1)), None);
        assert_eq!(find_part("'", "", &(0..0)), None);
    }
}
