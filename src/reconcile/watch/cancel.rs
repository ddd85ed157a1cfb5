//! Cancelling a booking that is accepted: written down, seen accepted, cancelled, settled by what the
//! booking is. A read or a call that fails settles nothing: the intent stays open, and the watch tries
//! again ever more slowly.

use super::listed::Finding;
use super::{Change, Watched};
use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, BookingRef, Reading, Status};
use crate::domain::decision::{Code, Decision, Outcome, Reason};
use crate::domain::fact::Fact;
use crate::domain::gate::Limits;
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{Address, RequestId};
use crate::domain::intent;
use crate::domain::request::{CallEnd, CallKind, CallNote, Request, RequestState};
use crate::domain::text;
use crate::domain::time::{Time, kept};
use crate::domain::unresolved::{Resolver, UnresolvedCode, is_settled};
use crate::domain::watch::What;
use crate::domain::watch::accepted::listed_until;
use crate::domain::watch::unmanaged::noted;
use crate::reconcile::deliver::call::{end_of, mark};
use crate::reconcile::deliver::{MAX_TURNS, rests_until};
use crate::reconcile::observe::ends_the_pass;
use crate::reconcile::ports::{PassError, Ports};
use crate::reconcile::sight::ReadTimes;
use crate::store::port::Store;

/// Characters of a server's message kept with a call.
const MAX_NOTE: usize = 300;

/// Why an accepted booking is cancelled.
#[derive(Debug, Clone)]
pub(super) struct Why {
    pub code: Code,
    /// What the booker is told.
    pub text: String,
    /// What its rules said, where they were asked.
    pub reasons: Vec<Reason>,
}

impl Why {
    pub fn of(code: Code) -> Self {
        let text = match code {
            Code::Revived => text::revived(),
            _ => text::unmanaged(),
        };
        Self {
            code,
            text,
            reasons: Vec::new(),
        }
    }
}

/// Writes the decision down and tries to carry it out.
pub(super) async fn cancel(
    ports: &Ports<'_>,
    policy: &Policy,
    (booking, gate): (&Booking, &Gate),
    (id, why): (RequestId, Why),
    watched: &mut Watched,
) -> Result<(), PassError> {
    let now = (ports.clock)();
    let mut request = noted(booking, gate, gate.cost, None, (now, &policy.hash));
    request.id = id;
    request.decision = Decision::Decline;
    request.call = Some(CallKind::Cancel);
    request.state = RequestState::Recorded;
    // The code says first what kind of decision this is.
    request.reasons = vec![Reason {
        code: why.code,
        text: why.text.clone(),
    }];
    request.reasons.extend(why.reasons);
    request.text = Some(why.text);
    let intent = vec![Fact::Decided {
        request: request.clone().into(),
    }];
    write(ports, intent).await?;
    attempt(ports, policy, &request, Some(booking), watched).await
}

/// What was begun before and is to be tried again now.
pub(super) async fn begun(ports: &Ports<'_>, limits: &Limits) -> Result<Vec<Request>, PassError> {
    let now = (ports.clock)();
    let limits = limits.clone();
    let open = ports.store.with(move |store| {
        let open = store.open_intents(usize::MAX)?;
        let due = |request: &Request| {
            let marked = store.marked(&request.id);
            // A call without an answer may still be running, and a second one mails again.
            let sent = intent::unanswered(request, marked, &limits);
            request.cancels_accepted()
                && intent::due(request, now)
                && intent::running(sent, &limits, now).is_none()
        };
        Ok(open.into_iter().filter(due).collect())
    });
    open.await.map_err(PassError::Store)
}

/// Tries it again.
pub(super) async fn go_on(
    ports: &Ports<'_>,
    policy: &Policy,
    begun: Vec<Request>,
    watched: &mut Watched,
) -> Result<(), PassError> {
    for request in begun {
        if watched.stops(ports) {
            return Ok(());
        }
        if is_settled_by_operator(ports, &request).await? {
            let end = Fact::Settled {
                request: request.id.clone(),
                outcome: Outcome::Superseded,
            };
            write(ports, vec![end]).await?;
            continue;
        }
        attempt(ports, policy, &request, None, watched).await?;
    }
    Ok(())
}

async fn is_settled_by_operator(ports: &Ports<'_>, request: &Request) -> Result<bool, PassError> {
    let (uid, code) = (request.bookings[0].uid.clone(), list_code(request));
    let items = ports.store.with(move |store| store.unresolved_of(&uid));
    let items = items.await.map_err(PassError::Store)?;
    Ok(is_settled(&items, code))
}

/// Under which code the booking is on the unresolved list until it is cancelled.
fn list_code(request: &Request) -> UnresolvedCode {
    match request.reasons.first().map(|reason| reason.code) {
        Some(Code::Revived) => UnresolvedCode::Revived,
        Some(Code::AcceptedMove) => UnresolvedCode::AcceptedMove,
        Some(_) | None => UnresolvedCode::Unmanaged,
    }
}

/// Under which names a cancellation that is found counts as our own. A call through the API gives no
/// name, and the server keeps the name that stood there before.
enum OwnNames {
    /// No call of ours can have reached the server.
    Never,
    /// A call of ours may have cancelled the booking, and the name before it is not known.
    Any,
    /// No name, or this one, which stood there before our call.
    Unnamed(Option<Address>),
}

impl OwnNames {
    /// As far as the calls of earlier attempts tell.
    fn of_earlier(request: &Request, marked: Option<Time>, limits: &Limits) -> Self {
        let mut calls = request.calls.iter();
        let lost = calls.any(|call| matches!(call.end, CallEnd::Unanswered { .. }));
        if lost || intent::unanswered(request, marked, limits).is_some() {
            Self::Any
        } else if request.failures > 0 {
            Self::Unnamed(None)
        } else {
            Self::Never
        }
    }

    fn include(&self, booking: &Booking) -> bool {
        match self {
            Self::Never => false,
            Self::Any => true,
            Self::Unnamed(before) => {
                booking.cancelled_by.is_none() || booking.cancelled_by == *before
            }
        }
    }
}

/// What one attempt gave.
struct CancelAttempt {
    /// What the booking is now, where that is known.
    read: Option<Reading>,
    failure: Option<CallError>,
    call_end: CallEnd,
    own_names: OwnNames,
}

/// Reads the booking, and cancels it if it is accepted. The call rests on a reading that is as young
/// as any call's; when its turn comes too late, the booking is read again.
async fn read_and_cancel(
    ports: &Ports<'_>,
    limits: &Limits,
    request: &Request,
) -> Result<CancelAttempt, PassError> {
    let reference = &request.bookings[0];
    let told = request.text.as_deref().unwrap_or_default();
    let id = request.id.clone();
    let marked = ports.store.with(move |store| store.marked(&id)).await;
    let mut attempt = CancelAttempt {
        read: None,
        failure: None,
        call_end: CallEnd::NotSent,
        own_names: OwnNames::of_earlier(request, marked, limits),
    };
    for _ in 0..MAX_TURNS {
        let asked = (ports.clock)();
        let now = match ports.calendar.get(reference).await {
            // Every server refuses to cancel a booking that is over (`calcom/api.md` 5.1).
            Ok(Reading::Is(now)) if now.status == Status::Accepted && now.end > asked => now,
            Ok(reading) => {
                attempt.read = Some(reading);
                attempt.failure = None;
                return Ok(attempt);
            }
            Err(error) => {
                attempt.failure = Some(error);
                return Ok(attempt);
            }
        };
        let arrived = (ports.clock)();
        let deadline = rests_until(ReadTimes { asked, arrived }, limits);
        let id = request.id.clone();
        mark(ports, vec![id.clone()], Some((ports.clock)()))
            .await
            .map_err(PassError::Store)?;
        attempt.failure = match ports.calendar.cancel(reference, told, deadline).await {
            Ok(reading) => {
                attempt.read = reading;
                None
            }
            // Nothing was sent.
            Err(error @ (CallError::TooLate | CallError::Limited { .. })) => {
                mark(ports, vec![id], None)
                    .await
                    .map_err(PassError::Store)?;
                attempt.failure = Some(error);
                if ports.stop.is_set() {
                    return Ok(attempt);
                }
                continue;
            }
            Err(error) => Some(error),
        };
        let sent = deadline.min((ports.clock)());
        attempt.call_end = match &attempt.failure {
            Some(error) => end_of(error, sent),
            None => CallEnd::Unanswered { sent },
        };
        if attempt.call_end != CallEnd::NotSent {
            attempt.own_names = OwnNames::Unnamed(now.cancelled_by);
        }
        // Neither a refusal nor a yes without the booking tells what it is.
        if attempt.read.is_none() && !attempt.failure.as_ref().is_some_and(ends_the_pass) {
            attempt.read = ports.calendar.get(reference).await.ok();
        }
        return Ok(attempt);
    }
    Ok(attempt)
}

/// One attempt. `shown` is the booking as the watch has seen it.
async fn attempt(
    ports: &Ports<'_>,
    policy: &Policy,
    request: &Request,
    shown: Option<&Booking>,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let reference = &request.bookings[0];
    let at = (ports.clock)();
    let CancelAttempt {
        read,
        failure,
        call_end,
        own_names,
    } = read_and_cancel(ports, &policy.limits, request).await?;
    let is_ours = |booking: &Booking| own_names.include(booking);
    let outcome = read.as_ref().and_then(|read| outcome_of(read, at, is_ours));
    let note = match (&outcome, &failure) {
        (Some(_), _) => read.as_ref().map_or("", |reading| word(reading)).to_owned(),
        (None, Some(error)) => error.to_string(),
        (None, None) => "the booking is still accepted".to_owned(),
    };
    let mut facts = vec![Fact::Called {
        request: request.id.clone(),
        call: CallNote {
            at: kept((ports.clock)()),
            booking: reference.uid.clone(),
            kind: CallKind::Cancel,
            end: if outcome.is_some() {
                CallEnd::Answered
            } else {
                call_end
            },
            text: note.chars().take(MAX_NOTE).collect(),
        },
    }];
    facts.extend(outcome.map(|outcome| Fact::Settled {
        request: request.id.clone(),
        outcome,
    }));
    let until = shown.map_or(request.end, |booking| {
        listed_until(list_code(request), booking)
    });
    let stands = matches!(&read, Some(Reading::Is(now)) if now.status == Status::Accepted);
    end(ports, request, (facts, outcome, stands), until).await?;
    if outcome == Some(Outcome::Declined) {
        watched.record(Change {
            booking: reference.uid.clone(),
            account: request.account.clone(),
            what: What::Cancelled,
            text: reason_word(request).to_owned(),
        });
    }
    match failure {
        Some(error) if ends_the_pass(&error) => Err(error.into()),
        Some(error @ CallError::Unreachable(_)) => Err(error.into()),
        Some(_) | None => Ok(()),
    }
}

/// What the booking says of the decision; `None`: it is still to be carried out, or not known.
fn outcome_of(reading: &Reading, now: Time, is_ours: impl Fn(&Booking) -> bool) -> Option<Outcome> {
    match reading {
        Reading::Gone => Some(Outcome::Superseded),
        Reading::Is(booking) => match booking.status {
            Status::Cancelled if is_ours(booking) => Some(Outcome::Declined),
            Status::Cancelled | Status::Rejected | Status::Pending => Some(Outcome::Superseded),
            // It was over before it could be cancelled.
            Status::Accepted if booking.end <= now => Some(Outcome::Superseded),
            Status::Accepted | Status::AwaitingHost | Status::Other(_) => None,
        },
    }
}

fn word(reading: &Reading) -> &'static str {
    match reading {
        Reading::Gone => "the booking is gone",
        Reading::Is(booking) => match booking.status {
            Status::Cancelled => "cancelled",
            Status::Rejected => "the booking was declined",
            Status::Pending => "the booking is pending again",
            Status::Accepted | Status::AwaitingHost | Status::Other(_) => "not cancelled",
        },
    }
}

fn reason_word(request: &Request) -> &'static str {
    match list_code(request) {
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

/// Writes what the try gave. A booking that could not be cancelled is on the unresolved list until it
/// is; one that is not accepted any more leaves it. One that is over stays as long as any other.
async fn end(
    ports: &Ports<'_>,
    request: &Request,
    (mut facts, outcome, stands): (Vec<Fact>, Option<Outcome>, bool),
    until: Time,
) -> Result<(), PassError> {
    let booking: BookingRef = request.bookings[0].clone();
    let (code, account) = (list_code(request), request.account.clone());
    let now = (ports.clock)();
    let written = ports.store.with(move |store: &mut dyn Store| {
        let items = store
            .unresolved_of(&booking.uid)
            .map_err(PassError::Store)?;
        if outcome.is_some() && !stands {
            let open = items.iter().filter(|item| item.is_open());
            facts.extend(open.map(|item| Fact::Resolved {
                booking: booking.uid.clone(),
                code: item.code,
                reason: "the booking is not accepted any more".to_owned(),
                by: Resolver::Watch,
            }));
        } else if outcome.is_none() && !items.iter().any(|item| item.is_open() && item.code == code)
        {
            let finding = Finding {
                booking,
                code,
                account,
                until: kept(until),
                detail: "and is to be cancelled, which has not succeeded yet".to_owned(),
            };
            facts.extend(finding.fact(&items, now));
        }
        store.commit(now, facts, &[]).map_err(PassError::Commit)
    });
    written.await.map(|_| ())
}

async fn write(ports: &Ports<'_>, facts: Vec<Fact>) -> Result<(), PassError> {
    let at = (ports.clock)();
    let written = ports
        .store
        .with(move |store| store.commit(at, facts, &[]))
        .await;
    written.map(|_| ()).map_err(PassError::Commit)
}
