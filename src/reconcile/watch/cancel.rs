//! Cancels a booking that is accepted: the decision is written down, the booking is seen accepted
//! and is cancelled, and its state settles the intent. A read or a call that fails settles nothing:
//! the intent stays open, and the watch tries again at growing intervals.

use super::cancel_attempt::{CancelAttempt, read_and_cancel};
use super::cancel_basis::CancelBasis;
use super::request_ids::find_unused_id;
use super::unresolved_list::UnresolvedFinding;
use super::{RecordedChange, WatchReport};
use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, BookingRef, BookingStatus, Fetched};
use crate::domain::decision::{Decision, DecisionOutcome, Reason, ReasonCode};
use crate::domain::fact::{Fact, RequestFact, UnresolvedFact};
use crate::domain::gate::PassLimits;
use crate::domain::gate::{Gate, Policy};
use crate::domain::intent;
use crate::domain::messages;
use crate::domain::request::{CallEnd, CallKind, CallNote, Request, RequestState};
use crate::domain::time::{Time, truncate_to_millis};
use crate::domain::unresolved::{Resolver, UnresolvedCode, has_operator_resolution};
use crate::domain::watch::ChargeOutcome;
use crate::domain::watch::accepted_bookings::listed_until;
use crate::domain::watch::unmanaged_bookings::build_note;
use crate::reconcile::context::{PassError, Ports};
use crate::store::port::{Store, StoreError};

/// How many open intents are read from the store at once.
const INTENTS_AT_ONCE: usize = 256;

/// The maximum length of a server's message that is kept with a call, in characters.
const MAX_NOTE_CHARS: usize = 300;

/// Why an accepted booking is cancelled.
#[derive(Debug, Clone)]
pub(super) struct CancelReason {
    pub code: ReasonCode,
    /// The text for the booker.
    pub text: String,
    /// The reasons that the rules gave, if they were evaluated.
    pub reasons: Vec<Reason>,
}

impl CancelReason {
    /// Returns the reason with this code and the text that belongs to the code.
    pub(super) fn from_code(code: ReasonCode) -> Self {
        let text = match code {
            ReasonCode::Revived => messages::revived_cancelled(),
            _ => messages::unmanaged_cancelled(),
        };
        Self {
            code,
            text,
            reasons: Vec::new(),
        }
    }
}

/// Writes the decision down and tries to carry it out. If a record that the decision rests on has
/// changed meanwhile, nothing is done, and the next watch decides again. Returns false if the
/// booking has as many decisions as it may have.
pub(super) async fn cancel_booking(
    ports: &Ports<'_>,
    policy: &Policy,
    (booking, gate): (&Booking, &Gate),
    (basis, why): (CancelBasis, CancelReason),
    report: &mut WatchReport,
) -> Result<bool, PassError> {
    let now = (ports.clock)();
    let draft = draft_cancellation((booking, gate), why, (now, &policy.hash));
    let decided = ports.store.transaction(now, move |store| {
        decide_cancellation(store, &basis, &draft).map_err(PassError::Store)
    });
    let request = match decided.await? {
        CancelDecision::Recorded(request) => request,
        CancelDecision::ChangedMeanwhile => {
            tracing::debug!(booking = %booking.uid, "changed meanwhile: the next watch decides");
            return Ok(true);
        }
        CancelDecision::TooManyDecisions => return Ok(false),
    };
    attempt_cancel(ports, policy, &request, Some(booking), report).await?;
    Ok(true)
}

/// Returns the decision to cancel, under the id of the booking.
fn draft_cancellation(
    (booking, gate): (&Booking, &Gate),
    why: CancelReason,
    at: (Time, &str),
) -> Request {
    let mut request = build_note(booking, gate, gate.cost.fixed().unwrap_or(0), None, at);
    request.decision = Decision::Decline;
    request.call = Some(CallKind::Cancel);
    request.state = RequestState::Recorded;
    // The code of the first reason says what kind of decision this is.
    request.reasons = vec![Reason {
        code: why.code,
        text: why.text.clone(),
    }];
    request.reasons.extend(why.reasons);
    request.booker_text = Some(why.text);
    request
}

/// The result of deciding a cancellation on the records as they are now.
enum CancelDecision {
    Recorded(Box<Request>),
    ChangedMeanwhile,
    TooManyDecisions,
}

/// Returns the fact that records the cancellation, unless what it rests on has changed.
fn decide_cancellation(
    store: &dyn Store,
    basis: &CancelBasis,
    draft: &Request,
) -> Result<(Vec<Fact>, CancelDecision), StoreError> {
    if !basis.holds(store)? {
        return Ok((Vec::new(), CancelDecision::ChangedMeanwhile));
    }
    let Some(id) = find_unused_id(store, &draft.bookings[0].uid)? else {
        return Ok((Vec::new(), CancelDecision::TooManyDecisions));
    };
    let request = Request {
        id,
        ..draft.clone()
    };
    let fact = Fact::Request(RequestFact::Decided {
        request: request.clone().into(),
    });
    let decision = CancelDecision::Recorded(Box::new(request));
    Ok((vec![fact], decision))
}

/// Returns the cancellations that were started before and are to be tried again now.
pub(super) async fn read_due_cancellations(
    ports: &Ports<'_>,
    limits: &PassLimits,
) -> Result<Vec<Request>, PassError> {
    let now = (ports.clock)();
    let limits = limits.clone();
    let due = ports.store.read(move |store| {
        let is_due = |request: &Request| {
            let marked = store.sent_mark(&request.id);
            // A call without an answer may still be running, and a second call sends another mail.
            let unanswered_since = intent::unanswered_call_sent_at(request, marked, &limits);
            request.cancels_accepted()
                && intent::is_due(request, now)
                && intent::running_until(unanswered_since, &limits, now).is_none()
        };
        let mut due = Vec::new();
        let mut after = None;
        loop {
            let page = store.open_intents(after.as_ref(), INTENTS_AT_ONCE)?;
            let is_full = page.len() == INTENTS_AT_ONCE;
            after = page.last().map(|last| (last.decided_at, last.id.clone()));
            due.extend(page.into_iter().filter(is_due));
            if !is_full {
                return Ok(due);
            }
        }
    });
    due.await.map_err(PassError::Store)
}

/// Tries these cancellations again.
pub(super) async fn retry_cancellations(
    ports: &Ports<'_>,
    policy: &Policy,
    requests: Vec<Request>,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    for request in requests {
        if report.should_stop(ports) {
            return Ok(());
        }
        if settle_if_resolved(ports, &request).await? {
            continue;
        }
        attempt_cancel(ports, policy, &request, None, report).await?;
    }
    Ok(())
}

/// Settles the cancellation if an operator took the booking off the unresolved list. Returns true
/// if the cancellation is settled.
async fn settle_if_resolved(ports: &Ports<'_>, request: &Request) -> Result<bool, PassError> {
    let id = request.id.clone();
    let (uid, code) = (request.bookings[0].uid.clone(), unresolved_code(request));
    let decide = move |store: &dyn Store| {
        let stored = store.request(&id)?;
        if stored.is_none_or(|stored| stored.state != RequestState::Recorded) {
            return Ok((Vec::new(), true));
        }
        if !has_operator_resolution(&store.unresolved_items_of(&uid)?, code) {
            return Ok((Vec::new(), false));
        }
        let end = Fact::Request(RequestFact::IntentSettled {
            request: id.clone(),
            outcome: DecisionOutcome::Superseded,
        });
        Ok((vec![end], true))
    };
    let settled = ports.store.transaction((ports.clock)(), move |store| {
        decide(store).map_err(PassError::Store)
    });
    settled.await
}

/// Returns the code under which the booking is on the unresolved list until it is cancelled.
fn unresolved_code(request: &Request) -> UnresolvedCode {
    match request.reasons.first().map(|reason| reason.code) {
        Some(ReasonCode::Revived) => UnresolvedCode::Revived,
        Some(ReasonCode::AcceptedMove) => UnresolvedCode::AcceptedMove,
        Some(_) | None => UnresolvedCode::Unmanaged,
    }
}

/// Makes one attempt. `seen_booking` is the booking as the watch has seen it.
async fn attempt_cancel(
    ports: &Ports<'_>,
    policy: &Policy,
    request: &Request,
    seen_booking: Option<&Booking>,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let reference = &request.bookings[0];
    let at = (ports.clock)();
    let CancelAttempt {
        reading,
        failure,
        call_end,
        own_names,
    } = read_and_cancel(ports, &policy.limits, request).await?;
    let is_ours = |booking: &Booking| own_names.includes(booking);
    let outcome = reading
        .as_ref()
        .and_then(|read| outcome_of(read, at, is_ours));
    let note = match (&outcome, &failure) {
        (Some(_), _) => reading
            .as_ref()
            .map_or("", |reading| describe_reading(reading))
            .to_owned(),
        (None, Some(error)) => error.to_string(),
        (None, None) => "the booking is still accepted".to_owned(),
    };
    let mut facts = vec![Fact::Request(RequestFact::CallRecorded {
        request: request.id.clone(),
        call: CallNote {
            at: truncate_to_millis((ports.clock)()),
            booking: reference.uid.clone(),
            kind: CallKind::Cancel,
            end: if outcome.is_some() {
                CallEnd::Answered
            } else {
                call_end
            },
            text: note.chars().take(MAX_NOTE_CHARS).collect(),
        },
    })];
    facts.extend(outcome.map(|outcome| {
        Fact::Request(RequestFact::IntentSettled {
            request: request.id.clone(),
            outcome,
        })
    }));
    let until = seen_booking.map_or(request.end, |booking| {
        listed_until(unresolved_code(request), booking)
    });
    let is_accepted = matches!(&reading, Some(Fetched::Found(booking)) if booking.status == BookingStatus::Accepted);
    write_attempt_result(ports, request, (facts, outcome, is_accepted), until).await?;
    if outcome == Some(DecisionOutcome::Declined) {
        report.record(RecordedChange {
            booking: reference.uid.clone(),
            account: request.account.clone(),
            outcome: ChargeOutcome::Cancelled,
            text: describe_reason(request).to_owned(),
        });
    }
    match failure {
        Some(error) if error.is_fatal_for_pass() => Err(error.into()),
        Some(error @ CallError::Unreachable(_)) => Err(error.into()),
        Some(_) | None => Ok(()),
    }
}

/// Returns the outcome of the decision that the booking shows. `None` means that the decision is
/// still to be carried out, or that its outcome is not known.
fn outcome_of(
    reading: &Fetched,
    now: Time,
    is_ours: impl Fn(&Booking) -> bool,
) -> Option<DecisionOutcome> {
    match reading {
        Fetched::Gone => Some(DecisionOutcome::Superseded),
        Fetched::Found(booking) => match booking.status {
            BookingStatus::Cancelled if is_ours(booking) => Some(DecisionOutcome::Declined),
            BookingStatus::Cancelled | BookingStatus::Rejected | BookingStatus::Pending => {
                Some(DecisionOutcome::Superseded)
            }
            // The booking was over before it could be cancelled.
            BookingStatus::Accepted if booking.end <= now => Some(DecisionOutcome::Superseded),
            BookingStatus::Accepted | BookingStatus::AwaitingHost | BookingStatus::Other(_) => None,
        },
    }
}

fn describe_reading(reading: &Fetched) -> &'static str {
    match reading {
        Fetched::Gone => "the booking is gone",
        Fetched::Found(booking) => match booking.status {
            BookingStatus::Cancelled => "cancelled",
            BookingStatus::Rejected => "the booking was declined",
            BookingStatus::Pending => "the booking is pending again",
            BookingStatus::Accepted | BookingStatus::AwaitingHost | BookingStatus::Other(_) => {
                "not cancelled"
            }
        },
    }
}

fn describe_reason(request: &Request) -> &'static str {
    match unresolved_code(request) {
        UnresolvedCode::Revived => "accepted although it was cancelled or moved",
        UnresolvedCode::AcceptedMove => "moved to a time that the rules of its gate refuse",
        UnresolvedCode::Unmanaged
        | UnresolvedCode::TwoSuccessors
        | UnresolvedCode::HostAbsent
        | UnresolvedCode::UnknownStatus
        | UnresolvedCode::Refused
        | UnresolvedCode::Unanswered => "accepted by others",
    }
}

/// Writes the result of the attempt. A booking that could not be cancelled is on the unresolved
/// list until it is cancelled; a booking that is not accepted any more leaves the list. A booking
/// that is over stays as long as any other.
async fn write_attempt_result(
    ports: &Ports<'_>,
    request: &Request,
    (facts, outcome, is_accepted): (Vec<Fact>, Option<DecisionOutcome>, bool),
    until: Time,
) -> Result<(), PassError> {
    let booking: BookingRef = request.bookings[0].clone();
    let (code, account) = (unresolved_code(request), request.account.clone());
    let now = (ports.clock)();
    let decide = move |store: &dyn Store| {
        let mut facts = facts.clone();
        let items = store
            .unresolved_items_of(&booking.uid)
            .map_err(PassError::Store)?;
        if outcome.is_some() && !is_accepted {
            let open = items.iter().filter(|item| item.is_open());
            facts.extend(open.map(|item| {
                Fact::Unresolved(UnresolvedFact::Resolved {
                    booking: booking.uid.clone(),
                    code: item.code,
                    reason: "the booking is no longer accepted".to_owned(),
                    by: Resolver::Watch,
                })
            }));
        } else if outcome.is_none() && !items.iter().any(|item| item.is_open() && item.code == code)
        {
            let finding = UnresolvedFinding {
                booking: booking.clone(),
                code,
                account: account.clone(),
                until: truncate_to_millis(until),
                detail: "and is to be cancelled, which has not succeeded yet".to_owned(),
            };
            facts.extend(finding.into_fact(&items, now));
        }
        Ok((facts, ()))
    };
    ports.store.transaction(now, decide).await
}
