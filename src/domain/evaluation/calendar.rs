//! Rules about the calendar: whether the request can be answered, and whether its time is free.

use super::{EvaluationInput, RuleOutcome, object_to_booking, object_to_request};
use crate::domain::booking::{BookingStatus, Payment};
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::messages;

pub(super) fn check_pending(input: &EvaluationInput<'_>) -> RuleOutcome {
    let first = input.bookings[0];
    if first.status != BookingStatus::Pending || first.rescheduled_to.is_some() {
        return object_to_request(
            Decision::Leave,
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
        return object_to_request(
            Decision::Leave,
            ReasonCode::AlreadyOver,
            "the booking is over",
        );
    }
    RuleOutcome::passed("waits for an answer")
}

pub(super) fn check_free_of_charge(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input
        .bookings
        .iter()
        .any(|booking| booking.payment == Payment::Unpaid)
    {
        return object_to_request(
            Decision::Leave,
            ReasonCode::Priced,
            "the booking waits for a payment at Cal.com",
        );
    }
    match input.event_type {
        None | Some(None) => object_to_request(
            Decision::Leave,
            ReasonCode::EventTypeNotShown,
            "Cal.com does not show the event type to this key, so its price is not known",
        ),
        Some(Some(event_type)) if event_type.price != 0 => object_to_request(
            Decision::Leave,
            ReasonCode::Priced,
            "the event type has a price at Cal.com: credits and payment do not mix",
        ),
        Some(Some(_)) => RuleOutcome::passed("the event type has no price"),
    }
}

pub(super) fn check_time_free(input: &EvaluationInput<'_>) -> RuleOutcome {
    let Some(overlap) = input.overlap else {
        return RuleOutcome::passed("no accepted booking overlaps");
    };
    let decision = input.decide_violation(input.gate.time_taken, ReasonCode::TimeTaken);
    object_to_booking(
        input,
        input.overlap_index,
        decision,
        (ReasonCode::TimeTaken, messages::time_taken()),
    )
    .mark_unsettled(!overlap.is_accepted)
}

/// Leaves a request that has begun. Evaluated last, so that a wait until the start still ends in a
/// decline.
pub(super) fn check_not_begun(input: &EvaluationInput<'_>) -> RuleOutcome {
    let is_over = input.bookings.iter().all(|one| one.end <= input.now);
    if is_over || input.bookings[0].start > input.now {
        return RuleOutcome::NotApplicable;
    }
    object_to_request(
        Decision::Leave,
        ReasonCode::AlreadyBegun,
        messages::ALREADY_BEGUN,
    )
}
