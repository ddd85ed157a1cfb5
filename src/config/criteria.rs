//! The keys of a gate that say what it requires in addition to an account and credit.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic_collector::DiagnosticCollector;
use super::global_policy::PER_DAY;
use super::key::Affects::Decisions;
use super::key::KeyValue::Default;
use super::key::{KeyRow, ReadContext};
use super::on_violation::{EFFECT, PERMANENT_EFFECT};
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value_type::{EmptyForNone, FieldAt, Keywords, SpecialField, SpecialType};
use super::{access_list, cap, time_window, value};
use crate::domain::criteria::gate_criteria::{
    AccountDetails, NoticeBounds, TooManyRequestsReply, ZoneSource,
};
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::gate::Gate;
use crate::domain::id::MAX_NAME;
use crate::domain::time::Span;

/// Bounds of the notice. Bookings are not made further ahead.
const NOTICE: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// The most entries in the list of hours of one gate.
const MAX_HOURS: usize = 50;

pub(super) const KEYS: &[KeyRow<Gate>] = &[
    KeyRow {
        name: "caps",
        value: Default("[]"),
        affects: Decisions,
        doc: "How many bookings a member may have through this gate; as global.caps, which apply \
            in addition.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.criteria.caps, cap::CAPS),
    },
    KeyRow {
        name: "over-cap",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request beyond a cap, global or of the gate.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.criteria.on_over_cap, EFFECT),
    },
    KeyRow {
        name: "notice",
        value: Default("{}"),
        affects: Decisions,
        doc: "How long before its start a booking must be requested, at least and at most: \
            { at-least = \"24h\", at-most = \"60days\" }, or one of the two.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.notice,
            SpecialType {
                description: "a table of durations",
                read: read_notice,
                to_json: |notice| {
                    let (least, most) = (notice.at_least.as_ref(), notice.at_most.as_ref());
                    value::range_to_json(least, most, value::span_to_json)
                },
            },
        ),
    },
    KeyRow {
        name: "notice-missed",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request with less notice, or more.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.on_notice_missed,
            PERMANENT_EFFECT,
        ),
    },
    KeyRow {
        name: "hours",
        value: Default("[]"),
        affects: Decisions,
        doc: "When bookings may take place: { weekdays = [\"mon-fri\"], hours = \"08:00-18:00\" }, \
            and more such tables. A booking must lie completely within one table. An empty list \
            allows any time.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.hours,
            SpecialType {
                description: "a list of tables",
                read: read_hours,
                to_json: |hours: &Vec<TimeWindow>| {
                    value::sorted(hours.iter().map(time_window::to_json))
                },
            },
        ),
    },
    KeyRow {
        name: "outside-hours",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request for another time.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.on_outside_hours,
            PERMANENT_EFFECT,
        ),
    },
    KeyRow {
        name: "time-zone",
        value: Default("\"schedule\""),
        affects: Decisions,
        doc: "The time zone of hours, days, weeks and months: \"schedule\" (schedule.time-zone), \
            or \"booker\" (the booker's at Cal.com; schedule.time-zone if Cal.com does not know \
            it).",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.zone_source,
            Keywords(&[
                ("schedule", ZoneSource::Schedule),
                ("booker", ZoneSource::Booker),
            ]),
        ),
    },
    KeyRow {
        name: "allow",
        value: Default("[]"),
        affects: Decisions,
        doc: "Who may book; as global.allow, which this list replaces.",
        field: &SpecialField {
            description: access_list::DESCRIPTION,
            read: |item, gate: &mut Gate, context, report| {
                gate.criteria.allow = access_list::read_list(item, context.global, report);
            },
            to_json: |gate| access_list::to_json(&gate.criteria.allow),
        },
    },
    KeyRow {
        name: "not-allowed",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request of anybody else.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.criteria.on_not_allowed, EFFECT),
    },
    KeyRow {
        name: "block",
        value: Default("[]"),
        affects: Decisions,
        doc: "Whose requests are refused; as global.block, which applies in addition.",
        field: &SpecialField {
            description: access_list::DESCRIPTION,
            read: |item, gate: &mut Gate, context, report| {
                gate.criteria.block = access_list::read_list(item, context.global, report);
            },
            to_json: |gate| access_list::to_json(&gate.criteria.block),
        },
    },
    KeyRow {
        name: "blocked",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request of a booker on a block list.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.criteria.on_blocked, EFFECT),
    },
    KeyRow {
        name: "requests-per-day",
        value: Default("0"),
        affects: Decisions,
        doc: "How many requests a booker may make on one day; as global.requests-per-day. The \
            stricter limit counts.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.requests_per_day,
            PER_DAY,
        ),
    },
    KeyRow {
        name: "too-many-requests",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request beyond that.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.on_too_many_requests,
            PERMANENT_EFFECT,
        ),
    },
    KeyRow {
        name: "decline-too-many",
        value: Default("\"once\""),
        affects: Decisions,
        doc: "How many such requests of one day are declined, because Cal.com mails each decline: \
            \"once\" (the first is declined, further ones stay pending and no operator is asked); \
            \"each\"; \"never\" (all stay pending).",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.too_many_requests_reply,
            Keywords(&[
                ("once", TooManyRequestsReply::Once),
                ("each", TooManyRequestsReply::Each),
                ("never", TooManyRequestsReply::Never),
            ]),
        ),
    },
    KeyRow {
        name: "pin",
        value: Default("\"\""),
        affects: Decisions,
        doc: "The booking question whose answer must be the member's PIN: its identifier at \
            Cal.com. Every event type of the gate must have this question. \"\": no PIN. `maitred \
            account pin set` sets PINs.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.pin,
            EmptyForNone(SpecialType {
                description: "an identifier",
                read: read_pin,
                to_json: |pin: &String| pin.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "wrong-pin",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request with a wrong PIN, or none.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.criteria.on_wrong_pin, EFFECT),
    },
    KeyRow {
        name: "account-details",
        value: Default("\"proven\""),
        affects: Decisions,
        doc: "Who reads details about the account of the address that was typed: whether there is \
            one, its balance, its caps, and which rule is not met. \"proven\": bookers who have \
            proven to be the member, by the PIN, or where there is no `pin` by Cal.com's \"Booker \
            email verification\"; all others read the same neutral text. \"always\": everybody, \
            who can then find out who your members are and what they have. Your own texts, at \
            [reasons] and in rules, are used in any case.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.criteria.account_details,
            Keywords(&[
                ("proven", AccountDetails::ProvenMember),
                ("always", AccountDetails::Always),
            ]),
        ),
    },
];

/// Checks several criteria of a gate together.
pub(super) fn check(
    table: &TomlTable<'_>,
    gate: &Gate,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    let (criteria, global) = (&gate.criteria, context.global);
    let block = [&criteria.block[..], &global.block[..]];
    access_list::warn_of_contradictions(table, &block, global, report);
    if let (Some(gate_limit), Some(global_limit)) =
        (criteria.requests_per_day, global.requests_per_day)
        && gate_limit >= global_limit
    {
        let problem = format!("this never decides: global.requests-per-day is {global_limit}");
        let path = format!("{}.requests-per-day", table.path());
        report.warn(
            &path,
            problem,
            "the stricter counts: make it lower, or leave it out",
        );
    }
}

fn read_notice(
    item: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<NoticeBounds> {
    if item.as_table().is_none() {
        item.table("{ at-least = \"24h\", at-most = \"60days\" }", report);
        return None;
    }
    let span = |item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>| {
        value::read_span(item, NOTICE, report)
    };
    let (at_least, at_most) = value::read_range(item, &span, report)?;
    Some(NoticeBounds {
        // Every request has a notice of at least zero.
        at_least: at_least.filter(|least| *least > Span::zero()),
        at_most,
    })
}

fn read_hours(
    list: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<TimeWindow>> {
    let example = "{ weekdays = [\"mon-fri\"], hours = \"08:00-18:00\" }";
    let mut hours = Vec::new();
    for mut row in list.rows(example, MAX_HOURS, report) {
        let before = report.error_count();
        row.match_names(&["weekdays", "hours"], &[], report);
        let opening = time_window::read(&mut row, report);
        if opening == TimeWindow::ALWAYS && report.error_count() == before {
            let problem = "this is at any time, so that the hours exclude nothing".to_owned();
            report.warn(row.path(), problem, format!("for example {example}"));
        }
        row.report_unknown_keys(report);
        hours.push(opening);
    }
    Some(hours)
}

/// Reads the identifier of a booking question.
fn read_pin(
    item: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("pin", report)?;
    let is_forbidden = |c: char| c.is_whitespace() || c.is_control();
    if text.len() > MAX_NAME || text.contains(is_forbidden) {
        let problem = format!(
            "{} is no identifier of a booking question",
            report.show(text)
        );
        let help = "give the question's identifier at Cal.com, as in \"member-pin\"";
        report.error(&item.path, problem, help);
        return None;
    }
    Some(text.to_owned())
}
