//! Closes requests that were left waiting and will never be answered: they are over, were answered
//! by others, or are gone. No credits are held for them; closing a request records why, and keeps
//! it from being checked forever.

use std::collections::BTreeSet;

use super::observed_bookings::ObservedBookings;
use super::{RecordedChange, WatchReport};
use crate::calcom::port::{BookingFilter, CallError};
use crate::domain::booking::{Booking, BookingRef, BookingStatus, Fetched};
use crate::domain::decision::{Reason, ReasonCode};
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::plan::Problem;
use crate::domain::request::{Request, RequestState};
use crate::domain::time::{Span, Time};
use crate::domain::watch::ChargeOutcome;
use crate::domain::watch::unmanaged_bookings;
use crate::reconcile::context::{PassError, Ports};
use crate::store::port::CommitError;

/// The maximum number of requests that one watch checks. Each may cost a call; the others have
/// their turn later.
const MAX_NOTES: usize = 200;

/// The memory for the list of pending bookings, in bytes: 10,000 bookings of the usual size.
/// Bookings that the list does not show are read individually.
const MAX_PENDING_BYTES: usize = 40 * 1024 * 1024;

/// How long after its end a request that others accepted is kept open: an operator may still grant
/// the credits that its charge waits for.
const ACCEPTED_RETENTION: Span = Span::days(31);

/// Closes requests that have ended since the last watch, each once. An audit checks all requests,
/// including those that were answered by others or are gone.
pub(super) async fn close_stale_requests(
    ports: &Ports<'_>,
    since: Option<Time>,
    observed_bookings: &ObservedBookings,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let now = report.started;
    let has_ended = |note: &Request| note.end <= now && since.is_none_or(|since| note.end > since);
    let open_notes = ports
        .store
        .read(|store| store.open_notes(None, MAX_NOTES))
        .await
        .map_err(PassError::Store)?;
    let due: Vec<Request> = open_notes
        .into_iter()
        .filter(|note| report.audit || has_ended(note))
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    // One list shows the pending requests; only those that it does not show are read individually.
    let mut pending = ObservedBookings::with_budget(MAX_PENDING_BYTES);
    let listing = pending.list(ports, &BookingFilter::Pending, &mut report.problems);
    listing.await?;
    if ports.stop.is_set() {
        return Ok(());
    }
    let pending_uids: BTreeSet<BookingUid> = pending
        .bookings()
        .filter(|booking| booking.status == BookingStatus::Pending)
        .map(|booking| booking.uid.clone())
        .collect();
    for note in due {
        if report.should_stop(ports) {
            break;
        }
        let is_pending = note
            .bookings
            .iter()
            .any(|one| pending_uids.contains(&one.uid));
        if is_pending && note.end > now {
            continue;
        }
        let status = tokio::select! {
            biased;
            () = ports.stop.stopped() => break,
            status = read_note_status(ports, observed_bookings, &note, now) => status,
        };
        match status {
            Ok(NoteStatus::Waiting) => {}
            Ok(NoteStatus::Ended(why)) => close_note(ports, &note, why, report).await?,
            Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
            // Each of the other requests would wait for its answer just as long.
            Err(error @ CallError::Unreachable(_)) => return Err(error.into()),
            Err(error) => report.problems.push(Problem {
                code: "unread-note",
                text: format!("request {} could not be read: {error}", note.id),
            }),
        }
    }
    Ok(())
}

/// What became of a request that was not decided.
enum NoteStatus {
    Waiting,
    Ended(&'static str),
}

async fn read_note_status(
    ports: &Ports<'_>,
    observed_bookings: &ObservedBookings,
    note: &Request,
    now: Time,
) -> Result<NoteStatus, CallError> {
    let mut bookings: Vec<Booking> = Vec::new();
    let series = match &note.series {
        Some(series) => ports.calendar.series(&series.uid()).await?,
        None => None,
    };
    for reference in &note.bookings {
        let occurrence = series
            .iter()
            .flatten()
            .find(|read| read.uid == reference.uid);
        match occurrence.or_else(|| observed_bookings.get(&reference.uid)) {
            Some(booking) => bookings.push(booking.clone()),
            None => bookings.extend(read_booking(ports, reference).await?),
        }
    }
    let has_status =
        |status: &BookingStatus| bookings.iter().any(|booking| booking.status == *status);
    let is_pending = |booking: &Booking| {
        booking.status == BookingStatus::Pending && booking.rescheduled_to.is_none()
    };
    let any_accepted = has_status(&BookingStatus::Accepted);
    Ok(if bookings.iter().any(|b| is_pending(b) && b.end > now) {
        NoteStatus::Waiting
    } else if any_accepted && note.end + ACCEPTED_RETENTION > now {
        // As long as audits list the booking, they check whether it is charged.
        NoteStatus::Waiting
    } else if bookings.iter().any(is_pending) {
        NoteStatus::Ended("it ended undecided")
    } else if bookings.is_empty() {
        NoteStatus::Ended("it no longer exists at Cal.com")
    } else if any_accepted {
        NoteStatus::Ended("it was accepted by others")
    } else if has_status(&BookingStatus::Rejected) {
        NoteStatus::Ended("it was declined at Cal.com")
    } else if has_status(&BookingStatus::Cancelled) {
        NoteStatus::Ended("it was cancelled before it was decided")
    } else if note.end > now {
        NoteStatus::Waiting
    } else {
        NoteStatus::Ended("it ended undecided")
    })
}

async fn read_booking(
    ports: &Ports<'_>,
    booking: &BookingRef,
) -> Result<Option<Booking>, CallError> {
    match ports.calendar.get(booking).await? {
        Fetched::Found(booking) => Ok(Some(*booking)),
        Fetched::Gone => Ok(None),
    }
}

/// Closes the request, unless a pass or an operator was quicker.
async fn close_note(
    ports: &Ports<'_>,
    note: &Request,
    why: &'static str,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let (id, now): (RequestId, Time) = (note.id.clone(), (ports.clock)());
    let is_closed = ports
        .store
        .transaction(now, move |store| {
            let record = store.request(&id).map_err(PassError::Store)?;
            let Some(mut record) = record.filter(|record| record.state == RequestState::Noted)
            else {
                return Ok((Vec::new(), false));
            };
            // An occurrence that was meanwhile decided individually is no longer part of this
            // request.
            let mut own_bookings = Vec::new();
            for booking in &record.bookings {
                let decided_request = store.request_of(&booking.uid).map_err(PassError::Store)?;
                if decided_request.is_none_or(|name| name == id) {
                    own_bookings.push(booking.clone());
                }
            }
            if !own_bookings.is_empty() {
                record.bookings = own_bookings;
            }
            let reason = Reason {
                code: ReasonCode::AlreadyOver,
                text: why.to_owned(),
            };
            Ok((unmanaged_bookings::close_note(&record, reason), true))
        })
        .await;
    let is_closed = match is_closed {
        Err(PassError::Commit(CommitError::Violation(violation))) => {
            tracing::warn!(request = %note.id, %violation, "could not be closed");
            false
        }
        result => result?,
    };
    if is_closed {
        report.record(RecordedChange {
            booking: note.bookings[0].uid.clone(),
            account: note.account.clone(),
            outcome: ChargeOutcome::Closed,
            text: why.to_owned(),
        });
    }
    Ok(())
}
