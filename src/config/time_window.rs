//! Reads weekdays and hours: `weekdays = ["mon-fri"]`, `hours = "08:00-18:00"`.

use chrono::NaiveTime;
use serde_json::{Value, json};

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value::set;
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::name_distance;

/// The days of the week, Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The end of the day, as it is written; no clock shows it.
const MIDNIGHT: &str = "24:00";

/// Reads the keys `weekdays` and `hours` of the table. A key that is left out allows any time.
pub(super) fn read(table: &mut TomlTable<'_>, report: &mut DiagnosticCollector<'_>) -> TimeWindow {
    let mut window = TimeWindow::ALWAYS;
    if let Some(item) = table.get("weekdays", report) {
        window.weekdays = read_weekdays(&item, report);
    }
    if let Some(item) = table.get("hours", report) {
        set(&mut window.from, read_hours(&item, &mut window.to, report));
    }
    window
}

/// Returns the days and hours in one form for all spellings.
pub(super) fn to_json(window: &TimeWindow) -> Value {
    let days = DAYS.iter().zip(window.weekdays);
    let days: Vec<&str> = days.filter(|(_, on)| *on).map(|(day, _)| *day).collect();
    let clock = |at: NaiveTime| at.format("%H:%M").to_string();
    let end = window.to.map_or(MIDNIGHT.to_owned(), clock);
    json!({ "weekdays": days, "hours": format!("{}-{end}", clock(window.from)) })
}

fn read_weekdays(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> [bool; 7] {
    let example = "[\"mon-fri\", \"sun\"]";
    let items = list.list(example, report);
    if items.is_empty() {
        let problem = "this names no day of the week".to_owned();
        report.error(&list.path, problem, format!("for example {example}"));
    }
    let mut days = [false; 7];
    for item in &items {
        let Some((first, last)) = read_day_range(item, report) else {
            continue;
        };
        // A range may pass the end of the week: from Friday to Monday is a weekend.
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

/// Reads one day, or the first and the last of several.
fn read_day_range(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<(usize, usize)> {
    let text = item.text("mon-fri", report)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |word: &str| DAYS.iter().position(|day| *day == word.trim());
    if let (Some(first), Some(last)) = (number(first), number(last)) {
        return Some((first, last));
    }
    let problem = format!("{} is no day of the week", report.show(text));
    let help = match suggest_range(first, last) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!(
            "give one of \"{}\", or a range: \"mon-fri\"",
            DAYS.join("\", \"")
        ),
    };
    report.error(&item.path, problem, help);
    None
}

/// Suggests what was meant by whole names, capitals, or one wrong letter.
fn suggest_range(first: &str, last: &str) -> Option<String> {
    let day = |word: &str| {
        let word = word.trim().to_lowercase();
        let full_name = DAYS.into_iter().find(|day| word.starts_with(day));
        full_name.or_else(|| name_distance::nearest(&word, DAYS))
    };
    match (day(first)?, day(last)?) {
        (day, same) if day == same => Some(day.to_owned()),
        (first, last) => Some(format!("{first}-{last}")),
    }
}

/// Reads from when to when. Returns the start and sets `to` to the end, where `None` is the end of
/// the day.
fn read_hours(
    item: &TomlValue<'_>,
    to: &mut Option<NaiveTime>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<NaiveTime> {
    let example = "08:00-18:00";
    let text = item.text(example, report)?;
    let ends = text.split_once('-').and_then(|(from, to)| {
        let to = match to.trim() {
            MIDNIGHT => None,
            clock => Some(parse_time_of_day(clock)?),
        };
        Some((parse_time_of_day(from.trim())?, to))
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

fn parse_time_of_day(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}
