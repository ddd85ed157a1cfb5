//! The section `[[allowance]]`: credits that are granted by period.

use std::collections::BTreeSet;

use chrono::{Datelike as _, NaiveDate};
use serde_json::{Value, json};

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Operation;
use super::key::KeyValue::{Default, Example, Required};
use super::key::{KeyRow, ReadContext, Section, Setting};
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value;
use super::value_type::{FieldAt, Keywords, NumberRange, Optional, SpecialField, SpecialType};
use crate::domain::allowance::{Allowance, FirstGrant, PeriodAnchor, PeriodUnit};
use crate::domain::decision::{Credits, MAX_CREDITS};
use crate::domain::gate::Gate;
use crate::domain::id::AccountId;
use crate::domain::name_distance;

/// The most allowances. Each is computed for every account.
const MAX_ALLOWANCES: usize = 50;

/// The most accounts that one allowance names. Tiers are for more.
const MAX_ACCOUNTS: usize = 1_000;

/// The days of the week, Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A Monday, and the first day of a quarter in a year in which every month has all its days.
const FIRST_MONDAY: NaiveDate = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();

const BEGINS_HELP: &str = "give a weekday such as \"mon\", a day of the month from 1 to 31, a day \
    such as \"2026-12-01\", \"opened\", or { attribute = \"since\" }";

/// An allowance while its keys are read.
#[derive(Clone)]
pub(super) struct AllowanceDraft {
    name: Option<String>,
    credits: Option<Credits>,
    per: Option<PeriodUnit>,
    begins: Option<PeriodAnchor>,
    rollover: Credits,
    tiers: Vec<String>,
    accounts: Vec<AccountId>,
    gates: Vec<String>,
    priority: u16,
    starts: Option<NaiveDate>,
    first: FirstGrant,
}

/// An allowance without any key.
const BLANK: AllowanceDraft = AllowanceDraft {
    name: None,
    credits: None,
    per: None,
    begins: None,
    rollover: 0,
    tiers: Vec::new(),
    accounts: Vec::new(),
    gates: Vec::new(),
    priority: 0,
    starts: None,
    first: FirstGrant::Now,
};

pub(super) const SECTION: Section<AllowanceDraft> = Section {
    path: "allowance[]",
    doc: "Credits that members get in every period, for example 4 on the first of each month. They \
        expire at the end of the period. Days are those of schedule.time-zone. A period is granted \
        once, also if the configuration changes meanwhile; see docs/allowances.md.",
    keys: &[KEYS],
    renamed: &[],
    complete,
};

const KEYS: &[KeyRow<AllowanceDraft>] = &[
    KeyRow {
        name: "name",
        value: Required("\"monthly\""),
        affects: Operation,
        doc: "The name in statements. An allowance with another name is another allowance, whose \
            period is granted again.",
        field: &FieldAt(
            |allowance: &mut AllowanceDraft| &mut allowance.name,
            Optional(SpecialType {
                description: "a name of up to 64 bytes without \"/\"",
                read: |item, _, report| read_allowance_name(item, report),
                to_json: |name: &String| name.as_str().into(),
            }),
        ),
    },
    KeyRow {
        name: "credits",
        value: Required("4"),
        affects: Operation,
        doc: "How many credits a period has. A change counts from the next period on.",
        field: &FieldAt(
            |allowance: &mut AllowanceDraft| &mut allowance.credits,
            Optional(NumberRange(1..=MAX_CREDITS)),
        ),
    },
    KeyRow {
        name: "per",
        value: Required("\"month\""),
        affects: Operation,
        doc: "How long a period is: a \"week\", a \"month\", a \"quarter\" or a \"year\".",
        field: &FieldAt(
            |allowance: &mut AllowanceDraft| &mut allowance.per,
            Optional(Keywords(&[
                ("week", PeriodUnit::Week),
                ("month", PeriodUnit::Month),
                ("quarter", PeriodUnit::Quarter),
                ("year", PeriodUnit::Year),
            ])),
        ),
    },
    KeyRow {
        name: "begins",
        value: Example("1"),
        affects: Operation,
        doc: "When periods begin: a weekday such as \"mon\" (for weeks), a day of the month from 1 \
            to 31 (for months; 31 is the last day of each), a day from which periods are counted \
            such as \"2026-12-01\", \"opened\" (the day on which the account was opened, and its \
            anniversaries), or { attribute = \"since\" } (the day in that attribute of the account, \
            and its anniversaries). Left out: Monday, the first of the month, or the first of \
            January.",
        field: &FieldAt(
            |allowance: &mut AllowanceDraft| &mut allowance.begins,
            Optional(SpecialType {
                description: "a weekday, a day, or a table",
                read: |item, _, report| read_begins(item, report),
                to_json: begins_to_json,
            }),
        ),
    },
    KeyRow {
        name: "rollover",
        value: Default("0"),
        affects: Operation,
        doc: "How many credits that are left at the end of a period last for one period more.",
        field: &FieldAt(
            |allowance: &mut AllowanceDraft| &mut allowance.rollover,
            NumberRange(0..=MAX_CREDITS),
        ),
    },
    KeyRow {
        name: "tiers",
        value: Example("[\"gold\"]"),
        affects: Operation,
        doc: "The tiers whose members get the credits. Without tiers and accounts, every account \
            gets them.",
        field: &SpecialField {
            description: "a list of tiers",
            read: |item, allowance: &mut AllowanceDraft, _, report| {
                allowance.tiers = value::read_tiers(item, report);
            },
            to_json: |allowance| {
                value::sorted(allowance.tiers.iter().map(|tier| tier.as_str().into()))
            },
        },
    },
    KeyRow {
        name: "accounts",
        value: Example("[\"ann@example.com\"]"),
        affects: Operation,
        doc: "Accounts that get the credits, in addition to the members of the tiers.",
        field: &SpecialField {
            description: "a list of accounts",
            read: |item, allowance: &mut AllowanceDraft, _, report| {
                allowance.accounts = read_accounts(item, report);
            },
            to_json: |allowance| {
                value::sorted(allowance.accounts.iter().map(|id| id.as_str().into()))
            },
        },
    },
    KeyRow {
        name: "gates",
        value: Example("[\"club\"]"),
        affects: Operation,
        doc: "The gates whose bookings the credits may pay for. Left out: all gates.",
        field: &SpecialField {
            description: "a list of names of gates",
            read: |item, allowance: &mut AllowanceDraft, _, report| {
                allowance.gates = read_gates(item, report);
            },
            to_json: |allowance| {
                value::sorted(allowance.gates.iter().map(|gate| gate.as_str().into()))
            },
        },
    },
    KeyRow {
        name: "priority",
        value: Default("0"),
        affects: Operation,
        doc: "Credits with a smaller number are spent first; other credits have 0 if nothing else \
            was said. Of equal ones, those that expire first are spent first.",
        field: &FieldAt(
            |allowance: &mut AllowanceDraft| &mut allowance.priority,
            NumberRange(0..=1_000),
        ),
    },
    KeyRow {
        name: "starts",
        value: Example("\"2026-12-01\""),
        affects: Operation,
        doc: "The first period that is granted is the first that begins on this day or later. Left \
            out: the period in which the allowance is configured.",
        field: &FieldAt(
            |allowance: &mut AllowanceDraft| &mut allowance.starts,
            Optional(SpecialType {
                description: "a day",
                read: |item, _, report| read_day(item, report),
                to_json: |day: &NaiveDate| day.to_string().into(),
            }),
        ),
    },
    KeyRow {
        name: "first",
        value: Default("\"now\""),
        affects: Operation,
        doc: "When an account that is opened within a period gets its first credits: \"now\" (at once, \
            and as many as for a whole period), or with the \"next-period\".",
        field: &FieldAt(
            |allowance: &mut AllowanceDraft| &mut allowance.first,
            Keywords(&[
                ("now", FirstGrant::Now),
                ("next-period", FirstGrant::NextPeriod),
            ]),
        ),
    },
];

/// Reads all allowances, in the order of the file.
pub(super) fn read_list(
    list: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<Allowance> {
    let mut allowances = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for mut table in list.sections(&SECTION.header(), MAX_ALLOWANCES, report) {
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
        allowances.extend(draft.to_allowance());
        table.report_unknown_keys(report);
    }
    allowances
}

/// Returns the keys of all allowances.
pub(super) fn settings(allowances: &[Allowance]) -> Vec<Setting> {
    let settings_of = |(number, allowance): (usize, &Allowance)| {
        let mut draft = AllowanceDraft::from_allowance(allowance);
        SECTION.settings(&format!("allowance[{number}]"), &mut draft)
    };
    { allowances.iter().enumerate() }
        .flat_map(settings_of)
        .collect()
}

/// Warns of gates that no allowance can pay for, because there are none of that name.
pub(super) fn check_gates(
    allowances: &[Allowance],
    gates: &[Gate],
    report: &mut DiagnosticCollector<'_>,
) {
    for (number, allowance) in allowances.iter().enumerate() {
        for name in &allowance.gates {
            let names = || gates.iter().map(|gate| gate.name.as_str());
            if names().any(|known| known == name) {
                continue;
            }
            let problem = format!("there is no gate {}", report.show(name));
            let help = match name_distance::nearest(name, names()) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => "the credits can be spent at no such gate; name a [[gate]]".to_owned(),
            };
            report.warn(&format!("allowance[{number}].gates"), problem, help);
        }
    }
}

impl AllowanceDraft {
    /// Returns the allowance, if its required keys could be read.
    fn to_allowance(&self) -> Option<Allowance> {
        let first_of_january = PeriodAnchor::Day(FIRST_MONDAY);
        Some(Allowance {
            name: self.name.clone()?,
            credits: self.credits?,
            rollover: self.rollover,
            unit: self.per?,
            anchor: self.begins.clone().unwrap_or(first_of_january),
            tiers: self.tiers.iter().cloned().collect(),
            accounts: self.accounts.iter().cloned().collect(),
            gates: self.gates.iter().cloned().collect(),
            priority: i16::try_from(self.priority).ok()?,
            starts: self.starts,
            first: self.first,
        })
    }

    fn from_allowance(allowance: &Allowance) -> Self {
        Self {
            name: Some(allowance.name.clone()),
            credits: Some(allowance.credits),
            per: Some(allowance.unit),
            begins: Some(allowance.anchor.clone()),
            rollover: allowance.rollover,
            tiers: allowance.tiers.iter().cloned().collect(),
            accounts: allowance.accounts.iter().cloned().collect(),
            gates: allowance.gates.iter().cloned().collect(),
            priority: u16::try_from(allowance.priority).unwrap_or_default(),
            starts: allowance.starts,
            first: allowance.first,
        }
    }
}

/// Checks the keys against each other, and the name against those of other allowances.
fn complete(
    table: &TomlTable<'_>,
    draft: &mut AllowanceDraft,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    let mut earlier = context.earlier_names.iter();
    let own = draft.name.as_ref();
    if let Some((name, other)) = earlier.find(|(known, _)| Some(known) == own) {
        let item = table.peek("name").map(|item| item.path);
        let problem = format!("the name {} is that of {other}", report.show(name));
        let path = item.as_deref().unwrap_or(table.path());
        report.error(path, problem, "give each allowance a name of its own");
    }
    let (Some(item), Some(unit)) = (table.peek("begins"), draft.per) else {
        return;
    };
    let is_weekday = item
        .as_text()
        .is_some_and(|text| DAYS.contains(&text.trim()));
    if is_weekday && unit != PeriodUnit::Week {
        let problem = format!("a {} does not begin on a weekday", unit.as_str());
        report.error(&item.path, problem, "per = \"week\" does; or give a day");
    }
    if item.as_number().is_some() && unit != PeriodUnit::Month {
        let problem = format!("a {} does not begin on a day of the month", unit.as_str());
        report.error(
            &item.path,
            problem,
            "per = \"month\" does; or give a day such as \"2026-12-01\"",
        );
    }
}

fn read_allowance_name(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let name = value::read_name(item, "monthly", report)?;
    if name.contains('/') {
        let problem = format!("{} has a \"/\"", report.show(&name));
        report.error(
            &item.path,
            problem,
            "leave it out: it separates the parts of references",
        );
        return None;
    }
    Some(name)
}

fn read_begins(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<PeriodAnchor> {
    if item.as_table().is_some() {
        let mut table = item.table("{ attribute = \"since\" }", report)?;
        table.match_names(&["attribute"], &[], report);
        let attribute = table.get_required("attribute", "\"since\"", report);
        table.report_unknown_keys(report);
        let name = value::read_name(&attribute?, "since", report)?;
        return Some(PeriodAnchor::Attribute(name));
    }
    if item.as_number().is_some() {
        let day = item.number(1..=31, report)?;
        let day = u32::try_from(day).ok()?;
        return FIRST_MONDAY.with_day(day).map(PeriodAnchor::Day);
    }
    let text = item.as_text().unwrap_or_default().trim();
    if text == "opened" {
        return Some(PeriodAnchor::Opened);
    }
    let weekday = DAYS.iter().position(|day| *day == text);
    let days = weekday.and_then(|day| u64::try_from(day).ok());
    let day = match days {
        Some(days) => FIRST_MONDAY.checked_add_days(chrono::Days::new(days)),
        None => parse_day(text),
    };
    if day.is_none() {
        let problem = match item.as_text() {
            Some(text) => format!("{} is no beginning of periods", report.show(text)),
            None => "this is no beginning of periods".to_owned(),
        };
        report.error(&item.path, problem, BEGINS_HELP);
    }
    day.map(PeriodAnchor::Day)
}

fn begins_to_json(anchor: &PeriodAnchor) -> Value {
    match anchor {
        PeriodAnchor::Day(day) => day.to_string().into(),
        PeriodAnchor::Opened => "opened".into(),
        PeriodAnchor::Attribute(name) => json!({ "attribute": name }),
    }
}

fn parse_day(text: &str) -> Option<NaiveDate> {
    let day: NaiveDate = text.parse().ok()?;
    (1900..=9999).contains(&day.year()).then_some(day)
}

fn read_day(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<NaiveDate> {
    let text = item.text("2026-12-01", report)?;
    let day = parse_day(text.trim());
    if day.is_none() {
        let problem = format!("{} is no day", report.show(text));
        report.error(&item.path, problem, "write \"2026-12-01\"");
    }
    day
}

fn read_accounts(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Vec<AccountId> {
    let items = list.list("[\"ann@example.com\"]", report);
    let mut accounts = BTreeSet::new();
    for item in list.limit_count(items, MAX_ACCOUNTS, report) {
        let Some(text) = item.text("ann@example.com", report) else {
            continue;
        };
        match AccountId::parse(text) {
            Ok(account) => drop(accounts.insert(account)),
            Err(why) => {
                let problem = format!("{} {why}", report.show(text));
                report.error(
                    &item.path,
                    problem,
                    "name the account as `maitred account list` does",
                );
            }
        }
    }
    accounts.into_iter().collect()
}

fn read_gates(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Vec<String> {
    let items = list.list("[\"club\"]", report);
    let names = items
        .iter()
        .filter_map(|item| value::read_name(item, "club", report));
    names.collect()
}
