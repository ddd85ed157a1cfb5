//! Reads a gate's settings for the time after the decision: refunds, absence, moves, and bookings
//! that others accepted.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono_tz::Tz;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::{TomlTable, TomlValue};
use super::value;
use super::value::set;
use crate::domain::refund_policy::{
    AcceptedMove, Blame, ExpiredRefund, Forgiveness, HostAbsent, LateMove, MAX_REFUND_TIERS,
    NoShow, OnReschedule, OnRevived, OnUnmanaged, RefundTerms, RefundTier, Terms,
};
use crate::domain::time::Span;

/// Bounds of notice, grace and the life of restored credits. Bookings are not made further ahead.
const UP_TO_A_YEAR: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Bounds of the period in which absences are counted.
const FORGIVE_PERIODS: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The most absences that may be forgiven.
const MAX_FORGIVEN: u64 = 1_000;

/// The period of `forgive` if the key `per` is left out.
const DEFAULT_FORGIVE_PERIOD: Span = Span::days(60);

pub(super) fn read(
    table: &mut TomlTable<'_>,
    zone: Tz,
    terms: &mut Terms,
    report: &mut DiagnosticCollector<'_>,
) {
    read_refunds(table, &mut terms.refunds, report);
    if let Some(item) = table.get("on-reschedule", report) {
        let words = [
            ("recheck", OnReschedule::Recheck),
            ("carry", OnReschedule::Carry),
        ];
        set(&mut terms.on_reschedule, item.keyword(&words, report));
    }
    if let Some(item) = table.get("accepted-move", report) {
        let words = [
            ("carry", AcceptedMove::Carry),
            ("judge", AcceptedMove::Judge),
        ];
        set(&mut terms.accepted_move, item.keyword(&words, report));
    }
    if let Some(item) = table.get("on-revived", report) {
        let words = [("report", OnRevived::Report), ("cancel", OnRevived::Cancel)];
        set(&mut terms.on_revived, item.keyword(&words, report));
    }
    read_unmanaged(table, zone, terms, report);
}

/// Reads the terms that every hold records.
fn read_refunds(
    table: &mut TomlTable<'_>,
    terms: &mut RefundTerms,
    report: &mut DiagnosticCollector<'_>,
) {
    if let Some(item) = table.get("refund", report) {
        set(&mut terms.tiers, read_refund_tiers(&item, report));
    }
    let blame = [("refund", Blame::Host), ("as-booker", Blame::Booker)];
    if let Some(item) = table.get("host-cancels", report) {
        set(&mut terms.host_cancels, item.keyword(&blame, report));
    }
    if let Some(item) = table.get("unknown-cancels", report) {
        set(&mut terms.unknown_cancels, item.keyword(&blame, report));
    }
    if let Some(item) = table.get("trust-named-cancels", report) {
        set(&mut terms.trust_named_cancels, item.flag(report));
    }
    if let Some(item) = table.get("host-absent", report) {
        let words = [
            ("review", HostAbsent::Review),
            ("refund", HostAbsent::Refund),
            ("ignore", HostAbsent::Ignore),
        ];
        set(&mut terms.host_absent, item.keyword(&words, report));
    }
    if let Some(item) = table.get("no-show", report) {
        let words = [
            ("keep", NoShow::Keep),
            ("refund", NoShow::Refund),
            ("review", NoShow::Review),
        ];
        set(&mut terms.no_show, item.keyword(&words, report));
    }
    if let Some(item) = table.get("forgive", report) {
        set(&mut terms.forgiveness, read_forgive(&item, report));
    }
    if let Some(item) = table.get("grace", report) {
        set(
            &mut terms.grace,
            value::read_span(&item, UP_TO_A_YEAR, report),
        );
    }
    if let Some(item) = table.get("expired-refund", report) {
        set(
            &mut terms.expired_refund,
            read_expired_refund(&item, report),
        );
    }
    if let Some(item) = table.get("late-move", report) {
        let words = [
            ("carry", LateMove::Carry),
            ("cancellation", LateMove::Cancellation),
        ];
        set(&mut terms.late_move, item.keyword(&words, report));
    }
}

fn read_unmanaged(
    table: &mut TomlTable<'_>,
    zone: Tz,
    terms: &mut Terms,
    report: &mut DiagnosticCollector<'_>,
) {
    let mode = table.get("unmanaged", report);
    let since = table.get("unmanaged-since", report);
    if let Some(item) = &mode {
        let words = [
            ("report", OnUnmanaged::Report),
            ("charge", OnUnmanaged::Charge),
            ("cancel", OnUnmanaged::Cancel),
        ];
        set(&mut terms.on_unmanaged, item.keyword(&words, report));
    }
    let has_since = since
        .as_ref()
        .is_some_and(|item| item.as_text() != Some(""));
    if let Some(item) = since.filter(|_| has_since) {
        terms.unmanaged_since = value::read_instant(&item, zone, report);
    }
    if let Some(item) = mode.filter(|_| !has_since && terms.on_unmanaged != OnUnmanaged::Report) {
        let problem = "this says nothing of bookings from before maitred's time".to_owned();
        let help = "add unmanaged-since = \"2026-12-01\": bookings made before are left alone";
        report.error(&item.path, problem, help);
    }
}

/// Reads the refund tiers, and sorts them by notice with the longest first.
fn read_refund_tiers(
    list: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<RefundTier>> {
    let example = "[{ before = \"24h\", share = \"100%\" }]";
    let items = list.list(example, report);
    if items.len() > MAX_REFUND_TIERS {
        let problem = format!("{} windows are more than {MAX_REFUND_TIERS}", items.len());
        report.error(&list.path, problem, "leave out some");
        return None;
    }
    let mut tiers = Vec::new();
    for item in &items {
        let Some(entries) = item.as_table() else {
            item.report_type_mismatch("a table", &format!("for example {example}"), report);
            continue;
        };
        let mut table = TomlTable::new(&item.path, Some(entries));
        let before = table.get("before", report);
        let share = table.get("share", report);
        if before.is_none() || share.is_none() {
            let problem = "this names no notice, or no share".to_owned();
            report.error(&item.path, problem, format!("write it as in {example}"));
        }
        table.report_unknown_keys(report);
        let before = before.and_then(|item| value::read_span(&item, UP_TO_A_YEAR, report));
        let percent = share.and_then(|item| value::read_percent(&item, report));
        if let (Some(before), Some(percent)) = (before, percent) {
            tiers.push(RefundTier { before, percent });
        }
    }
    tiers.sort_by_key(|window| std::cmp::Reverse(window.before));
    for pair in tiers.windows(2) {
        if pair[0].before == pair[1].before || pair[0].percent < pair[1].percent {
            let problem = "more notice never gives less, and each notice stands once".to_owned();
            report.error(&list.path, problem, "correct the shares");
            break;
        }
    }
    Some(tiers)
}

fn read_forgive(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Option<Forgiveness>> {
    let example = "{ times = 1, per = \"60days\" }";
    let Some(entries) = item.as_table() else {
        item.report_type_mismatch("a table", &format!("for example {example}"), report);
        return None;
    };
    let mut table = TomlTable::new(&item.path, Some(entries));
    let times = table.get("times", report);
    let per = table.get("per", report);
    if times.is_none() {
        let problem = "this says nothing of how often".to_owned();
        report.error(&item.path, problem, format!("write it as in {example}"));
    }
    table.report_unknown_keys(report);
    let times = times?.number(0..=MAX_FORGIVEN, report)?;
    let per = match per {
        Some(item) => value::read_span(&item, FORGIVE_PERIODS, report)?,
        None => DEFAULT_FORGIVE_PERIOD,
    };
    let times = u32::try_from(times).ok()?;
    Some((times > 0).then_some(Forgiveness { times, per }))
}

fn read_expired_refund(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<ExpiredRefund> {
    let help = "write \"restore-for 14d\" or \"forfeit\"";
    let text = item.text("restore-for 14d", report)?;
    if text.trim() == "forfeit" {
        return Some(ExpiredRefund::Forfeit);
    }
    let span = text.trim().strip_prefix("restore-for ");
    let span = span.and_then(|span| humantime::parse_duration(span.trim()).ok());
    let span = span.filter(|span| !span.is_zero() && UP_TO_A_YEAR.contains(span));
    match span.and_then(|span| Span::from_std(span).ok()) {
        Some(span) => Some(ExpiredRefund::RestoreFor(span)),
        None => {
            let problem = format!("{} is not known here", report.show(text));
            report.error(&item.path, problem, help);
            None
        }
    }
}
