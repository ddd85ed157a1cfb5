//! Reads the section `[global]`: settings for all gates.

use chrono_tz::Tz;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::{TomlTable, TomlValue};
use super::value::set;
use super::{access_list, cap, criteria, value};
use crate::domain::criteria::global_policy::{GlobalPolicy, ManagedUsers};

/// The most domains that ignore dots; only a handful of such domains exist.
const MAX_DOMAINS: usize = 100;

pub(super) fn read(
    mut table: TomlTable<'_>,
    zone: Tz,
    report: &mut DiagnosticCollector<'_>,
) -> GlobalPolicy {
    let mut global_policy = GlobalPolicy {
        zone,
        ..GlobalPolicy::default()
    };
    table.refuse_replaced_key("fold-tags", "write `ignore-plus-tags`", report);
    table.refuse_replaced_key("fold-dots", "write `ignore-dots-at`", report);
    if let Some(item) = table.get("ignore-plus-tags", report) {
        set(
            &mut global_policy.address_normalization.strip_tags,
            item.flag(report),
        );
    }
    if let Some(list) = table.get("ignore-dots-at", report) {
        global_policy.address_normalization.domains_ignoring_dots = read_domains(&list, report);
    }
    if let Some(item) = table.get("managed-users", report) {
        let words = [("leave", ManagedUsers::Leave), ("find", ManagedUsers::Find)];
        set(
            &mut global_policy.managed_users,
            item.keyword(&words, report),
        );
    }
    global_policy.caps = cap::read_caps(&mut table, &[], report);
    let allow = access_list::read_list(
        &mut table,
        "allow",
        &global_policy.address_normalization,
        zone,
        report,
    );
    let block = access_list::read_list(
        &mut table,
        "block",
        &global_policy.address_normalization,
        zone,
        report,
    );
    global_policy.block = access_list::without_paths(block);
    access_list::warn_of_contradictions(
        &allow,
        &[&global_policy.block],
        &global_policy.address_normalization,
        report,
    );
    global_policy.allow = access_list::without_paths(allow);
    global_policy.requests_per_day = criteria::read_requests_per_day(&mut table, report);
    table.report_unknown_keys(report);
    global_policy
}

fn read_domains(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Vec<String> {
    let items = list.list("[\"gmail.com\"]", report);
    let items = list.limit_count(items, MAX_DOMAINS, report);
    let mut domains = Vec::new();
    for item in items {
        let text = item.text("gmail.com", report);
        domains.extend(text.and_then(|text| value::read_domain(text, &item, report)));
    }
    domains
}
