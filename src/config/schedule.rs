//! The section `[schedule]`: when passes, watches, audits and syncs run.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono_tz::Tz;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::{Decisions, Operation};
use super::key::KeyValue::Default;
use super::key::{KeyRow, ReadContext, Section};
use super::model::Config;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::recurrence::Recurrence;
use super::value_type::{FieldAt, SpecialType};
use super::{calendar_value, value};

/// Bounds of the interval of a schedule. No server would tolerate more than one run per second, and
/// for less than one run per day there are timers.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// A duration or a cron expression. `complete` sets the time zone.
const RECURRENCE: SpecialType<Recurrence> = SpecialType {
    description: "a duration from \"1s\" to \"1day\", or a cron expression",
    read: read_recurrence,
    to_json: |recurrence| match recurrence {
        Recurrence::Span(span) => value::span_to_json(span),
        Recurrence::Cron { expression, .. } => expression.text().into(),
    },
};

pub(super) const SECTION: Section<Config> = Section {
    path: "schedule",
    doc: "",
    keys: &[KEYS],
    renamed: &[],
    complete,
};

const KEYS: &[KeyRow<Config>] = &[
    KeyRow {
        name: "poll",
        value: Default("\"15s\""),
        affects: Operation,
        doc: "How often to run a pass: a duration, or a cron expression with five fields (minute \
            hour day month weekday) or six (with seconds first). A pass costs one call when no \
            request waits. \"*/5 8-18 * * MON-FRI\" is every five minutes in office hours.",
        field: &FieldAt(|config: &mut Config| &mut config.schedule.poll, RECURRENCE),
    },
    KeyRow {
        name: "watch",
        value: Default("\"5m\""),
        affects: Operation,
        doc: "How often to run a watch, which follows confirmed bookings (cancelled, moved, \
            absences); as poll.",
        field: &FieldAt(|config: &mut Config| &mut config.schedule.watch, RECURRENCE),
    },
    KeyRow {
        name: "audit",
        value: Default("\"0 4 * * *\""),
        affects: Operation,
        doc: "When to run an audit, which reads every open charge and finds bookings that others \
            accepted; as poll. It costs one call for each 250 future bookings, and one for each \
            charge that no list shows.",
        field: &FieldAt(|config: &mut Config| &mut config.schedule.audit, RECURRENCE),
    },
    KeyRow {
        name: "sync",
        value: Default("\"1h\""),
        affects: Operation,
        doc: "When to take over what the sources say about all members; as poll. Without a [[source]] \
            that lists members, nothing happens.",
        field: &FieldAt(|config: &mut Config| &mut config.schedule.sync, RECURRENCE),
    },
    KeyRow {
        name: "time-zone",
        value: Default("\"UTC\""),
        affects: Decisions,
        doc: "The time zone of cron expressions, and of the days, weeks, months and hours of \
            [global] and gates; a name such as \"Europe/Berlin\". When a clock change skips the \
            time of a cron expression, the run happens at the end of the skipped hour.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.zone,
            SpecialType {
                description: "the IANA name of a time zone",
                read: |item, _, report| calendar_value::read_zone(item, report),
                to_json: |zone: &Tz| zone.name().into(),
            },
        ),
    },
];

/// Sets the time zone of the cron expressions.
fn complete(
    _: &TomlTable<'_>,
    config: &mut Config,
    _: &ReadContext<'_>,
    _: &mut DiagnosticCollector<'_>,
) {
    let own_zone = config.policy.global.zone;
    let schedule = &mut config.schedule;
    for recurrence in [
        &mut schedule.poll,
        &mut schedule.watch,
        &mut schedule.audit,
        &mut schedule.sync,
    ] {
        if let Recurrence::Cron { zone, .. } = recurrence {
            *zone = own_zone;
        }
    }
}

fn read_recurrence(
    item: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Recurrence> {
    calendar_value::read_recurrence(item, INTERVALS, Tz::UTC, report)
}
