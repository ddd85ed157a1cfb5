//! Creates the rows of a new booking.

use std::collections::BTreeMap;

use serde_json::Value;

use super::booking::{
    SandboxAttendee, SandboxBooking, SandboxPayment, SandboxStatus, Seat, StoredAnswers,
};
use super::call_log::MailKind;
use super::event_type::SandboxEventType;
use super::new_booking::{NewBooking, OCCURRENCES_MAX};
use super::world::{World, WorldError};
use crate::domain::time::{Span, Time, truncate_to_millis};

impl World {
    /// Makes a booking that is pending, or accepted where the event type says so, and returns its
    /// uid. The slot is not checked.
    ///
    /// # Panics
    /// Panics when the event type does not exist, because the caller created both.
    pub fn request(&mut self, now: Time, event_type: i64, email: &str, start: Time) -> String {
        let result = self.book(now, NewBooking::new(event_type, email, start));
        let mut uids = result.expect("a request of an event type that exists");
        uids.swap_remove(0)
    }

    /// Makes a series of `count` occurrences, a week apart, and returns their uids by start.
    ///
    /// # Panics
    /// Panics when the event type does not exist, or when the length is out of bounds.
    pub fn request_series(
        &mut self,
        now: Time,
        event_type: i64,
        email: &str,
        start: Time,
        occurrences: usize,
    ) -> Vec<String> {
        let mut new_booking = NewBooking::new(event_type, email, start);
        new_booking.occurrences = Some(occurrences);
        self.book(now, new_booking)
            .expect("a series of an event type that exists")
    }

    /// Makes the bookings that were asked for, without checking the slot; returns their uids.
    pub fn book(&mut self, now: Time, new_booking: NewBooking) -> Result<Vec<String>, WorldError> {
        let Some(event_type) = self.event_type(new_booking.event_type).cloned() else {
            return Err(WorldError::NoEventType(new_booking.event_type));
        };
        let count = new_booking.occurrences.unwrap_or(1);
        if !(1..=OCCURRENCES_MAX).contains(&count) {
            return Err(WorldError::SeriesLength(count));
        }
        let starts: Vec<Time> = new_booking.occurrence_starts().collect();
        self.book_at(now, &event_type, &new_booking, &starts)
    }

    /// Makes one booking for each of these starts, as one series where a series was asked for, and
    /// counts the mails: a series causes mails only once.
    pub(super) fn book_at(
        &mut self,
        now: Time,
        event_type: &SandboxEventType,
        new_booking: &NewBooking,
        starts: &[Time],
    ) -> Result<Vec<String>, WorldError> {
        let series_uid = new_booking.occurrences.map(|_| {
            let requested_series = new_booking.names.series.clone();
            requested_series.unwrap_or_else(|| self.next_uuid())
        });
        let mut new_uids: Vec<String> = Vec::with_capacity(starts.len());
        for ((number, start), id) in starts.iter().enumerate().zip(0..) {
            let mut occurrence = new_booking.clone();
            occurrence.start = *start;
            let requested_uid = new_booking.names.uids.get(number).cloned();
            let uid = requested_uid.unwrap_or_else(|| self.next_uid());
            let mut booking = self.draft(now, event_type, occurrence, uid);
            booking.series.clone_from(&series_uid);
            booking.id = new_booking.names.id.map_or(0, |first| first + id);
            let status = booking.status;
            let uid = self.insert(booking)?;
            self.count_new_booking_mails(&uid, status, number == 0);
            new_uids.push(uid);
        }
        Ok(new_uids)
    }

    /// Returns the row for a new booking.
    fn draft(
        &mut self,
        now: Time,
        event_type: &SandboxEventType,
        new_booking: NewBooking,
        uid: String,
    ) -> SandboxBooking {
        let host = self
            .user(event_type.owner)
            .map_or("", |user| user.name.as_str());
        let title = format!(
            "{} between {host} and {}",
            event_type.title, new_booking.name
        );
        let other_answers = stored_answers(event_type, &new_booking);
        let attendees = self.draft_attendees(event_type, &new_booking, &other_answers);
        let needs_confirmation =
            event_type.needs_confirmation(now, new_booking.start, &new_booking.email)
                || event_type.price > 0;
        let notes = other_answers
            .get("notes")
            .and_then(Value::as_str)
            .unwrap_or("");
        let payments = match event_type.price {
            0 => Vec::new(),
            _ => vec![SandboxPayment {
                id: self.next_attendee,
                success: false,
            }],
        };
        let length = new_booking
            .length
            .unwrap_or(Span::minutes(i64::from(event_type.minutes)));
        SandboxBooking {
            id: 0,
            ics_uid: format!("{uid}@Cal.diy"),
            uid,
            host: Some(event_type.owner),
            event_type: Some(event_type.id),
            series: None,
            title,
            description: Some(notes.to_owned()),
            status: if needs_confirmation {
                SandboxStatus::Pending
            } else {
                SandboxStatus::Accepted
            },
            start: truncate_to_millis(new_booking.start),
            end: truncate_to_millis(new_booking.start + length),
            created: now,
            // A pending booking is written a second time right away; a booking that is accepted
            // immediately is not.
            updated: needs_confirmation.then_some(now),
            location: format!("https://meet.example.com/{}", event_type.slug),
            attendees,
            guests: new_booking.guests,
            answers: StoredAnswers::Readable {
                name: Value::from(new_booking.name),
                email: new_booking.email,
                other: other_answers,
            },
            metadata: Some(new_booking.metadata),
            payments,
            rejection_reason: None,
            cancellation_reason: None,
            cancelled_by: None,
            rescheduled: false,
            rescheduled_by: None,
            rescheduling_reason: None,
            predecessor: None,
            successor: None,
            absent_host: false,
        }
    }

    /// Returns the attendees of a new booking: the booker, then the guests.
    fn draft_attendees(
        &mut self,
        event_type: &SandboxEventType,
        new_booking: &NewBooking,
        other_answers: &BTreeMap<String, Value>,
    ) -> Vec<SandboxAttendee> {
        let time_zone = &new_booking.time_zone;
        let mut booker = self.new_attendee(&new_booking.name, &new_booking.email, time_zone);
        booker.language = Some(new_booking.language.clone());
        let mut attendees = vec![booker];
        for guest in &new_booking.guests {
            attendees.push(self.new_attendee("", guest, time_zone));
        }
        if event_type.seats.is_some() {
            let answers = other_answers.clone();
            let uid = self.next_uuid();
            attendees[0].seat = Some(Seat { uid, answers });
        }
        attendees
    }

    pub(super) fn new_attendee(
        &mut self,
        name: &str,
        email: &str,
        time_zone: &str,
    ) -> SandboxAttendee {
        let id = self.next_attendee;
        self.next_attendee += 1;
        SandboxAttendee {
            id,
            name: name.to_owned(),
            email: email.to_owned(),
            time_zone: time_zone.to_owned(),
            language: Some("en".to_owned()),
            absent: false,
            seat: None,
        }
    }

    /// Counts the mails about a new booking, and its calendar event. `counts_mails` is false for
    /// all but the first occurrence of a series.
    fn count_new_booking_mails(&mut self, uid: &str, status: SandboxStatus, counts_mails: bool) {
        let kind = match status {
            SandboxStatus::Accepted => MailKind::Confirmed,
            SandboxStatus::Pending
            | SandboxStatus::AwaitingHost
            | SandboxStatus::Rejected
            | SandboxStatus::Cancelled => MailKind::Requested,
        };
        if kind == MailKind::Confirmed {
            self.call_log.count_calendar_event(uid);
        }
        if counts_mails {
            self.count_booking_mails(uid, kind);
        }
    }
}

/// Returns the answers of a new booking beyond name and address, as they are stored.
fn stored_answers(
    event_type: &SandboxEventType,
    new_booking: &NewBooking,
) -> BTreeMap<String, Value> {
    let mut answers = new_booking.answers.clone();
    for question in &event_type.questions {
        let answer = answers.remove(&question.slug);
        let stored = question.kind.normalize_answer(answer);
        answers.extend(stored.map(|stored| (question.slug.clone(), stored)));
    }
    if !new_booking.guests.is_empty() {
        answers.insert("guests".to_owned(), Value::from(new_booking.guests.clone()));
    }
    answers
}
