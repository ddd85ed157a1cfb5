//! Bookings that are not accepted any more: the reasons for which they were listed are over, and the
//! notes of requests that were left waiting are closed.

use super::{WatchReport, unresolved_list};
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::decision::{Reason, ReasonCode};
use crate::domain::fact::Fact;
use crate::domain::request::RequestState;
use crate::domain::time::Time;
use crate::domain::watch::ChargeOutcome;
use crate::domain::watch::accepted_bookings::resolution_by_status;
use crate::domain::watch::unmanaged_bookings::close_note;
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::store_reads::find_request;
use crate::store::port::Store;

/// Handles a booking that is not accepted: the reasons for which it was listed are over, and its
/// note is closed.
pub(super) async fn check_ended(
    ports: &Ports<'_>,
    booking: &Booking,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let (now, booking_copy) = ((ports.clock)(), booking.clone());
    let close_note_result = ports.store.transaction(now, move |store| {
        close_finished_note(store, &booking_copy, now)
    });
    if let Some(why) = close_note_result.await? {
        report.record_booking(booking, ChargeOutcome::Closed, why.to_owned());
    }
    let uid = booking.uid.clone();
    let items = ports
        .store
        .read(move |store| store.unresolved_items_of(&uid));
    let items = items.await.map_err(PassError::Store)?;
    let ended_items = items
        .iter()
        .filter(|item| item.is_open() || item.is_resolved_by_operator())
        .filter_map(|item| Some((item.code, resolution_by_status(item.code, &booking.status)?)));
    unresolved_list::resolve(ports, &booking.uid, ended_items.collect()).await
}

/// The facts that close a note, and why the note is closed; `None` if it stays.
type ClosedNote = (Vec<Fact>, Option<&'static str>);

/// Closes the note of a request that was left waiting and is over, or was answered by others.
fn close_finished_note(
    store: &dyn Store,
    booking: &Booking,
    now: Time,
) -> Result<ClosedNote, PassError> {
    let record = find_request(store, &booking.uid).map_err(PassError::Store)?;
    let record = record.filter(|record| record.state == RequestState::Noted);
    let charge = store.charge(&booking.uid).map_err(PassError::Store)?;
    // A series is one request, which its last occurrence closes.
    let record = record.filter(|record| record.bookings.len() == 1 && charge.is_none());
    let why = match &booking.status {
        BookingStatus::Pending if booking.end <= now => Some("it ended undecided"),
        BookingStatus::Cancelled => Some("it was cancelled before it was decided"),
        BookingStatus::Rejected => Some("it was declined at Cal.com"),
        BookingStatus::Pending
        | BookingStatus::Accepted
        | BookingStatus::AwaitingHost
        | BookingStatus::Other(_) => None,
    };
    let (Some(record), Some(why)) = (record, why) else {
        return Ok((Vec::new(), None));
    };
    let reason = Reason {
        code: ReasonCode::AlreadyOver,
        text: why.to_owned(),
    };
    Ok((close_note(&record, reason), Some(why)))
}
