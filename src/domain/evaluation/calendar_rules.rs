//! Rules about the calendar: whether the request can be answered, and whether its time is free.

use super::EvaluationInput;
use super::rule_outcome::RuleOutcome;
use crate::domain::booking::{BookingStatus, Payment};
use crate::domain::decision::ReasonCode;
use crate::domain::messages;

pub(super) fn check_pending(input: &EvaluationInput<'_>) -> RuleOutcome {
    let first = input.bookings[0];
    if first.status != BookingStatus::Pending || first.rescheduled_to.is_some() {
        return RuleOutcome::failed(
            ReasonCode::NotPending,
            "the booking does not wait for an answer",
        );
    }
    // A series is over when its last occurrence is.
    if input
        .bookings
        .iter()
        .all(|booking| booking.end <= input.now)
    {
        return RuleOutcome::failed(ReasonCode::AlreadyOver, "the booking is over");
    }
    RuleOutcome::passed("waits for an answer")
}

pub(super) fn check_free_of_charge(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input
        .bookings
        .iter()
        .any(|booking| booking.payment == Payment::Unpaid)
    {
        return RuleOutcome::failed(
            ReasonCode::Priced,
            "the booking waits for a payment at Cal.com",
        );
    }
    match input.event_type {
        None | Some(None) => RuleOutcome::failed(
            ReasonCode::EventTypeNotShown,
            "Cal.com does not show the event type to this key, so its price is not known",
        ),
        Some(Some(event_type)) if event_type.price != 0 => RuleOutcome::failed(
            ReasonCode::Priced,
            "the event type has a price at Cal.com: credits do not replace that payment",
        ),
        Some(Some(_)) => RuleOutcome::passed("the event type has no price"),
    }
}

pub(super) fn check_time_free(input: &EvaluationInput<'_>) -> RuleOutcome {
    let Some(overlap) = input.overlap else {
        return RuleOutcome::passed("no accepted booking overlaps");
    };
    let index = input.overlap_index;
    RuleOutcome::failed_booking(input, index, ReasonCode::TimeTaken, time_taken_text())
        .mark_unsettled(!overlap.is_accepted)
}

/// Objects to a request that has begun, because nothing is confirmed after its start.
pub(super) fn check_not_begun(input: &EvaluationInput<'_>) -> RuleOutcome {
    let is_over = input.bookings.iter().all(|one| one.end <= input.now);
    if is_over || input.bookings[0].start > input.now {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::failed(ReasonCode::AlreadyBegun, messages::ALREADY_BEGUN)
}

/// Returns the default text for a booker whose time another booking occupies.
pub fn time_taken_text() -> String {
    "This time has been given to somebody who asked earlier. Please choose another time.".to_owned()
}
