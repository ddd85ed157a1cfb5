//! Reads the name of a lookup and what it asks: a command or a URL.

use std::path::PathBuf;

use reqwest::Url;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::ReadContext;
use super::reader::toml_value::TomlValue;
use super::value::is_local;
use super::{secret_detection, value};
use crate::domain::lookup::ADDRESS_PLACEHOLDER;

/// The most words of a command.
const MAX_WORDS: usize = 100;

/// The longest word of a command and the longest URL, in bytes.
const MAX_TEXT: usize = 2_000;

/// The longest name. Expressions contain it, after `lookup.`.
const MAX_NAME: usize = 40;

/// Words of the expression language, which cannot follow a dot.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Where an operator should keep a secret that they wrote into a lookup.
pub(super) const SECRET_ADVICE: &str = "keep secrets out of this file: put it alone into the file that \
    `credential-file` names; it is sent as `Authorization: Bearer`";

pub(super) const COMMAND_EXAMPLE: &str = "[\"/usr/local/bin/members\", \"--json\"]";

pub(super) fn read_name(
    item: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("members", report)?;
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    if !plain || text.len() > MAX_NAME || RESERVED.contains(&text) {
        let problem = format!("{} cannot stand in a rule", report.show(text));
        let help = format!(
            "rules write `lookup.members`: give up to {MAX_NAME} letters, digits and `_`, a letter \
             first, and no word of the language"
        );
        report.error(&item.path, problem, help);
        return None;
    }
    let mut earlier = context.earlier_names.iter();
    if earlier.any(|(name, _)| name == text) {
        let problem = format!("there is another lookup {}", report.show(text));
        report.error(&item.path, problem, "give each lookup a name of its own");
    }
    Some(text.to_owned())
}

pub(super) fn read_command(
    list: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<(PathBuf, Vec<String>)> {
    let items = list.list(COMMAND_EXAMPLE, report);
    let items = list.limit_count(items, MAX_WORDS, report);
    let Some((first, rest)) = items.split_first() else {
        let problem = "this names no program".to_owned();
        report.error(
            &list.path,
            problem,
            format!("for example {COMMAND_EXAMPLE}"),
        );
        return None;
    };
    let program = match first.as_text() {
        Some(text) if !text.contains('/') => {
            let problem = format!(
                "{} is no path, and nothing is searched for",
                report.show(text)
            );
            report.error(&first.path, problem, "write the program's whole path");
            None
        }
        Some(_) | None => value::read_path(first, context.base, "/usr/local/bin/members", report),
    };
    let args = rest.iter().filter_map(|item| read_argument(item, report));
    let args = args.collect();
    Some((program?, args))
}

fn read_argument(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<String> {
    let text = item.text("--json", report)?;
    let (problem, help) = if text.len() > MAX_TEXT || text.contains('\0') {
        ("this cannot be given to a program", "give a shorter text")
    } else if secret_detection::argument_has_secret(text) {
        (
            "this seems to hold a secret, which everybody on this machine could see",
            "let the command read it from a file",
        )
    } else {
        return Some(text.to_owned());
    };
    report.error(&item.path, problem.to_owned(), help);
    None
}

pub(super) fn read_url(
    item: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("https://members.example.com/by-address/{address}", report)?;
    // The parser would encode the braces.
    let filled = text.replace(ADDRESS_PLACEHOLDER, "ann%40example.com");
    let host = filled.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let (problem, help) = match check_web_url(text, &filled, SECRET_ADVICE) {
        _ if host.contains("ann%40") => (
            "leaves it to bookers which server is asked".to_owned(),
            "put {address} behind the server's name",
        ),
        None if filled.contains(['{', '}']) => (
            "has braces with something else between them".to_owned(),
            "{address} is all that is filled in",
        ),
        None if !text.contains(ADDRESS_PLACEHOLDER) => (
            "does not say whom it is about".to_owned(),
            "put {address} where the booker's address belongs",
        ),
        None => return Some(text.to_owned()),
        Some(flaw) => flaw,
    };
    let problem = format!("{} {problem}", report.show(text));
    report.error(&item.path, problem, help);
    None
}

/// Returns what is wrong with a URL that a booker's address is sent to, and what to do. `filled` is the
/// text with examples in place of its placeholders.
pub(super) fn check_web_url(
    text: &str,
    filled: &str,
    secret_advice: &'static str,
) -> Option<(String, &'static str)> {
    Some(match Url::parse(filled) {
        Err(err) => (
            format!("is not a URL ({err})"),
            "give the whole address, for example \"https://members.example.com/{address}\"",
        ),
        Ok(_) if secret_detection::argument_has_secret(text) => {
            ("seems to hold a secret".to_owned(), secret_advice)
        }
        Ok(url) if !matches!(url.scheme(), "https" | "http") => (
            "is not an address of the web".to_owned(),
            "begin with https:// (or with http:// on this machine)",
        ),
        Ok(url) if url.scheme() == "http" && !is_local(url.host_str().unwrap_or_default()) => (
            "would carry the booker's address over the network unencrypted".to_owned(),
            "use https; http is for this machine only",
        ),
        Ok(url) if url.fragment().is_some() => (
            "has a fragment, which no server sees".to_owned(),
            "leave out all from # on",
        ),
        Ok(_) if text.len() > MAX_TEXT => ("is too long".to_owned(), "give a shorter one"),
        Ok(_) => return None,
    })
}
