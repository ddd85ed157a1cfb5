//! The section `[[notify]]`: systems that receive notifications, and of which kinds.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Operation;
use super::key::KeyValue::{Alternative, Default, Example, Required};
use super::key::{KeyRow, ReadContext, Section, Setting};
use super::lookup_source::read_command;
use super::notify_target::{
    COMMAND_EXAMPLE, SECRET_ADVICE, TransportDraft, check_transport, read_kinds, read_mail_address,
    read_mail_addresses, read_mail_server, read_mail_user, read_name, read_post_url,
};
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value;
use super::value_type::{
    DurationRange, FLAG, FieldAt, FilePath, NumberRange, Optional, SecretFile, SpecialType,
};
use crate::domain::decision::Credits;
use crate::domain::notification::kind::NotificationKind;
use crate::domain::notification::target::{NotificationTerms, NotifyTarget};
use crate::domain::time::Span;

/// The most targets: each has a task of its own.
const MAX_TARGETS: usize = 20;

const DAY: u64 = 24 * 60 * 60;

/// Bounds of the time for one delivery.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Bounds of the time for which a notification is sent again.
const GIVE_UP_AFTER: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30 * DAY);

/// Bounds of the time after which a state is worth a notification.
const WAITING: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * DAY);

/// Bounds of the time before the expiry of credits.
const BEFORE_EXPIRY: RangeInclusive<Duration> =
    Duration::from_secs(60 * 60)..=Duration::from_secs(365 * DAY);

/// Bounds of a low balance.
const LOW_BALANCE: RangeInclusive<u64> = 1..=1_000_000;

/// A target while its keys are read.
#[derive(Clone)]
pub(super) struct NotifyDraft {
    name: Option<String>,
    pub(super) kinds: Option<BTreeSet<NotificationKind>>,
    pub(super) transport: TransportDraft,
    timeout: Duration,
    give_up_after: Span,
    include_people: bool,
    review_waiting: Span,
    failing_after: Span,
    low_balance: Credits,
    credits_expiring: Span,
}

pub(super) const SECTION: Section<NotifyDraft> = Section {
    path: "notify[]",
    doc: "A system that receives notifications: a command, an HTTP endpoint, a file, or mailboxes; see \
        docs/notifications.md.",
    keys: &[KEYS, TRANSPORT_KEYS, TERM_KEYS],
    renamed: &[],
    complete: |table, draft, _, report| check_transport(table, draft.kinds.as_ref(), report),
};

const KEYS: &[KeyRow<NotifyDraft>] = &[
    KeyRow {
        name: "name",
        value: Required("\"operators\""),
        affects: Operation,
        doc: "The name of the target: letters, digits, `-` and `_`. maitred remembers under this \
            name what the target has received; a new name begins with what happens from now on.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.name,
            Optional(SpecialType {
                description: "a name",
                read: read_name,
                to_json: |name: &String| name.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "kinds",
        value: Required("[\"review-needed\", \"passes-failing\", \"key-refused\"]"),
        affects: Operation,
        doc: "What the target receives. For operators: review-needed, review-waiting, \
            unmanaged-booking, revived-booking, unresolved-booking, passes-failing, key-refused, \
            store-trouble, clock-wrong. For members: low-balance, credits-expiring, decision. Facts \
            for your own systems, in a target of their own: confirmed, declined, charged, moved, \
            refunded, granted, expired.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.kinds,
            Optional(SpecialType {
                description: "a list of kinds",
                read: |item, _, report| read_kinds(item, report),
                to_json: |kinds: &BTreeSet<NotificationKind>| {
                    kinds
                        .iter()
                        .map(|kind| Value::from(kind.as_str()))
                        .collect()
                },
            }),
        ),
    },
];

const TRANSPORT_KEYS: &[KeyRow<NotifyDraft>] = &[
    KeyRow {
        name: "command",
        value: Example(COMMAND_EXAMPLE),
        affects: Operation,
        doc: "A program and its arguments. It reads the notification as JSON from standard input, \
            and ends with 0 if it accepts the notification. Or, instead of a command, a url, a \
            url-file, a file or a mail-server.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.command,
            Optional(SpecialType {
                description: "a list of a path and arguments",
                read: read_command,
                to_json: command_to_json,
            }),
        ),
    },
    KeyRow {
        name: "url",
        value: Alternative("\"https://hooks.example.com/maitred\""),
        affects: Operation,
        doc: "The URL of a POST request with the notification as JSON. It must begin with https://, \
            except on this machine.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.url,
            Optional(SpecialType {
                description: "a URL",
                read: |item, _, report| read_post_url(item, report),
                to_json: |url: &String| url.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "url-file",
        value: Alternative("\"/etc/maitred/hook-url\""),
        affects: Operation,
        doc: "Instead of url, the file that holds the URL and nothing else (mode 600), if the URL \
            is a secret.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.url_file,
            secret_file("/etc/maitred/hook-url"),
        ),
    },
    KeyRow {
        name: "key-file",
        value: Alternative("\"/etc/maitred/hook-key\""),
        affects: Operation,
        doc: "With a url: the file that holds the key of the signature and nothing else (mode 600). \
            It can be left out with a url-file.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.key_file,
            secret_file("/etc/maitred/hook-key"),
        ),
    },
    KeyRow {
        name: "file",
        value: Alternative("\"/var/lib/maitred/facts.jsonl\""),
        affects: Operation,
        doc: "The file to which each notification is appended as one line of JSON. The line is on \
            the disk before the next one is written. The file may be renamed at any time; the next \
            line begins a new one.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.file,
            Optional(FilePath("/var/lib/maitred/facts.jsonl")),
        ),
    },
    KeyRow {
        name: "mail-server",
        value: Alternative("\"smtps://mail.example.com\""),
        affects: Operation,
        doc: "The server that sends mails: smtps:// encrypts from the beginning, smtp:// by \
            STARTTLS, which is required except on this machine.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.mail_server,
            Optional(SpecialType {
                description: "an address of a mail server",
                read: |item, _, report| read_mail_server(item, report),
                to_json: |server: &String| server.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "mail-user",
        value: Alternative("\"maitred\""),
        affects: Operation,
        doc: "The user at the mail server, if the server asks for one.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.mail_user,
            Optional(SpecialType {
                description: "a name",
                read: |item, _, report| read_mail_user(item, report),
                to_json: |user: &String| user.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "password-file",
        value: Alternative("\"/etc/maitred/mail-password\""),
        affects: Operation,
        doc: "The file that holds the password of mail-user and nothing else (mode 600).",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.password_file,
            secret_file("/etc/maitred/mail-password"),
        ),
    },
    KeyRow {
        name: "mail-from",
        value: Alternative("\"maitred@example.com\""),
        affects: Operation,
        doc: "The address of the sender.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.mail_from,
            Optional(SpecialType {
                description: "a mail address",
                read: |item, _, report| read_mail_address(item, report),
                to_json: |from: &String| from.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "mail-to",
        value: Alternative("[\"operator@example.com\"]"),
        affects: Operation,
        doc: "Who receives the kinds for operators. The kinds for members go to the member's own \
            address, which is the name of the account or its first alias.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.transport.mail_to,
            SpecialType {
                description: "a list of mail addresses",
                read: |item, _, report| read_mail_addresses(item, report),
                to_json: |to: &Vec<String>| to.iter().map(|to| Value::from(to.as_str())).collect(),
            },
        ),
    },
];

const TERM_KEYS: &[KeyRow<NotifyDraft>] = &[
    KeyRow {
        name: "timeout",
        value: Default("\"10s\""),
        affects: Operation,
        doc: "How long one delivery may take.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.timeout,
            DurationRange(TIMEOUT),
        ),
    },
    KeyRow {
        name: "give-up-after",
        value: Default("\"1day\""),
        affects: Operation,
        doc: "How long a notification that cannot be delivered is sent again. After that it is \
            dropped, which `maitred status` shows. Facts for your own systems are never dropped.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.give_up_after,
            DurationRange(GIVE_UP_AFTER),
        ),
    },
    KeyRow {
        name: "include-people",
        value: Default("false"),
        affects: Operation,
        doc: "Whether the kinds for operators name bookers, accounts and titles. The kinds for \
            members always name the member.",
        field: &FieldAt(|draft: &mut NotifyDraft| &mut draft.include_people, FLAG),
    },
    KeyRow {
        name: "review-waiting",
        value: Default("\"4h\""),
        affects: Operation,
        doc: "How long a request waits for an operator before the kind review-waiting.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.review_waiting,
            DurationRange(WAITING),
        ),
    },
    KeyRow {
        name: "failing-after",
        value: Default("\"15m\""),
        affects: Operation,
        doc: "How long passes fail before the kind passes-failing.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.failing_after,
            DurationRange(WAITING),
        ),
    },
    KeyRow {
        name: "low-balance",
        value: Default("1"),
        affects: Operation,
        doc: "The kind low-balance tells of balances below this number of credits.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.low_balance,
            NumberRange(LOW_BALANCE),
        ),
    },
    KeyRow {
        name: "credits-expiring",
        value: Default("\"7days\""),
        affects: Operation,
        doc: "How long before their expiry the kind credits-expiring tells of credits.",
        field: &FieldAt(
            |draft: &mut NotifyDraft| &mut draft.credits_expiring,
            DurationRange(BEFORE_EXPIRY),
        ),
    },
];

/// Returns the type of a path of a file that holds a secret.
const fn secret_file(example: &'static str) -> Optional<SecretFile> {
    Optional(SecretFile {
        example,
        problem: "this looks like a secret, not like the path of its file",
        help: SECRET_ADVICE,
    })
}

/// A target without any key.
const BLANK: NotifyDraft = NotifyDraft {
    name: None,
    kinds: None,
    transport: TransportDraft::BLANK,
    timeout: Duration::ZERO,
    give_up_after: Span::zero(),
    include_people: false,
    review_waiting: Span::zero(),
    failing_after: Span::zero(),
    low_balance: 0,
    credits_expiring: Span::zero(),
};

/// Reads all targets, in the order of the file.
pub(super) fn read_list(
    list: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<NotifyTarget> {
    let mut targets = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for table in list.sections(&SECTION.header(), MAX_TARGETS, report) {
        let mut table: TomlTable<'_> = table.with_secret_advice(SECRET_ADVICE);
        let context = ReadContext {
            earlier_names: &names,
            ..*context
        };
        let mut draft = BLANK;
        SECTION.set_defaults(&mut draft, &context);
        SECTION.match_names(&mut table, &[], report);
        SECTION.read(&mut table, &mut draft, &context, report);
        if let Some(name) = draft.name.clone() {
            names.push((name, table.path().to_owned()));
        }
        targets.extend(draft.to_target());
        table.report_unknown_keys(report);
    }
    targets
}

/// Returns the keys of all targets.
pub(super) fn settings(targets: &[NotifyTarget]) -> Vec<Setting> {
    let settings_of = |(number, target): (usize, &NotifyTarget)| {
        let mut draft = NotifyDraft {
            name: Some(target.name.clone()),
            kinds: Some(target.kinds.clone()),
            transport: TransportDraft::of(&target.transport),
            timeout: target.timeout,
            give_up_after: target.give_up_after,
            include_people: target.include_people,
            review_waiting: target.terms.review_waiting,
            failing_after: target.terms.failing_after,
            low_balance: target.terms.low_balance,
            credits_expiring: target.terms.credits_expiring,
        };
        SECTION.settings(&format!("notify[{number}]"), &mut draft)
    };
    targets.iter().enumerate().flat_map(settings_of).collect()
}

impl NotifyDraft {
    /// Returns the target, if its name, its kinds and its transport could be read.
    fn to_target(&self) -> Option<NotifyTarget> {
        Some(NotifyTarget {
            name: self.name.clone()?,
            kinds: self.kinds.clone()?,
            transport: self.transport.to_transport()?,
            timeout: self.timeout,
            give_up_after: self.give_up_after,
            include_people: self.include_people,
            terms: NotificationTerms {
                review_waiting: self.review_waiting,
                failing_after: self.failing_after,
                low_balance: self.low_balance,
                credits_expiring: self.credits_expiring,
            },
        })
    }
}

fn command_to_json((program, args): &(PathBuf, Vec<String>)) -> Value {
    let words = [value::path_to_json(program)].into_iter();
    words
        .chain(args.iter().map(|arg| arg.as_str().into()))
        .collect()
}
