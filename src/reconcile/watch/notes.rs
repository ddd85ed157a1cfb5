//! Requests that were left waiting and will never be answered: over, answered by others, or gone.
//! Nothing is held for them; closing one says why, and keeps it from being looked at for ever.

use std::collections::BTreeSet;

use super::look::Seen;
use super::{Change, Watched};
use crate::calcom::port::{CallError, Select};
use crate::domain::booking::{Booking, BookingRef, Reading, Status};
use crate::domain::decision::{Code, Reason};
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::plan::Problem;
use crate::domain::request::{Request, RequestState};
use crate::domain::time::{Span, Time};
use crate::domain::watch::What;
use crate::domain::watch::unmanaged;
use crate::reconcile::observe::ends_the_pass;
use crate::reconcile::ports::{PassError, Ports};
use crate::store::port::CommitError;

/// Requests looked at in one watch. Each may cost a call; the others have their turn later.
const MAX_NOTES: usize = 200;

/// What the list of what waits may take, in bytes: 10,000 bookings of the usual size. What it does not
/// show is read by name.
const ROOM: usize = 32 * 1024 * 1024;

/// How long after its end a request that others accepted is kept open: an operator may still grant
/// what its charge waits for.
const KEPT_ACCEPTED: Span = Span::days(31);

/// Closes what has ended since the last watch, each once; an audit looks at all, also for what was
/// answered by others or is gone.
pub(super) async fn notes(
    ports: &Ports<'_>,
    since: Option<Time>,
    seen: &Seen,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let now = watched.started;
    let ended = |note: &Request| note.end <= now && since.is_none_or(|since| note.end > since);
    let open = ports
        .store
        .with(|store| store.open_notes(None, MAX_NOTES))
        .await
        .map_err(PassError::Store)?;
    let due: Vec<Request> = open
        .into_iter()
        .filter(|note| watched.audit || ended(note))
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    // Those that wait are shown by one list; only what it does not show is read by name.
    let mut pending = Seen::within(ROOM);
    let listed = pending.list(ports, &Select::Pending, &mut watched.problems);
    listed.await?;
    if ports.stop.is_set() {
        return Ok(());
    }
    let waits: BTreeSet<BookingUid> = pending
        .bookings()
        .filter(|booking| booking.status == Status::Pending)
        .map(|booking| booking.uid.clone())
        .collect();
    for note in due {
        if watched.stops(ports) {
            break;
        }
        let waiting = note.bookings.iter().any(|one| waits.contains(&one.uid));
        if waiting && note.end > now {
            continue;
        }
        let fate = tokio::select! {
            biased;
            () = ports.stop.told() => break,
            fate = fate(ports, seen, &note, now) => fate,
        };
        match fate {
            Ok(Fate::Waits) => {}
            Ok(Fate::Ended(why)) => close(ports, &note, why, watched).await?,
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            // Each of the others would wait for its answer as long.
            Err(error @ CallError::Unreachable(_)) => return Err(error.into()),
            Err(error) => watched.problems.push(Problem {
                code: "unread-note",
                text: format!("request {} could not be read: {error}", note.id),
            }),
        }
    }
    Ok(())
}

/// What became of a request that nobody decided.
enum Fate {
    Waits,
    Ended(&'static str),
}

async fn fate(
    ports: &Ports<'_>,
    seen: &Seen,
    note: &Request,
    now: Time,
) -> Result<Fate, CallError> {
    let mut found: Vec<Booking> = Vec::new();
    let series = match &note.series {
        Some(series) => ports.calendar.series(&series.uid()).await?,
        None => None,
    };
    for one in &note.bookings {
        let shown = series.iter().flatten().find(|read| read.uid == one.uid);
        match shown.or_else(|| seen.get(&one.uid)) {
            Some(booking) => found.push(booking.clone()),
            None => found.extend(read(ports, one).await?),
        }
    }
    let is = |status: &Status| found.iter().any(|booking| booking.status == *status);
    let pending =
        |booking: &Booking| booking.status == Status::Pending && booking.rescheduled_to.is_none();
    let accepted = is(&Status::Accepted);
    Ok(if found.iter().any(|b| pending(b) && b.end > now) {
        Fate::Waits
    } else if accepted && note.end + KEPT_ACCEPTED > now {
        // Whether it is charged is asked of the booking itself as long as audits list it.
        Fate::Waits
    } else if found.iter().any(pending) {
        Fate::Ended("it ended undecided")
    } else if found.is_empty() {
        Fate::Ended("it is not at Cal.com any more")
    } else if accepted {
        Fate::Ended("it was accepted by others")
    } else if is(&Status::Rejected) {
        Fate::Ended("it was declined at Cal.com")
    } else if is(&Status::Cancelled) {
        Fate::Ended("it was cancelled before it was decided")
    } else if note.end > now {
        Fate::Waits
    } else {
        Fate::Ended("it ended undecided")
    })
}

async fn read(ports: &Ports<'_>, booking: &BookingRef) -> Result<Option<Booking>, CallError> {
    match ports.calendar.get(booking).await? {
        Reading::Is(booking) => Ok(Some(*booking)),
        Reading::Gone => Ok(None),
    }
}

/// Written down unless a pass or an operator was quicker.
async fn close(
    ports: &Ports<'_>,
    note: &Request,
    why: &'static str,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let (id, now): (RequestId, Time) = (note.id.clone(), (ports.clock)());
    let closed = ports
        .store
        .with(move |store| {
            let record = store.request(&id).map_err(PassError::Store)?;
            let Some(mut record) = record.filter(|record| record.state == RequestState::Noted)
            else {
                return Ok(false);
            };
            // An occurrence that was decided on its own meanwhile is no part of it any more.
            let mut own = Vec::new();
            for booking in &record.bookings {
                let named = store.request_of(&booking.uid).map_err(PassError::Store)?;
                if named.is_none_or(|name| name == id) {
                    own.push(booking.clone());
                }
            }
            if !own.is_empty() {
                record.bookings = own;
            }
            let reason = Reason {
                code: Code::Over,
                text: why.to_owned(),
            };
            match store.commit(now, unmanaged::ended(&record, reason), &[]) {
                Ok(_) => Ok(true),
                Err(CommitError::Violation(misfit)) => {
                    tracing::warn!(request = %record.id, %misfit, "could not be closed");
                    Ok(false)
                }
                Err(error) => Err(PassError::Commit(error)),
            }
        })
        .await?;
    if closed {
        watched.record(Change {
            booking: note.bookings[0].uid.clone(),
            account: note.account.clone(),
            what: What::Closed,
            text: why.to_owned(),
        });
    }
    Ok(())
}
