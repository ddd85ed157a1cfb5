//! What a gate asks for beside an account and credit.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::effect::{get, get_lasting};
use super::parse::set;
use super::reader::{Item, Table};
use super::report::Report;
use super::{cap, lists, opening, price, rule, value};
use crate::domain::criteria::house::House;
use crate::domain::criteria::opening::Opening;
use crate::domain::criteria::terms::{AccountDetails, AnswerTooMany, Criteria, Notice, WhoseClock};
use crate::domain::id::{EventTypeKey, MAX_NAME};
use crate::domain::time::Span;

/// Notice. Bookings are not made further ahead.
const NOTICE: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Hours that one gate may have.
const MAX_HOURS: usize = 50;

/// The most requests of a booker on one day; more is no limit.
const MAX_PER_DAY: u64 = 10_000;

/// What the keys of the gate's table say. `guarded` are its event types.
pub(super) fn read(
    table: &mut Table<'_>,
    guarded: &[EventTypeKey],
    house: &House,
    report: &mut Report<'_>,
) -> Criteria {
    let mut criteria = Criteria {
        prices: price::get(table, guarded, report),
        caps: cap::get(table, &house.caps, report),
        ..Criteria::default()
    };
    get(table, "over-cap", &mut criteria.over_cap, report);
    if let Some(item) = table.get("notice", report) {
        set(&mut criteria.notice, notice(&item, report));
    }
    get_lasting(table, "notice-missed", &mut criteria.notice_missed, report);
    if let Some(list) = table.get("hours", report) {
        criteria.hours = hours(&list, report);
    }
    get_lasting(table, "outside-hours", &mut criteria.outside_hours, report);
    if let Some(item) = table.get("time-zone", report) {
        let words = [("house", WhoseClock::House), ("booker", WhoseClock::Booker)];
        set(&mut criteria.clock, item.word(&words, report));
    }
    lists(table, house, &mut criteria, report);
    criteria.requests_per_day = requests_per_day(table, report);
    if let (Some(own), Some(all)) = (criteria.requests_per_day, house.requests_per_day)
        && own >= all
    {
        let problem = format!("this never decides: house.requests-per-day is {all}");
        let path = format!("{}.requests-per-day", table.path());
        report.warn(
            &path,
            problem,
            "the stricter counts: make it lower, or leave it out",
        );
    }
    let slot = &mut criteria.too_many_requests;
    get_lasting(table, "too-many-requests", slot, report);
    if let Some(item) = table.get("answer-too-many", report) {
        let words = [
            ("once", AnswerTooMany::Once),
            ("each", AnswerTooMany::Each),
            ("never", AnswerTooMany::Never),
        ];
        set(&mut criteria.answer_too_many, item.word(&words, report));
    }
    if let Some(item) = table.get("pin", report) {
        criteria.pin = pin(&item, report);
    }
    get(table, "wrong-pin", &mut criteria.wrong_pin, report);
    if let Some(item) = table.get("account-details", report) {
        let words = [
            ("proven", AccountDetails::Proven),
            ("always", AccountDetails::Always),
        ];
        set(&mut criteria.account_details, item.word(&words, report));
    }
    if let Some(list) = table.get("rule", report) {
        criteria.rules = rule::read(&list, "[[gate.rule]]", house, report);
    }
    criteria
}

fn lists(table: &mut Table<'_>, house: &House, criteria: &mut Criteria, report: &mut Report<'_>) {
    let folding = &house.folding;
    let allow = lists::get(table, "allow", folding, house.zone, report);
    get(table, "not-allowed", &mut criteria.not_allowed, report);
    let block = lists::get(table, "block", folding, house.zone, report);
    get(table, "blocked", &mut criteria.blocked, report);
    criteria.block = lists::plain(block);
    lists::contradictions(&allow, &[&criteria.block, &house.block], folding, report);
    criteria.allow = lists::plain(allow);
}

fn notice(item: &Item<'_>, report: &mut Report<'_>) -> Option<Notice> {
    if item.as_table().is_none() {
        item.table("{ at-least = \"24h\", at-most = \"60days\" }", report);
        return None;
    }
    let span = |item: &Item<'_>, report: &mut Report<'_>| value::span(item, NOTICE, report);
    let (at_least, at_most) = value::range(item, &span, report)?;
    Some(Notice {
        // No notice at all is always given.
        at_least: at_least.filter(|least| *least > Span::zero()),
        at_most,
    })
}

fn hours(list: &Item<'_>, report: &mut Report<'_>) -> Vec<Opening> {
    let example = "{ weekdays = [\"mon-fri\"], hours = \"08:00-18:00\" }";
    let mut hours = Vec::new();
    for mut row in list.rows(example, MAX_HOURS, report) {
        let before = report.errors();
        let opening = opening::read(&mut row, report);
        if opening == Opening::ALWAYS && report.errors() == before {
            let problem = "this is at any time, so that the hours exclude nothing".to_owned();
            report.warn(row.path(), problem, format!("for example {example}"));
        }
        row.close(report);
        hours.push(opening);
    }
    hours
}

/// The limit; 0 is none.
pub(super) fn requests_per_day(table: &mut Table<'_>, report: &mut Report<'_>) -> Option<u32> {
    let item = table.get("requests-per-day", report)?;
    let number = item.number(0..=MAX_PER_DAY, report)?;
    u32::try_from(number).ok().filter(|number| *number > 0)
}

/// The slug of a booking question; an empty text is none.
fn pin(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = item.text("pin", report)?;
    let strange = |c: char| c.is_whitespace() || c.is_control();
    if text.len() > MAX_NAME || text.contains(strange) {
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
