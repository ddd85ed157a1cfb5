//! Asking for bookings: what a booker says, and the rows that are made of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::journal::MailKind;
use super::model::{Answers, Attendee, Booking, EventType, Payment, Seat, Status};
use super::world::{World, WorldError};
use crate::domain::time::{Span, Time, kept};

/// Occurrences of one series, at most (Cal.com's own limit is 24 for most).
pub const OCCURRENCES_MAX: usize = 100;

/// What a booker asks for. `World::book` makes bookings of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    pub event_type: i64,
    pub email: String,
    pub name: String,
    pub time_zone: String,
    pub language: String,
    pub start: Time,
    /// `None`: as long as the event type says.
    pub length: Option<Span>,
    pub guests: Vec<String>,
    pub answers: BTreeMap<String, Value>,
    pub metadata: BTreeMap<String, Value>,
    /// How many occurrences, a week apart; `None`: one booking that is no series.
    pub occurrences: Option<usize>,
    /// What the rows are to be called; the world makes up what is left open.
    pub names: Names,
}

/// Names of the rows that a request becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The numeric id; of a series, that of the first occurrence.
    pub id: Option<i64>,
    /// One for each occurrence, by start.
    pub uids: Vec<String>,
    pub series: Option<String>,
}

impl Ask {
    /// A plain request: the name is the address's first part, everything else is left open.
    pub fn new(event_type: i64, email: &str, start: Time) -> Self {
        let name = email.split('@').next().unwrap_or(email);
        Ask {
            event_type,
            email: email.to_owned(),
            name: name.to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            language: "en".to_owned(),
            start,
            length: None,
            guests: Vec::new(),
            answers: BTreeMap::new(),
            metadata: BTreeMap::new(),
            occurrences: None,
            names: Names::default(),
        }
    }

    /// When each occurrence begins: a week apart.
    pub fn starts(&self) -> impl Iterator<Item = Time> + use<> {
        let (first, count) = (self.start, self.occurrences.unwrap_or(1));
        (0..).take(count).map(move |week| first + Span::weeks(week))
    }
}

impl World {
    /// A pending (or, as the event type says, accepted) booking; gives its uid. No slot is checked.
    ///
    /// # Panics
    /// Where the event type does not exist: the caller made both.
    pub fn request(&mut self, now: Time, event_type: i64, email: &str, start: Time) -> String {
        let made = self.book(now, Ask::new(event_type, email, start));
        let mut uids = made.expect("a request of an event type that exists");
        uids.swap_remove(0)
    }

    /// A series of so many occurrences, a week apart; gives their uids by start.
    ///
    /// # Panics
    /// Where the event type does not exist or the length is out of bounds.
    pub fn request_series(
        &mut self,
        now: Time,
        event_type: i64,
        email: &str,
        start: Time,
        occurrences: usize,
    ) -> Vec<String> {
        let mut ask = Ask::new(event_type, email, start);
        ask.occurrences = Some(occurrences);
        self.book(now, ask)
            .expect("a series of an event type that exists")
    }

    /// Makes the bookings that were asked for, without looking at the slot; gives their uids.
    pub fn book(&mut self, now: Time, ask: Ask) -> Result<Vec<String>, WorldError> {
        let Some(event_type) = self.event_type(ask.event_type).cloned() else {
            return Err(WorldError::NoEventType(ask.event_type));
        };
        let count = ask.occurrences.unwrap_or(1);
        if !(1..=OCCURRENCES_MAX).contains(&count) {
            return Err(WorldError::SeriesLength(count));
        }
        let starts: Vec<Time> = ask.starts().collect();
        self.book_at(now, &event_type, &ask, &starts)
    }

    /// Makes one booking for each of these starts, one series where a series was asked for, and
    /// counts the mails: a series is told of once.
    pub(super) fn book_at(
        &mut self,
        now: Time,
        event_type: &EventType,
        ask: &Ask,
        starts: &[Time],
    ) -> Result<Vec<String>, WorldError> {
        let series = ask.occurrences.map(|_| {
            let named = ask.names.series.clone();
            named.unwrap_or_else(|| self.uuid())
        });
        let mut made: Vec<String> = Vec::with_capacity(starts.len());
        for ((number, start), id) in starts.iter().enumerate().zip(0..) {
            let mut one = ask.clone();
            one.start = *start;
            let named = ask.names.uids.get(number).cloned();
            let uid = named.unwrap_or_else(|| self.uid());
            let mut booking = self.draft(now, event_type, one, uid);
            booking.series.clone_from(&series);
            booking.id = ask.names.id.map_or(0, |first| first + id);
            let status = booking.status;
            let uid = self.insert(booking)?;
            self.mail_new(&uid, status, number == 0);
            made.push(uid);
        }
        Ok(made)
    }

    /// The row that a request would become.
    fn draft(&mut self, now: Time, of: &EventType, ask: Ask, uid: String) -> Booking {
        let host = self.user(of.owner).map_or("", |user| user.name.as_str());
        let title = format!("{} between {host} and {}", of.title, ask.name);
        let mut attendees = vec![self.attendee(&ask.name, &ask.email, &ask.time_zone)];
        attendees[0].language = Some(ask.language);
        for guest in &ask.guests {
            attendees.push(self.attendee("", guest, &ask.time_zone));
        }
        let mut more = ask.answers;
        for question in &of.questions {
            let given = more.remove(&question.slug);
            let stored = question.kind.stored(given);
            more.extend(stored.map(|stored| (question.slug.clone(), stored)));
        }
        if !ask.guests.is_empty() {
            more.insert("guests".to_owned(), Value::from(ask.guests.clone()));
        }
        if of.seats.is_some() {
            let answers = more.clone();
            let uid = self.uuid();
            attendees[0].seat = Some(Seat { uid, answers });
        }
        let waits = of.waits(now, ask.start, &ask.email) || of.price > 0;
        let notes = more.get("notes").and_then(Value::as_str).unwrap_or("");
        let payments = match of.price {
            0 => Vec::new(),
            _ => vec![Payment {
                id: self.next_attendee,
                success: false,
            }],
        };
        let length = ask.length.unwrap_or(Span::minutes(i64::from(of.minutes)));
        Booking {
            id: 0,
            ics_uid: format!("{uid}@Cal.diy"),
            uid,
            host: Some(of.owner),
            event_type: Some(of.id),
            series: None,
            title,
            description: Some(notes.to_owned()),
            status: if waits {
                Status::Pending
            } else {
                Status::Accepted
            },
            start: kept(ask.start),
            end: kept(ask.start + length),
            created: now,
            // What waits is written again right away; what is accepted at once is not.
            updated: waits.then_some(now),
            location: format!("https://meet.example.com/{}", of.slug),
            attendees,
            guests: ask.guests,
            answers: Answers::Given {
                name: Value::from(ask.name),
                email: ask.email,
                more,
            },
            metadata: Some(ask.metadata),
            payments,
            rejection_reason: None,
            cancellation_reason: None,
            cancelled_by: None,
            rescheduled: false,
            rescheduled_by: None,
            rescheduling_reason: None,
            from: None,
            to: None,
            absent_host: false,
        }
    }

    pub(super) fn attendee(&mut self, name: &str, email: &str, time_zone: &str) -> Attendee {
        let id = self.next_attendee;
        self.next_attendee += 1;
        Attendee {
            id,
            name: name.to_owned(),
            email: email.to_owned(),
            time_zone: time_zone.to_owned(),
            language: Some("en".to_owned()),
            absent: false,
            seat: None,
        }
    }

    /// Counts the mails about a booking that was made, and its calendar event. `told` is false for
    /// all but the first of a series.
    fn mail_new(&mut self, uid: &str, status: Status, told: bool) {
        let kind = match status {
            Status::Accepted => MailKind::Confirmed,
            Status::Pending | Status::AwaitingHost | Status::Rejected | Status::Cancelled => {
                MailKind::Requested
            }
        };
        if kind == MailKind::Confirmed {
            self.journal.calendar_event(uid);
        }
        if told {
            self.mail_of(uid, kind);
        }
    }
}
