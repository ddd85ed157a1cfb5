//! The section `[credits]`: until when credits pay, and how far an account may be overdrawn.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::{Decisions, Operation};
use super::key::KeyValue::Default;
use super::key::{KeyRow, Section};
use super::model::Config;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value;
use super::value_type::{FLAG, FieldAt, Keywords, NumberRange, SpecialType};
use crate::domain::criteria::global_policy::ExpiryCounts;
use crate::domain::decision::Credits;

/// The highest limit of an overdraft. A higher one is mostly a mistake.
const MAX_OVERDRAFT: u64 = 10_000;

/// The most entries of the list of limits.
const MAX_LIMITS: usize = 100;

const EXAMPLE: &str = "{ tiers = [\"gold\"], limit = 2 }";

pub(super) const SECTION: Section<Config> = Section {
    path: "credits",
    doc: "How credits are spent. Lots pay in this order: the smaller priority, the earlier expiry, \
        promotional credits, then those of an allowance, then paid ones, the older grant.",
    keys: &[KEYS],
    renamed: &[],
    complete: |_, _, _, _| {},
};

const KEYS: &[KeyRow<Config>] = &[
    KeyRow {
        name: "expiry-counts",
        value: Default("\"decision\""),
        affects: Decisions,
        doc: "Until when credits must not have expired to pay for a booking. \"decision\": until the \
            decision. \"start\": until the booking starts; of a series, until its last booking does.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.spending.expiry_counts,
            Keywords(&[
                ("decision", ExpiryCounts::Decision),
                ("start", ExpiryCounts::Start),
            ]),
        ),
    },
    KeyRow {
        name: "overdraft",
        value: Default("0"),
        affects: Decisions,
        doc: "How many credits the bookings of an account may take beyond what is there. The next \
            credits that come to the account settle them. `maitred account set --overdraft` sets the \
            limit of one account.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.spending.overdraft,
            NumberRange(0..=MAX_OVERDRAFT),
        ),
    },
    KeyRow {
        name: "tier-overdrafts",
        value: Default("[]"),
        affects: Decisions,
        doc: "The limits of members of some tiers, instead of `overdraft`: { tiers = [\"gold\"], \
            limit = 2 }.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.spending.tier_overdrafts,
            SpecialType {
                description: "a list of limits",
                read: |item, _, report| Some(read_limits(item, report)),
                to_json: limits_to_json,
            },
        ),
    },
    KeyRow {
        name: "freeze-stops-expiry",
        value: Default("false"),
        affects: Operation,
        doc: "Whether the credits of an account do not expire while it is frozen: the end of the \
            freeze extends each grant by the time that it lasted. A freeze keeps the rule with which \
            it began.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.spending.freeze_stops_expiry,
            FLAG,
        ),
    },
];

fn read_limits(
    list: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> BTreeMap<String, Credits> {
    let mut limits = BTreeMap::new();
    for row in list.rows(EXAMPLE, MAX_LIMITS, report) {
        let path = row.path().to_owned();
        let Some((tiers, limit)) = read_limit(row, report) else {
            continue;
        };
        for tier in tiers {
            if limits.insert(tier.clone(), limit).is_some() {
                let problem = format!("the tier \"{tier}\" has another limit already");
                report.error(&path, problem, "name each tier once");
            }
        }
    }
    limits
}

fn read_limit(
    mut row: TomlTable<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<(Vec<String>, Credits)> {
    row.match_names(&["tiers", "limit"], &[], report);
    let tiers = row.get_required("tiers", "[\"gold\"]", report);
    let limit = row.get_required("limit", "2", report);
    row.report_unknown_keys(report);
    let tiers = tiers.map(|item| value::read_tiers(&item, report));
    let limit = limit?.number(0..=MAX_OVERDRAFT, report)?;
    Some((tiers?.into_iter().collect(), limit))
}

fn limits_to_json(limits: &BTreeMap<String, Credits>) -> Value {
    value::sorted(
        limits
            .iter()
            .map(|(tier, limit)| json!({ "tiers": [tier], "limit": limit })),
    )
}
