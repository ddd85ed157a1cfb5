//! Makes text from outside harmless. A title can hold escape sequences that repaint the terminal,
//! line breaks that forge a line of maitred's output, and characters that change the reading order
//! or are invisible. Hand-written, because crates that strip escape sequences leave all the rest.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

use crate::control::protocol::CommandResult;
use crate::domain::id::decode_domains;
use crate::domain::messages::is_invisible;

/// Returns the answer with every text replaced by what `sanitize` makes from that text. All texts
/// go through this one place, so that none can be forgotten where it is printed.
pub fn sanitize_result(answer: &CommandResult, sanitize: impl Fn(&str) -> String) -> CommandResult {
    let mut value = serde_json::to_value(answer).expect("an answer has only keys that are texts");
    sanitize_value(&mut value, &sanitize);
    serde_json::from_value(value).expect("other texts do not change the shape")
}

fn sanitize_value(value: &mut Value, sanitize: &impl Fn(&str) -> String) {
    let inner = |value: &mut Value| sanitize_value(value, sanitize);
    match value {
        Value::String(dirty) => *dirty = sanitize(dirty),
        Value::Array(values) => values.iter_mut().for_each(inner),
        Value::Object(fields) => fields.values_mut().for_each(inner),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns the text on one line, without escape sequences and without invisible characters. Domains
/// are shown as people write them.
pub fn sanitize_text(dirty: &str) -> String {
    let dirty = &*decode_domains(dirty);
    let mut clean = String::with_capacity(dirty.len());
    let mut chars = dirty.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_parameters(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => clean.push(' '),
            c if is_invisible(c) => {}
            c => clean.push(c),
        }
    }
    clean
}

/// Returns JSON in which invisible characters are written as `\u`, which means the same and harms
/// no terminal. Such characters occur only within the strings of JSON.
pub fn escape_json(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    for c in json.chars() {
        if is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') {
            for unit in c.encode_utf16(&mut [0; 2]) {
                clean.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Skips what follows the escape character.
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_parameters(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        Some(' '..='/') => {
            while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
            chars.next_if(|c| ('0'..='~').contains(c));
        }
        Some('0'..='~') => {
            chars.next();
        }
        // This is not a sequence: what comes next is text, or begins a sequence of its own.
        Some(_) | None => {}
    }
}

/// Skips up to the letter that ends a control sequence, and that letter.
fn skip_parameters(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

/// Skips up to the end of a command string. A string that never ends hides the rest of this text
/// only.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next() {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_invisible_characters_are_removed() {
        let rows = [
            ("Dune, chapter 1", "Dune, chapter 1"),
            ("Zoë 读书会 👩\u{200d}💻", "Zoë 读书会 👩\u{200d}💻"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[2J\u{1b}[1;1Hgone", "gone"),
            ("\u{9b}31mred", "red"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{9d}0;title\u{9c}x", "x"),
            ("\u{1b}(Bx", "x"),
            ("\u{1b}cx", "x"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}\u{1b}[31mx", "x"),
            ("\u{1b}éx", "éx"),
            ("a\nconfirmed\r\nb\tc", "a confirmed  b c"),
            ("a\u{2028}b\u{85}c", "a b c"),
            ("a\u{0}b\u{8}c\u{7f}d", "abcd"),
            ("\u{202e}txt.exe\u{202c}", "txt.exe"),
            ("a\u{200b}b\u{feff}c\u{ad}d\u{e0041}e", "abcde"),
        ];
        for (dirty, expect) in rows {
            assert_eq!(sanitize_text(dirty), expect, "{dirty:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_unseen_is_left_and_cleaning_twice_is_cleaning_once(
            dirty in "[\\x00-\\x7f\u{80}-\u{9f}\u{202a}-\u{202e}\u{2028}é]{0,60}"
        ) {
            let clean = sanitize_text(&dirty);
            proptest::prop_assert!(!clean.chars().any(is_invisible), "{:?}", clean);
            proptest::prop_assert_eq!(sanitize_text(&clean), clean);
        }

        #[test]
        fn json_means_the_same_and_shows_nothing_unseen(
            dirty in "\\PC{0,20}[\\x00-\\x1f\u{7f}-\u{9f}\u{202a}-\u{202e}\u{e0041}\"\\\\]{0,20}"
        ) {
            let plain = serde_json::to_string(&dirty).unwrap();
            let clean = escape_json(&plain);
            proptest::prop_assert!(!clean.chars().any(is_invisible), "{:?}", clean);
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&clean).unwrap(), dirty);
        }
    }
}
