//! What a booker asks for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::time::{Span, Time};

/// Most occurrences of one series (Cal.com's own limit is 24 for most).
pub const OCCURRENCES_MAX: usize = 100;

/// What a booker asks for. `World::book` makes the bookings.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBooking {
    /// The number of the event type.
    pub event_type: i64,
    /// The booker's address, as typed.
    pub email: String,
    /// The booker's name.
    pub name: String,
    /// The IANA name of the booker's time zone.
    pub time_zone: String,
    /// The code of the booker's language.
    pub language: String,
    /// When the booking, or the first occurrence, starts.
    pub start: Time,
    /// `None`: as long as the event type says.
    pub length: Option<Span>,
    /// The addresses of extra guests.
    pub guests: Vec<String>,
    /// The answers to the event type's questions, by slug.
    pub answers: BTreeMap<String, Value>,
    /// Metadata of the client that makes the booking.
    pub metadata: BTreeMap<String, Value>,
    /// How many occurrences, a week apart; `None`: one booking that is not a series.
    pub occurrences: Option<usize>,
    /// The names of the rows; the world generates the missing names.
    pub names: BookingNames,
}

/// The names of the rows of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookingNames {
    /// The numeric id; in a series, the id of the first occurrence.
    pub id: Option<i64>,
    /// One uid for each occurrence, by start.
    pub uids: Vec<String>,
    /// The name of the series.
    pub series: Option<String>,
}

impl NewBooking {
    /// Returns a plain request: the name is the address's first part, everything else has defaults.
    pub fn new(event_type: i64, email: &str, start: Time) -> Self {
        let name = email.split('@').next().unwrap_or(email);
        NewBooking {
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
            names: BookingNames::default(),
        }
    }

    /// Returns when each occurrence begins: a week apart.
    pub fn occurrence_starts(&self) -> impl Iterator<Item = Time> + use<> {
        let (first, count) = (self.start, self.occurrences.unwrap_or(1));
        (0..).take(count).map(move |week| first + Span::weeks(week))
    }
}
