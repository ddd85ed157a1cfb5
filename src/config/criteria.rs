//! Reads what a gate requires in addition to an account and credit.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic_collector::DiagnosticCollector;
use super::on_violation::{read_effect_key, read_permanent_effect_key};
use super::reader::{TomlTable, TomlValue};
use super::value::set;
use super::{access_list, cap, price, rule, time_window, value};
use crate::domain::criteria::gate_criteria::{
    AccountDetails, Criteria, NoticeBounds, TooManyRequestsReply, ZoneSource,
};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::id::{EventTypeKey, MAX_NAME};
use crate::domain::time::Span;

/// Bounds of the notice. Bookings are not made further ahead.
const NOTICE: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// The most entries in the list of hours of one gate.
const MAX_HOURS: usize = 50;

/// The most requests of a booker on one day. A higher number would not limit anything.
const MAX_PER_DAY: u64 = 10_000;

/// Reads the criteria from the gate's table. `gate_event_types` are the event types of the gate.
pub(super) fn read(
    table: &mut TomlTable<'_>,
    gate_event_types: &[EventTypeKey],
    global_policy: &GlobalPolicy,
    report: &mut DiagnosticCollector<'_>,
) -> Criteria {
    let mut criteria = Criteria {
        prices: price::read_prices(table, gate_event_types, report),
        caps: cap::read_caps(table, &global_policy.caps, report),
        ..Criteria::default()
    };
    read_effect_key(table, "over-cap", &mut criteria.on_over_cap, report);
    if let Some(item) = table.get("notice", report) {
        set(&mut criteria.notice, read_notice(&item, report));
    }
    read_permanent_effect_key(
        table,
        "notice-missed",
        &mut criteria.on_notice_missed,
        report,
    );
    if let Some(list) = table.get("hours", report) {
        criteria.hours = read_hours(&list, report);
    }
    read_permanent_effect_key(
        table,
        "outside-hours",
        &mut criteria.on_outside_hours,
        report,
    );
    if let Some(item) = table.get("time-zone", report) {
        let words = [
            ("schedule", ZoneSource::Schedule),
            ("booker", ZoneSource::Booker),
        ];
        set(&mut criteria.zone_source, item.keyword(&words, report));
    }
    read_lists(table, global_policy, &mut criteria, report);
    criteria.requests_per_day = read_requests_per_day(table, report);
    if let (Some(gate_limit), Some(global_limit)) =
        (criteria.requests_per_day, global_policy.requests_per_day)
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
    let slot = &mut criteria.on_too_many_requests;
    read_permanent_effect_key(table, "too-many-requests", slot, report);
    table.refuse_replaced_key("answer-too-many", "write `decline-too-many`", report);
    if let Some(item) = table.get("decline-too-many", report) {
        let words = [
            ("once", TooManyRequestsReply::Once),
            ("each", TooManyRequestsReply::Each),
            ("never", TooManyRequestsReply::Never),
        ];
        set(
            &mut criteria.too_many_requests_reply,
            item.keyword(&words, report),
        );
    }
    if let Some(item) = table.get("pin", report) {
        criteria.pin = read_pin(&item, report);
    }
    read_effect_key(table, "wrong-pin", &mut criteria.on_wrong_pin, report);
    if let Some(item) = table.get("account-details", report) {
        let words = [
            ("proven", AccountDetails::ProvenMember),
            ("always", AccountDetails::Always),
        ];
        set(&mut criteria.account_details, item.keyword(&words, report));
    }
    if let Some(list) = table.get("rule", report) {
        criteria.rules = rule::read(&list, "[[gate.rule]]", global_policy, report);
    }
    criteria
}

fn read_lists(
    table: &mut TomlTable<'_>,
    global_policy: &GlobalPolicy,
    criteria: &mut Criteria,
    report: &mut DiagnosticCollector<'_>,
) {
    let folding = &global_policy.address_normalization;
    let allow = access_list::read_list(table, "allow", folding, global_policy.zone, report);
    read_effect_key(table, "not-allowed", &mut criteria.on_not_allowed, report);
    let block = access_list::read_list(table, "block", folding, global_policy.zone, report);
    read_effect_key(table, "blocked", &mut criteria.on_blocked, report);
    criteria.block = access_list::without_paths(block);
    access_list::warn_of_contradictions(
        &allow,
        &[&criteria.block, &global_policy.block],
        folding,
        report,
    );
    criteria.allow = access_list::without_paths(allow);
}

fn read_notice(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<NoticeBounds> {
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

fn read_hours(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Vec<TimeWindow> {
    let example = "{ weekdays = [\"mon-fri\"], hours = \"08:00-18:00\" }";
    let mut hours = Vec::new();
    for mut row in list.rows(example, MAX_HOURS, report) {
        let before = report.error_count();
        let opening = time_window::read(&mut row, report);
        if opening == TimeWindow::ALWAYS && report.error_count() == before {
            let problem = "this is at any time, so that the hours exclude nothing".to_owned();
            report.warn(row.path(), problem, format!("for example {example}"));
        }
        row.report_unknown_keys(report);
        hours.push(opening);
    }
    hours
}

/// Reads the limit; 0 means that there is none.
pub(super) fn read_requests_per_day(
    table: &mut TomlTable<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<u32> {
    let item = table.get("requests-per-day", report)?;
    let number = item.number(0..=MAX_PER_DAY, report)?;
    u32::try_from(number).ok().filter(|number| *number > 0)
}

/// Reads the identifier of a booking question; an empty text means that there is none.
fn read_pin(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<String> {
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
    (!text.is_empty()).then(|| text.to_owned())
}
