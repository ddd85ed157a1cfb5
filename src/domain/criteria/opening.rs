//! Weekdays and hours: when a booking may be, and what it costs when.

use chrono::{Datelike as _, NaiveTime, Weekday};
use chrono_tz::Tz;

use crate::domain::time::Time;

/// Weekdays and a stretch of the day on each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Monday first; `true` where it counts.
    pub weekdays: [bool; 7],
    pub from: NaiveTime,
    /// Not after midnight; `None` is midnight at the day's end.
    pub to: Option<NaiveTime>,
}

impl Opening {
    /// At any time.
    pub const ALWAYS: Self = Self {
        weekdays: [true; 7],
        from: NaiveTime::MIN,
        to: None,
    };

    fn on(&self, day: Weekday) -> bool {
        self.weekdays[day.num_days_from_monday() as usize]
    }

    /// Whether the whole stretch lies in it, on one day of the zone.
    pub fn holds(&self, (start, end): (Time, Time), zone: Tz) -> bool {
        let from = start.with_timezone(&zone).naive_local();
        let to = end.with_timezone(&zone).naive_local();
        let ends_at_midnight =
            to.time() == NaiveTime::MIN && from.date().succ_opt() == Some(to.date());
        let same_day = from.date() == to.date();
        let ends_in_time = match self.to {
            Some(closes) => same_day && to.time() <= closes,
            None => same_day || ends_at_midnight,
        };
        self.on(from.weekday()) && self.from <= from.time() && ends_in_time
    }

    /// Whether it starts in it.
    pub fn starts(&self, start: Time, zone: Tz) -> bool {
        let from = start.with_timezone(&zone).naive_local();
        let open = self.from <= from.time() && self.to.is_none_or(|closes| from.time() < closes);
        self.on(from.weekday()) && open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().expect("an instant")
    }

    fn clock(hour: u32) -> Option<NaiveTime> {
        NaiveTime::from_hms_opt(hour, 0, 0)
    }

    #[test]
    fn a_booking_lies_in_an_opening_by_the_clock_of_the_zone() {
        let berlin = Tz::Europe__Berlin;
        let office = Opening {
            weekdays: [true, true, true, true, true, false, false],
            from: clock(8).expect("a time"),
            to: clock(18),
        };
        let evening = Opening {
            weekdays: [true; 7],
            from: clock(18).expect("a time"),
            to: None,
        };
        // opening, zone, start, end, lies in it, starts in it
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
            // Friday in Berlin until midnight, Saturday from there.
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
            assert_eq!(opening.holds((start, end), zone), holds, "{zone} {start}");
            assert_eq!(opening.starts(start, zone), starts, "{zone} {start}");
        }
    }
}
