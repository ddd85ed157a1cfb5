//! The command that shows what happened on each day, in numbers.

use chrono::Days;

use super::parse;
use crate::control::protocol::statistics::{DayStatisticsView, DecisionCountView, StatisticsView};
use crate::control::protocol::{CommandResult, MAX_STATISTICS_DAYS, Refusal, SCHEMA};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::time::Time;
use crate::store::port::Store;

/// Shows the last days up to today, with those on which nothing happened.
///
/// # Errors
/// Fails when the number of days is 0 or too large, or when the store cannot be read.
pub fn show(store: &dyn Store, now: Time, days: u32) -> Result<CommandResult, Refusal> {
    if !(1..=MAX_STATISTICS_DAYS).contains(&days) {
        return Err(parse::usage(format!(
            "the number of days is {days}; give one from 1 to {MAX_STATISTICS_DAYS}"
        )));
    }
    let last = now.date_naive();
    let before_last = Days::new(u64::from(days - 1));
    let first = last.checked_sub_days(before_last).unwrap_or(last);
    let totals = store.daily_totals(first, last);
    let totals = totals.map_err(|e| parse::store_failed(&e))?;
    let mut totals = totals.into_iter().peekable();
    let days = first.iter_days().take_while(|day| *day <= last);
    let days = days.map(|day| {
        let of_day = totals.next_if(|(counted, _)| *counted == day);
        day_view(day.to_string(), of_day.map(|(_, totals)| totals))
    });
    Ok(CommandResult::Statistics(StatisticsView {
        schema: SCHEMA,
        days: days.collect(),
    }))
}

fn day_view(day: String, totals: Option<DailyTotals>) -> DayStatisticsView {
    let totals = totals.unwrap_or_default();
    let decisions = totals.decisions.iter();
    let decisions = decisions.map(|((decision, reason), count)| DecisionCountView {
        decision: (*decision).to_owned(),
        reason: (*reason).to_owned(),
        count: *count,
    });
    DayStatisticsView {
        day,
        decisions: decisions.collect(),
        granted: totals.granted,
        spent: totals.spent,
        refunded: totals.refunded,
        expired: totals.expired,
        revoked: totals.revoked,
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{noted_request, now, record_decision, store_with_credits};
    use super::*;

    fn days_of(result: CommandResult) -> Vec<DayStatisticsView> {
        let CommandResult::Statistics(view) = result else {
            panic!("{result:?}");
        };
        view.days
    }

    #[test]
    fn every_day_of_the_period_is_shown_and_today_is_the_last() {
        let mut store = store_with_credits(7);
        record_decision(&mut store, noted_request("b1"));
        let days = days_of(show(&store, now(), 3).unwrap());
        let names: Vec<&str> = days.iter().map(|day| day.day.as_str()).collect();
        assert_eq!(names, ["2026-11-29", "2026-11-30", "2026-12-01"]);
        assert_eq!(days[0].granted, 0);
        assert_eq!(days[1], day_view("2026-11-30".to_owned(), None));
        assert_eq!(days[2].granted, 7);
        let expect = DecisionCountView {
            decision: "review".to_owned(),
            reason: "frozen".to_owned(),
            count: 1,
        };
        assert_eq!(days[2].decisions, [expect]);
        // A day later the same facts are of yesterday.
        let later = days_of(show(&store, now() + chrono::TimeDelta::days(1), 2).unwrap());
        assert_eq!(later[0], days[2]);
        assert_eq!(later[1].granted, 0);
    }

    #[test]
    fn a_period_has_at_least_a_day_and_at_most_a_year() {
        let store = store_with_credits(1);
        assert_eq!(days_of(show(&store, now(), 366).unwrap()).len(), 366);
        for days in [0, 367, u32::MAX] {
            let refusal = show(&store, now(), days).unwrap_err();
            assert_eq!(refusal.code, "usage");
            assert!(refusal.text.contains("from 1 to 366"), "{}", refusal.text);
        }
    }
}
