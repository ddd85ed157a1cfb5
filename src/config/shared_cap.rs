//! Caps with names over several gates: `[[cap]]`.

use std::ops::RangeInclusive;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Decisions;
use super::key::KeyValue::{Default, Required};
use super::key::{KeyRow, ReadContext, Section, Setting};
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value_type::{FieldAt, Keywords, NumberRange, Optional, SpecialType};
use super::{calcom, value};
use crate::domain::criteria::cap::{CapPeriod, CapSubject, MAX_CAPS, SharedCap};
use crate::domain::gate::Gate;
use crate::domain::id::HostKey;
use crate::domain::name_distance;

/// The bounds of the number of bookings. A higher number would not limit anything.
const BOOKINGS: RangeInclusive<u64> = 0..=10_000;

/// Whose bookings a cap counts, as the key `each` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Each {
    Member,
    Host,
}

/// A cap while its keys are read.
pub(super) struct SharedCapDraft {
    name: Option<String>,
    at_most: Option<u32>,
    period: Option<CapPeriod>,
    each: Each,
    gates: Vec<String>,
    hosts: Vec<HostKey>,
    tiers: Vec<String>,
}

const NAMES: SpecialType<Vec<String>> = SpecialType {
    description: "a list of names",
    read: |item, _, report| {
        let items = item.list("[\"club\"]", report);
        let names = items
            .iter()
            .filter_map(|item| value::read_name(item, "club", report));
        Some(names.collect())
    },
    to_json: |names| value::sorted(names.iter().map(|name| name.as_str().into())),
};

/// The caps over several gates.
pub(super) const SECTION: Section<SharedCapDraft> = Section {
    path: "cap[]",
    doc: "A cap with a name, over several gates: how many bookings each member may have, or each \
        host takes on, for all bookers together. Such caps apply in addition to global.caps and to the \
        caps of a gate. The gate's over-cap says what happens to a request beyond one.",
    keys: &[&[
        KeyRow {
            name: "name",
            value: Required("\"calm-days\""),
            affects: Decisions,
            doc: "The name in findings.",
            field: &FieldAt(
                |cap: &mut SharedCapDraft| &mut cap.name,
                Optional(SpecialType {
                    description: "a name of up to 64 bytes",
                    read: read_name,
                    to_json: |name: &String| name.as_str().into(),
                }),
            ),
        },
        KeyRow {
            name: "at-most",
            value: Required("5"),
            affects: Decisions,
            doc: "How many bookings there may be in one period, the requested one included.",
            field: &FieldAt(
                |cap: &mut SharedCapDraft| &mut cap.at_most,
                Optional(NumberRange(BOOKINGS)),
            ),
        },
        KeyRow {
            name: "per",
            value: Required("\"day\""),
            affects: Decisions,
            doc: "The period, by the start of the bookings: \"day\", \"week\" (from Monday on), \
                \"month\", or for members \"open\" (all future bookings). For hosts, days are \
                those of schedule.time-zone.",
            field: &FieldAt(
                |cap: &mut SharedCapDraft| &mut cap.period,
                Optional(Keywords(&[
                    ("day", CapPeriod::Day),
                    ("week", CapPeriod::Week),
                    ("month", CapPeriod::Month),
                    ("open", CapPeriod::Open),
                ])),
            ),
        },
        KeyRow {
            name: "each",
            value: Default("\"member\""),
            affects: Decisions,
            doc: "Whose bookings are counted: \"member\" (of each member), or \"host\" (of each \
                host, for all members together). For a host, the accepted bookings at Cal.com \
                count, also those that others accepted.",
            field: &FieldAt(
                |cap: &mut SharedCapDraft| &mut cap.each,
                Keywords(&[("member", Each::Member), ("host", Each::Host)]),
            ),
        },
        KeyRow {
            name: "gates",
            value: Default("[]"),
            affects: Decisions,
            doc: "The gates whose requests are limited and whose bookings are counted, by their \
                names. An empty list: all gates, and bookings of event types without a gate are \
                counted, too.",
            field: &FieldAt(|cap: &mut SharedCapDraft| &mut cap.gates, NAMES),
        },
        KeyRow {
            name: "hosts",
            value: Default("[]"),
            affects: Decisions,
            doc: "With each = \"host\": the hosts that are limited, as in calcom.hosts. An empty \
                list: each host.",
            field: &FieldAt(
                |cap: &mut SharedCapDraft| &mut cap.hosts,
                SpecialType {
                    description: "a list of numbers and addresses",
                    read: |item, _, report| Some(calcom::read_hosts(item, report)),
                    to_json: |hosts: &Vec<HostKey>| {
                        value::sorted(hosts.iter().map(calcom::host_to_json))
                    },
                },
            ),
        },
        KeyRow {
            name: "tiers",
            value: Default("[]"),
            affects: Decisions,
            doc: "With each = \"member\": the tiers whose members are limited. An empty list: each \
                member.",
            field: &FieldAt(|cap: &mut SharedCapDraft| &mut cap.tiers, NAMES),
        },
    ]],
    renamed: &[],
    complete: |table, draft, _, report| check(table, draft, report),
};

/// Reads all caps, in the order of the file. The gates have been read before.
pub(super) fn read_list(
    list: &TomlValue<'_>,
    gates: &[Gate],
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<SharedCap> {
    let mut caps = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for mut table in list.sections(&SECTION.header(), MAX_CAPS, report) {
        let context = ReadContext {
            earlier_names: &names,
            ..*context
        };
        let mut draft = blank();
        SECTION.set_defaults(&mut draft, &context);
        SECTION.match_names(&mut table, &[], report);
        SECTION.read(&mut table, &mut draft, &context, report);
        check_gates(&table, gates, report);
        if let Some(name) = &draft.name {
            names.push((name.clone(), format!("{}.name", table.path())));
        }
        table.report_unknown_keys(report);
        caps.extend(draft.into_cap());
    }
    caps
}

/// Returns the keys of the caps.
pub(super) fn settings(caps: &[SharedCap]) -> Vec<Setting> {
    let settings_of = |(number, cap): (usize, &SharedCap)| {
        let mut draft = SharedCapDraft::of(cap);
        SECTION.settings(&format!("cap[{number}]"), &mut draft)
    };
    caps.iter().enumerate().flat_map(settings_of).collect()
}

/// Returns a cap without any key.
fn blank() -> SharedCapDraft {
    SharedCapDraft {
        name: None,
        at_most: None,
        period: None,
        each: Each::Member,
        gates: Vec::new(),
        hosts: Vec::new(),
        tiers: Vec::new(),
    }
}

impl SharedCapDraft {
    fn of(cap: &SharedCap) -> Self {
        let (each, hosts, tiers) = match &cap.each {
            CapSubject::Member { tiers } => (Each::Member, Vec::new(), tiers.clone()),
            CapSubject::Host { hosts } => (Each::Host, hosts.clone(), Vec::new()),
        };
        Self {
            name: Some(cap.name.clone()),
            at_most: Some(cap.at_most),
            period: Some(cap.period),
            each,
            gates: cap.gates.clone(),
            hosts,
            tiers,
        }
    }

    fn into_cap(self) -> Option<SharedCap> {
        Some(SharedCap {
            name: self.name?,
            at_most: self.at_most?,
            period: self.period?,
            gates: self.gates,
            each: match self.each {
                Each::Member => CapSubject::Member { tiers: self.tiers },
                Each::Host => CapSubject::Host { hosts: self.hosts },
            },
        })
    }
}

/// Reads a name, and refuses that of an earlier cap.
fn read_name(
    item: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let name = value::read_name(item, "calm-days", report)?;
    let mut earlier = context.earlier_names.iter();
    if let Some((_, path)) = earlier.find(|(known, _)| *known == name) {
        let problem = format!("the name {} is that of {path}", report.show(&name));
        let help = "give each cap a name of its own: findings show it";
        report.error(&item.path, problem, help);
    }
    Some(name)
}

/// Checks that the keys fit together.
fn check(table: &TomlTable<'_>, draft: &SharedCapDraft, report: &mut DiagnosticCollector<'_>) {
    let (key, other, is_set) = match draft.each {
        Each::Member => ("hosts", "host", !draft.hosts.is_empty()),
        Each::Host => ("tiers", "member", !draft.tiers.is_empty()),
    };
    if let Some(item) = table.peek(key).filter(|_| is_set) {
        let problem = format!("{key} belongs to a cap with each = \"{other}\"");
        report.error(&item.path, problem, "leave out the key, or change each");
    }
    if draft.each == Each::Host
        && draft.period == Some(CapPeriod::Open)
        && let Some(item) = table.peek("per")
    {
        let problem = "the bookings of a host are not counted over all the future".to_owned();
        report.error(&item.path, problem, "write \"day\", \"week\" or \"month\"");
    }
}

/// Checks that there are gates with these names.
fn check_gates(table: &TomlTable<'_>, gates: &[Gate], report: &mut DiagnosticCollector<'_>) {
    let Some(list) = table.peek("gates") else {
        return;
    };
    let Some(items) = list.raw().as_array() else {
        return;
    };
    let known = || gates.iter().map(|gate| gate.name.as_str());
    // What is wrong with the list itself is reported when it is read.
    for (place, item) in items.iter().enumerate() {
        let Some(name) = item.get_ref().as_str() else {
            continue;
        };
        if known().any(|gate| gate == name.trim()) {
            continue;
        }
        let path = format!("{}[{place}]", list.path);
        let problem = format!("there is no gate {}", report.show(name));
        let help = match name_distance::nearest(name, known()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "name a [[gate]] of this configuration".to_owned(),
        };
        report.error(&path, problem, help);
    }
}
