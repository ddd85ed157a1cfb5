//! The section `[global]`: settings for all gates.

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Decisions;
use super::key::KeyValue::Default;
use super::key::{KeyRow, ReadContext, Section};
use super::key_names::RenamedKey;
use super::model::Config;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value_type::{
    FLAG, FieldAt, Keywords, NumberRange, SpecialField, SpecialType, ZeroForNone,
};
use super::{access_list, cap, value};
use crate::domain::criteria::global_policy::ManagedUsers;

/// The most domains that ignore dots; only a handful of such domains exist.
const MAX_DOMAINS: usize = 100;

/// The most requests of a booker on one day. A higher number would not limit anything.
pub(super) const PER_DAY: ZeroForNone = ZeroForNone(NumberRange(0..=10_000));

pub(super) const SECTION: Section<Config> = Section {
    path: "global",
    doc: "Settings for all gates. Days, weeks, months and hours are those of schedule.time-zone.",
    keys: &[KEYS],
    renamed: &[
        RenamedKey {
            old: "fold-tags",
            new: Some("ignore-plus-tags"),
            help: "write `ignore-plus-tags`",
        },
        RenamedKey {
            old: "fold-dots",
            new: Some("ignore-dots-at"),
            help: "write `ignore-dots-at`",
        },
    ],
    complete,
};

const KEYS: &[KeyRow<Config>] = &[
    KeyRow {
        name: "ignore-plus-tags",
        value: Default("true"),
        affects: Decisions,
        doc: "Whether ann+club@example.com is the same booker as ann@example.com on the lists \
            below and on those of gates. Accounts are always found by the exact address.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.address_normalization.strip_tags,
            FLAG,
        ),
    },
    KeyRow {
        name: "ignore-dots-at",
        value: Default("[\"gmail.com\", \"googlemail.com\"]"),
        affects: Decisions,
        doc: "Domains that ignore dots before the @, so that a.nn@gmail.com is ann@gmail.com.",
        field: &FieldAt(
            |config: &mut Config| {
                &mut config
                    .policy
                    .global
                    .address_normalization
                    .domains_ignoring_dots
            },
            SpecialType {
                description: "a list of domains",
                read: read_domains,
                to_json: |domains: &Vec<String>| {
                    value::sorted(domains.iter().map(|domain| domain.as_str().into()))
                },
            },
        ),
    },
    KeyRow {
        name: "managed-users",
        value: Default("\"leave\""),
        affects: Decisions,
        doc: "What happens to a platform's managed user without an account: Cal.com gives them \
            addresses such as alice+cmidditrv0000mza4q93hbcau@example.com, which people do not \
            type. \"leave\": the booking stays pending, with a hint. \"find\": the account of \
            alice@example.com pays.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.managed_users,
            Keywords(&[("leave", ManagedUsers::Leave), ("find", ManagedUsers::Find)]),
        ),
    },
    KeyRow {
        name: "caps",
        value: Default("[]"),
        affects: Decisions,
        doc: "How many bookings a member may have, over all gates: { at-most = 2, per = \"week\" \
            }. They are counted by their start: per \"day\", \"week\" (from Monday on), \"month\", \
            or \"open\" (all future bookings). With tiers = [\"gold\"] a cap is for members of \
            these tiers, and replaces the caps without tiers for the same period. Of several caps \
            the strictest counts; caps are never summed.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.caps,
            cap::CAPS,
        ),
    },
    KeyRow {
        name: "allow",
        value: Default("[]"),
        affects: Decisions,
        doc: "Who may book: an address, everybody at a domain (\"@example.com\"), or a table with \
            a note for operators and the day on which the entry ends: { booker = \
            \"ann@example.com\", note = \"for the summer\", expires = \"2027-09-01\" }. An empty \
            list admits everybody. A gate with a list of its own uses that list instead.",
        field: &SpecialField {
            description: access_list::DESCRIPTION,
            read: |item, config: &mut Config, _, report| {
                let global = &mut config.policy.global;
                global.allow = access_list::read_list(item, global, report);
            },
            to_json: |config| access_list::to_json(&config.policy.global.allow),
        },
    },
    KeyRow {
        name: "block",
        value: Default("[]"),
        affects: Decisions,
        doc: "Whose requests are refused; entries as for allow. A booker on both lists is refused.",
        field: &SpecialField {
            description: access_list::DESCRIPTION,
            read: |item, config: &mut Config, _, report| {
                let global = &mut config.policy.global;
                global.block = access_list::read_list(item, global, report);
            },
            to_json: |config| access_list::to_json(&config.policy.global.block),
        },
    },
    KeyRow {
        name: "requests-per-day",
        value: Default("0"),
        affects: Decisions,
        doc: "How many requests a booker may make on one day, answered or not; 0: any number.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.global.requests_per_day,
            PER_DAY,
        ),
    },
];

/// Checks the lists against each other.
fn complete(
    table: &TomlTable<'_>,
    config: &mut Config,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    let global = &config.policy.global;
    access_list::warn_of_contradictions(table, &[&global.block], global, report);
}

fn read_domains(
    list: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<String>> {
    let items = list.list("[\"gmail.com\"]", report);
    let items = list.limit_count(items, MAX_DOMAINS, report);
    let mut domains = Vec::new();
    for item in items {
        let text = item.text("gmail.com", report);
        domains.extend(text.and_then(|text| value::read_domain(text, &item, report)));
    }
    Some(domains)
}
