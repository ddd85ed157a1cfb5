//! What confirm, decline, cancel, move and the absence marks do to a booking, as real servers do
//! it: hardly any state is checked, so a cancelled booking can be revived and a declined one
//! declined again (`calcom/api.md` 3.3). Each refusal is a value; the dialects give it their own
//! shape.
//!
//! A change has a check and two steps, and others may act between them (`calcom/differences.md`,
//! "Two calls at once"): a confirm checks the state, mails, and writes the state last; decline,
//! cancel and reschedule write right after their check, and mail last.

use super::journal::{MailKind, Recipient};
use super::model::{Answers, Booking, Status, User};
use super::world::{World, WorldError};
use crate::domain::time::Time;

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    /// It was declined, and what is declined cannot be moved.
    Declined,
    AlreadyConfirmed,
    AlreadyCancelled,
    /// The booking that replaced it.
    AlreadyMoved(String),
    Ended,
    NotStarted,
    ReasonRequired,
    /// The event type allows no cancellations, or no moves.
    NotAllowed(&'static str),
}

/// How a cancellation came about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cancel {
    pub reason: Option<String>,
    /// Stored as it is; the API leaves it empty.
    pub by: Option<String>,
    pub extent: Extent,
    /// The call had passed its state check before another one cancelled the booking (a race).
    pub raced: bool,
}

/// How much of a series a cancellation takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extent {
    #[default]
    One,
    /// The named occurrence and those after it, also those that are off already: their reason and
    /// `updatedAt` are written again.
    Following,
    /// Every occurrence that has not begun, likewise.
    Remaining,
}

/// How a booking is moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub start: Time,
    pub reason: Option<String>,
    pub by: Option<String>,
    /// Whether the host moves it, which needs no confirmation.
    pub by_host: bool,
    /// The web page and the API keep the reason in different places.
    pub by_api: bool,
    pub uid: Option<String>,
}

/// What a call is about to do, its check passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// `silent`: neither mails nor a calendar event, since a payment is due.
    Confirm {
        silent: bool,
    },
    Decline {
        reason: Option<String>,
    },
    Cancel(Cancel),
    Reschedule(Move),
}

/// A call that has passed its check and still has steps to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub uid: String,
    pub act: Act,
    /// The booking that a move has made.
    pub made: Option<String>,
}

impl Change {
    fn of(uid: &str, act: Act) -> Self {
        Change {
            uid: uid.to_owned(),
            act,
            made: None,
        }
    }
}

impl World {
    /// Whether the user may answer requests for this booking: its host, or its event type's owner.
    pub fn may_answer(&self, user: &User, booking: &Booking) -> bool {
        let owns = |id| self.event_type(id).is_some_and(|of| of.owner == user.id);
        booking.host == Some(user.id) || booking.event_type.is_some_and(owns)
    }

    /// Accepts a booking, or all pending occurrences of its series, at one instant.
    ///
    /// `checked` is false for a call that had passed its state check before another one changed the
    /// booking (a race); the same holds for the other three.
    pub fn confirm(&mut self, now: Time, uid: &str, checked: bool) -> Result<(), Refusal> {
        let change = self.check_confirm(uid, checked)?;
        self.carry_out(now, change).map(|_| ())
    }

    /// Rejects a booking, or all pending occurrences of its series. A rejected one gets its mail
    /// again.
    pub fn decline(
        &mut self,
        now: Time,
        uid: &str,
        reason: Option<&str>,
        checked: bool,
    ) -> Result<(), Refusal> {
        let change = self.check_decline(uid, reason, checked)?;
        self.carry_out(now, change).map(|_| ())
    }

    /// Cancels a booking and, as asked, more of its series.
    pub fn cancel(&mut self, now: Time, uid: &str, cancel: Cancel) -> Result<(), Refusal> {
        let change = self.check_cancel(now, uid, cancel)?;
        self.carry_out(now, change).map(|_| ())
    }

    /// Replaces a booking by one at another time; gives the new uid. The old one stays, cancelled.
    pub fn reschedule(&mut self, now: Time, uid: &str, to: Move) -> Result<String, Refusal> {
        let change = self.check_reschedule(uid, to, true)?;
        let made = self.carry_out(now, change)?;
        made.made.ok_or(Refusal::NotFound)
    }

    /// Both steps of a change at one instant.
    fn carry_out(&mut self, now: Time, mut change: Change) -> Result<Change, Refusal> {
        self.first_step(now, &mut change);
        self.second_step(now, &change);
        Ok(change)
    }

    /// The check of a confirm: only what is accepted already is refused.
    pub(super) fn check_confirm(&self, uid: &str, checked: bool) -> Result<Change, Refusal> {
        let booking = self.booking(uid).ok_or(Refusal::NotFound)?;
        if checked && booking.status == Status::Accepted {
            return Err(Refusal::AlreadyConfirmed);
        }
        let silent = booking.unpaid();
        Ok(Change::of(uid, Act::Confirm { silent }))
    }

    pub(super) fn check_decline(
        &self,
        uid: &str,
        reason: Option<&str>,
        checked: bool,
    ) -> Result<Change, Refusal> {
        let booking = self.booking(uid).ok_or(Refusal::NotFound)?;
        if checked && booking.status == Status::Accepted {
            return Err(Refusal::AlreadyConfirmed);
        }
        let reason = reason.map(str::to_owned);
        Ok(Change::of(uid, Act::Decline { reason }))
    }

    pub(super) fn check_cancel(
        &self,
        now: Time,
        uid: &str,
        cancel: Cancel,
    ) -> Result<Change, Refusal> {
        let booking = self.booking(uid).ok_or(Refusal::NotFound)?;
        if booking.status == Status::Cancelled && !cancel.raced {
            return Err(Refusal::AlreadyCancelled);
        }
        if booking.end <= now {
            return Err(Refusal::Ended);
        }
        let of = booking.event_type.and_then(|id| self.event_type(id));
        if of.is_some_and(|of| of.no_cancelling) {
            let text = "This event type does not allow cancellations";
            return Err(Refusal::NotAllowed(text));
        }
        Ok(Change::of(uid, Act::Cancel(cancel)))
    }

    pub(super) fn check_reschedule(
        &self,
        uid: &str,
        to: Move,
        checked: bool,
    ) -> Result<Change, Refusal> {
        let old = self.booking(uid).ok_or(Refusal::NotFound)?;
        if checked && old.status == Status::Rejected {
            return Err(Refusal::Declined);
        }
        if let Some(successor) = &old.to
            && checked
        {
            return Err(Refusal::AlreadyMoved(successor.clone()));
        }
        let of = old.event_type.and_then(|id| self.event_type(id));
        if of.is_some_and(|of| of.no_moving) {
            let text = "This event type does not allow rescheduling";
            return Err(Refusal::NotAllowed(text));
        }
        let asked_to = old.rescheduled && !to.by_api;
        if checked && old.status == Status::Cancelled && !asked_to {
            return Err(Refusal::AlreadyCancelled);
        }
        Ok(Change::of(uid, Act::Reschedule(to)))
    }

    /// What a call does right after its check: a confirm mails, everything else writes.
    pub(super) fn first_step(&mut self, now: Time, change: &mut Change) {
        let uid = change.uid.as_str();
        match &change.act {
            Act::Confirm { silent: true } => {}
            Act::Confirm { silent: false } => {
                self.journal.calendar_event(uid);
                self.mail(uid, MailKind::Confirmed, true);
            }
            Act::Decline { reason } => {
                self.write_answer(now, uid, Status::Rejected, reason.as_deref());
            }
            Act::Cancel(cancel) => self.write_cancel(now, uid, cancel),
            Act::Reschedule(to) => change.made = self.write_move(now, uid, to),
        }
    }

    /// What a call does at its end: a confirm writes, everything else mails.
    pub(super) fn second_step(&mut self, now: Time, change: &Change) {
        let uid = change.uid.as_str();
        match &change.act {
            Act::Confirm { .. } => self.write_answer(now, uid, Status::Accepted, None),
            Act::Decline { .. } => self.mail(uid, MailKind::Declined, false),
            Act::Cancel(_) => self.mail(uid, MailKind::Cancelled, true),
            Act::Reschedule(_) => {
                let Some(made) = &change.made else { return };
                let accepted = self.status(made) == Some(Status::Accepted);
                let kind = if accepted {
                    MailKind::Rescheduled
                } else {
                    MailKind::Requested
                };
                if accepted {
                    self.journal.calendar_event(made);
                }
                self.mail_of(made, kind);
            }
        }
    }

    /// The write of confirm and decline: of a series only what is pending, of a single booking
    /// whatever it was. A booking that was deleted meanwhile is passed over.
    fn write_answer(&mut self, now: Time, uid: &str, status: Status, reason: Option<&str>) {
        let series = self.booking(uid).and_then(|one| one.series.clone());
        let named = match series.filter(|_| !self.quirks.series_per_occurrence) {
            None => vec![uid.to_owned()],
            Some(series) => uids(self.series(&series), |one| one.status == Status::Pending),
        };
        for uid in named {
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

    fn write_cancel(&mut self, now: Time, uid: &str, cancel: &Cancel) {
        let Some(booking) = self.booking(uid) else {
            return;
        };
        let from = match cancel.extent {
            Extent::One => None,
            Extent::Following => Some(booking.start),
            Extent::Remaining => Some(now),
        };
        let named = match (&booking.series, from) {
            (Some(series), Some(from)) => uids(self.series(series), |one| one.start >= from),
            (Some(_), None) | (None, _) => vec![uid.to_owned()],
        };
        for uid in named {
            let booking = self.booking_mut(&uid).expect("a uid taken from the rows");
            booking.status = Status::Cancelled;
            booking.updated = Some(now);
            // What is not said stays as it was.
            if cancel.reason.is_some() {
                booking.cancellation_reason.clone_from(&cancel.reason);
            }
            if cancel.by.is_some() {
                booking.cancelled_by.clone_from(&cancel.by);
            }
        }
    }

    /// The write of a move; gives the new uid, unless there is no room for the booking.
    fn write_move(&mut self, now: Time, uid: &str, to: &Move) -> Option<String> {
        let old = self.booking(uid)?.clone();
        let of = old.event_type.and_then(|id| self.event_type(id));
        let email = old.answers.email().unwrap_or("");
        let waits = of.is_none_or(|of| of.waits(now, to.start, email) || of.price > 0);
        let accepted = to.by_host || !waits;
        let mut new = old.clone();
        new.id = 0;
        new.uid = to.uid.clone().unwrap_or_else(|| self.uid());
        new.from = Some(old.uid.clone());
        new.start = to.start;
        new.end = to.start + (old.end - old.start);
        new.created = now;
        new.updated = Some(now);
        new.status = if accepted {
            Status::Accepted
        } else {
            Status::Pending
        };
        new.rescheduled = false;
        new.rejection_reason = None;
        new.cancelled_by = None;
        new.cancellation_reason = to.reason.clone().filter(|_| !to.by_api);
        new.rescheduling_reason = to.reason.clone().filter(|_| to.by_api);
        new.rescheduled_by.clone_from(&to.by);
        keep_reason(&mut new.answers, to.reason.as_deref(), to.by_api);
        for attendee in &mut new.attendees {
            let (name, email) = (attendee.name.clone(), attendee.email.clone());
            attendee.id = self.attendee(&name, &email, "").id;
        }
        if !new.guests.is_empty() {
            // The database gives attendees in any order, and does so after moves.
            new.attendees.rotate_left(1);
        }
        let made = self.insert(new).ok()?;
        let old = self.booking_mut(uid).expect("the booking read above");
        old.status = Status::Cancelled;
        old.rescheduled = true;
        old.rescheduled_by.clone_from(&to.by);
        old.to.get_or_insert_with(|| made.clone());
        old.updated = Some(now);
        Some(made)
    }

    /// Marks who did not come, or takes marks back. A mark on an attendee does not touch the
    /// booking's row: `updatedAt` stays as it was (`calcom/api.md` 2.5). Unknown addresses are
    /// passed over without a word.
    pub fn mark_absent(
        &mut self,
        now: Time,
        uid: &str,
        host: Option<bool>,
        attendees: &[(String, bool)],
    ) -> Result<(), Refusal> {
        let booking = self.booking_mut(uid).map_err(|_| Refusal::NotFound)?;
        if booking.start > now {
            return Err(Refusal::NotStarted);
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

    /// Gives up one seat: the attendee vanishes, the last one takes the booking along.
    pub fn remove_seat(&mut self, now: Time, uid: &str, email: &str) -> Result<(), WorldError> {
        let booking = self.booking_mut(uid)?;
        let before = booking.attendees.len();
        booking.attendees.retain(|one| one.email != email);
        if booking.attendees.len() == before {
            return Err(WorldError::NoAttendee {
                uid: uid.to_owned(),
                email: email.to_owned(),
            });
        }
        if booking.attendees.is_empty() {
            booking.status = Status::Cancelled;
            booking.updated = Some(now);
        }
        self.journal
            .mail(uid, Recipient::Booker, MailKind::Cancelled);
        self.journal.mail(uid, Recipient::Host, MailKind::Cancelled);
        Ok(())
    }

    /// Counts the mails about a booking that was made or moved. Where it waits, one mail goes to
    /// booker and guests together; where it is accepted, each guest has one.
    pub(super) fn mail_of(&mut self, uid: &str, kind: MailKind) {
        if kind == MailKind::Requested {
            self.journal.mail(uid, Recipient::Booker, kind);
            self.journal.mail(uid, Recipient::Host, kind);
        } else {
            self.mail(uid, kind, true);
        }
    }

    /// Counts one mail to the booker, one to each guest and, where it gets one, one to the host.
    pub(super) fn mail(&mut self, uid: &str, kind: MailKind, host_too: bool) {
        let guests = self.booking(uid).map_or(0, |one| one.guests.len());
        self.journal.mail(uid, Recipient::Booker, kind);
        for _ in 0..guests {
            self.journal.mail(uid, Recipient::Guest, kind);
        }
        if host_too {
            self.journal.mail(uid, Recipient::Host, kind);
        }
    }
}

fn uids(rows: Vec<&Booking>, wanted: impl Fn(&Booking) -> bool) -> Vec<String> {
    let wanted = rows.into_iter().filter(|one| wanted(one));
    wanted.map(|one| one.uid.clone()).collect()
}

/// The API stores the reason of a move as `rescheduledReason`, the web page as `rescheduleReason`.
fn keep_reason(answers: &mut Answers, reason: Option<&str>, by_api: bool) {
    let Answers::Given { more, .. } = answers else {
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
    use crate::sandbox::model::EventType;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    fn world() -> (World, i64) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        let of = world.add_event_type(EventType::new(12, "lesson"));
        (world, of)
    }

    fn one(world: &mut World, of: i64) -> String {
        world.request(now(), of, "bo@example.com", now() + Span::days(2))
    }

    #[derive(Debug, Clone, Copy)]
    enum Call {
        Confirm,
        Decline,
        Cancel,
    }

    fn call(world: &mut World, call: Call, uid: &str) -> Result<(), Refusal> {
        let reason = Some("why".to_owned());
        let later = now() + Span::minutes(5);
        match call {
            Call::Confirm => world.confirm(later, uid, true),
            Call::Decline => world.decline(later, uid, reason.as_deref(), true),
            Call::Cancel => world.cancel(
                later,
                uid,
                Cancel {
                    reason,
                    ..Cancel::default()
                },
            ),
        }
    }

    #[test]
    fn every_state_answers_as_a_real_server_does() {
        use Status::{Accepted, AwaitingHost, Cancelled, Pending, Rejected};
        let confirmed = Err(Refusal::AlreadyConfirmed);
        // state, call, answer, state after, mails to booker and host, calendar events
        let rows = [
            (Pending, Call::Confirm, Ok(()), Accepted, (1, 1), 1),
            (
                Accepted,
                Call::Confirm,
                confirmed.clone(),
                Accepted,
                (0, 0),
                0,
            ),
            (Rejected, Call::Confirm, Ok(()), Accepted, (1, 1), 1),
            (Cancelled, Call::Confirm, Ok(()), Accepted, (1, 1), 1),
            (AwaitingHost, Call::Confirm, Ok(()), Accepted, (1, 1), 1),
            (Pending, Call::Decline, Ok(()), Rejected, (1, 0), 0),
            (Accepted, Call::Decline, confirmed, Accepted, (0, 0), 0),
            (Rejected, Call::Decline, Ok(()), Rejected, (1, 0), 0),
            (Cancelled, Call::Decline, Ok(()), Rejected, (1, 0), 0),
            (AwaitingHost, Call::Decline, Ok(()), Rejected, (1, 0), 0),
            (Pending, Call::Cancel, Ok(()), Cancelled, (1, 1), 0),
            (Accepted, Call::Cancel, Ok(()), Cancelled, (1, 1), 0),
            (Rejected, Call::Cancel, Ok(()), Cancelled, (1, 1), 0),
            (
                Cancelled,
                Call::Cancel,
                Err(Refusal::AlreadyCancelled),
                Cancelled,
                (0, 0),
                0,
            ),
        ];
        for (state, asked, answer, after, mails, events) in rows {
            let (mut world, of) = world();
            let uid = one(&mut world, of);
            world.edit(&uid, |row| row.status = state).unwrap();
            let kind = match asked {
                Call::Confirm => MailKind::Confirmed,
                Call::Decline => MailKind::Declined,
                Call::Cancel => MailKind::Cancelled,
            };
            let place = format!("{asked:?} of {state:?}");
            assert_eq!(call(&mut world, asked, &uid), answer, "{place}");
            assert_eq!(world.status(&uid), Some(after), "{place}");
            let mail = |to| world.journal.mails_for(&uid, to, kind);
            assert_eq!(
                (mail(Recipient::Booker), mail(Recipient::Host)),
                mails,
                "{place}"
            );
            assert_eq!(world.journal.calendar_events(&uid), events, "{place}");
            let touched = world.booking(&uid).unwrap().updated != Some(now());
            assert_eq!(touched, answer.is_ok(), "{place}");
        }
    }

    #[test]
    fn a_second_decline_mails_again_and_overwrites_the_reason() {
        let (mut world, of) = world();
        let uid = one(&mut world, of);
        for (reason, kept) in [(Some("one"), "one"), (Some("two"), "two"), (None, "two")] {
            world.decline(now(), &uid, reason, true).unwrap();
            let stored = world.booking(&uid).unwrap().rejection_reason.as_deref();
            assert_eq!(stored, Some(kept));
        }
        let mails = world
            .journal
            .mails_for(&uid, Recipient::Booker, MailKind::Declined);
        assert_eq!(mails, 3);
    }

    #[test]
    fn an_unpaid_booking_is_accepted_in_silence() {
        let (mut world, _) = world();
        let mut priced = EventType::new(12, "paid");
        priced.price = 5000;
        let of = world.add_event_type(priced);
        let uid = one(&mut world, of);
        assert_eq!(world.status(&uid), Some(Status::Pending));
        world.confirm(now(), &uid, true).unwrap();
        assert_eq!(world.status(&uid), Some(Status::Accepted));
        let mails = world
            .journal
            .mails_for(&uid, Recipient::Booker, MailKind::Confirmed);
        assert_eq!((mails, world.journal.calendar_events(&uid)), (0, 0));
    }

    #[test]
    fn a_series_is_answered_as_a_whole_unless_the_fork_does_not() {
        for (quirk, others) in [(false, Status::Accepted), (true, Status::Pending)] {
            let (mut world, of) = world();
            world.quirks.series_per_occurrence = quirk;
            let start = now() + Span::days(2);
            let uids = world.request_series(now(), of, "bo@example.com", start, 3);
            world
                .edit(&uids[2], |row| row.status = Status::Cancelled)
                .unwrap();
            world.confirm(now(), &uids[1], true).unwrap();
            let states: Vec<_> = uids.iter().map(|uid| world.status(uid).unwrap()).collect();
            assert_eq!(states, [others, Status::Accepted, Status::Cancelled]);
            let again = world.confirm(now(), &uids[1], true);
            assert_eq!(again, Err(Refusal::AlreadyConfirmed));
            let mails: Vec<u32> = uids
                .iter()
                .map(|uid| {
                    world
                        .journal
                        .mails_for(uid, Recipient::Booker, MailKind::Confirmed)
                })
                .collect();
            assert_eq!(mails, [0, 1, 0], "one mail for the call");
        }
    }

    #[test]
    fn a_dead_occurrence_of_a_series_is_not_revived_but_mailed() {
        let (mut world, of) = world();
        let start = now() + Span::days(2);
        let uids = world.request_series(now(), of, "bo@example.com", start, 2);
        world.decline(now(), &uids[0], None, true).unwrap();
        world.confirm(now(), &uids[0], true).unwrap();
        assert_eq!(world.status(&uids[0]), Some(Status::Rejected));
        let mails = world
            .journal
            .mails_for(&uids[0], Recipient::Booker, MailKind::Confirmed);
        assert_eq!(mails, 1);
    }

    #[test]
    fn a_cancellation_takes_as_much_of_a_series_as_asked() {
        let rows = [
            (Extent::One, [false, true, false]),
            (Extent::Following, [false, true, true]),
            (Extent::Remaining, [true, true, true]),
        ];
        for (extent, gone) in rows {
            let (mut world, of) = world();
            let start = now() + Span::days(2);
            let uids = world.request_series(now(), of, "bo@example.com", start, 3);
            let cancel = Cancel {
                extent,
                ..Cancel::default()
            };
            world.cancel(now(), &uids[1], cancel).unwrap();
            let states = uids
                .iter()
                .map(|uid| world.status(uid) == Some(Status::Cancelled));
            assert_eq!(states.collect::<Vec<_>>(), gone, "{extent:?}");
        }
        let (mut world, of) = world();
        let uid = one(&mut world, of);
        let late = now() + Span::days(3);
        let ended = world.cancel(late, &uid, Cancel::default());
        assert_eq!(ended, Err(Refusal::Ended));
    }

    #[test]
    fn moving_makes_a_successor_and_only_one() {
        // who moves, state of the successor
        for (by_host, state) in [(false, Status::Pending), (true, Status::Accepted)] {
            let (mut world, of) = world();
            let old = one(&mut world, of);
            let to = Move {
                start: now() + Span::days(9),
                reason: Some("a train".to_owned()),
                by: None,
                by_host,
                by_api: true,
                uid: None,
            };
            let new = world.reschedule(now(), &old, to.clone()).unwrap();
            let (was, is) = (world.booking(&old).unwrap(), world.booking(&new).unwrap());
            assert_eq!((was.status, is.status), (Status::Cancelled, state));
            assert_eq!(
                (was.to.as_deref(), is.from.as_deref()),
                (Some(&*new), Some(&*old))
            );
            assert_eq!(is.end - is.start, was.end - was.start);
            assert_eq!(was.ics_uid, is.ics_uid);
            let again = world.reschedule(now(), &old, to.clone());
            assert_eq!(again, Err(Refusal::AlreadyMoved(new.clone())));
            // The dead predecessor can be revived beside its successor, as on a real server.
            world.confirm(now(), &old, true).unwrap();
            assert_eq!(world.status(&old), Some(Status::Accepted));
        }
    }

    #[test]
    fn absence_marks_leave_the_row_alone_where_real_ones_do() {
        let (mut world, of) = world();
        let uid = one(&mut world, of);
        let bo = [
            ("bo@example.com".to_owned(), true),
            ("no@example.com".to_owned(), true),
        ];
        let early = world.mark_absent(now(), &uid, None, &bo);
        assert_eq!(early, Err(Refusal::NotStarted));
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
