//! Reads the sections `[[lookup]]`: questions to the operator's own systems, whose answers rules
//! may use.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

use super::diagnostic_collector::DiagnosticCollector;
use super::on_violation;
use super::reader::{TomlTable, TomlValue};
use super::secret_detection;
use super::value;
use super::value::is_local;
use super::value::set;
use crate::domain::criteria::global_policy::LookupRequirement;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::lookup::{ADDRESS_PLACEHOLDER, LookupConfig, LookupSource};

/// The most lookups: for one request, each of them may be asked.
const MAX_LOOKUPS: usize = 20;

/// Bounds of the time for one answer. The pass waits for the answer, and so do all bookers in the
/// pass.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Bounds of the time for which an answer may be used again.
const CACHE: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(7 * 24 * 60 * 60);

/// How many questions may run at the same time.
const AT_ONCE: RangeInclusive<u64> = 1..=64;

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
const SECRET_ADVICE: &str = "keep secrets out of this file: put it alone into the file that \
    `credential-file` names; it is sent as `Authorization: Bearer`";

const COMMAND_EXAMPLE: &str = "[\"/usr/local/bin/members\", \"--json\"]";

/// Reads all lookups, in the order of the file. Returns how they are asked, and the part that the
/// domain sees.
pub(super) fn read(
    list: &TomlValue<'_>,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> (Vec<LookupConfig>, Vec<LookupRequirement>) {
    let mut configs = Vec::new();
    let mut lookups: Vec<LookupRequirement> = Vec::new();
    for table in list.sections("[[lookup]]", MAX_LOOKUPS, report) {
        let mut table = table.with_secret_advice(SECRET_ADVICE);
        let name = table.get_required("name", "\"members\"", report);
        let name = name.and_then(|item| self::read_name(&item, &lookups, report));
        let mut no_answer = OnViolation::Review;
        let (source, timing) = (
            read_source(&mut table, base, report),
            read_timing(&mut table, report),
        );
        on_violation::read_effect_key(&mut table, "no-answer", &mut no_answer, report);
        table.report_unknown_keys(report);
        // Rules may use the name, even if other keys of the lookup are wrong.
        let Some(name) = name else { continue };
        if let Some(source) = source {
            configs.push(LookupConfig {
                name: name.clone(),
                source,
                ..timing
            });
        }
        lookups.push(LookupRequirement {
            name,
            on_no_answer: no_answer,
        });
    }
    (configs, lookups)
}

/// Reads the timing of a lookup. The other fields of the result have no meaning.
fn read_timing(table: &mut TomlTable<'_>, report: &mut DiagnosticCollector<'_>) -> LookupConfig {
    let mut timing = LookupConfig {
        name: String::new(),
        source: LookupSource::Command {
            program: PathBuf::new(),
            args: Vec::new(),
        },
        timeout: Duration::from_secs(5),
        cached_for: Duration::from_secs(600),
        at_once: 4,
    };
    if let Some(item) = table.get("timeout", report) {
        set(
            &mut timing.timeout,
            value::read_duration(&item, TIMEOUT, report),
        );
    }
    if let Some(item) = table.get("cached-for", report) {
        set(
            &mut timing.cached_for,
            value::read_duration(&item, CACHE, report),
        );
    }
    if let Some(item) = table.get("at-once", report) {
        let number = item.number(AT_ONCE, report);
        let number = number.and_then(|number| usize::try_from(number).ok());
        set(&mut timing.at_once, number);
    }
    timing
}

fn read_name(
    item: &TomlValue<'_>,
    earlier_lookups: &[LookupRequirement],
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
    if earlier_lookups.iter().any(|lookup| lookup.name == text) {
        let problem = format!("there is another lookup {}", report.show(text));
        report.error(&item.path, problem, "give each lookup a name of its own");
    }
    Some(text.to_owned())
}

fn read_source(
    table: &mut TomlTable<'_>,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> Option<LookupSource> {
    let command = table.get("command", report);
    let url = table.get("url", report);
    let credential = table.get("credential-file", report);
    let credential_file = credential.as_ref().and_then(|item| {
        let wrong = "this looks like a secret, not like the path of its file";
        value::read_secret_file(item, base, (wrong, SECRET_ADVICE), report)
    });
    match (command, url) {
        (Some(item), None) => {
            if let Some(credential) = credential {
                let problem = "a command is given no credential".to_owned();
                let help = "let the command read it itself, or ask a url";
                report.error(&credential.path, problem, help);
            }
            self::read_command(&item, base, report)
        }
        (None, Some(item)) => Some(LookupSource::Url {
            url: self::read_url(&item, report)?,
            credential_file,
        }),
        (Some(_), Some(item)) => {
            let problem = "this lookup has a command and a url".to_owned();
            report.error(&item.path, problem, "leave out one of the two");
            None
        }
        (None, None) => {
            let problem = "this lookup asks nobody".to_owned();
            let help = format!(
                "add command = {COMMAND_EXAMPLE}, or url = \"https://…/{ADDRESS_PLACEHOLDER}\""
            );
            report.error(table.path(), problem, help);
            None
        }
    }
}

fn read_command(
    list: &TomlValue<'_>,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> Option<LookupSource> {
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
        Some(_) | None => value::read_path(first, base, report),
    };
    let args: Vec<String> = rest
        .iter()
        .filter_map(|item| read_argument(item, report))
        .collect();
    Some(LookupSource::Command {
        program: program?,
        args,
    })
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

fn read_url(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<String> {
    let text = item.text("https://members.example.com/by-address/{address}", report)?;
    // The parser would encode the braces.
    let filled = text.replace(ADDRESS_PLACEHOLDER, "ann%40example.com");
    let host = filled.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let (problem, help) = match Url::parse(&filled) {
        _ if host.contains("ann%40") => (
            "leaves it to bookers which server is asked".to_owned(),
            "put {address} behind the server's name",
        ),
        Err(err) => (
            format!("is not a URL ({err})"),
            "give the whole address, for example \"https://members.example.com/{address}\"",
        ),
        Ok(_) if secret_detection::argument_has_secret(text) => {
            ("seems to hold a secret".to_owned(), SECRET_ADVICE)
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
        Ok(_) if filled.contains(['{', '}']) => (
            "has braces with something else between them".to_owned(),
            "{address} is all that is filled in",
        ),
        Ok(_) if !text.contains(ADDRESS_PLACEHOLDER) => (
            "does not say whom it is about".to_owned(),
            "put {address} where the booker's address belongs",
        ),
        Ok(_) => return Some(text.to_owned()),
    };
    let problem = format!("{} {problem}", report.show(text));
    report.error(&item.path, problem, help);
    None
}
