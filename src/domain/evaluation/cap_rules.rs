//! Rules about the number of bookings in a period: those of the member, and those of the host.

use super::EvaluationInput;
use super::rule_outcome::RuleOutcome;
use crate::domain::criteria::cap::{CapPeriod, PERIODS, SharedCap, strictest_cap};
use crate::domain::decision::ReasonCode;
use crate::domain::host_bookings::HostBooking;
use crate::domain::id::BookingUid;
use crate::domain::snapshot::CountedBooking;

/// Checks the caps on the member. A global cap counts all of the member's bookings, a gate's cap
/// only those of that gate, and a shared cap those of its gates. Each cap is checked on its own: of
/// the global caps and of the gate's the strictest of a period decides, and nothing is summed.
pub(super) fn check_caps(input: &EvaluationInput<'_>) -> RuleOutcome {
    let gate_caps = &input.gate.criteria.caps;
    let mut shared_caps = input.global.member_caps(&input.gate.name).peekable();
    let has_caps =
        !input.global.caps.is_empty() || !gate_caps.is_empty() || shared_caps.peek().is_some();
    if input.account.is_none() || !has_caps {
        return RuleOutcome::NotApplicable;
    }
    let tier = input.tier();
    for period in PERIODS {
        for (caps, is_gate_cap) in [(&input.global.caps, false), (gate_caps, true)] {
            let Some(cap) = strictest_cap(caps.iter(), tier, period) else {
                continue;
            };
            let is_counted = |booking: &CountedBooking| {
                !is_gate_cap || booking.gate.as_deref() == Some(input.gate.name.as_str())
            };
            let limit = (cap.at_most, period);
            if let Some(failure) = check_member_cap(input, limit, &is_counted) {
                return failure;
            }
        }
    }
    for cap in shared_caps.filter(|cap| cap.limits_member(tier)) {
        let is_counted = |booking: &CountedBooking| cap.counts_gate(booking.gate.as_deref());
        let limit = (cap.at_most, cap.period);
        if let Some(failure) = check_member_cap(input, limit, &is_counted) {
            return failure.with_cap_name(&cap.name);
        }
    }
    RuleOutcome::passed("within the caps")
}

/// Returns the failure of a cap on the member, if the request exceeds it.
fn check_member_cap(
    input: &EvaluationInput<'_>,
    (at_most, period): (u32, CapPeriod),
    is_counted: &dyn Fn(&CountedBooking) -> bool,
) -> Option<RuleOutcome> {
    let limit = (at_most, period);
    let at = find_over_cap(input, limit, is_counted)?;
    let is_settled = |booking: &CountedBooking| is_counted(booking) && booking.is_confirmed;
    let unsettled = find_over_cap(input, limit, &is_settled).is_none();
    let text = over_cap_text(at_most, period);
    let failure = RuleOutcome::failed_booking(input, at, ReasonCode::OverCap, text);
    Some(failure.mark_unsettled(unsettled))
}

/// Returns the index of the first booking that exceeds the cap together with the member's bookings.
fn find_over_cap(
    input: &EvaluationInput<'_>,
    (at_most, period): (u32, CapPeriod),
    is_counted: &dyn Fn(&CountedBooking) -> bool,
) -> Option<usize> {
    input.bookings.iter().position(|booking| {
        let (from, to) = period.bounds_around(booking.start, input.now, input.zone);
        let is_in_period = |start, end| match period {
            CapPeriod::Open => end > input.now,
            CapPeriod::Day | CapPeriod::Week | CapPeriod::Month => {
                start >= from && to.is_none_or(|to| start < to)
            }
        };
        let counted = input
            .counted_bookings()
            .filter(|booking| is_counted(booking))
            .filter(|there| is_in_period(there.start, there.end))
            .count();
        let requested = input.bookings.iter();
        let requested = requested
            .filter(|other| is_in_period(other.start, other.end))
            .count();
        counted + requested > at_most as usize
    })
}

/// Checks the caps on the host. Days, weeks and months are those of the schedule's time zone, which
/// is the same for all bookers.
pub(super) fn check_host_caps(input: &EvaluationInput<'_>) -> RuleOutcome {
    let mut caps = input.global.host_caps(&input.gate.name).peekable();
    if caps.peek().is_none() {
        return RuleOutcome::NotApplicable;
    }
    for cap in caps {
        let Some(at) = find_over_host_cap(input, cap, |_| true) else {
            continue;
        };
        let unsettled = find_over_host_cap(input, cap, |one| one.is_accepted).is_none();
        let text = host_full_text(cap.period);
        return RuleOutcome::failed_booking(input, at, ReasonCode::HostFull, text)
            .mark_unsettled(unsettled)
            .with_cap_name(&cap.name);
    }
    RuleOutcome::passed("within the caps of the host")
}

/// Returns the index of the first booking that exceeds the cap together with the host's bookings.
fn find_over_host_cap(
    input: &EvaluationInput<'_>,
    cap: &SharedCap,
    is_included: impl Fn(&HostBooking) -> bool,
) -> Option<usize> {
    input.bookings.iter().position(|booking| {
        let host = booking.host.as_ref().filter(|host| cap.limits_host(host));
        let Some(host) = host.and_then(|host| host.id) else {
            return false;
        };
        let zone = input.global.zone;
        let period = cap.period.bounds_around(booking.start, input.now, zone);
        let (from, to) = period;
        let is_requested = |uid: &BookingUid| input.bookings.iter().any(|one| one.uid == *uid);
        let counted = input.host_bookings.starting_within(host, period);
        let counted = counted
            .filter(|(uid, one)| !is_requested(uid) && is_included(one))
            .filter(|(_, one)| cap.counts_gate(one.gate.as_deref()))
            .count();
        let requested = input.bookings.iter();
        let requested = requested
            .filter(|other| other.host_id() == Some(host))
            .filter(|other| other.start >= from && to.is_none_or(|to| other.start < to))
            .count();
        counted + requested > cap.at_most as usize
    })
}

/// Returns the default text for a member who has `at_most` bookings in the period already.
pub fn over_cap_text(at_most: u32, per: CapPeriod) -> String {
    let bookings = if at_most == 1 {
        "1 booking".to_owned()
    } else {
        format!("{at_most} bookings")
    };
    match per {
        CapPeriod::Day => format!("You can have {bookings} a day."),
        CapPeriod::Week => format!("You can have {bookings} a week."),
        CapPeriod::Month => format!("You can have {bookings} a month."),
        CapPeriod::Open => format!("You can have {bookings} to come at a time."),
    }
}

/// Returns the default text for a request for a host who has as many bookings in the period as a
/// cap allows.
pub fn host_full_text(per: CapPeriod) -> String {
    let period = match per {
        CapPeriod::Day => "on that day",
        CapPeriod::Week => "in that week",
        CapPeriod::Month => "in that month",
        CapPeriod::Open => "now",
    };
    format!("No more bookings are taken {period}. Please choose another time.")
}
