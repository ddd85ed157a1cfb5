//! The section `[[lookup]]`: questions to the operator's own systems, whose answers rules may use.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::{Decisions, Operation};
use super::key::KeyValue::{Alternative, Default, Example, Required};
use super::key::{KeyRow, ReadContext, Section, Setting};
use super::lookup_source::{COMMAND_EXAMPLE, SECRET_ADVICE, read_command, read_name, read_url};
use super::on_violation::EFFECT;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value;
use super::value_type::{DurationRange, FieldAt, NumberRange, Optional, SecretFile, SpecialType};
use crate::domain::criteria::global_policy::{GlobalPolicy, LookupRequirement};
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::lookup::{ADDRESS_PLACEHOLDER, LookupConfig, LookupSource};
use crate::domain::secret_path::SecretPath;

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

/// A lookup while its keys are read.
#[derive(Clone)]
pub(super) struct LookupDraft {
    name: Option<String>,
    command: Option<(PathBuf, Vec<String>)>,
    url: Option<String>,
    credential_file: Option<SecretPath>,
    timeout: Duration,
    cached_for: Duration,
    at_once: usize,
    no_answer: OnViolation,
}

pub(super) const SECTION: Section<LookupDraft> = Section {
    path: "lookup[]",
    doc: "A question to one of your own systems about the booker. Rules use the answer as \
        `lookup.members`. maitred asks only if a rule names the lookup, and sends only what the \
        question needs; see docs/rules.md.",
    keys: &[KEYS],
    renamed: &[],
    complete: |table, _, _, report| check_source(table, report),
};

const KEYS: &[KeyRow<LookupDraft>] = &[
    KeyRow {
        name: "name",
        value: Required("\"members\""),
        affects: Decisions,
        doc: "The name in rules: letters, digits and `_`.",
        field: &FieldAt(
            |lookup: &mut LookupDraft| &mut lookup.name,
            Optional(SpecialType {
                description: "a name",
                read: read_name,
                to_json: |name: &String| name.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "command",
        value: Example(COMMAND_EXAMPLE),
        affects: Decisions,
        doc: "A program and its arguments. It reads JSON from standard input and prints JSON. Or, \
            instead of a command, a url.",
        field: &FieldAt(
            |lookup: &mut LookupDraft| &mut lookup.command,
            Optional(SpecialType {
                description: "a list of a path and arguments",
                read: read_command,
                to_json: command_to_json,
            }),
        ),
    },
    KeyRow {
        name: "url",
        value: Alternative("\"https://members.example.com/by-address/{address}\""),
        affects: Decisions,
        doc: "The URL of a GET request, with {address} where the booker's address belongs. It must \
            begin with https://, except on this machine.",
        field: &FieldAt(
            |lookup: &mut LookupDraft| &mut lookup.url,
            Optional(SpecialType {
                description: "a URL",
                read: read_url,
                to_json: |url: &String| url.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "credential-file",
        value: Alternative("\"/etc/maitred/members-token\""),
        affects: Operation,
        doc: "With a url: the file that holds the token for `Authorization: Bearer`, and nothing \
            else (mode 600).",
        field: &FieldAt(
            |lookup: &mut LookupDraft| &mut lookup.credential_file,
            Optional(SecretFile {
                example: "/etc/maitred/members-token",
                problem: "this looks like a secret, not like the path of its file",
                help: SECRET_ADVICE,
            }),
        ),
    },
    KeyRow {
        name: "timeout",
        value: Default("\"5s\""),
        affects: Operation,
        doc: "How long one answer may take.",
        field: &FieldAt(
            |lookup: &mut LookupDraft| &mut lookup.timeout,
            DurationRange(TIMEOUT),
        ),
    },
    KeyRow {
        name: "cached-for",
        value: Default("\"10m\""),
        affects: Operation,
        doc: "How long an answer is reused; \"0s\": never.",
        field: &FieldAt(
            |lookup: &mut LookupDraft| &mut lookup.cached_for,
            DurationRange(CACHE),
        ),
    },
    KeyRow {
        name: "at-once",
        value: Default("4"),
        affects: Operation,
        doc: "How many questions may run at the same time.",
        field: &FieldAt(
            |lookup: &mut LookupDraft| &mut lookup.at_once,
            NumberRange(AT_ONCE),
        ),
    },
    KeyRow {
        name: "no-answer",
        value: Default("\"review\""),
        affects: Decisions,
        doc: "What happens to a request when a rule needs the answer and there is none; as a \
            rule's effect.",
        field: &FieldAt(|lookup: &mut LookupDraft| &mut lookup.no_answer, EFFECT),
    },
];

/// A lookup without any key.
const BLANK: LookupDraft = LookupDraft {
    name: None,
    command: None,
    url: None,
    credential_file: None,
    timeout: Duration::ZERO,
    cached_for: Duration::ZERO,
    at_once: 0,
    no_answer: OnViolation::Review,
};

/// Reads all lookups, in the order of the file. Returns how they are asked, and the part that the
/// domain sees.
pub(super) fn read_list(
    list: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> (Vec<LookupConfig>, Vec<LookupRequirement>) {
    let mut configs = Vec::new();
    let mut lookups: Vec<LookupRequirement> = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for table in list.sections(&SECTION.header(), MAX_LOOKUPS, report) {
        let mut table = table.with_secret_advice(SECRET_ADVICE);
        let context = ReadContext {
            earlier_names: &names,
            ..*context
        };
        let mut draft = BLANK;
        SECTION.set_defaults(&mut draft, &context);
        SECTION.match_names(&mut table, &[], report);
        SECTION.read(&mut table, &mut draft, &context, report);
        // Rules may use the name, even if other keys of the lookup are wrong.
        if let Some(name) = draft.name.clone() {
            names.push((name.clone(), table.path().to_owned()));
            lookups.push(LookupRequirement {
                name,
                on_no_answer: draft.no_answer,
            });
        }
        configs.extend(draft.to_config());
        table.report_unknown_keys(report);
    }
    (configs, lookups)
}

/// Returns the keys of all lookups.
pub(super) fn settings(lookups: &[LookupConfig], known: &GlobalPolicy) -> Vec<Setting> {
    let settings_of = |(number, lookup): (usize, &LookupConfig)| {
        let mut draft = LookupDraft {
            name: Some(lookup.name.clone()),
            timeout: lookup.timeout,
            cached_for: lookup.cached_for,
            at_once: lookup.at_once,
            no_answer: known.on_no_answer(&lookup.name),
            ..BLANK
        };
        match lookup.source.clone() {
            LookupSource::Command { program, args } => draft.command = Some((program, args)),
            LookupSource::Url {
                url,
                credential_file,
            } => {
                draft.url = Some(url);
                draft.credential_file = credential_file;
            }
        }
        SECTION.settings(&format!("lookup[{number}]"), &mut draft)
    };
    lookups.iter().enumerate().flat_map(settings_of).collect()
}

impl LookupDraft {
    /// Returns the lookup, if its name and its source could be read.
    fn to_config(&self) -> Option<LookupConfig> {
        let source = match (self.command.clone(), self.url.clone()) {
            (Some((program, args)), _) => LookupSource::Command { program, args },
            (None, Some(url)) => LookupSource::Url {
                url,
                credential_file: self.credential_file.clone(),
            },
            (None, None) => return None,
        };
        Some(LookupConfig {
            name: self.name.clone()?,
            source,
            timeout: self.timeout,
            cached_for: self.cached_for,
            at_once: self.at_once,
        })
    }
}

/// Checks that exactly one system is asked.
fn check_source(table: &TomlTable<'_>, report: &mut DiagnosticCollector<'_>) {
    let (command, url) = (table.peek("command"), table.peek("url"));
    match (command, url, table.peek("credential-file")) {
        (Some(_), Some(item), _) => {
            let problem = "this lookup has a command and a url".to_owned();
            report.error(&item.path, problem, "leave out one of the two");
        }
        (Some(_), None, Some(item)) => {
            let problem = "a command is given no credential".to_owned();
            let help = "let the command read it itself, or ask a url";
            report.error(&item.path, problem, help);
        }
        (None, None, _) => {
            let problem = "this lookup has no source".to_owned();
            let help = format!(
                "add command = {COMMAND_EXAMPLE}, or url = \"https://…/{ADDRESS_PLACEHOLDER}\""
            );
            report.error(table.path(), problem, help);
        }
        (Some(_), None, None) | (None, Some(_), _) => {}
    }
}

fn command_to_json((program, args): &(PathBuf, Vec<String>)) -> Value {
    let words = [value::path_to_json(program)].into_iter();
    words
        .chain(args.iter().map(|arg| arg.as_str().into()))
        .collect()
}
