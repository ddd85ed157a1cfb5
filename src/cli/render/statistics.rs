//! Renders what happened on each day, in numbers.

use std::collections::BTreeMap;

use super::layout::PageLayout;
use crate::control::protocol::statistics::{DayStatisticsView, StatisticsView};

/// The decisions, in the order of the columns.
const DECISIONS: [&str; 5] = ["confirm", "decline", "wait", "review", "leave"];

/// Renders the decisions of the whole period by reason, and a row for each day on which something
/// happened.
pub fn render_statistics(view: &StatisticsView, page: &PageLayout) -> String {
    let (Some(first), Some(last)) = (view.days.first(), view.days.last()) else {
        return "There are no days.\n".to_owned();
    };
    let period = format!("From {} to {}, in days of UTC", first.day, last.day);
    let days: Vec<&DayStatisticsView> = view.days.iter().filter(|day| has_something(day)).collect();
    if days.is_empty() {
        return format!("{period}: nothing happened.\n");
    }
    let mut text = format!("{period}.\n\n");
    let decisions = render_decisions(&days, page);
    if !decisions.is_empty() {
        text.push_str("Decisions by their first reason, most frequent first:\n");
        text.push_str(&decisions);
        text.push('\n');
    }
    text.push_str("Days on which something happened; decisions, and credits:\n");
    text.push_str(&render_days(&days, page));
    text
}

fn has_something(day: &DayStatisticsView) -> bool {
    let credits = credits(day).into_iter().any(|credits| credits > 0);
    credits || !day.decisions.is_empty()
}

/// Returns the credits of a day, in the order of the columns.
fn credits(day: &DayStatisticsView) -> [u64; 5] {
    [
        day.granted,
        day.spent,
        day.refunded,
        day.expired,
        day.revoked,
    ]
}

fn render_decisions(days: &[&DayStatisticsView], page: &PageLayout) -> String {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for count in days.iter().flat_map(|day| &day.decisions) {
        let key = (count.decision.as_str(), count.reason.as_str());
        *counts.entry(key).or_default() += count.count;
    }
    if counts.is_empty() {
        return String::new();
    }
    let mut counts: Vec<((&str, &str), u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rows = counts.into_iter().map(|((decision, reason), count)| {
        vec![decision.to_owned(), reason.to_owned(), count.to_string()]
    });
    let headings = ["decision", "reason", "number"];
    page.render_table(
        &headings,
        &["decision", "reason"],
        &["number"],
        rows.collect(),
    )
}

fn render_days(days: &[&DayStatisticsView], page: &PageLayout) -> String {
    let of_decision = |day: &DayStatisticsView, decision: &str| {
        let counts = day.decisions.iter();
        let counts = counts.filter(|count| count.decision == decision);
        counts.map(|count| count.count).sum::<u64>()
    };
    let rows = days.iter().map(|day| {
        let decisions = DECISIONS.map(|decision| of_decision(day, decision));
        let numbers = decisions.into_iter().chain(credits(day));
        let mut row = vec![day.day.clone()];
        row.extend(numbers.map(|number| number.to_string()));
        row
    });
    let credits = ["granted", "spent", "refunded", "expired", "revoked"];
    let numbers: Vec<&str> = DECISIONS.into_iter().chain(credits).collect();
    let mut headings = vec!["day"];
    headings.extend(&numbers);
    page.render_table(&headings, &["day"], &numbers, rows.collect())
}
