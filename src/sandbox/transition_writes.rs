//! What each change writes to the booking rows.

use super::booking::{SandboxBooking, SandboxStatus, StoredAnswers};
use super::transitions::{CancelExtent, CancelRequest, RescheduleRequest};
use super::world::World;
use crate::domain::time::Time;

impl World {
    /// Writes the state of a confirm or a decline: in a series only pending occurrences, a single
    /// booking whatever its state was. A booking that was deleted meanwhile is skipped.
    pub(super) fn write_answer(
        &mut self,
        now: Time,
        uid: &str,
        status: SandboxStatus,
        reason: Option<&str>,
    ) {
        let series = self.booking(uid).and_then(|one| one.series.clone());
        let uids = match series.filter(|_| !self.quirks.series_per_occurrence) {
            None => vec![uid.to_owned()],
            Some(series) => uids_where(self.series(&series), |one| {
                one.status == SandboxStatus::Pending
            }),
        };
        for uid in uids {
            let Ok(booking) = self.booking_mut(&uid) else {
                continue;
            };
            booking.status = status;
            booking.updated = Some(now);
            if reason.is_some() {
                booking.rejection_reason = reason.map(str::to_owned);
            }
        }
    }

    pub(super) fn write_cancel(&mut self, now: Time, uid: &str, cancel: &CancelRequest) {
        let Some(booking) = self.booking(uid) else {
            return;
        };
        let from = match cancel.extent {
            CancelExtent::Single => None,
            CancelExtent::Following => Some(booking.start),
            CancelExtent::Remaining => Some(now),
        };
        let uids = match (&booking.series, from) {
            (Some(series), Some(from)) => uids_where(self.series(series), |one| one.start >= from),
            (Some(_), None) | (None, _) => vec![uid.to_owned()],
        };
        for uid in uids {
            let booking = self.booking_mut(&uid).expect("a uid taken from the rows");
            booking.status = SandboxStatus::Cancelled;
            booking.updated = Some(now);
            // Fields that the call does not give stay as they are.
            if cancel.reason.is_some() {
                booking.cancellation_reason.clone_from(&cancel.reason);
            }
            if cancel.by.is_some() {
                booking.cancelled_by.clone_from(&cancel.by);
            }
        }
    }

    /// Writes a move; returns the new uid, or `None` when the booking cannot be added.
    pub(super) fn write_move(
        &mut self,
        now: Time,
        uid: &str,
        request: &RescheduleRequest,
    ) -> Option<String> {
        let old = self.booking(uid)?.clone();
        let event_type = old.event_type.and_then(|id| self.event_type(id));
        let email = old.answers.email().unwrap_or("");
        let needs_confirmation = event_type.is_none_or(|event_type| {
            event_type.needs_confirmation(now, request.start, email) || event_type.price > 0
        });
        let accepted = request.by_host || !needs_confirmation;
        let mut new = old.clone();
        new.id = 0;
        new.uid = request.uid.clone().unwrap_or_else(|| self.next_uid());
        new.predecessor = Some(old.uid.clone());
        new.start = request.start;
        new.end = request.start + (old.end - old.start);
        new.created = now;
        new.updated = Some(now);
        new.status = if accepted {
            SandboxStatus::Accepted
        } else {
            SandboxStatus::Pending
        };
        new.rescheduled = false;
        new.rejection_reason = None;
        new.cancelled_by = None;
        new.cancellation_reason = request.reason.clone().filter(|_| !request.by_api);
        new.rescheduling_reason = request.reason.clone().filter(|_| request.by_api);
        new.rescheduled_by.clone_from(&request.by);
        store_reason(&mut new.answers, request.reason.as_deref(), request.by_api);
        for attendee in &mut new.attendees {
            let (name, email) = (attendee.name.clone(), attendee.email.clone());
            attendee.id = self.new_attendee(&name, &email, "").id;
        }
        if !new.guests.is_empty() {
            // The database returns attendees in any order, and the order does change after moves.
            new.attendees.rotate_left(1);
        }
        let new_uid = self.insert(new).ok()?;
        let old = self.booking_mut(uid).expect("the booking read above");
        old.status = SandboxStatus::Cancelled;
        old.rescheduled = true;
        old.rescheduled_by.clone_from(&request.by);
        old.successor.get_or_insert_with(|| new_uid.clone());
        old.updated = Some(now);
        Some(new_uid)
    }
}

fn uids_where(
    rows: Vec<&SandboxBooking>,
    predicate: impl Fn(&SandboxBooking) -> bool,
) -> Vec<String> {
    let matching = rows.into_iter().filter(|one| predicate(one));
    matching.map(|one| one.uid.clone()).collect()
}

/// Stores the reason of a move. The API stores it as `rescheduledReason`, the web page as
/// `rescheduleReason`.
fn store_reason(answers: &mut StoredAnswers, reason: Option<&str>, by_api: bool) {
    let StoredAnswers::Readable { other: more, .. } = answers else {
        return;
    };
    let (field, other) = if by_api {
        ("rescheduledReason", "rescheduleReason")
    } else {
        ("rescheduleReason", "rescheduledReason")
    };
    more.remove(other);
    match reason {
        Some(reason) => more.insert(field.to_owned(), reason.into()),
        None => more.remove(field),
    };
}
