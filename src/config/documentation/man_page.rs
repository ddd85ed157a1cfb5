//! Writes the manual page `maitred-config(5)` from the rows of the keys.

use roff::{Inline, Roff, bold, roman};

use super::{description_of_value, schema};
use crate::config::key::{self, KeyDoc, SectionDoc};

/// The name of the page.
pub const NAME: &str = "maitred-config";

/// The section of the manual for file formats.
pub const MANUAL_SECTION: &str = "5";

/// An empty argument of a macro. Without the quotes, the next argument would take its place.
const EMPTY: &str = "\"\"";

const DESCRIPTION: [&str; 4] = [
    "The configuration is a file in TOML. maitred reads the file that `--config` or `MAITRED_CONFIG` \
     names, or else `/etc/maitred/config.toml`. `maitred init` writes a file with every key, its \
     default and a comment.",
    "A key that is left out has its default. For a key without a default, this page shows an example. \
     An unknown key is refused. `maitred check` prints all findings with their lines, and \
     `maitred config show` prints every key with the value that is used, and where the value comes \
     from.",
    "Durations are words: `\"15s\"`, `\"5m\"`, `\"1h 30m\"`. Relative paths start at the directory of \
     the file. Sections in double brackets can stand several times.",
    "Secrets never stand in the configuration: keys such as `calcom.api-key-file` name files.",
];

/// Returns the page.
pub fn man_page() -> Roff {
    let mut page = Roff::new();
    let source = concat!("maitred ", env!("CARGO_PKG_VERSION"));
    page.control("TH", [NAME, MANUAL_SECTION, EMPTY, source, "File Formats"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{NAME} - the configuration of maitred"))]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("/etc/maitred/config.toml")]);
    page.control("SH", ["DESCRIPTION"]);
    write_paragraphs(&mut page, &DESCRIPTION.join("\n"), "PP");
    for section in schema::documentation() {
        write_section(&mut page, &section);
    }
    page.control("SH", ["SEE ALSO"]);
    let pages = [
        "maitred(1)",
        "maitred-init(1)",
        "maitred-check(1)",
        "maitred-config-show(1)",
        "maitred-reload(1)",
    ];
    page.text([roman(pages.join(", "))]);
    page
}

fn write_section(page: &mut Roff, section: &SectionDoc) {
    page.control("SH", [key::header(section.path).as_str()]);
    write_paragraphs(page, section.doc, "PP");
    for key in &section.keys {
        write_key(page, key);
    }
}

fn write_key(page: &mut Roff, key: &KeyDoc) {
    let (kind, value) = description_of_value(key.value);
    page.control("TP", []);
    page.text([bold(key.name)]);
    let mut text = key.doc.to_owned();
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("Type: {}\n{kind}: `{value}`", key.description));
    write_paragraphs(page, &text, "IP");
}

/// Writes each line of the text as a paragraph. Lines that begin with a hyphen are the items of a
/// list. The first line continues what stands before it; `next` is the macro that begins every other
/// paragraph.
pub fn write_paragraphs(page: &mut Roff, text: &str, next: &str) {
    let mut is_list = false;
    for (at, line) in text.lines().enumerate() {
        let item = line.strip_prefix("- ");
        if item.is_some() && !is_list {
            page.control("RS", []);
        } else if item.is_none() && is_list {
            page.control("RE", []);
        }
        is_list = item.is_some();
        match item {
            Some(item) => {
                page.control("IP", ["\\(bu", "2"]);
                page.text(inline(item));
            }
            None => {
                if at > 0 {
                    page.control(next, []);
                }
                page.text(inline(line));
            }
        }
    }
    if is_list {
        page.control("RE", []);
    }
}

/// Returns the text with what stands between backticks in bold.
pub fn inline(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    let parts = parts.filter(|(_, part)| !part.is_empty());
    let style = |(at, part): (usize, &str)| match at % 2 {
        0 => roman(part),
        _ => bold(part),
    };
    parts.map(style).collect()
}

#[cfg(test)]
#[path = "man_page/tests.rs"]
mod tests;
