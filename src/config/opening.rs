//! Weekdays and hours, as they are written: `weekdays = ["mon-fri"]`, `hours = "08:00-18:00"`.

use chrono::NaiveTime;

use super::parse::set;
use super::reader::{Item, Table};
use super::report::Report;
use crate::domain::criteria::opening::Opening;
use crate::domain::near;

/// Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What stands for the end of the day; no clock shows it.
const MIDNIGHT: &str = "24:00";

/// What the keys `weekdays` and `hours` of the table say; at any time where they say nothing.
pub(super) fn read(table: &mut Table<'_>, report: &mut Report<'_>) -> Opening {
    let mut opening = Opening::ALWAYS;
    if let Some(item) = table.get("weekdays", report) {
        opening.weekdays = weekdays(&item, report);
    }
    if let Some(item) = table.get("hours", report) {
        set(&mut opening.from, hours(&item, &mut opening.to, report));
    }
    opening
}

fn weekdays(list: &Item<'_>, report: &mut Report<'_>) -> [bool; 7] {
    let example = "[\"mon-fri\", \"sun\"]";
    let items = list.list(example, report);
    if items.is_empty() {
        let problem = "this names no day of the week".to_owned();
        report.error(&list.path, problem, format!("for example {example}"));
    }
    let mut days = [false; 7];
    for item in &items {
        let Some((first, last)) = range(item, report) else {
            continue;
        };
        // From Friday to Monday is a weekend.
        let length = (last + 7 - first) % 7;
        for day in (first..=first + length).map(|day| day % 7) {
            if days[day] {
                let problem = format!("\"{}\" stands here twice", DAYS[day]);
                report.warn(&item.path, problem, "one of the two can go");
            }
            days[day] = true;
        }
    }
    days
}

/// One day, or the first and the last of several.
fn range(item: &Item<'_>, report: &mut Report<'_>) -> Option<(usize, usize)> {
    let text = item.text("mon-fri", report)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |word: &str| DAYS.iter().position(|day| *day == word.trim());
    if let (Some(first), Some(last)) = (number(first), number(last)) {
        return Some((first, last));
    }
    let problem = format!("{} is no day of the week", report.show(text));
    let help = match like(first, last) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!(
            "give one of \"{}\", or a range: \"mon-fri\"",
            DAYS.join("\", \"")
        ),
    };
    report.error(&item.path, problem, help);
    None
}

/// What was meant by whole names, capitals, or one wrong letter.
fn like(first: &str, last: &str) -> Option<String> {
    let day = |word: &str| {
        let word = word.trim().to_lowercase();
        let whole = DAYS.into_iter().find(|day| word.starts_with(day));
        whole.or_else(|| near::nearest(&word, DAYS))
    };
    match (day(first)?, day(last)?) {
        (day, same) if day == same => Some(day.to_owned()),
        (first, last) => Some(format!("{first}-{last}")),
    }
}

/// From when to when; the end goes into `to`, where `None` is the end of the day.
fn hours(
    item: &Item<'_>,
    to: &mut Option<NaiveTime>,
    report: &mut Report<'_>,
) -> Option<NaiveTime> {
    let example = "08:00-18:00";
    let text = item.text(example, report)?;
    let ends = text.split_once('-').and_then(|(from, to)| {
        let to = match to.trim() {
            MIDNIGHT => None,
            clock => Some(time(clock)?),
        };
        Some((time(from.trim())?, to))
    });
    let Some((from, end)) = ends else {
        let problem = format!("{} are no hours", report.show(text));
        let help = format!("write them as in \"{example}\"; the day ends at \"{MIDNIGHT}\"");
        report.error(&item.path, problem, help);
        return None;
    };
    if end.is_some_and(|end| end <= from) {
        let problem = "nothing lies in these hours: they do not end after they begin".to_owned();
        let help = "hours past midnight are two entries: one up to \"24:00\", and one from \
            \"00:00\" on";
        report.error(&item.path, problem, help);
        return None;
    }
    *to = end;
    Some(from)
}

fn time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}
