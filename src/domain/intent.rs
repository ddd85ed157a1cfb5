//! The next step of a recorded decision: one function that depends on the current state of the
//! bookings, never on the status or the text of a call's response. An intent is settled in no other
//! way.

use std::collections::BTreeMap;

use super::account::LotPart;
use super::booking::{Booking, BookingRef, BookingStatus, Fetched};
use super::decision::{Decision, DecisionOutcome};
use super::entry_reason::{EntryCode, EntryReason, NotConfirmed};
use super::fact::{ChargeFact, Fact, RefundPart, RequestFact, UnresolvedFact};
use super::gate::PassLimits;
use super::id::BookingUid;
use super::messages;
use super::request::{CallEnd, CallKind, Charge, ChargeState, Request, RequestState};
use super::time::{Span, Time};
use super::unresolved::UnresolvedCode;

/// The number of failures after which an intent is retried immediately, because a short disturbance
/// is over by then.
const QUICK_FAILURES: u32 = 3;

/// The first pause after the immediate retries. It doubles with each further failure.
const FIRST_PAUSE: Span = Span::seconds(30);

/// The longest pause. After a server recovers, no intent waits longer than this.
const LONGEST_PAUSE: Span = Span::hours(1);

/// The number of failures from which an operator should be involved.
pub const ATTENTION_FAILURES: u32 = 5;

/// The number of consecutive refusals after which an intent ends and the booking is left for a
/// person. The pauses between them add up to seven and a half minutes (none after the first three,
/// then 30 s, 1, 2 and 4 minutes): a key whose permissions are changed just then ends nothing. An
/// intent that stays open for days would keep time and credits from others.
const MAX_REFUSALS: usize = 8;

/// The current state of one booking of an intent, in relation to its start and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookingState {
    /// The booking waits for an answer.
    Pending,
    /// The booking is confirmed.
    Accepted,
    /// Accepted, although it was moved to a successor: a confirmation arrived too late.
    AcceptedAfterMove,
    /// Accepted, although it shows a cancellation: a confirmation arrived too late.
    AcceptedAfterCancel,
    /// The booking was declined.
    Rejected,
    /// The booking was cancelled, or moved to a successor before it was confirmed.
    Cancelled,
    /// The booking no longer exists.
    Gone,
    /// In a state that this version does not know or that cannot be answered yet. Any other state
    /// may follow.
    OtherStatus,
    /// Pending, and its start passed before it was confirmed.
    PendingAfterStart,
    /// Pending, and its end passed before it was answered.
    PendingAfterEnd,
    /// The state is not known.
    Unread,
}

impl BookingState {
    /// Returns the state that the result of a read shows.
    pub fn from_fetched(fetched: &Fetched) -> Self {
        match fetched {
            Fetched::Gone => Self::Gone,
            Fetched::Found(booking) => Self::from_booking(booking),
        }
    }

    /// Returns the state that a booking shows, without regard to the current time.
    pub fn from_booking(booking: &Booking) -> Self {
        match &booking.status {
            // The booking was moved while it was pending. The server shows it as cancelled, but a
            // stale response may not.
            BookingStatus::Pending if booking.rescheduled_to.is_some() => Self::Cancelled,
            BookingStatus::Pending => Self::Pending,
            BookingStatus::Accepted if booking.rescheduled_to.is_some() => Self::AcceptedAfterMove,
            BookingStatus::Accepted if booking.was_cancelled() => Self::AcceptedAfterCancel,
            BookingStatus::Accepted => Self::Accepted,
            BookingStatus::Rejected => Self::Rejected,
            BookingStatus::Cancelled => Self::Cancelled,
            BookingStatus::AwaitingHost | BookingStatus::Other(_) => Self::OtherStatus,
        }
    }

    /// Returns the state as an intent with this call sees it. Every server refuses to cancel a
    /// booking that is over (`calcom/api.md` 5.1), so no later call can answer it. Confirming a
    /// booking that has begun or is past is possible (6.6), but would charge for that time.
    pub fn for_call(booking: &Booking, call: Option<CallKind>, now: Time) -> Self {
        match (Self::from_booking(booking), call) {
            (Self::Pending, Some(CallKind::Confirm)) if booking.start <= now => {
                Self::PendingAfterStart
            }
            (Self::Pending, Some(CallKind::Cancel)) if booking.end <= now => Self::PendingAfterEnd,
            (state, _) => state,
        }
    }

    /// Returns the state of an occurrence, from its series as it was read. A moved occurrence does
    /// not name its successor (`calcom/api.md` 6.1), so a confirmation that came too late is
    /// recognized by the booking that replaced the occurrence.
    pub fn in_series(
        series: &[Booking],
        uid: &BookingUid,
        call: Option<CallKind>,
        now: Time,
    ) -> Self {
        let Some(booking) = series.iter().find(|one| one.uid == *uid) else {
            return Self::Gone;
        };
        let replaces = |one: &Booking| one.rescheduled_from.as_ref() == Some(uid);
        match Self::for_call(booking, call, now) {
            Self::Accepted | Self::AcceptedAfterCancel if series.iter().any(replaces) => {
                Self::AcceptedAfterMove
            }
            state => state,
        }
    }

    /// Returns true if the booking occupies its host's time, or may come to occupy it.
    pub fn may_occupy_time(self) -> bool {
        match self {
            Self::Pending
            | Self::Accepted
            | Self::AcceptedAfterMove
            | Self::AcceptedAfterCancel
            | Self::OtherStatus
            | Self::Unread => true,
            Self::Rejected
            | Self::Cancelled
            | Self::Gone
            | Self::PendingAfterStart
            | Self::PendingAfterEnd => false,
        }
    }

    /// Returns true if the booking is accepted, even if it should not be.
    pub fn is_accepted(self) -> bool {
        match self {
            Self::Accepted | Self::AcceptedAfterMove | Self::AcceptedAfterCancel => true,
            Self::Pending
            | Self::Rejected
            | Self::Cancelled
            | Self::Gone
            | Self::OtherStatus
            | Self::PendingAfterStart
            | Self::PendingAfterEnd
            | Self::Unread => false,
        }
    }

    /// Returns the state that the booking has instead of being confirmed. Returns `None` when it is
    /// accepted.
    fn not_confirmed(self) -> Option<NotConfirmed> {
        Some(match self {
            Self::Accepted | Self::AcceptedAfterMove | Self::AcceptedAfterCancel => return None,
            Self::Pending => NotConfirmed::Pending,
            Self::Rejected => NotConfirmed::Rejected,
            Self::Cancelled => NotConfirmed::Cancelled,
            Self::Gone => NotConfirmed::Gone,
            Self::OtherStatus => NotConfirmed::OtherStatus,
            Self::PendingAfterStart => NotConfirmed::PendingAfterStart,
            Self::PendingAfterEnd => NotConfirmed::PendingAfterEnd,
            Self::Unread => NotConfirmed::Unread,
        })
    }

    /// Describes the state, to follow "the booking".
    pub fn describe(self) -> &'static str {
        match (self, self.not_confirmed()) {
            (_, Some(state)) => state.describe(),
            (Self::AcceptedAfterMove, None) => "was moved to another time and is accepted",
            (Self::AcceptedAfterCancel, None) => "was cancelled and is accepted",
            (_, None) => "was accepted",
        }
    }
}

/// The next step of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Send the call for this booking.
    Call(BookingRef),
    /// Finish the intent with these facts.
    Settle {
        /// How the intent ended.
        outcome: DecisionOutcome,
        /// What is written.
        facts: Vec<Fact>,
        /// A problem for the operator.
        problem: Option<String>,
    },
    /// An earlier call may still be running: only read the bookings until then.
    Wait {
        /// The instant until which the call may run.
        until: Time,
    },
    /// Nothing can be decided until all bookings are read and in a known state.
    Unclear,
}

/// Returns the next step of an intent: the only transition that an intent has. `charges` are its
/// holds, `carried_charge` is the charge that it takes over, and `running_until` is the instant
/// until which an earlier call may still be running, if one may.
pub fn next_step(
    request: &Request,
    charges: &[Charge],
    carried_charge: Option<&Charge>,
    states: &BTreeMap<BookingUid, BookingState>,
    running_until: Option<Time>,
) -> NextStep {
    let state_of = |uid: &BookingUid| states.get(uid).copied().unwrap_or(BookingState::Unread);
    if request.cancels_accepted() {
        return settle_cancel(request, &state_of);
    }
    let (mut pending, mut started, mut unread) = (None, None, false);
    for booking in &request.bookings {
        match state_of(&booking.uid) {
            BookingState::Pending => pending = pending.or(Some(booking)),
            BookingState::PendingAfterStart => started = started.or(Some(booking)),
            BookingState::Unread | BookingState::OtherStatus => unread = true,
            BookingState::Accepted
            | BookingState::AcceptedAfterMove
            | BookingState::AcceptedAfterCancel
            | BookingState::Rejected
            | BookingState::Cancelled
            | BookingState::Gone
            | BookingState::PendingAfterEnd => {}
        }
    }
    // A pending booking comes first, because it needs an answer whatever the state of the others
    // is. One call confirms every pending occurrence of a series, so no call is sent once one of
    // them has begun.
    if let Some(booking) = pending.filter(|_| started.is_none()) {
        if let Some(until) = running_until {
            return NextStep::Wait { until };
        }
        if is_refused_permanently(request) {
            return settle_refused(request, charges, states);
        }
        return NextStep::Call(booking.clone());
    }
    if unread {
        return NextStep::Unclear;
    }
    if let Some(until) = running_until
        && request
            .bookings
            .iter()
            .any(|b| may_change(request, state_of(&b.uid)))
    {
        return NextStep::Wait { until };
    }
    match request.decision {
        Decision::Confirm => {
            let step = settle_confirm(request, charges, carried_charge, &state_of);
            match started {
                Some(booking) => list_as_unanswered(step, request, booking),
                None => step,
            }
        }
        Decision::Decline => settle_decline(request, &state_of),
        Decision::Wait { .. } | Decision::Review | Decision::Leave => NextStep::Unclear,
    }
}

/// Returns true if a call that may still be running can change the state that was read. Cal.com
/// writes a confirmation at the end of the call: a booking that was cancelled or declined meanwhile
/// becomes accepted, and if its hold was given back by then, it would have no charge. A decline or
/// a cancellation changes only a booking that is not refused yet.
fn may_change(request: &Request, state: BookingState) -> bool {
    let is_accepted = state.is_accepted();
    match request.decision {
        Decision::Confirm => !is_accepted,
        Decision::Decline => is_accepted,
        Decision::Wait { .. } | Decision::Review | Decision::Leave => false,
    }
}

/// Returns true if the last calls were all refused, often enough that another call would change
/// nothing.
fn is_refused_permanently(request: &Request) -> bool {
    let last = request.calls.iter().rev();
    let refused = last.take_while(|call| call.end == CallEnd::Refused);
    refused.count() >= MAX_REFUSALS
}

/// Adds an item to the unresolved list when an intent ends because its booking began before it was
/// confirmed: a person has to answer the booking.
fn list_as_unanswered(step: NextStep, request: &Request, booking: &BookingRef) -> NextStep {
    let NextStep::Settle {
        outcome, mut facts, ..
    } = step
    else {
        return step;
    };
    facts.push(Fact::Unresolved(UnresolvedFact::Listed {
        booking: booking.clone(),
        code: UnresolvedCode::Unanswered,
        account: request.account.clone(),
        until: Some(request.end),
        detail: "began before it could be confirmed, and nothing is charged for it".to_owned(),
    }));
    NextStep::Settle {
        outcome,
        facts,
        problem: Some(format!(
            "request {} was decided (confirm), and began before the call was carried out: nothing is \
             charged for what is still pending, and no confirm is sent after the start; answer it at \
             Cal.com",
            request.id
        )),
    }
}

/// Ends an intent that Cal.com does not allow maitred to carry out.
fn settle_refused(
    request: &Request,
    charges: &[Charge],
    states: &BTreeMap<BookingUid, BookingState>,
) -> NextStep {
    let (outcome, mut facts) = give_up(request, charges, states, EntryCode::CallRefused);
    let outcome = if outcome == DecisionOutcome::Superseded {
        DecisionOutcome::Refused
    } else {
        outcome
    };
    facts.pop();
    facts.push(Fact::Request(RequestFact::IntentSettled {
        request: request.id.clone(),
        outcome,
    }));
    let server_text = request.calls.last().map_or("", |call| call.text.as_str());
    let is_pending = |one: &&BookingRef| states.get(&one.uid) == Some(&BookingState::Pending);
    let detail = format!(
        "stays pending, because Cal.com refuses to let maitred {} it: {server_text}",
        request.decision.as_str()
    );
    facts.extend(request.bookings.iter().find(is_pending).map(|booking| {
        Fact::Unresolved(UnresolvedFact::Listed {
            booking: booking.clone(),
            code: UnresolvedCode::Refused,
            account: request.account.clone(),
            until: Some(request.end),
            detail,
        })
    }));
    NextStep::Settle {
        outcome,
        facts,
        problem: Some(format!(
            "Cal.com refused to let maitred {} request {} {MAX_REFUSALS} times ({server_text}): nothing is \
             charged, and the booking is left pending; answer it at Cal.com, and see that the key's \
             user may act on such bookings",
            request.decision.as_str(),
            request.id
        )),
    }
}

/// Ends an intent without another call. Its holds are given back, except for bookings that an
/// earlier call has already confirmed.
pub fn give_up(
    request: &Request,
    charges: &[Charge],
    states: &BTreeMap<BookingUid, BookingState>,
    code: EntryCode,
) -> (DecisionOutcome, Vec<Fact>) {
    let reason = EntryReason::from(code);
    let is_accepted = |uid: &BookingUid| states.get(uid).is_some_and(|sight| sight.is_accepted());
    let mut facts: Vec<Fact> = charges
        .iter()
        .filter(|charge| charge.state == ChargeState::Held)
        .map(|charge| {
            let booking = charge.booking.uid.clone();
            if is_accepted(&booking) {
                Fact::Charge(ChargeFact::Post { booking })
            } else {
                Fact::Charge(ChargeFact::Void {
                    booking,
                    reason: reason.clone(),
                    refund_parts: Vec::new(),
                })
            }
        })
        .collect();
    let any_accepted = request
        .bookings
        .iter()
        .any(|booking| is_accepted(&booking.uid));
    let outcome = if any_accepted {
        DecisionOutcome::Confirmed
    } else {
        DecisionOutcome::Superseded
    };
    facts.push(Fact::Request(RequestFact::IntentSettled {
        request: request.id.clone(),
        outcome,
    }));
    (outcome, facts)
}

/// Returns when the last call was sent that has no answer and may still be running. `marked_at` is
/// the store's mark of a call that was about to be sent. A younger call note in the log takes
/// precedence over the mark.
pub fn unanswered_call_sent_at(
    request: &Request,
    marked_at: Option<Time>,
    limits: &PassLimits,
) -> Option<Time> {
    let last = request.calls.last();
    let marked_at = marked_at.filter(|marked_at| last.is_none_or(|call| call.at < *marked_at));
    match (marked_at, last.map(|call| call.end)) {
        // The call was sent by its deadline at the latest.
        (Some(marked), _) => Some(marked + limits.max_observation_age),
        (None, Some(CallEnd::Unanswered { sent })) => Some(sent),
        (
            None,
            Some(CallEnd::Answered | CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent) | None,
        ) => None,
    }
}

/// Returns the instant until which a call that was sent at `sent` may still be running, or `None`
/// when it cannot be running any more. If `sent` is later than `now` by more than `resend_after`,
/// it dates from before the clock was set back, and is ignored.
pub fn running_until(sent: Option<Time>, limits: &PassLimits, now: Time) -> Option<Time> {
    let sent = sent.filter(|sent| *sent <= now + limits.resend_after)?;
    let until = sent + limits.resend_after;
    (now < until).then_some(until)
}

/// Returns why an intent waits, and until when, as a text for operators. Returns `None` when
/// nothing delays its next call.
pub fn wait_reason(
    request: &Request,
    marked_at: Option<Time>,
    limits: &PassLimits,
    now: Time,
) -> Option<String> {
    if request.state != RequestState::Recorded {
        return None;
    }
    let sent = unanswered_call_sent_at(request, marked_at, limits);
    if let Some(until) = running_until(sent, limits, now) {
        return Some(messages::call_still_running(until));
    }
    let at = due_at(request).filter(|_| !is_due(request, now));
    at.map(|at| messages::next_call(request.failures, at))
}

/// Returns true if a booking whose call may still be running should be read again after it was read
/// at `read_at`. The time since the call grows by half from one reading to the next.
pub fn should_reread(sent: Time, read_at: Option<Time>, now: Time) -> bool {
    read_at.is_none_or(|read| (now - sent) * 2 >= (read - sent) * 3)
}

/// Returns true if an intent that failed before may be tried again at `now`. A failure in the
/// future dates from before the clock was set back.
pub fn is_due(request: &Request, now: Time) -> bool {
    let is_to_come = |last: Time| now + FIRST_PAUSE < last;
    request.last_failure.is_none_or(is_to_come) || due_at(request).is_none_or(|at| now >= at)
}

/// Returns true if a confirm of a single booking has waited past its start. No call follows then,
/// whatever failed before.
pub fn has_begun(request: &Request, now: Time) -> bool {
    request.call == Some(CallKind::Confirm) && request.series.is_none() && request.start <= now
}

/// Returns the instant from which an intent that failed before may be tried again.
pub fn due_at(request: &Request) -> Option<Time> {
    Some(request.last_failure? + retry_pause(request.failures))
}

fn retry_pause(failures: u32) -> Span {
    if failures <= QUICK_FAILURES {
        return Span::zero();
    }
    // 2^7 times the first pause is more than the longest pause.
    let doublings = (failures - QUICK_FAILURES - 1).min(7);
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

fn settle_confirm(
    request: &Request,
    charges: &[Charge],
    carried_charge: Option<&Charge>,
    state_of: &impl Fn(&BookingUid) -> BookingState,
) -> NextStep {
    let mut facts = Vec::new();
    let mut problem = None;
    let mut any_accepted = false;
    // Bookings that joined a successor later have no predecessor.
    let successor = request.predecessor.as_ref().zip(request.bookings.first());
    for booking in &request.bookings {
        let state = state_of(&booking.uid);
        let hold = charges
            .iter()
            .find(|charge| charge.booking.uid == booking.uid)
            .filter(|charge| charge.state == ChargeState::Held);
        match (hold, state.not_confirmed()) {
            (Some(_), None) => facts.push(Fact::Charge(ChargeFact::Post {
                booking: booking.uid.clone(),
            })),
            (Some(_), Some(not_confirmed)) => facts.push(Fact::Charge(ChargeFact::Void {
                booking: booking.uid.clone(),
                reason: EntryCode::NotConfirmed(not_confirmed).into(),
                refund_parts: Vec::new(),
            })),
            (None, _) => {}
        }
        if state.is_accepted() {
            any_accepted = true;
            if let Some((from, _)) = successor.filter(|(_, first)| first.uid == booking.uid) {
                facts.extend(take_over(
                    request,
                    booking,
                    from,
                    carried_charge,
                    &mut problem,
                ));
            }
        }
        if matches!(
            state,
            BookingState::AcceptedAfterMove | BookingState::AcceptedAfterCancel
        ) {
            let detail = format!("the booking {}", state.describe());
            problem = Some(format!(
                "{}: {detail}; see `maitred unresolved`",
                booking.uid
            ));
            facts.push(Fact::Unresolved(UnresolvedFact::Listed {
                booking: booking.clone(),
                code: UnresolvedCode::Revived,
                account: request.account.clone(),
                until: Some(hold.map_or(request.end, |charge| charge.end)),
                detail,
            }));
        }
    }
    let outcome = if any_accepted {
        DecisionOutcome::Confirmed
    } else {
        DecisionOutcome::Superseded
    };
    facts.push(Fact::Request(RequestFact::IntentSettled {
        request: request.id.clone(),
        outcome,
    }));
    NextStep::Settle {
        outcome,
        facts,
        problem,
    }
}

/// Moves the predecessor's charge to the successor and refunds the surplus.
fn take_over(
    request: &Request,
    to: &BookingRef,
    from: &BookingUid,
    carried_charge: Option<&Charge>,
    problem: &mut Option<String>,
) -> Vec<Fact> {
    let Some(charge) = carried_charge.filter(|charge| charge.state == ChargeState::Open) else {
        *problem = Some(format!(
            "booking {} should have taken over the charge of {from}, but that is closed: it is \
             confirmed and only what was held for it is charged",
            to.uid
        ));
        return Vec::new();
    };
    let mut facts = vec![Fact::Charge(ChargeFact::Move {
        from: from.clone(),
        to: to.clone(),
        start: request.start,
        end: request.end,
        non_refundable: request.non_refundable,
    })];
    // A late move does not give back the credits that a cancellation would have cost.
    let costs = request.credits.max(request.non_refundable);
    let surplus = charge.credits().saturating_sub(costs);
    if surplus > 0 {
        facts.push(Fact::Charge(ChargeFact::Refund {
            booking: to.uid.clone(),
            parts: refund_last_paid_first(&charge.parts, surplus),
            close: false,
            reason: EntryCode::CostsLess.into(),
        }));
    }
    facts
}

/// Returns the parts of a payment that come back when only some credits are refunded: in the
/// reverse of the order of payment.
pub fn refund_last_paid_first(parts: &[LotPart], credits: u64) -> Vec<RefundPart> {
    let mut missing = credits;
    let mut refund_parts = Vec::new();
    for part in parts.iter().rev() {
        if missing == 0 {
            break;
        }
        let credits = part.credits.min(missing);
        missing -= credits;
        refund_parts.push(RefundPart {
            grant: part.grant.clone(),
            credits,
            replacement_lot: None,
        });
    }
    refund_parts
}

/// Settles the cancellation of an accepted booking. The intent stays open until the booking is
/// cancelled, and the watch sends the call.
fn settle_cancel(request: &Request, state_of: &impl Fn(&BookingUid) -> BookingState) -> NextStep {
    let is_unsettled = |booking: &BookingRef| {
        let state = state_of(&booking.uid);
        state.is_accepted() || matches!(state, BookingState::Unread | BookingState::OtherStatus)
    };
    if request.bookings.iter().any(is_unsettled) {
        return NextStep::Unclear;
    }
    settle_decline(request, state_of)
}

fn settle_decline(request: &Request, state_of: &impl Fn(&BookingUid) -> BookingState) -> NextStep {
    let by_cancelling = request.call == Some(CallKind::Cancel);
    let declined_by_us = request.bookings.iter().any(|booking| {
        let state = state_of(&booking.uid);
        state == BookingState::Rejected || (by_cancelling && state == BookingState::Cancelled)
    });
    let outcome = if declined_by_us {
        DecisionOutcome::Declined
    } else {
        DecisionOutcome::Superseded
    };
    NextStep::Settle {
        outcome,
        facts: vec![Fact::Request(RequestFact::IntentSettled {
            request: request.id.clone(),
            outcome,
        })],
        problem: None,
    }
}
