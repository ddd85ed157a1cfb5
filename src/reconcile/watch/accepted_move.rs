//! Evaluates a paid booking that was moved and accepted again without a pass, by the rules of its
//! gate, as if it were pending (`accepted-move = "judge"`). A pass's own observation and plan do
//! this, on a calendar in which only this booking is pending, so there is no second way to
//! evaluate.

use super::cancel::CancelReason;
use super::cancel_basis::CancelBasis;
use super::reschedule_chain::RescheduleChain;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::gate::{Gate, Policy};
use crate::domain::messages;
use crate::domain::plan::Problem;
use crate::domain::refund_policy::{
    AcceptedMove, ClaimedActor, MoveAway, MovesOutcome, identify_mover,
};
use crate::domain::request::{Charge, Request, RequestState};
use crate::domain::watch::ChainEnd;
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::known_pending::KnownPending;
use crate::reconcile::observe::observe;
use crate::reconcile::store_reads::find_request;

/// What the rules decide about the moved booking.
#[derive(Debug)]
pub(super) enum MoveEvaluation {
    Keep,
    /// The booking stays, and an operator is to look at it.
    Review(String),
    Cancel(CancelReason),
    /// The booking could not be evaluated now.
    Postpone,
}

/// Returns true if the booking is to be evaluated by the rules of its gate.
pub(super) fn needs_evaluation(policy: &Policy, booking: &Booking) -> bool {
    let gate = policy.gate(booking);
    gate.is_some_and(|gate| gate.terms.accepted_move == AcceptedMove::Judge)
        && was_moved_by_booker(policy, booking)
}

/// A booking that was accepted at once after a move, its gate, and what a cancellation rests on.
pub(super) struct MoveToEvaluate<'a> {
    pub booking: &'a Booking,
    pub gate: &'a Gate,
    pub basis: CancelBasis,
}

/// Returns the last booking of the chain and its gate, if the rules of that gate have to be
/// evaluated before the charge moves to the booking: the booking was accepted, and nothing was
/// decided about it.
pub(super) async fn find_move_to_evaluate<'a>(
    ports: &Ports<'_>,
    policy: &'a Policy,
    charge: &Charge,
    chain: &'a RescheduleChain,
) -> Result<Option<MoveToEvaluate<'a>>, PassError> {
    let Some(last) = chain.bookings.last().filter(|_| chain.bookings.len() > 1) else {
        return Ok(None);
    };
    let now = (ports.clock)();
    let is_upcoming =
        chain.end == ChainEnd::Whole && last.status == BookingStatus::Accepted && last.end > now;
    let Some(gate) = policy.gate(last).filter(|_| is_upcoming) else {
        return Ok(None);
    };
    // A move that counts as a cancellation closes the charge first: the booking that it led to is
    // then unpaid.
    let terms = charge.refund_terms(Some(&gate.terms.refunds));
    let moves: Vec<MoveAway> = { chain.bookings.windows(2) }
        .map(|pair| MoveAway {
            start: pair[0].start,
            moved_at: pair[1].created_at,
            by: identify_mover(&pair[1], &policy.hosts),
        })
        .collect();
    let after_moves = terms.apply_moves(charge.credits(), &moves);
    let counts_as_cancelled = matches!(after_moves, MovesOutcome::Cancelled { .. });
    if counts_as_cancelled || !needs_evaluation(policy, last) {
        return Ok(None);
    }
    let (uid, charged_uid) = (last.uid.clone(), charge.booking.uid.clone());
    let records = ports.store.read(move |store| {
        let request = find_request(store, &uid)?;
        Ok((request, CancelBasis::read(store, vec![uid, charged_uid])?))
    });
    let (request, basis) = records.await.map_err(PassError::Store)?;
    let is_decided = request.is_some_and(|request| request.state != RequestState::Noted);
    Ok((!is_decided).then_some(MoveToEvaluate {
        booking: last,
        gate,
        basis,
    }))
}

/// Returns true if the booking was moved, and not by the host, to whom the rules of a gate do not
/// apply. A name counts only if names are trusted.
pub(super) fn was_moved_by_booker(policy: &Policy, booking: &Booking) -> bool {
    let gate = policy.gate(booking);
    let trusts_names = gate.is_some_and(|gate| gate.terms.refunds.trust_named_cancels);
    let by_host = identify_mover(booking, &policy.hosts) == ClaimedActor::Host;
    booking.rescheduled_from.is_some() && !(by_host && trusts_names)
}

/// Evaluates the booking by the rules of its gate.
pub(super) async fn evaluate_move(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    booking: &Booking,
    problems: &mut Vec<Problem>,
) -> Result<MoveEvaluation, PassError> {
    let pending = Booking {
        status: BookingStatus::Pending,
        // The series was already answered: only this occurrence counts.
        series: None,
        ..booking.clone()
    };
    let calendar = KnownPending {
        calendar: ports.calendar,
        bookings: vec![pending],
        server_time: None,
    };
    let ports = Ports {
        calendar: &calendar,
        ..*ports
    };
    // The requests that the last pass left alone are unrelated to this evaluation.
    let skipped_requests = std::mem::take(&mut session.skipped_requests);
    let observation = observe(&ports, policy, session).await;
    session.skipped_requests = skipped_requests;
    let observation = observation?;
    problems.extend(observation.problems);
    let mut steps = observation.plan.steps.iter();
    let has_booking = |request: &Request| request.bookings.iter().any(|one| one.uid == booking.uid);
    let Some(step) = steps.find(|step| has_booking(&step.request)) else {
        return Ok(MoveEvaluation::Postpone);
    };
    let request = step.request.as_ref();
    Ok(match request.decision {
        Decision::Confirm => MoveEvaluation::Keep,
        Decision::Decline => MoveEvaluation::Cancel(CancelReason {
            code: ReasonCode::AcceptedMove,
            // The text that a booker reads says nothing about an account.
            text: request
                .booker_text
                .clone()
                .unwrap_or_else(|| messages::join_reasons(&request.reasons)),
            reasons: request.reasons.clone(),
        }),
        Decision::Wait { .. } | Decision::Review | Decision::Leave => {
            MoveEvaluation::Review(messages::join_reasons(&request.reasons))
        }
    })
}
