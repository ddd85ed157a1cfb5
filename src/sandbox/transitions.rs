//! What confirm, decline, cancel, move and the absence marks do to a booking. As on real servers,
//! hardly any state is checked, so a cancelled booking can be revived and a declined one declined
//! again (`calcom/api.md` 3.3). Each refusal is a value; each dialect gives it the dialect's own
//! shape.
//!
//! A change has a check and two steps, and other calls may act between them
//! (`calcom/differences.md`, "Two calls at once"): a confirm checks the state, mails, and writes
//! the state last; decline, cancel and reschedule write right after their check, and mail last.

use super::call_log::{MailKind, Recipient};
use super::model::{SandboxBooking, SandboxStatus, StoredAnswers, User};
use super::world::{World, WorldError};
use crate::domain::time::Time;

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransitionRefusal {
    NotFound,
    /// The booking was declined, and a declined booking cannot be moved.
    Declined,
    AlreadyConfirmed,
    AlreadyCancelled,
    /// The booking was moved already, to the booking with this uid.
    AlreadyMoved(String),
    Ended,
    NotStarted,
    ReasonRequired,
    /// The event type allows no cancellations, or no moves.
    NotAllowed(&'static str),
}

/// The parameters of a cancellation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CancelRequest {
    pub reason: Option<String>,
    /// Stored unchanged; the API leaves the field empty.
    pub by: Option<String>,
    pub extent: CancelExtent,
    /// Whether the call passed its state check before another call cancelled the booking (a race).
    pub raced: bool,
}

/// How much of a series is cancelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CancelExtent {
    #[default]
    Single,
    /// The named occurrence and the later ones, including those that are cancelled or rejected
    /// already: their reason and `updatedAt` are written again.
    Following,
    /// Every occurrence that has not begun, including those that are cancelled or rejected already.
    Remaining,
}

/// The parameters of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescheduleRequest {
    pub start: Time,
    pub reason: Option<String>,
    pub by: Option<String>,
    /// Whether the host moves it, which needs no confirmation.
    pub by_host: bool,
    /// Whether the move came through the API, which stores the reason in a different field than the
    /// web page.
    pub by_api: bool,
    pub uid: Option<String>,
}

/// What a call does after its check has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// `silent`: sends no mails and makes no calendar event, because a payment is due.
    Confirm {
        silent: bool,
    },
    Decline {
        reason: Option<String>,
    },
    Cancel(CancelRequest),
    Reschedule(RescheduleRequest),
}

/// A call that has passed its check and still has steps to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingTransition {
    pub uid: String,
    pub transition: Transition,
    /// The booking that a move made.
    pub new_uid: Option<String>,
}

impl PendingTransition {
    fn new(uid: &str, transition: Transition) -> Self {
        PendingTransition {
            uid: uid.to_owned(),
            transition,
            new_uid: None,
        }
    }
}

impl World {
    /// Returns true when the user may answer requests for this booking, as its host or as the owner
    /// of its event type.
    pub fn may_answer(&self, user: &User, booking: &SandboxBooking) -> bool {
        let owns = |id| self.event_type(id).is_some_and(|of| of.owner == user.id);
        booking.host == Some(user.id) || booking.event_type.is_some_and(owns)
    }

    /// Accepts a booking, or all pending occurrences of its series, at one instant.
    ///
    /// `checked` is false for a call that passed its state check before another call changed the
    /// booking (a race). The checks of decline, cancel and reschedule have the same exception.
    pub fn confirm(
        &mut self,
        now: Time,
        uid: &str,
        checked: bool,
    ) -> Result<(), TransitionRefusal> {
        let change = self.check_confirm(uid, checked)?;
        self.run_both_steps(now, change).map(|_| ())
    }

    /// Rejects a booking, or all pending occurrences of its series. For a booking that is rejected
    /// already, the mail is sent again.
    pub fn decline(
        &mut self,
        now: Time,
        uid: &str,
        reason: Option<&str>,
        checked: bool,
    ) -> Result<(), TransitionRefusal> {
        let change = self.check_decline(uid, reason, checked)?;
        self.run_both_steps(now, change).map(|_| ())
    }

    /// Cancels a booking and, if asked to, more of its series.
    pub fn cancel(
        &mut self,
        now: Time,
        uid: &str,
        cancel: CancelRequest,
    ) -> Result<(), TransitionRefusal> {
        let change = self.check_cancel(now, uid, cancel)?;
        self.run_both_steps(now, change).map(|_| ())
    }

    /// Replaces a booking by a booking at another time; returns the new uid. The old booking stays,
    /// cancelled.
    pub fn reschedule(
        &mut self,
        now: Time,
        uid: &str,
        request: RescheduleRequest,
    ) -> Result<String, TransitionRefusal> {
        let change = self.check_reschedule(uid, request, true)?;
        let transition = self.run_both_steps(now, change)?;
        transition.new_uid.ok_or(TransitionRefusal::NotFound)
    }

    /// Takes both steps of a change at one instant.
    fn run_both_steps(
        &mut self,
        now: Time,
        mut change: PendingTransition,
    ) -> Result<PendingTransition, TransitionRefusal> {
        self.take_first_step(now, &mut change);
        self.take_second_step(now, &change);
        Ok(change)
    }

    /// Checks a confirm: only a booking that is accepted already is refused.
    pub(super) fn check_confirm(
        &self,
        uid: &str,
        checked: bool,
    ) -> Result<PendingTransition, TransitionRefusal> {
        let booking = self.booking(uid).ok_or(TransitionRefusal::NotFound)?;
        if checked && booking.status == SandboxStatus::Accepted {
            return Err(TransitionRefusal::AlreadyConfirmed);
        }
        let silent = booking.is_unpaid();
        Ok(PendingTransition::new(uid, Transition::Confirm { silent }))
    }

    pub(super) fn check_decline(
        &self,
        uid: &str,
        reason: Option<&str>,
        checked: bool,
    ) -> Result<PendingTransition, TransitionRefusal> {
        let booking = self.booking(uid).ok_or(TransitionRefusal::NotFound)?;
        if checked && booking.status == SandboxStatus::Accepted {
            return Err(TransitionRefusal::AlreadyConfirmed);
        }
        let reason = reason.map(str::to_owned);
        Ok(PendingTransition::new(uid, Transition::Decline { reason }))
    }

    pub(super) fn check_cancel(
        &self,
        now: Time,
        uid: &str,
        cancel: CancelRequest,
    ) -> Result<PendingTransition, TransitionRefusal> {
        let booking = self.booking(uid).ok_or(TransitionRefusal::NotFound)?;
        if booking.status == SandboxStatus::Cancelled && !cancel.raced {
            return Err(TransitionRefusal::AlreadyCancelled);
        }
        if booking.end <= now {
            return Err(TransitionRefusal::Ended);
        }
        let event_type = booking.event_type.and_then(|id| self.event_type(id));
        if event_type.is_some_and(|of| of.forbids_cancelling) {
            let text = "This event type does not allow cancellations";
            return Err(TransitionRefusal::NotAllowed(text));
        }
        Ok(PendingTransition::new(uid, Transition::Cancel(cancel)))
    }

    pub(super) fn check_reschedule(
        &self,
        uid: &str,
        request: RescheduleRequest,
        checked: bool,
    ) -> Result<PendingTransition, TransitionRefusal> {
        let old = self.booking(uid).ok_or(TransitionRefusal::NotFound)?;
        if checked && old.status == SandboxStatus::Rejected {
            return Err(TransitionRefusal::Declined);
        }
        if let Some(successor) = &old.successor
            && checked
        {
            return Err(TransitionRefusal::AlreadyMoved(successor.clone()));
        }
        let event_type = old.event_type.and_then(|id| self.event_type(id));
        if event_type.is_some_and(|of| of.forbids_moving) {
            let text = "This event type does not allow rescheduling";
            return Err(TransitionRefusal::NotAllowed(text));
        }
        let host_asked_to_move = old.rescheduled && !request.by_api;
        if checked && old.status == SandboxStatus::Cancelled && !host_asked_to_move {
            return Err(TransitionRefusal::AlreadyCancelled);
        }
        Ok(PendingTransition::new(uid, Transition::Reschedule(request)))
    }

    /// Takes the step right after the check: a confirm mails, everything else writes.
    pub(super) fn take_first_step(&mut self, now: Time, change: &mut PendingTransition) {
        let uid = change.uid.as_str();
        match &change.transition {
            Transition::Confirm { silent: true } => {}
            Transition::Confirm { silent: false } => {
                self.call_log.count_calendar_event(uid);
                self.count_mails(uid, MailKind::Confirmed, true);
            }
            Transition::Decline { reason } => {
                self.write_answer(now, uid, SandboxStatus::Rejected, reason.as_deref());
            }
            Transition::Cancel(cancel) => self.write_cancel(now, uid, cancel),
            Transition::Reschedule(to) => change.new_uid = self.write_move(now, uid, to),
        }
    }

    /// Takes the last step: a confirm writes, everything else mails.
    pub(super) fn take_second_step(&mut self, now: Time, change: &PendingTransition) {
        let uid = change.uid.as_str();
        match &change.transition {
            Transition::Confirm { .. } => {
                self.write_answer(now, uid, SandboxStatus::Accepted, None)
            }
            Transition::Decline { .. } => self.count_mails(uid, MailKind::Declined, false),
            Transition::Cancel(_) => self.count_mails(uid, MailKind::Cancelled, true),
            Transition::Reschedule(_) => {
                let Some(new_uid) = &change.new_uid else {
                    return;
                };
                let accepted = self.status(new_uid) == Some(SandboxStatus::Accepted);
                let kind = if accepted {
                    MailKind::Rescheduled
                } else {
                    MailKind::Requested
                };
                if accepted {
                    self.call_log.count_calendar_event(new_uid);
                }
                self.count_booking_mails(new_uid, kind);
            }
        }
    }

    /// Writes the state of a confirm or a decline: in a series only pending occurrences, a single
    /// booking whatever its state was. A booking that was deleted meanwhile is skipped.
    fn write_answer(&mut self, now: Time, uid: &str, status: SandboxStatus, reason: Option<&str>) {
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

    fn write_cancel(&mut self, now: Time, uid: &str, cancel: &CancelRequest) {
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
    fn write_move(&mut self, now: Time, uid: &str, request: &RescheduleRequest) -> Option<String> {
        let old = self.booking(uid)?.clone();
        let event_type = old.event_type.and_then(|id| self.event_type(id));
        let email = old.answers.email().unwrap_or("");
        let needs_confirmation = event_type
            .is_none_or(|of| of.needs_confirmation(now, request.start, email) || of.price > 0);
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

    /// Marks who did not come, or removes marks. A mark on an attendee does not change the
    /// booking's row: `updatedAt` stays as it was (`calcom/api.md` 2.5). Unknown addresses are
    /// ignored silently.
    pub fn mark_absent(
        &mut self,
        now: Time,
        uid: &str,
        host: Option<bool>,
        attendees: &[(String, bool)],
    ) -> Result<(), TransitionRefusal> {
        let booking = self
            .booking_mut(uid)
            .map_err(|_| TransitionRefusal::NotFound)?;
        if booking.start > now {
            return Err(TransitionRefusal::NotStarted);
        }
        for attendee in &mut booking.attendees {
            for (email, absent) in attendees {
                if attendee.email == *email {
                    attendee.absent = *absent;
                }
            }
        }
        if let Some(absent) = host {
            booking.absent_host = absent;
            booking.updated = Some(now);
        }
        Ok(())
    }

    /// Gives up one seat: the attendee is removed, and the last attendee cancels the booking.
    pub fn remove_seat(&mut self, now: Time, uid: &str, email: &str) -> Result<(), WorldError> {
        let booking = self.booking_mut(uid)?;
        let count_before = booking.attendees.len();
        booking.attendees.retain(|one| one.email != email);
        if booking.attendees.len() == count_before {
            return Err(WorldError::NoAttendee {
                uid: uid.to_owned(),
                email: email.to_owned(),
            });
        }
        if booking.attendees.is_empty() {
            booking.status = SandboxStatus::Cancelled;
            booking.updated = Some(now);
        }
        self.call_log
            .count_mail(uid, Recipient::Booker, MailKind::Cancelled);
        self.call_log
            .count_mail(uid, Recipient::Host, MailKind::Cancelled);
        Ok(())
    }

    /// Counts the mails about a booking that was made or moved. For a pending booking, booker and
    /// guests share one mail; for an accepted booking, each guest gets one.
    pub(super) fn count_booking_mails(&mut self, uid: &str, kind: MailKind) {
        if kind == MailKind::Requested {
            self.call_log.count_mail(uid, Recipient::Booker, kind);
            self.call_log.count_mail(uid, Recipient::Host, kind);
        } else {
            self.count_mails(uid, kind, true);
        }
    }

    /// Counts one mail to the booker, one to each guest and, with `to_host_too`, one to the host.
    pub(super) fn count_mails(&mut self, uid: &str, kind: MailKind, to_host_too: bool) {
        let guests = self.booking(uid).map_or(0, |one| one.guests.len());
        self.call_log.count_mail(uid, Recipient::Booker, kind);
        for _ in 0..guests {
            self.call_log.count_mail(uid, Recipient::Guest, kind);
        }
        if to_host_too {
            self.call_log.count_mail(uid, Recipient::Host, kind);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;
    use crate::sandbox::model::SandboxEventType;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    fn world() -> (World, i64) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
        (world, event_type)
    }

    fn request_lesson(world: &mut World, event_type: i64) -> String {
        world.request(now(), event_type, "bo@example.com", now() + Span::days(2))
    }

    #[derive(Debug, Clone, Copy)]
    enum TransitionCall {
        Confirm,
        Decline,
        Cancel,
    }

    fn run_call(
        world: &mut World,
        call: TransitionCall,
        uid: &str,
    ) -> Result<(), TransitionRefusal> {
        let reason = Some("why".to_owned());
        let later = now() + Span::minutes(5);
        match call {
            TransitionCall::Confirm => world.confirm(later, uid, true),
            TransitionCall::Decline => world.decline(later, uid, reason.as_deref(), true),
            TransitionCall::Cancel => world.cancel(
                later,
                uid,
                CancelRequest {
                    reason,
                    ..CancelRequest::default()
                },
            ),
        }
    }

    #[test]
    fn every_state_answers_as_a_real_server_does() {
        use SandboxStatus::{Accepted, AwaitingHost, Cancelled, Pending, Rejected};
        let confirmed = Err(TransitionRefusal::AlreadyConfirmed);
        // state, call, answer, state after, mails to booker and host, calendar events
        let rows = [
            (
                Pending,
                TransitionCall::Confirm,
                Ok(()),
                Accepted,
                (1, 1),
                1,
            ),
            (
                Accepted,
                TransitionCall::Confirm,
                confirmed.clone(),
                Accepted,
                (0, 0),
                0,
            ),
            (
                Rejected,
                TransitionCall::Confirm,
                Ok(()),
                Accepted,
                (1, 1),
                1,
            ),
            (
                Cancelled,
                TransitionCall::Confirm,
                Ok(()),
                Accepted,
                (1, 1),
                1,
            ),
            (
                AwaitingHost,
                TransitionCall::Confirm,
                Ok(()),
                Accepted,
                (1, 1),
                1,
            ),
            (
                Pending,
                TransitionCall::Decline,
                Ok(()),
                Rejected,
                (1, 0),
                0,
            ),
            (
                Accepted,
                TransitionCall::Decline,
                confirmed,
                Accepted,
                (0, 0),
                0,
            ),
            (
                Rejected,
                TransitionCall::Decline,
                Ok(()),
                Rejected,
                (1, 0),
                0,
            ),
            (
                Cancelled,
                TransitionCall::Decline,
                Ok(()),
                Rejected,
                (1, 0),
                0,
            ),
            (
                AwaitingHost,
                TransitionCall::Decline,
                Ok(()),
                Rejected,
                (1, 0),
                0,
            ),
            (
                Pending,
                TransitionCall::Cancel,
                Ok(()),
                Cancelled,
                (1, 1),
                0,
            ),
            (
                Accepted,
                TransitionCall::Cancel,
                Ok(()),
                Cancelled,
                (1, 1),
                0,
            ),
            (
                Rejected,
                TransitionCall::Cancel,
                Ok(()),
                Cancelled,
                (1, 1),
                0,
            ),
            (
                Cancelled,
                TransitionCall::Cancel,
                Err(TransitionRefusal::AlreadyCancelled),
                Cancelled,
                (0, 0),
                0,
            ),
        ];
        for (state, attempted, answer, after, mails, events) in rows {
            let (mut world, event_type) = world();
            let uid = request_lesson(&mut world, event_type);
            world.edit(&uid, |row| row.status = state).unwrap();
            let kind = match attempted {
                TransitionCall::Confirm => MailKind::Confirmed,
                TransitionCall::Decline => MailKind::Declined,
                TransitionCall::Cancel => MailKind::Cancelled,
            };
            let case = format!("{attempted:?} of {state:?}");
            assert_eq!(run_call(&mut world, attempted, &uid), answer, "{case}");
            assert_eq!(world.status(&uid), Some(after), "{case}");
            let mail = |to| world.call_log.mail_count(&uid, to, kind);
            assert_eq!(
                (mail(Recipient::Booker), mail(Recipient::Host)),
                mails,
                "{case}"
            );
            assert_eq!(world.call_log.calendar_event_count(&uid), events, "{case}");
            let touched = world.booking(&uid).unwrap().updated != Some(now());
            assert_eq!(touched, answer.is_ok(), "{case}");
        }
    }

    #[test]
    fn a_second_decline_mails_again_and_overwrites_the_reason() {
        let (mut world, event_type) = world();
        let uid = request_lesson(&mut world, event_type);
        for (reason, expected) in [(Some("one"), "one"), (Some("two"), "two"), (None, "two")] {
            world.decline(now(), &uid, reason, true).unwrap();
            let stored = world.booking(&uid).unwrap().rejection_reason.as_deref();
            assert_eq!(stored, Some(expected));
        }
        let mails = world
            .call_log
            .mail_count(&uid, Recipient::Booker, MailKind::Declined);
        assert_eq!(mails, 3);
    }

    #[test]
    fn an_unpaid_booking_is_accepted_in_silence() {
        let (mut world, _) = world();
        let mut priced = SandboxEventType::new(12, "paid");
        priced.price = 5000;
        let event_type = world.add_event_type(priced);
        let uid = request_lesson(&mut world, event_type);
        assert_eq!(world.status(&uid), Some(SandboxStatus::Pending));
        world.confirm(now(), &uid, true).unwrap();
        assert_eq!(world.status(&uid), Some(SandboxStatus::Accepted));
        let mails = world
            .call_log
            .mail_count(&uid, Recipient::Booker, MailKind::Confirmed);
        assert_eq!((mails, world.call_log.calendar_event_count(&uid)), (0, 0));
    }

    #[test]
    fn a_series_is_answered_as_a_whole_except_by_forks_that_do_not() {
        for (quirk, other_status) in [
            (false, SandboxStatus::Accepted),
            (true, SandboxStatus::Pending),
        ] {
            let (mut world, event_type) = world();
            world.quirks.series_per_occurrence = quirk;
            let start = now() + Span::days(2);
            let uids = world.request_series(now(), event_type, "bo@example.com", start, 3);
            world
                .edit(&uids[2], |row| row.status = SandboxStatus::Cancelled)
                .unwrap();
            world.confirm(now(), &uids[1], true).unwrap();
            let states: Vec<_> = uids.iter().map(|uid| world.status(uid).unwrap()).collect();
            assert_eq!(
                states,
                [
                    other_status,
                    SandboxStatus::Accepted,
                    SandboxStatus::Cancelled
                ]
            );
            let again = world.confirm(now(), &uids[1], true);
            assert_eq!(again, Err(TransitionRefusal::AlreadyConfirmed));
            let mails: Vec<u32> = uids
                .iter()
                .map(|uid| {
                    world
                        .call_log
                        .mail_count(uid, Recipient::Booker, MailKind::Confirmed)
                })
                .collect();
            assert_eq!(mails, [0, 1, 0], "one mail for the call");
        }
    }

    #[test]
    fn a_dead_occurrence_of_a_series_is_not_revived_but_mailed() {
        let (mut world, event_type) = world();
        let start = now() + Span::days(2);
        let uids = world.request_series(now(), event_type, "bo@example.com", start, 2);
        world.decline(now(), &uids[0], None, true).unwrap();
        world.confirm(now(), &uids[0], true).unwrap();
        assert_eq!(world.status(&uids[0]), Some(SandboxStatus::Rejected));
        let mails = world
            .call_log
            .mail_count(&uids[0], Recipient::Booker, MailKind::Confirmed);
        assert_eq!(mails, 1);
    }

    #[test]
    fn a_cancellation_takes_as_much_of_a_series_as_asked() {
        let rows = [
            (CancelExtent::Single, [false, true, false]),
            (CancelExtent::Following, [false, true, true]),
            (CancelExtent::Remaining, [true, true, true]),
        ];
        for (extent, cancelled) in rows {
            let (mut world, event_type) = world();
            let start = now() + Span::days(2);
            let uids = world.request_series(now(), event_type, "bo@example.com", start, 3);
            let cancel = CancelRequest {
                extent,
                ..CancelRequest::default()
            };
            world.cancel(now(), &uids[1], cancel).unwrap();
            let states = uids
                .iter()
                .map(|uid| world.status(uid) == Some(SandboxStatus::Cancelled));
            assert_eq!(states.collect::<Vec<_>>(), cancelled, "{extent:?}");
        }
        let (mut world, event_type) = world();
        let uid = request_lesson(&mut world, event_type);
        let late = now() + Span::days(3);
        let result = world.cancel(late, &uid, CancelRequest::default());
        assert_eq!(result, Err(TransitionRefusal::Ended));
    }

    #[test]
    fn rescheduling_makes_exactly_one_successor() {
        // who moves, state of the successor
        for (by_host, state) in [
            (false, SandboxStatus::Pending),
            (true, SandboxStatus::Accepted),
        ] {
            let (mut world, event_type) = world();
            let old = request_lesson(&mut world, event_type);
            let request = RescheduleRequest {
                start: now() + Span::days(9),
                reason: Some("a train".to_owned()),
                by: None,
                by_host,
                by_api: true,
                uid: None,
            };
            let new = world.reschedule(now(), &old, request.clone()).unwrap();
            let (old_row, new_row) = (world.booking(&old).unwrap(), world.booking(&new).unwrap());
            assert_eq!(
                (old_row.status, new_row.status),
                (SandboxStatus::Cancelled, state)
            );
            assert_eq!(
                (old_row.successor.as_deref(), new_row.predecessor.as_deref()),
                (Some(&*new), Some(&*old))
            );
            assert_eq!(new_row.end - new_row.start, old_row.end - old_row.start);
            assert_eq!(old_row.ics_uid, new_row.ics_uid);
            let again = world.reschedule(now(), &old, request.clone());
            assert_eq!(again, Err(TransitionRefusal::AlreadyMoved(new.clone())));
            // The cancelled predecessor can be revived while its successor exists, as on a real
            // server.
            world.confirm(now(), &old, true).unwrap();
            assert_eq!(world.status(&old), Some(SandboxStatus::Accepted));
        }
    }

    #[test]
    fn absence_marks_leave_the_row_alone_where_real_ones_do() {
        let (mut world, event_type) = world();
        let uid = request_lesson(&mut world, event_type);
        let bo = [
            ("bo@example.com".to_owned(), true),
            ("no@example.com".to_owned(), true),
        ];
        let result = world.mark_absent(now(), &uid, None, &bo);
        assert_eq!(result, Err(TransitionRefusal::NotStarted));
        let later = now() + Span::days(3);
        world.mark_absent(later, &uid, None, &bo).unwrap();
        let row = world.booking(&uid).unwrap();
        assert!(row.attendees[0].absent && !row.absent_host);
        assert_eq!(
            row.updated,
            Some(now()),
            "an attendee's mark moves no updatedAt"
        );
        world.mark_absent(later, &uid, Some(true), &[]).unwrap();
        let row = world.booking(&uid).unwrap();
        assert_eq!((row.absent_host, row.updated), (true, Some(later)));
    }
}
