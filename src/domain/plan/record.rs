//! How a decision is recorded: the request as it will be written, and notes.

use std::collections::BTreeSet;

use super::skip_reason::SkipReason;
use super::{Action, Planner, Step};
use crate::domain::decision::{Credits, Decision, Reason, ReasonCode};
use crate::domain::evaluation::Evaluation;
use crate::domain::gate::Gate;
use crate::domain::id::BookingUid;
use crate::domain::messages;
use crate::domain::pause::Pause;
use crate::domain::request::{PinAttempt, Request, RequestState};
use crate::domain::request_grouping::RequestGroup;
use crate::domain::snapshot::PinResult;
use crate::domain::time::Time;

impl<'a> Planner<'a> {
    pub(super) fn record_leave(
        &mut self,
        group: &RequestGroup<'a>,
        gate: Option<&Gate>,
        record: Option<&Request>,
        skip_reason: SkipReason,
    ) {
        let reason = Reason {
            code: skip_reason.code(),
            text: self.skip_text(group, skip_reason),
        };
        let request = self.build_left_request(group, gate, record, reason);
        self.add_note(request, record, false);
    }

    /// Leaves a request whose gate is paused. The request is noted, so that `explain` and `status`
    /// show what it waits for.
    pub(super) fn leave_while_paused(
        &mut self,
        group: &RequestGroup<'a>,
        gate: &Gate,
        record: Option<&Request>,
        pause: &Pause,
    ) {
        let reason = Reason {
            code: ReasonCode::Paused,
            text: messages::gate_paused(&gate.name, pause),
        };
        let request = self.build_left_request(group, Some(gate), record, reason);
        self.note_pending(group, request, record);
    }

    /// Returns a request that is left alone without an evaluation.
    fn build_left_request(
        &self,
        group: &RequestGroup<'a>,
        gate: Option<&Gate>,
        record: Option<&Request>,
        reason: Reason,
    ) -> Request {
        let first = group.bookings[0];
        let account = first
            .booker
            .as_ref()
            .and_then(|booker| self.snapshot.accounts_by_address.get(&booker.address));
        let evaluation = Evaluation {
            decision: Decision::Leave,
            reason_keys: vec![reason.code.as_str().to_owned()],
            reasons: vec![reason],
            booker_text: None,
            findings: Vec::new(),
            account: account.cloned(),
            booker: first.booker.as_ref().map(|booker| booker.address.clone()),
            costs: Vec::new(),
            credits: 0,
            to_hold: 0,
        };
        self.build_request(group, gate, record, evaluation, None)
    }

    /// Leaves a request until an operator has accepted a restored backup. Credits that were spent
    /// after the backup was made still look available, so nothing is confirmed or declined.
    pub(super) fn leave_until_restore_accepted(
        &mut self,
        mut request: Request,
        record: Option<&Request>,
    ) {
        let outcome = match request.decision {
            Decision::Confirm => "confirmed",
            Decision::Decline | Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                "declined"
            }
        };
        request.decision = Decision::Leave;
        request.reasons = vec![Reason {
            code: ReasonCode::RestorePending,
            text: format!("would be {outcome}, but {}", messages::RESTORE_OPEN),
        }];
        self.add_note(request, record, false);
    }

    pub(super) fn add_note(&mut self, mut request: Request, record: Option<&Request>, write: bool) {
        // Nothing is sent, so there is no text for the booker.
        request.booker_text = None;
        let is_changed = record.is_none_or(|record| !is_same_note(record, &request));
        let expected = vec![self.snapshot.versions.expect_request(&request.id)];
        self.plan.steps.push(Step {
            request: request.into(),
            action: Action::Note {
                write: write && is_changed,
            },
            expected,
        });
    }

    /// Returns the PIN that was given with the booking, if it was compared.
    fn pin_try(&self, booking: &BookingUid) -> Option<PinAttempt> {
        let right = match self.snapshot.pin_results.get(booking)? {
            PinResult::Correct => true,
            PinResult::Wrong => false,
            PinResult::Missing | PinResult::NotSet | PinResult::Locked => return None,
        };
        let origin = self.snapshot.pin_origins.get(booking)?.clone();
        Some(PinAttempt {
            is_correct: right,
            origin,
        })
    }

    pub(super) fn build_request(
        &self,
        group: &RequestGroup<'a>,
        gate: Option<&Gate>,
        record: Option<&Request>,
        evaluation: Evaluation,
        carries: Option<(BookingUid, Credits)>,
    ) -> Request {
        let first = group.bookings[0];
        let now = self.now;
        let mut reasons_since = record.map_or_else(Vec::new, dated_reasons);
        for reason in evaluation.reason_keys {
            if reasons_since.iter().all(|(known, _)| *known != reason) {
                reasons_since.push((reason, now));
            }
        }
        Request {
            id: group.id.clone(),
            bookings: group.bookings.iter().map(|b| b.to_ref()).collect(),
            series: group.series.cloned(),
            title: messages::truncate_server_text(&first.title),
            event_type: first.event_type.as_ref().map(|kind| kind.id),
            slug: first
                .event_type
                .as_ref()
                .and_then(|kind| kind.slug.as_deref().map(messages::truncate_server_text)),
            gate: gate.map(|gate| gate.name.clone()),
            host: first.host_id(),
            booker: evaluation.booker,
            account: evaluation.account,
            start: first.start,
            end: group
                .bookings
                .iter()
                .map(|b| b.end)
                .max()
                .unwrap_or(first.end),
            created_at: group.oldest_created_at,
            decision: evaluation.decision,
            cost: evaluation
                .costs
                .first()
                .copied()
                .or_else(|| gate?.cost.fixed())
                .unwrap_or(0),
            credits: evaluation.credits,
            call: None,
            reasons: evaluation.reasons,
            findings: evaluation.findings,
            booker_text: evaluation.booker_text,
            non_refundable: carries.as_ref().map_or(0, |(_, keeps)| *keeps),
            predecessor: carries.map(|(from, _)| from),
            policy_hash: self.policy.hash.clone(),
            decided_at: now,
            call_not_after: None,
            first_evaluated_at: record.map_or(now, |record| record.first_evaluated_at),
            state: RequestState::Noted,
            failures: 0,
            last_failure: None,
            calls: Vec::new(),
            review: record.and_then(|record| record.review.clone()),
            reasons_since,
            pin_attempt: self.pin_try(&first.uid),
        }
    }
}

fn is_same_note(record: &Request, request: &Request) -> bool {
    let codes = |request: &Request| -> Vec<ReasonCode> {
        request.reasons.iter().map(|reason| reason.code).collect()
    };
    let uids = |request: &Request| -> BTreeSet<BookingUid> {
        let bookings = request.bookings.iter();
        bookings.map(|booking| booking.uid.clone()).collect()
    };
    record.state == RequestState::Noted
        && record.decision == request.decision
        // An occurrence that joined the series is found by its own uid from now on.
        && uids(record) == uids(request)
        && codes(record) == codes(request)
        && dated_reasons(record) == request.reasons_since
        && record.account == request.account
        && record.gate == request.gate
}

/// Returns when the reasons of a note were first given. A note from before this was stored has only
/// the time of the request's first evaluation.
pub(super) fn dated_reasons(record: &Request) -> Vec<(String, Time)> {
    if !record.reasons_since.is_empty() {
        return record.reasons_since.clone();
    }
    let reasons = record.reasons.iter();
    reasons
        .map(|reason| (reason.code.as_str().to_owned(), record.first_evaluated_at))
        .collect()
}
