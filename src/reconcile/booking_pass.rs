//! Observes for a pass over one booking. One list call shows the booking, and whether an older request
//! waits that a pass would decide first. If none does, only this booking is evaluated; otherwise the
//! pass is an ordinary one, so that the order in which requests are decided stays the same.

use super::context::{PassError, Ports, Session};
use super::known_pending::KnownPending;
use super::observe::{Observation, observe};
use super::store_reads::{self, StoredDecisions};
use crate::calcom::port::BookingFilter;
use crate::domain::booking::{Booking, BookingRef, BookingStatus, Fetched};
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, HostId, RequestId};
use crate::domain::plan::Problem;
use crate::domain::request::{Request, RequestState};
use crate::domain::time::{Time, overlaps};

/// The code of the problem that the booking does not wait for an answer.
pub const NOT_WAITING: &str = "booking-not-waiting";

/// The code of the problem that no gate covers the booking.
pub const NOT_GATED: &str = "booking-not-gated";

/// What observing for one booking found.
pub(super) enum BookingObservation {
    /// What the pass rests on: this booking alone, or everything that waits.
    Observed(Box<Observation>),
    /// Why nothing is decided about the booking.
    NotDecided(Problem),
}

/// Observes for a pass over one booking.
///
/// # Errors
/// Returns an error in the same cases as [`observe`].
pub(super) async fn observe_booking(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    uid: &BookingUid,
) -> Result<BookingObservation, PassError> {
    let me = session.me(ports).await?.id;
    let page = ports.calendar.list(&BookingFilter::Pending, 0).await?;
    let focus = page.bookings.iter().find(|one| one.uid == *uid).cloned();
    let Some(focus) = focus else {
        if page.next.is_some() {
            return observe_everything(ports, policy, session).await;
        }
        return observe_absent(ports, policy, session, uid, page.server_time).await;
    };
    if let Err(why) = policy.require_gate(me, &focus) {
        return Ok(BookingObservation::NotDecided(Problem {
            code: NOT_GATED,
            text: format!("booking {uid} is left alone: {}", why.text()),
        }));
    }
    let request = focus.request_id();
    // Behind a page there may be older requests, if the server has another order.
    if page.next.is_some() || has_older_rival(ports, policy, me, &focus, &page.bookings).await? {
        return observe_everything(ports, policy, session).await;
    }
    let is_of_request = |one: &Booking| one.request_id() == request;
    let bookings = page.bookings.into_iter().filter(is_of_request).collect();
    observe_alone(ports, policy, session, bookings, page.server_time, uid).await
}

async fn observe_everything(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
) -> Result<BookingObservation, PassError> {
    let observation = observe(ports, policy, session).await?;
    Ok(BookingObservation::Observed(Box::new(observation)))
}

/// Observes a booking that does not wait, because a decision about it may still be open.
async fn observe_absent(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    uid: &BookingUid,
    server_time: Option<Time>,
) -> Result<BookingObservation, PassError> {
    let alone = observe_alone(ports, policy, session, Vec::new(), server_time, uid).await?;
    if let BookingObservation::Observed(observation) = &alone
        && !observation.plan.steps.is_empty()
    {
        return Ok(alone);
    }
    let booking = BookingRef {
        uid: uid.clone(),
        id: None,
    };
    let why = match ports.calendar.get(&booking).await {
        Ok(Fetched::Found(found)) => describe_status(&found.status).to_owned(),
        Ok(Fetched::Gone) => {
            "Cal.com has no such booking, or does not show it to the key".to_owned()
        }
        Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
        Err(_) => "it is not in the list of bookings that wait".to_owned(),
    };
    Ok(BookingObservation::NotDecided(Problem {
        code: NOT_WAITING,
        text: format!(
            "booking {uid} does not wait for an answer: {why}; `maitred explain {uid}` shows what is \
             known about it"
        ),
    }))
}

fn describe_status(status: &BookingStatus) -> &'static str {
    match status {
        BookingStatus::Pending => "it is pending, and not in the list of bookings that wait",
        BookingStatus::Accepted => "it is accepted",
        BookingStatus::Rejected => "it is declined",
        BookingStatus::Cancelled => "it is cancelled or moved",
        BookingStatus::AwaitingHost => "it waits for a host to join",
        BookingStatus::Other(_) => "it has a status that this version does not know",
    }
}

/// Observes with these bookings alone in the list, and keeps the steps about the booking.
async fn observe_alone(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    bookings: Vec<Booking>,
    server_time: Option<Time>,
    uid: &BookingUid,
) -> Result<BookingObservation, PassError> {
    let calendar = KnownPending {
        calendar: ports.calendar,
        bookings,
        server_time,
    };
    let short_ports = Ports {
        calendar: &calendar,
        ..*ports
    };
    // The requests that the last pass left alone are unrelated to this pass.
    let skipped_requests = std::mem::take(&mut session.skipped_requests);
    let observation = observe(&short_ports, policy, session).await;
    session.skipped_requests = skipped_requests;
    let mut observation = observation?;
    // Open decisions about other bookings keep their time and their credits, and wait for the next
    // pass.
    let is_of_booking = |request: &Request| request.bookings.iter().any(|one| one.uid == *uid);
    let plan = &mut observation.plan;
    plan.steps.retain(|step| is_of_booking(&step.request));
    plan.unresolved_facts.clear();
    Ok(BookingObservation::Observed(Box::new(observation)))
}

/// Returns true if an older request waits that a pass has not evaluated yet, or whose credits or
/// time this booking would take.
async fn has_older_rival(
    ports: &Ports<'_>,
    policy: &Policy,
    me: HostId,
    focus: &Booking,
    pending: &[Booking],
) -> Result<bool, PassError> {
    let request = focus.request_id();
    let key = |booking: &Booking| (booking.created_at, booking.uid.clone());
    let oldest_of_request = pending.iter().filter(|one| one.request_id() == request);
    let begin = oldest_of_request
        .map(key)
        .min()
        .unwrap_or_else(|| key(focus));
    let is_older = |booking: &&Booking| {
        key(booking) < begin
            && booking.request_id() != request
            && policy.require_gate(me, booking).is_ok()
    };
    let older: Vec<Booking> = pending.iter().filter(is_older).cloned().collect();
    if older.is_empty() {
        return Ok(false);
    }
    let queries: Vec<(RequestId, BookingUid)> = older
        .iter()
        .map(|booking| (booking.request_id(), booking.uid.clone()))
        .collect();
    let address = focus.booker.as_ref().map(|booker| booker.address.clone());
    let read = ports.store.read(move |store| {
        let decisions = store_reads::read_decisions(store, &queries)?;
        let account = match &address {
            Some(address) => store.resolve(address)?,
            None => None,
        };
        Ok((decisions, account, address))
    });
    let (decisions, account, address) = read.await.map_err(PassError::Store)?;
    let same_series = pending.iter().filter(|one| one.request_id() == request);
    let times: Vec<(Time, Time)> = same_series.map(|one| (one.start, one.end)).collect();
    Ok(older.iter().any(|booking| {
        let Some(record) = record_of(&decisions, booking) else {
            return true;
        };
        let is_noted = record.state == RequestState::Noted;
        let same_account = account.is_some() && record.account == account;
        let same_booker = address.is_some() && record.booker == address;
        let mut times = times.iter();
        let same_time = times.any(|time| overlaps(*time, (booking.start, booking.end)));
        // A series has further occurrences that the page may not show.
        let is_series = booking.series.is_some() || focus.series.is_some();
        is_noted && (same_account || same_booker || same_time || is_series)
    }))
}

fn record_of<'a>(decisions: &'a StoredDecisions, booking: &Booking) -> Option<&'a Request> {
    let mut records = decisions.records.values();
    decisions
        .records
        .get(&booking.request_id())
        .or_else(|| records.find(|record| record.bookings.iter().any(|one| one.uid == booking.uid)))
}
