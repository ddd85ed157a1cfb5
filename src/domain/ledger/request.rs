//! Facts about requests: decisions, reviews, calls, and how intents end.

use super::{ApplyResult, LedgerRecords, Violation, map_read_error, read_open_intent};
use crate::domain::decision::{Decision, DecisionOutcome};
use crate::domain::fact::RequestFact;
use crate::domain::id::RequestId;
use crate::domain::request::{
    CallNote, ChargeState, MAX_CALLS, MAX_OCCURRENCES, OperatorReview, Request, RequestState,
};
use crate::domain::time::Time;

pub(super) fn apply_request_fact<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    fact: &RequestFact,
) -> ApplyResult<R> {
    match fact {
        RequestFact::Decided { request } => apply_decided(records, request),
        RequestFact::Reviewed {
            request,
            decision,
            reason,
        } => {
            let review = OperatorReview {
                decision: *decision,
                reason: reason.clone(),
                at,
            };
            apply_reviewed(records, request, review)
        }
        RequestFact::CallRecorded { request, call } => apply_called(records, request, call),
        RequestFact::IntentSettled { request, outcome } => {
            apply_settled(records, at, request, *outcome)
        }
    }
}

fn apply_decided<R: LedgerRecords>(records: &mut R, request: &Request) -> ApplyResult<R> {
    if let RequestState::Settled { .. } = request.state {
        return Err(Violation::RequestState {
            id: request.id.clone(),
            expected: "an intent or a note",
        }
        .into());
    }
    if request.bookings.len() > MAX_OCCURRENCES {
        return Err(Violation::TooManyOccurrences(request.id.clone()).into());
    }
    let review = match map_read_error(records.request(&request.id))? {
        None => None,
        Some(existing) if existing.state == RequestState::Noted => existing.review,
        Some(_) => {
            return Err(Violation::RequestState {
                id: request.id.clone(),
                expected: "undecided",
            }
            .into());
        }
    };
    if request.state == RequestState::Recorded && request.decision == Decision::Confirm {
        update_taken_by(records, request, false)?;
    }
    // An operator may have reviewed the request after the plan read it, so the review in the
    // decision is ignored.
    records.put_request(Request {
        review,
        ..request.clone()
    });
    Ok(())
}

fn apply_reviewed<R: LedgerRecords>(
    records: &mut R,
    id: &RequestId,
    review: OperatorReview,
) -> ApplyResult<R> {
    let mut record = match map_read_error(records.request(id))? {
        Some(request) if request.state == RequestState::Noted => request,
        Some(_) | None => {
            return Err(Violation::RequestState {
                id: id.clone(),
                expected: "waiting to be decided",
            }
            .into());
        }
    };
    record.review = Some(review);
    records.put_request(record);
    Ok(())
}

fn apply_called<R: LedgerRecords>(
    records: &mut R,
    id: &RequestId,
    call: &CallNote,
) -> ApplyResult<R> {
    let mut record = read_open_intent(records, id)?;
    if !call.is_answered() {
        record.failures = record.failures.saturating_add(1);
        record.last_failure = Some(call.at);
    }
    record.calls.push(call.clone());
    if record.calls.len() > MAX_CALLS {
        record.calls.remove(0);
    }
    records.put_request(record);
    Ok(())
}

fn apply_settled<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    id: &RequestId,
    outcome: DecisionOutcome,
) -> ApplyResult<R> {
    let mut record = read_open_intent(records, id)?;
    require_holds_ended(records, &record)?;
    update_taken_by(records, &record, true)?;
    record.state = RequestState::Settled { outcome, at };
    records.put_request(record);
    Ok(())
}

/// Promise 3: an intent can be finished only after its holds have ended. Otherwise they would never
/// end.
fn require_holds_ended<R: LedgerRecords>(records: &mut R, request: &Request) -> ApplyResult<R> {
    for booking in &request.bookings {
        let charge = map_read_error(records.charge(&booking.uid))?;
        if charge.is_some_and(|c| c.state == ChargeState::Held && c.request == request.id) {
            return Err(Violation::RequestState {
                id: request.id.clone(),
                expected: "without holds",
            }
            .into());
        }
    }
    Ok(())
}

/// Sets the mark that the intent takes over a charge, or removes it when the intent is settled.
fn update_taken_by<R: LedgerRecords>(
    records: &mut R,
    request: &Request,
    is_settled: bool,
) -> ApplyResult<R> {
    let Some(from) = &request.predecessor else {
        return Ok(());
    };
    let Some(mut charge) = map_read_error(records.charge(from))? else {
        return Ok(());
    };
    let taken_by = if is_settled {
        charge.taken_over_by.clone().filter(|by| *by != request.id)
    } else {
        Some(request.id.clone())
    };
    if charge.state == ChargeState::Open && charge.taken_over_by != taken_by {
        charge.taken_over_by = taken_by;
        records.put_charge(charge);
    }
    Ok(())
}
