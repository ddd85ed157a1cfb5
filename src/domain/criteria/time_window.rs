//! Weekdays and hours: when a booking may be, and when it costs which price.

use chrono::{Datelike as _, NaiveDateTime, NaiveTime, Weekday};
use chrono_tz::Tz;

use crate::domain::time::Time;

/// Weekdays, and a part of the day on each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeWindow {
    /// Monday first; `true` for each day of the window.
    pub weekdays: [bool; 7],
    /// The local time at which the window opens.
    pub from: NaiveTime,
    /// Not after midnight; `None` is midnight at the end of the day.
    pub to: Option<NaiveTime>,
}

impl TimeWindow {
    /// A window that covers all time.
    pub const ALWAYS: Self = Self {
        weekdays: [true; 7],
        from: NaiveTime::MIN,
        to: None,
    };

    fn includes_weekday(&self, day: Weekday) -> bool {
        self.weekdays[day.num_days_from_monday() as usize]
    }

    /// Returns until when the window is open without a break from `at` (local time); `None` if the
    /// window is closed then. At its closing time the window still counts as open, for a booking
    /// that ends then.
    fn open_until(&self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        let is_inside = self.includes_weekday(at.weekday())
            && self.from <= at.time()
            && self.to.is_none_or(|closes| at.time() <= closes);
        if !is_inside {
            return None;
        }
        match self.to {
            Some(closes) => Some(at.date().and_time(closes)),
            None => Some(at.date().succ_opt()?.and_time(NaiveTime::MIN)),
        }
    }

    /// Returns true if a booking with this start begins in the window.
    pub fn contains_start(&self, start: Time, zone: Tz) -> bool {
        let local_start = start.with_timezone(&zone).naive_local();
        let is_in_hours = self.from <= local_start.time()
            && self.to.is_none_or(|closes| local_start.time() < closes);
        self.includes_weekday(local_start.weekday()) && is_in_hours
    }
}

/// The most windows that one booking may cross one after the other: a month of days, each of them
/// cut into hours.
const MAX_WINDOWS_PER_BOOKING: usize = 31 * 24;

/// Returns true if the windows cover the whole time by the clock of the zone. Windows that touch or
/// overlap are one, across midnight too.
pub fn windows_cover(windows: &[TimeWindow], (start, end): (Time, Time), zone: Tz) -> bool {
    let mut at = start.with_timezone(&zone).naive_local();
    let end = end.with_timezone(&zone).naive_local();
    for _ in 0..MAX_WINDOWS_PER_BOOKING {
        let until = windows
            .iter()
            .filter_map(|opening| opening.open_until(at))
            .max();
        match until {
            Some(until) if until >= end => return true,
            Some(until) if until > at => at = until,
            Some(_) | None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().expect("an instant")
    }

    fn on_the_hour(hour: u32) -> Option<NaiveTime> {
        NaiveTime::from_hms_opt(hour, 0, 0)
    }

    #[test]
    fn a_booking_lies_in_a_window_by_the_clock_of_the_zone() {
        let berlin = Tz::Europe__Berlin;
        let office = TimeWindow {
            weekdays: [true, true, true, true, true, false, false],
            from: on_the_hour(8).expect("a time"),
            to: on_the_hour(18),
        };
        let evening = TimeWindow {
            weekdays: [true; 7],
            from: on_the_hour(18).expect("a time"),
            to: None,
        };
        // window, zone, start, end, lies in it, starts in it
        let rows = [
            (
                &office,
                Tz::UTC,
                "2026-11-23T08:00:00Z",
                "2026-11-23T09:00:00Z",
                true,
                true,
            ),
            (
                &office,
                Tz::UTC,
                "2026-11-23T07:59:59Z",
                "2026-11-23T09:00:00Z",
                false,
                false,
            ),
            (
                &office,
                Tz::UTC,
                "2026-11-23T17:00:00Z",
                "2026-11-23T18:00:00Z",
                true,
                true,
            ),
            (
                &office,
                Tz::UTC,
                "2026-11-23T17:30:00Z",
                "2026-11-23T18:00:01Z",
                false,
                true,
            ),
            (
                &office,
                Tz::UTC,
                "2026-11-23T18:00:00Z",
                "2026-11-23T18:30:00Z",
                false,
                false,
            ),
            (
                &office,
                Tz::UTC,
                "2026-11-21T10:00:00Z",
                "2026-11-21T11:00:00Z",
                false,
                false,
            ),
            // 07:30 in UTC is 08:30 in a Berlin winter and 09:30 in summer.
            (
                &office,
                berlin,
                "2026-11-23T07:30:00Z",
                "2026-11-23T08:00:00Z",
                true,
                true,
            ),
            (
                &office,
                berlin,
                "2026-07-20T06:00:00Z",
                "2026-07-20T07:00:00Z",
                true,
                true,
            ),
            (
                &office,
                berlin,
                "2026-11-23T06:00:00Z",
                "2026-11-23T07:00:00Z",
                false,
                false,
            ),
            // Friday in Berlin until midnight, Saturday from then on.
            (
                &office,
                berlin,
                "2026-11-20T23:30:00Z",
                "2026-11-20T23:45:00Z",
                false,
                false,
            ),
            (
                &evening,
                Tz::UTC,
                "2026-11-23T23:00:00Z",
                "2026-11-24T00:00:00Z",
                true,
                true,
            ),
            (
                &evening,
                Tz::UTC,
                "2026-11-23T23:30:00Z",
                "2026-11-24T00:30:00Z",
                false,
                true,
            ),
            (
                &evening,
                Tz::UTC,
                "2026-11-23T20:00:00Z",
                "2026-11-25T00:00:00Z",
                false,
                true,
            ),
        ];
        for (opening, zone, start, end, holds, starts) in rows {
            let (start, end) = (time(start), time(end));
            let alone = std::slice::from_ref(opening);
            assert_eq!(
                windows_cover(alone, (start, end), zone),
                holds,
                "{zone} {start}"
            );
            assert_eq!(
                opening.contains_start(start, zone),
                starts,
                "{zone} {start}"
            );
        }
    }

    /// The advice in the message about hours past midnight must work.
    #[test]
    fn adjacent_windows_count_as_one() {
        let days = |days: &str| -> [bool; 7] {
            let days: Vec<bool> = days.chars().map(|day| day != '.').collect();
            days.try_into().expect("seven days")
        };
        let window = |weekdays: &str, from: u32, to: u32| TimeWindow {
            weekdays: days(weekdays),
            from: on_the_hour(from).expect("a time"),
            to: on_the_hour(to),
        };
        let night = [window("xxxxxxx", 22, 24), window("xxxxxxx", 0, 2)];
        let weekday_night = [window("xxxxx..", 22, 24), window("xxxxx..", 0, 2)];
        let halves = [window("xxxxxxx", 8, 12), window("xxxxxxx", 12, 18)];
        let overlap = [window("xxxxxxx", 10, 18), window("xxxxxxx", 8, 12)];
        let gap = [window("xxxxxxx", 8, 12), window("xxxxxxx", 13, 18)];
        let always = [TimeWindow::ALWAYS];
        // 2026-11-27 is a Friday.
        let rows: [(&[TimeWindow], Tz, &str, &str, bool); 13] = [
            (
                &night,
                Tz::UTC,
                "2026-11-24T23:30:00Z",
                "2026-11-25T00:30:00Z",
                true,
            ),
            (
                &night,
                Tz::UTC,
                "2026-11-24T22:00:00Z",
                "2026-11-25T02:00:00Z",
                true,
            ),
            (
                &night,
                Tz::UTC,
                "2026-11-24T22:00:00Z",
                "2026-11-25T02:00:01Z",
                false,
            ),
            (
                &night,
                Tz::UTC,
                "2026-11-24T22:00:00Z",
                "2026-11-25T22:30:00Z",
                false,
            ),
            (
                &night,
                Tz::Europe__Berlin,
                "2026-11-24T22:30:00Z",
                "2026-11-24T23:30:00Z",
                true,
            ),
            (
                &weekday_night,
                Tz::UTC,
                "2026-11-26T23:30:00Z",
                "2026-11-27T00:30:00Z",
                true,
            ),
            (
                &weekday_night,
                Tz::UTC,
                "2026-11-27T23:30:00Z",
                "2026-11-28T00:30:00Z",
                false,
            ),
            (
                &weekday_night,
                Tz::UTC,
                "2026-11-27T23:30:00Z",
                "2026-11-28T00:00:00Z",
                true,
            ),
            (
                &halves,
                Tz::UTC,
                "2026-11-24T11:30:00Z",
                "2026-11-24T12:30:00Z",
                true,
            ),
            (
                &overlap,
                Tz::UTC,
                "2026-11-24T08:00:00Z",
                "2026-11-24T18:00:00Z",
                true,
            ),
            (
                &gap,
                Tz::UTC,
                "2026-11-24T11:30:00Z",
                "2026-11-24T13:30:00Z",
                false,
            ),
            (
                &always,
                Tz::UTC,
                "2026-11-24T20:00:00Z",
                "2026-11-26T08:00:00Z",
                true,
            ),
            (
                &always,
                Tz::UTC,
                "2026-01-01T00:00:00Z",
                "2029-01-01T00:00:00Z",
                false,
            ),
        ];
        for (openings, zone, start, end, expect) in rows {
            let span = (time(start), time(end));
            assert_eq!(
                windows_cover(openings, span, zone),
                expect,
                "{start} {end} {openings:?}"
            );
        }
    }
}
