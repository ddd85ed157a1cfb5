//! The section `[limits]`: how much one pass may do.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Decisions;
use super::key::KeyValue::Default;
use super::key::{KeyRow, ReadContext, Section};
use super::key_names::RenamedKey;
use super::model::Config;
use super::reader::toml_value::TomlValue;
use super::value;
use super::value_type::{DurationRange, FieldAt, NumberRange, SpecialType};
use crate::domain::gate::DeclineLimit;

/// Bounds of the age of the reading when a booking is answered. In more than a minute too much
/// happens unseen: Cal.com would revive a booking that was cancelled meanwhile.
const OBSERVATION_AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// Bounds of the time for which a series must have been unchanged. A series is written within
/// seconds.
const SERIES_SETTLE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// Bounds of the period in which declines are counted.
const DECLINES_PER: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);

/// The most new decisions of one pass.
const MAX_REQUESTS: u64 = 10_000;

pub(super) const SECTION: Section<Config> = Section {
    path: "limits",
    doc: "",
    keys: &[KEYS],
    renamed: &[RenamedKey {
        old: "declines-per-pass",
        new: None,
        help: "write declines = { at-most = 25, per = \"15m\" }: the limit is by time now",
    }],
    complete: |_, _, _, _| {},
};

const KEYS: &[KeyRow<Config>] = &[
    KeyRow {
        name: "requests-per-pass",
        value: Default("250"),
        affects: Decisions,
        doc: "New decisions of one pass that lead to a call. The next pass continues with the \
            rest.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.limits.requests_per_pass,
            NumberRange(1..=MAX_REQUESTS),
        ),
    },
    KeyRow {
        name: "declines",
        value: Default("{ at-most = 25, per = \"15m\" }"),
        affects: Decisions,
        doc: "How many requests may be declined in which time: at-most 0 to 10000, per \"1m\" to \
            \"7days\". A mistake in the gates or in the ledger could decline every booker; this \
            limit leaves time to notice it. A request beyond the limit stays pending, and the log \
            and `maitred status` say so. Cancellations of unmanaged bookings count too; declines \
            by an operator do not. With at-most = 0 nothing is declined.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.limits.declines,
            SpecialType {
                description: "a table of a number and a duration",
                read: read_declines,
                to_json: |limit: &DeclineLimit| {
                    let per = value::span_to_json(&limit.per);
                    json!({ "at-most": limit.at_most, "per": per })
                },
            },
        ),
    },
    KeyRow {
        name: "max-observation-age",
        value: Default("\"10s\""),
        affects: Decisions,
        doc: "How old the reading of a booking may be when maitred answers it. An older one is \
            read again first, because Cal.com confirms without an error a booking that was \
            cancelled meanwhile.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.limits.max_observation_age,
            DurationRange(OBSERVATION_AGE),
        ),
    },
    KeyRow {
        name: "series-settle",
        value: Default("\"10s\""),
        affects: Decisions,
        doc: "How long a series must be unchanged before it is decided: Cal.com writes a series \
            occurrence by occurrence, and a pass could see only some of the occurrences.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.limits.series_settle,
            DurationRange(SERIES_SETTLE),
        ),
    },
];

/// Reads how many declines are allowed in which time.
fn read_declines(
    item: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<DeclineLimit> {
    let mut table = item.table("{ at-most = 25, per = \"15m\" }", report)?;
    table.match_names(&["at-most", "per"], &[], report);
    let at_most = table.get_required("at-most", "25", report);
    let per = table.get_required("per", "\"15m\"", report);
    table.report_unknown_keys(report);
    let at_most = at_most.and_then(|item| item.number(0..=MAX_REQUESTS, report));
    let per = per.and_then(|item| value::read_span(&item, DECLINES_PER, report));
    Some(DeclineLimit {
        at_most: usize::try_from(at_most?).ok()?,
        per: per?,
    })
}
