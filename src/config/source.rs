//! The section `[[source]]`: the operator's own systems that decide who is a member.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::{Decisions, Operation};
use super::key::KeyValue::{Alternative, Default, Example, Required};
use super::key::{KeyRow, ReadContext, Section, Setting};
use super::lookup_source::{COMMAND_EXAMPLE, read_command};
use super::reader::toml_value::TomlValue;
use super::source_values::{
    SECRET_ADVICE, check_kind, map_to_json, read_answers, read_attributes, read_body, read_fields,
    read_headers, read_list_url, read_name, read_pointer, read_query, read_url,
};
use super::value;
use super::value_type::{
    DurationRange, FLAG, FieldAt, FilePath, Keywords, NumberRange, Optional, SHARE, SecretFile,
    SpecialType,
};
use crate::domain::member_source::{
    BalanceMeaning, HttpSource, Leavers, MemberSource, MemberSourceKind, RecordFields,
};
use crate::domain::secret_path::SecretPath;

/// The most sources: each of them may be asked about a booker without an account.
const MAX_SOURCES: usize = 10;

/// Bounds of the time for one answer. The pass waits for the answer, and so do all bookers in the
/// pass.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Bounds of the time for which an answer may be used again. A new member is not known for as long.
const CACHE: RangeInclusive<Duration> = Duration::from_secs(0)..=Duration::from_secs(24 * 60 * 60);

/// How many questions may run at the same time.
const AT_ONCE: RangeInclusive<u64> = 1..=64;

/// A source while its keys are read.
#[derive(Clone)]
pub(super) struct SourceDraft {
    name: Option<String>,
    command: Option<(PathBuf, Vec<String>)>,
    http: HttpSource,
    csv: Option<PathBuf>,
    url_file: Option<SecretPath>,
    query: Option<String>,
    query_all: Option<String>,
    fields: RecordFields,
    answers: Vec<String>,
    balance: Option<BalanceMeaning>,
    leavers: Leavers,
    max_change: u8,
    sync: bool,
    timeout: Duration,
    cached_for: Duration,
    at_once: usize,
}

pub(super) const SECTION: Section<SourceDraft> = Section {
    path: "source[]",
    doc: "One of your own systems that decides who is a member: a command, an HTTP endpoint, CSV \
        files, or a database. It is asked about bookers without an account, whose account then opens \
        by itself, and `maitred members sync` takes over what it says about all members; see \
        docs/members.md.",
    keys: &[KEYS, HTTP_KEYS, FILE_KEYS, CONTENT_KEYS, LIMIT_KEYS],
    renamed: &[],
    complete: |table, _, _, report| check_kind(table, report),
};

const KEYS: &[KeyRow<SourceDraft>] = &[
    KeyRow {
        name: "name",
        value: Required("\"club\""),
        affects: Decisions,
        doc: "The name: letters, digits, `-` and `_`. Accounts that the source manages carry it in \
            their attribute `source`; another name is another source.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.name,
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
        doc: "A program and its arguments. It reads JSON from standard input and prints a member as \
            JSON, or null. Or, instead of a command, a url or url-all, a csv, or a url-file.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.command,
            Optional(SpecialType {
                description: "a list of a path and arguments",
                read: read_command,
                to_json: command_to_json,
            }),
        ),
    },
];

const HTTP_KEYS: &[KeyRow<SourceDraft>] = &[
    KeyRow {
        name: "url",
        value: Alternative("\"https://members.example.com/by-address/{address}\""),
        affects: Decisions,
        doc: "The URL of the request about one booker, with {address}, and {answer.SLUG} for \
            each slug in `answers`. It must begin with https://, except on this machine. Status 404 means that \
            there is no such member.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.http.url,
            Optional(text_type("a URL", |item, _, report| read_url(item, report))),
        ),
    },
    KeyRow {
        name: "body",
        value: Alternative("'{\"email\": \"{address}\"}'"),
        affects: Decisions,
        doc: "The JSON body of the request about one booker, which is then a POST, with the same \
            placeholders within quotes. Without it, the request is a GET.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.http.body,
            Optional(text_type("JSON", |item, _, report| read_body(item, report))),
        ),
    },
    KeyRow {
        name: "member-at",
        value: Alternative("\"/data/member\""),
        affects: Decisions,
        doc: "Where the member is in an answer, as a JSON pointer. Without it, the whole answer is \
            the member.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.http.member_at,
            Optional(text_type("a JSON pointer", |item, _, report| {
                read_pointer(item, report)
            })),
        ),
    },
    KeyRow {
        name: "url-all",
        value: Alternative("\"https://members.example.com/all\""),
        affects: Operation,
        doc: "The URL of the request for all members, for a sync.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.http.url_all,
            Optional(text_type("a URL", |item, _, report| {
                read_list_url(item, report)
            })),
        ),
    },
    KeyRow {
        name: "body-all",
        value: Alternative("'{\"active\": true}'"),
        affects: Operation,
        doc: "The JSON body of the request for all members, which is then a POST.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.http.body_all,
            Optional(text_type("JSON", |item, _, report| read_body(item, report))),
        ),
    },
    KeyRow {
        name: "members-at",
        value: Alternative("\"/data/members\""),
        affects: Operation,
        doc: "Where the list of members is in the answer for all members, as a JSON pointer. Without \
            it, the whole answer is the list.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.http.members_at,
            Optional(text_type("a JSON pointer", |item, _, report| {
                read_pointer(item, report)
            })),
        ),
    },
    KeyRow {
        name: "headers",
        value: Alternative("{ X-Club = \"north\" }"),
        affects: Operation,
        doc: "Further headers of the requests. A secret belongs into credential-file.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.http.headers,
            SpecialType {
                description: "a table of texts by name",
                read: |item, _, report| read_headers(item, report),
                to_json: |headers: &Vec<(String, String)>| {
                    map_to_json(headers.iter().map(|(name, value)| (name, value)))
                },
            },
        ),
    },
    KeyRow {
        name: "credential-file",
        value: Alternative("\"/etc/maitred/club-token\""),
        affects: Operation,
        doc: "With a url or url-all: the file that holds the token for `Authorization: Bearer`, and \
            nothing else (mode 600).",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.http.credential_file,
            secret_file("/etc/maitred/club-token"),
        ),
    },
];

const FILE_KEYS: &[KeyRow<SourceDraft>] = &[
    KeyRow {
        name: "csv",
        value: Alternative("\"/var/lib/club/members.csv\""),
        affects: Decisions,
        doc: "A CSV file, or a folder whose files with names in .csv are all read. The first line \
            names the columns.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.csv,
            Optional(FilePath("/var/lib/club/members.csv")),
        ),
    },
    KeyRow {
        name: "url-file",
        value: Alternative("\"/etc/maitred/club-database\""),
        affects: Decisions,
        doc: "The file that holds the URL of a database (postgres://, mysql:// or sqlite://) and \
            nothing else (mode 600). maitred must be built with the feature `sql`.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.url_file,
            secret_file("/etc/maitred/club-database"),
        ),
    },
    KeyRow {
        name: "query",
        value: Alternative(
            "\"SELECT email AS address, plan AS tier FROM members WHERE lower(email) = $1\"",
        ),
        affects: Decisions,
        doc: "With a url-file: the query for one booker, which gives one row or none. Its first \
            parameter is the booker's address in lower case, and the further ones are the `answers`, \
            as texts: $1, $2 for PostgreSQL, ?1, ?2 for SQLite, ? for MySQL.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.query,
            Optional(text_type("a query", |item, _, report| {
                read_query(item, report)
            })),
        ),
    },
    KeyRow {
        name: "query-all",
        value: Alternative("\"SELECT email AS address, plan AS tier FROM members\""),
        affects: Operation,
        doc: "With a url-file: the query for all members, for a sync.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.query_all,
            Optional(text_type("a query", |item, _, report| {
                read_query(item, report)
            })),
        ),
    },
];

const CONTENT_KEYS: &[KeyRow<SourceDraft>] = &[
    KeyRow {
        name: "fields",
        value: Example("{ address = \"email\", tier = \"/membership/plan\" }"),
        affects: Decisions,
        doc: "Where address, tier, tags, aliases, frozen and balance are in a record: the name of a \
            field or a column, or a JSON pointer. A field that is not named here is read under its \
            own name. What a record does not have stays as it is.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.fields,
            SpecialType {
                description: "a table of texts by name",
                read: |item, _, report| read_fields(item, report),
                to_json: |fields: &RecordFields| {
                    let fields = [
                        ("address", &fields.address),
                        ("tier", &fields.tier),
                        ("tags", &fields.tags),
                        ("aliases", &fields.aliases),
                        ("frozen", &fields.frozen),
                        ("balance", &fields.balance),
                    ];
                    map_to_json(fields.into_iter())
                },
            },
        ),
    },
    KeyRow {
        name: "attributes",
        value: Example("{ level = \"Playing level\" }"),
        affects: Decisions,
        doc: "Which attributes are taken over, and where each is in a record, as in fields. Nothing \
            else of a record gets into the ledger.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.fields.attributes,
            SpecialType {
                description: "a table of texts by name",
                read: |item, _, report| read_attributes(item, report),
                to_json: |attributes: &BTreeMap<String, String>| map_to_json(attributes.iter()),
            },
        ),
    },
    KeyRow {
        name: "answers",
        value: Example("[\"member-number\"]"),
        affects: Decisions,
        doc: "Booking questions whose answers are sent with the booker's address, by their \
            identifiers at Cal.com.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.answers,
            SpecialType {
                description: "a list of identifiers",
                read: |item, _, report| read_answers(item, report),
                to_json: |answers: &Vec<String>| {
                    answers
                        .iter()
                        .map(|slug| Value::from(slug.as_str()))
                        .collect()
                },
            },
        ),
    },
    KeyRow {
        name: "balance",
        value: Example("\"given\""),
        affects: Decisions,
        doc: "What the number `balance` of a record means; without this key it is not read. \
            \"given\": all credits that the member was ever given; bookings do not change it. \
            \"left\": the credits that the member has left, from a system that hears of every \
            booking. The difference to the ledger becomes a grant or a revocation.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.balance,
            Optional(Keywords(&[
                ("given", BalanceMeaning::Given),
                ("left", BalanceMeaning::Left),
            ])),
        ),
    },
    KeyRow {
        name: "leavers",
        value: Default("\"freeze\""),
        affects: Decisions,
        doc: "What a sync does with an account that the source manages and no longer lists: \
            \"freeze\" and \"close\" last until the member is listed again, \"ignore\" does nothing. A \
            freeze by an operator stays as it is.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.leavers,
            Keywords(&[
                ("freeze", Leavers::Freeze),
                ("close", Leavers::Close),
                ("ignore", Leavers::Ignore),
            ]),
        ),
    },
];

const LIMIT_KEYS: &[KeyRow<SourceDraft>] = &[
    KeyRow {
        name: "max-change",
        value: Default("\"20%\""),
        affects: Operation,
        doc: "The largest share of the accounts that one sync may change; new accounts do not count, \
            and two changes are always possible. A sync that would change more changes nothing, \
            because an export may be broken or empty.",
        field: &FieldAt(|source: &mut SourceDraft| &mut source.max_change, SHARE),
    },
    KeyRow {
        name: "sync",
        value: Default("true"),
        affects: Operation,
        doc: "Whether schedule.sync includes this source, if it can list all members.",
        field: &FieldAt(|source: &mut SourceDraft| &mut source.sync, FLAG),
    },
    KeyRow {
        name: "timeout",
        value: Default("\"5s\""),
        affects: Operation,
        doc: "How long an answer about one booker may take. A list may take five minutes.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.timeout,
            DurationRange(TIMEOUT),
        ),
    },
    KeyRow {
        name: "cached-for",
        value: Default("\"1m\""),
        affects: Operation,
        doc: "How long an answer about one booker is reused, also that there is no such member; \
            \"0s\": never.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.cached_for,
            DurationRange(CACHE),
        ),
    },
    KeyRow {
        name: "at-once",
        value: Default("4"),
        affects: Operation,
        doc: "How many questions may run at the same time.",
        field: &FieldAt(
            |source: &mut SourceDraft| &mut source.at_once,
            NumberRange(AT_ONCE),
        ),
    },
];

/// Returns the type of a text with a form of its own.
const fn text_type(
    description: &'static str,
    read: fn(&TomlValue<'_>, &ReadContext<'_>, &mut DiagnosticCollector<'_>) -> Option<String>,
) -> SpecialType<String> {
    SpecialType {
        description,
        read,
        to_json: |text: &String| text.as_str().into(),
    }
}

/// Returns the type of a path of a file that holds a secret.
const fn secret_file(example: &'static str) -> Optional<SecretFile> {
    Optional(SecretFile {
        example,
        problem: "this looks like a secret, not like the path of its file",
        help: SECRET_ADVICE,
    })
}

fn command_to_json((program, args): &(PathBuf, Vec<String>)) -> Value {
    let words = [value::path_to_json(program)].into_iter();
    words
        .chain(args.iter().map(|arg| arg.as_str().into()))
        .collect()
}

/// Reads all sources, in the order of the file: the first that knows a booker decides.
pub(super) fn read_list(
    list: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<MemberSource> {
    let mut sources = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for table in list.sections(&SECTION.header(), MAX_SOURCES, report) {
        let mut table = table.with_secret_advice(SECRET_ADVICE);
        let context = ReadContext {
            earlier_names: &names,
            ..*context
        };
        let mut draft = SourceDraft::blank();
        SECTION.set_defaults(&mut draft, &context);
        SECTION.match_names(&mut table, &[], report);
        SECTION.read(&mut table, &mut draft, &context, report);
        if let Some(name) = draft.name.clone() {
            names.push((name, table.path().to_owned()));
        }
        sources.extend(draft.into_source());
        table.report_unknown_keys(report);
    }
    sources
}

/// Returns the keys of all sources.
pub(super) fn settings(sources: &[MemberSource]) -> Vec<Setting> {
    let settings_of = |(number, source): (usize, &MemberSource)| {
        let mut draft = SourceDraft::of(source);
        SECTION.settings(&format!("source[{number}]"), &mut draft)
    };
    sources.iter().enumerate().flat_map(settings_of).collect()
}

impl SourceDraft {
    /// Returns a source without any key.
    fn blank() -> Self {
        Self {
            name: None,
            command: None,
            http: HttpSource::default(),
            csv: None,
            url_file: None,
            query: None,
            query_all: None,
            fields: RecordFields::default(),
            answers: Vec::new(),
            balance: None,
            leavers: Leavers::Ignore,
            max_change: 0,
            sync: false,
            timeout: Duration::ZERO,
            cached_for: Duration::ZERO,
            at_once: 0,
        }
    }

    /// Returns the keys of a source.
    fn of(source: &MemberSource) -> Self {
        let mut draft = Self {
            name: Some(source.name.clone()),
            fields: source.fields.clone(),
            answers: source.answers.clone(),
            balance: source.balance,
            leavers: source.leavers,
            max_change: source.max_change,
            sync: source.sync,
            timeout: source.timeout,
            cached_for: source.cached_for,
            at_once: source.at_once,
            ..Self::blank()
        };
        match source.kind.clone() {
            MemberSourceKind::Command { program, args } => draft.command = Some((program, args)),
            MemberSourceKind::Http(http) => draft.http = http,
            MemberSourceKind::Csv { path } => draft.csv = Some(path),
            MemberSourceKind::Sql {
                url_file,
                query,
                query_all,
            } => {
                draft.url_file = Some(url_file);
                draft.query = query;
                draft.query_all = query_all;
            }
        }
        draft
    }

    /// Returns the source, if its name and its kind could be read.
    fn into_source(self) -> Option<MemberSource> {
        let has_url = self.http.url.is_some() || self.http.url_all.is_some();
        let kind = match (self.command, self.csv, self.url_file) {
            (Some((program, args)), _, _) => MemberSourceKind::Command { program, args },
            (None, Some(path), _) => MemberSourceKind::Csv { path },
            (None, None, Some(url_file)) => MemberSourceKind::Sql {
                url_file,
                query: self.query,
                query_all: self.query_all,
            },
            (None, None, None) if has_url => MemberSourceKind::Http(self.http),
            (None, None, None) => return None,
        };
        Some(MemberSource {
            name: self.name?,
            kind,
            fields: self.fields,
            answers: self.answers,
            balance: self.balance,
            leavers: self.leavers,
            max_change: self.max_change,
            sync: self.sync,
            timeout: self.timeout,
            cached_for: self.cached_for,
            at_once: self.at_once,
        })
    }
}
