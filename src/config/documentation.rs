//! Writes the documentation of the keys: `config.toml`, `docs/config.md` and the manual page. Tests
//! keep both files equal to what is written here.

use super::key::{self, KeyDoc, KeyValue, SectionDoc};
use super::schema;

pub mod man_page;

/// The width of a comment in `config.toml`, in characters.
const WIDTH: usize = 100;

/// What `config.toml` says first.
const HEAD: &str = "\
# maitred: the configuration, with every key and its default.
#
# To begin:
#   1. Copy this file to /etc/maitred/config.toml.
#   2. Put your Cal.com API key, alone, into /etc/maitred/calcom-api-key (mode 600).
#   3. Name your event types in a [[gate]], at the end. Until then maitred changes no booking.
#   4. Run `maitred check --live`, then `maitred plan`, which only shows what would happen.
#
# A key that is left out has the value shown here. Durations are in words: \"15s\", \"1h 30m\".
# Relative paths start at the directory of this file. `maitred config show` prints the values that
# are used, and where each comes from.
";

/// What `docs/config.md` says first.
const PAGE_HEAD: &str = "\
# Configuration keys

Every key, with its type and its default. [configuration.md](configuration.md) says where values
come from, and [config.toml](../config.toml) has the same keys as a commented file to begin with.
This page is generated from the keys in `src/config`.

A key without a default shows an example. Durations are in words: `\"15s\"`, `\"5m\"`, `\"1h 30m\"`.
";

/// Returns the text of `config.toml`: every key with its default and a comment. Sections without a
/// default are commented out.
pub fn shipped_config() -> String {
    let mut text = HEAD.to_owned();
    for section in schema::documentation() {
        write_section(&section, &mut text);
    }
    text
}

fn write_section(section: &SectionDoc, text: &mut String) {
    let is_example = section.path.ends_with("[]") || !section.keys.iter().any(has_default);
    let mark = if is_example { "#" } else { "" };
    let header = format!("{mark}{}\n", key::header(section.path));
    let doc = as_comment(section.doc);
    let (first, second) = if is_example {
        (doc, header)
    } else {
        (header, doc)
    };
    text.push('\n');
    text.push_str(&first);
    if !is_example && !second.is_empty() {
        text.push('\n');
    }
    text.push_str(&second);
    for key in &section.keys {
        let comment = as_comment(&doc_with_bounds(key));
        if !comment.is_empty() {
            text.push('\n');
            text.push_str(&comment);
        }
        let (value, mark) = match key.value {
            KeyValue::Alternative(value) => (value, "#   "),
            KeyValue::Default(value) | KeyValue::Example(value) | KeyValue::Required(value) => {
                (value, mark)
            }
        };
        text.push_str(&format!("{mark}{} = {value}\n", key.name));
    }
}

fn has_default(key: &KeyDoc) -> bool {
    matches!(key.value, KeyValue::Default(_))
}

/// Returns the documentation, with the bounds that the description names: `a share from "1%" to …`.
fn doc_with_bounds(key: &KeyDoc) -> String {
    match key.description.split_once(" from ") {
        Some((_, bounds)) => format!("{} Allowed: {bounds}.", key.doc),
        None => key.doc.to_owned(),
    }
}

/// Returns the text as lines of a comment. Paragraphs stay apart, and so do the items of a list.
fn as_comment(doc: &str) -> String {
    let mut text = String::new();
    for line in doc.lines() {
        let (first, rest) = match line.starts_with("- ") {
            true => ("#   ", "#     "),
            false => ("# ", "# "),
        };
        let mut current = first.to_owned();
        for phrase in phrases(line) {
            let is_full = current.chars().count() + phrase.chars().count() > WIDTH;
            if is_full {
                text.push_str(current.trim_end());
                text.push('\n');
                current = rest.to_owned();
            }
            current.push_str(&phrase);
            current.push(' ');
        }
        text.push_str(current.trim_end());
        text.push('\n');
    }
    text
}

/// Splits the line at blanks, but not within quotes or braces: examples stay on one line.
fn phrases(line: &str) -> Vec<String> {
    let mut phrases: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match phrases.last_mut().filter(|phrase| is_open(phrase)) {
            Some(phrase) => {
                phrase.push(' ');
                phrase.push_str(word);
            }
            None => phrases.push(word.to_owned()),
        }
    }
    phrases
}

fn is_open(phrase: &str) -> bool {
    let count = |c: char| phrase.matches(c).count();
    count('{') > count('}') || !count('"').is_multiple_of(2)
}

/// Returns the text of `docs/config.md`.
pub fn reference_page() -> String {
    let mut text = PAGE_HEAD.to_owned();
    for section in schema::documentation() {
        text.push_str(&format!("\n## `{}`\n", key::header(section.path)));
        if !section.doc.is_empty() {
            text.push_str(&format!("\n{}\n", as_paragraphs(section.doc)));
        }
        let path = section.path.replace("[]", "");
        for key in &section.keys {
            let (kind, value) = description_of_value(key.value);
            let description = as_paragraphs(&key.description);
            text.push_str(&format!("\n### `{path}.{}`\n", key.name));
            text.push_str(&format!("\n- Type: {description}\n- {kind}: `{value}`\n"));
            if !key.doc.is_empty() {
                text.push_str(&format!("\n{}\n", as_paragraphs(key.doc)));
            }
        }
    }
    text
}

/// Returns what the value is, and the value.
fn description_of_value(value: KeyValue) -> (&'static str, &'static str) {
    match value {
        KeyValue::Default(value) => ("Default", value),
        KeyValue::Required(value) => ("Required, for example", value),
        KeyValue::Example(value) | KeyValue::Alternative(value) => ("Example", value),
    }
}

/// Returns the text as Markdown: a list needs an empty line before it.
fn as_paragraphs(doc: &str) -> String {
    doc.replacen(":\n- ", ":\n\n- ", 1)
}

#[cfg(test)]
#[path = "documentation/tests.rs"]
mod tests;
