//! What the calendar says: whether the request is anybody's to answer, and whether its time is free.

use super::{EvaluationInput, Said, objects, objects_at};
use crate::domain::booking::{Payment, Status};
use crate::domain::decision::{Code, Decision};
use crate::domain::text;

pub(super) fn pending(asked: &EvaluationInput<'_>) -> Said {
    let first = asked.bookings[0];
    if first.status != Status::Pending || first.rescheduled_to.is_some() {
        return objects(
            Decision::Leave,
            Code::NotPending,
            "the booking does not wait for an answer",
        );
    }
    // A series is over when its last occurrence is.
    if asked
        .bookings
        .iter()
        .all(|booking| booking.end <= asked.now)
    {
        return objects(Decision::Leave, Code::Over, "the booking is over");
    }
    Said::fine("waits for an answer")
}

pub(super) fn free_of_charge(asked: &EvaluationInput<'_>) -> Said {
    if asked
        .bookings
        .iter()
        .any(|booking| booking.payment == Payment::Unpaid)
    {
        return objects(
            Decision::Leave,
            Code::Priced,
            "the booking waits for a payment at Cal.com",
        );
    }
    match asked.event_type {
        None | Some(None) => objects(
            Decision::Leave,
            Code::EventTypeNotShown,
            "Cal.com does not show the event type to this key, so its price is not known",
        ),
        Some(Some(event_type)) if event_type.price != 0 => objects(
            Decision::Leave,
            Code::Priced,
            "the event type has a price at Cal.com: credits and payment do not mix",
        ),
        Some(Some(_)) => Said::fine("the event type has no price"),
    }
}

pub(super) fn time_free(asked: &EvaluationInput<'_>) -> Said {
    let Some(overlap) = asked.taken_by else {
        return Said::fine("no accepted booking overlaps");
    };
    let decision = asked.decision(asked.gate.taken, Code::Taken);
    objects_at(
        asked,
        asked.taken_at,
        decision,
        (Code::Taken, text::taken()),
    )
    .resting_on(!overlap.settled)
}

/// Looked at last, so that a wait that ends at the start still ends in a decline.
pub(super) fn not_begun(asked: &EvaluationInput<'_>) -> Said {
    let over = asked.bookings.iter().all(|one| one.end <= asked.now);
    if over || asked.bookings[0].start > asked.now {
        return Said::Silent;
    }
    objects(Decision::Leave, Code::Begun, text::BEGUN)
}
