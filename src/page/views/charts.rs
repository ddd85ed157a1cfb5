//! What happened over time: decisions by reason, and credits, as charts with their numbers.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::control::protocol::Command;
use crate::control::protocol::statistics::{DayStatisticsView, DecisionCountView, StatisticsView};
use crate::page::chart::{ChartText, DailySeries, legend, panels, stacked_bars};
use crate::page::context::format_count;
use crate::page::table::{number, table, text};

/// The periods that can be chosen, in days.
const PERIODS: [u32; 3] = [7, 30, 90];

/// The period that is shown first, and in a report.
pub const DEFAULT_PERIOD: u32 = 30;

/// How many kinds of decisions have a colour of their own: more cannot be told apart. The others are
/// one kind together.
const MAX_KINDS: usize = 6;

/// Returns the command for a period. One that cannot be chosen is the default.
pub fn query(days: Option<u32>) -> Command {
    let days = days.filter(|days| PERIODS.contains(days));
    Command::Statistics {
        days: days.unwrap_or(DEFAULT_PERIOD),
    }
}

/// Shows the charts of a period, and links to the others.
pub fn show(view: &StatisticsView) -> Markup {
    html! {
        h1 { "Charts" }
        nav .periods aria-label="Period" {
            @for days in PERIODS {
                @let is_shown = usize::try_from(days).is_ok_and(|days| days == view.days.len());
                a href={ "/charts?days=" (days) } aria-current=[is_shown.then_some("true")] {
                    "Last " (days) " days"
                }
            }
        }
        (charts(view))
    }
}

/// Shows the charts.
pub fn charts(view: &StatisticsView) -> Markup {
    html! {
        p .note { "Days are days of UTC. The last one is not over yet." }
        div .charts {
            figure {
                h3 { "Decisions by reason" }
                (decisions(&view.days))
            }
            figure {
                h3 { "Credits" }
                (credits(&view.days))
            }
        }
    }
}

fn names(days: &[DayStatisticsView]) -> Vec<&str> {
    days.iter().map(|day| day.day.as_str()).collect()
}

fn decisions(days: &[DayStatisticsView]) -> Markup {
    let series = decision_series(days);
    let total: u64 = series.iter().map(DailySeries::total).sum();
    if total == 0 {
        return html! { p .empty { "Nothing was decided in these days." } };
    }
    let sum = |day: &DayStatisticsView| day.decisions.iter().map(|kind| kind.count).sum::<u64>();
    let busiest = days.iter().max_by_key(|day| sum(day));
    let kinds: Vec<String> = { series.iter() }
        .map(|one| format!("{} {}", one.name, one.total()))
        .collect();
    let mut description = format!("{}: {}.", format_count(total, "decision"), kinds.join(", "));
    if let Some(day) = busiest {
        description += &format!(" Most on {}: {}.", day.day, sum(day));
    }
    let about = ChartText {
        id: "chart-decisions",
        title: "Decisions of each day, by reason",
        description: &description,
    };
    html! {
        (stacked_bars(about, &names(days), &series))
        (legend(&series))
        details {
            summary { "Numbers of the decisions" }
            (decisions_table(days))
        }
    }
}

/// Returns the most frequent kinds of decisions, and all others together.
fn decision_series(days: &[DayStatisticsView]) -> Vec<DailySeries> {
    let mut totals: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for kind in days.iter().flat_map(|day| &day.decisions) {
        *totals.entry(key(kind)).or_default() += kind.count;
    }
    let mut kinds: Vec<((&str, &str), u64)> = totals.into_iter().collect();
    kinds.sort_by_key(|(_, total)| std::cmp::Reverse(*total));
    let shown: Vec<(&str, &str)> = kinds.iter().map(|(key, _)| *key).take(MAX_KINDS).collect();
    let count = |day: &DayStatisticsView, counts: &dyn Fn((&str, &str)) -> bool| {
        let kinds = day.decisions.iter().filter(|kind| counts(key(kind)));
        kinds.map(|kind| kind.count).sum::<u64>()
    };
    let mut series: Vec<DailySeries> = { shown.iter() }
        .map(|kind| DailySeries {
            name: format!("{}, {}", kind.0, kind.1),
            values: { days.iter() }
                .map(|day| count(day, &|other| other == *kind))
                .collect(),
        })
        .collect();
    if kinds.len() > shown.len() {
        let others = days
            .iter()
            .map(|day| count(day, &|other| !shown.contains(&other)));
        series.push(DailySeries {
            name: "others".to_owned(),
            values: others.collect(),
        });
    }
    series
}

fn key(kind: &DecisionCountView) -> (&str, &str) {
    (&kind.decision, &kind.reason)
}

fn decisions_table(days: &[DayStatisticsView]) -> Markup {
    let rows = days.iter().rev().flat_map(|day| {
        day.decisions.iter().map(|kind| {
            vec![
                html! { (day.day) },
                html! { (kind.decision) },
                html! { code { (kind.reason) } },
                html! { (kind.count) },
            ]
        })
    });
    let columns = [
        text("day"),
        text("decision"),
        text("reason"),
        number("number"),
    ];
    let rows: Vec<Vec<Markup>> = rows.collect();
    table(
        "Decisions of each day, newest day first",
        &columns,
        &rows,
        "",
    )
}

fn credits(days: &[DayStatisticsView]) -> Markup {
    let series = credit_series(days);
    if series.iter().all(|one| one.total() == 0) {
        return html! { p .empty { "No credits were given or spent in these days." } };
    }
    let totals: Vec<String> = { series.iter() }
        .map(|one| format!("{} {}", one.name, one.total()))
        .collect();
    let about = ChartText {
        id: "chart-credits",
        title: "Credits of each day",
        description: &format!("Credits in these days: {}.", totals.join(", ")),
    };
    let (shown, missing): (Vec<DailySeries>, Vec<DailySeries>) =
        series.into_iter().partition(|one| one.total() > 0);
    let missing: Vec<&str> = missing.iter().map(|one| one.name.as_str()).collect();
    html! {
        (panels(about, &names(days), &shown))
        @if !missing.is_empty() {
            p .note { "None in these days: " (missing.join(", ")) "." }
        }
        details {
            summary { "Numbers of the credits" }
            (credits_table(days))
        }
    }
}

/// The kinds of credits, in the order of [`credits_of`].
const CREDIT_KINDS: [&str; 5] = ["granted", "spent", "refunded", "expired", "revoked"];

fn credits_of(day: &DayStatisticsView) -> [u64; 5] {
    [
        day.granted,
        day.spent,
        day.refunded,
        day.expired,
        day.revoked,
    ]
}

fn credit_series(days: &[DayStatisticsView]) -> Vec<DailySeries> {
    let series = (0..)
        .zip(CREDIT_KINDS)
        .map(|(kind, name): (usize, _)| DailySeries {
            name: name.to_owned(),
            values: days.iter().map(|day| credits_of(day)[kind]).collect(),
        });
    series.collect()
}

fn credits_table(days: &[DayStatisticsView]) -> Markup {
    let rows = days.iter().rev().filter_map(|day| {
        let credits = credits_of(day);
        let has_some = credits.into_iter().any(|credits| credits > 0);
        let cells = credits.into_iter().map(|credits| html! { (credits) });
        has_some.then(|| [html! { (day.day) }].into_iter().chain(cells).collect())
    });
    let mut columns = vec![text("day")];
    columns.extend(CREDIT_KINDS.map(number));
    let caption = "Credits of each day on which some moved, newest day first";
    let rows: Vec<Vec<Markup>> = rows.collect();
    table(caption, &columns, &rows, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(name: &str, kinds: &[(&str, &str, u64)]) -> DayStatisticsView {
        let kinds = kinds
            .iter()
            .map(|(decision, reason, count)| DecisionCountView {
                decision: (*decision).to_owned(),
                reason: (*reason).to_owned(),
                count: *count,
            });
        DayStatisticsView {
            day: name.to_owned(),
            decisions: kinds.collect(),
            ..DayStatisticsView::default()
        }
    }

    #[test]
    fn the_most_frequent_kinds_have_a_series_and_the_others_one_together() {
        let reasons = [
            "enough", "taken", "frozen", "rule", "blocked", "over", "seated", "priced",
        ];
        let kinds: Vec<(&str, &str, u64)> = (1..)
            .zip(reasons)
            .map(|(count, reason)| ("decline", reason, count))
            .collect();
        let days = [
            day("2026-11-29", &kinds),
            day("2026-11-30", &[("decline", "enough", 9)]),
        ];
        let series = decision_series(&days);
        let names: Vec<&str> = series.iter().map(|one| one.name.as_str()).collect();
        let expect = [
            "decline, enough",
            "decline, priced",
            "decline, seated",
            "decline, over",
            "decline, blocked",
            "decline, rule",
            "others",
        ];
        assert_eq!(names, expect);
        assert_eq!(series[0].values, [1, 9]);
        assert_eq!(series[6].values, [2 + 3, 0]);
        let total: u64 = series.iter().map(DailySeries::total).sum();
        assert_eq!(total, 36 + 9, "no decision is lost");
    }

    #[test]
    fn days_without_anything_have_a_sentence_and_no_chart() {
        let view = StatisticsView {
            schema: 1,
            days: vec![day("2026-11-30", &[])],
        };
        let shown = show(&view).into_string();
        assert!(
            shown.contains("Nothing was decided in these days."),
            "{shown}"
        );
        assert!(!shown.contains("<svg"), "{shown}");
    }

    #[test]
    fn only_periods_of_the_list_are_read() {
        for (days, expect) in [(None, 30), (Some(7), 7), (Some(90), 90), (Some(366), 30)] {
            assert_eq!(query(days), Command::Statistics { days: expect });
        }
    }
}
