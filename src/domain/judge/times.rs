//! When: notice, weekdays and hours, and how many in which time.

use chrono_tz::Tz;

use super::{EvaluationInput, Said, objects_at};
use crate::domain::criteria::cap::{Cap, PERIODS, Period, strictest};
use crate::domain::criteria::opening;
use crate::domain::decision::Code;
use crate::domain::rule::context::Counts;
use crate::domain::snapshot::Standing;
use crate::domain::text;

/// Counted from when it was asked for: what was early enough then does not become late by waiting.
pub(super) fn notice(asked: &EvaluationInput<'_>) -> Said {
    let notice = asked.gate.criteria.notice;
    if notice.at_least.is_none() && notice.at_most.is_none() {
        return Said::Silent;
    }
    let effect = |code| asked.decision(asked.gate.criteria.notice_missed, code);
    for (at, booking) in asked.bookings.iter().enumerate() {
        let given = booking.start - booking.created;
        if let Some(least) = notice.at_least.filter(|least| given < *least) {
            let text = text::notice_too_short(least);
            let code = Code::NoticeTooShort;
            return objects_at(asked, at, effect(code), (code, text));
        }
        if let Some(most) = notice.at_most.filter(|most| given > *most) {
            let text = text::notice_too_long(most);
            let code = Code::NoticeTooLong;
            return objects_at(asked, at, effect(code), (code, text));
        }
    }
    let first = asked.bookings[0];
    let given = text::span(first.start - first.created);
    Said::Fine(format!("asked for {given} before"))
}

pub(super) fn hours(asked: &EvaluationInput<'_>) -> Said {
    let hours = &asked.gate.criteria.hours;
    if hours.is_empty() {
        return Said::Silent;
    }
    let zone = asked.zone;
    let outside = asked
        .bookings
        .iter()
        .position(|booking| !opening::hold(hours, (booking.start, booking.end), zone));
    let Some(at) = outside else {
        return Said::fine("within the hours");
    };
    let effect = asked.decision(asked.gate.criteria.outside_hours, Code::OutsideHours);
    objects_at(
        asked,
        at,
        effect,
        (Code::OutsideHours, text::outside_hours()),
    )
}

/// The house's caps count all of the member's bookings, the gate's those that it let in. Each cap is
/// looked at on its own; the strictest of one period decides, and nothing is summed.
pub(super) fn caps(asked: &EvaluationInput<'_>) -> Said {
    let gate = &asked.gate.criteria.caps;
    if asked.account.is_none() || (asked.house.caps.is_empty() && gate.is_empty()) {
        return Said::Silent;
    }
    let tier = asked.tier();
    for per in PERIODS {
        for (caps, own) in [(&asked.house.caps, false), (gate, true)] {
            let Some(cap) = strictest(caps.iter(), tier, per) else {
                continue;
            };
            if let Some(at) = beyond(asked, (cap, own), |_| true) {
                let effect = asked.decision(asked.gate.criteria.over_cap, Code::OverCap);
                let text = text::over_cap(cap.at_most, per);
                let unsettled = beyond(asked, (cap, own), |one| one.settled).is_none();
                return objects_at(asked, at, effect, (Code::OverCap, text)).resting_on(unsettled);
            }
        }
    }
    Said::fine("within the caps")
}

/// The place of the first booking that goes beyond the cap, beside those of the member's bookings.
fn beyond(
    asked: &EvaluationInput<'_>,
    (cap, own): (&Cap, bool),
    which: impl Fn(&Standing) -> bool,
) -> Option<usize> {
    let counts = |standing: &&Standing| {
        which(standing) && (!own || standing.gate.as_deref() == Some(asked.gate.name.as_str()))
    };
    asked.bookings.iter().position(|booking| {
        let (from, to) = cap.per.around(booking.start, asked.now, asked.zone);
        let inside = |start, end| match cap.per {
            Period::Open => end > asked.now,
            Period::Day | Period::Week | Period::Month => {
                start >= from && to.is_none_or(|to| start < to)
            }
        };
        let standing = asked
            .standing()
            .filter(counts)
            .filter(|there| inside(there.start, there.end))
            .count();
        let asked_for = asked.bookings.iter();
        let asked_for = asked_for
            .filter(|other| inside(other.start, other.end))
            .count();
        standing + asked_for > cap.at_most as usize
    })
}

/// How many of the member's bookings stand beside the first of these.
pub(super) fn counts(asked: &EvaluationInput<'_>, zone: Tz) -> Counts {
    count(asked, zone, || asked.standing())
}

/// The same without those that may come to nothing.
pub(super) fn settled_counts(asked: &EvaluationInput<'_>, zone: Tz) -> Counts {
    count(asked, zone, || asked.settled())
}

fn count<'a, I>(asked: &EvaluationInput<'_>, zone: Tz, standing: impl Fn() -> I) -> Counts
where
    I: Iterator<Item = &'a Standing>,
{
    let mut counts = Counts::default();
    if standing().next().is_none() {
        return counts;
    }
    let start = asked.bookings[0].start;
    let within = |per: Period| {
        let (from, to) = per.around(start, asked.now, zone);
        let inside =
            |there: &&Standing| there.start >= from && to.is_none_or(|to| there.start < to);
        standing()
            .filter(inside)
            .count()
            .try_into()
            .unwrap_or(u32::MAX)
    };
    let open = standing().filter(|there| there.end > asked.now);
    counts.upcoming = open.count().try_into().unwrap_or(u32::MAX);
    counts.day = within(Period::Day);
    counts.week = within(Period::Week);
    counts.month = within(Period::Month);
    counts
}
