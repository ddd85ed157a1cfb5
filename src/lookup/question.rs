//! What another system is told: who asks, and for what. Answers to booking questions are not part
//! of it, and so no PIN is.

use serde::Serialize;

use crate::domain::booking::Booking;
use crate::domain::id::Address;
use crate::domain::time::Time;

/// The number of the shape below; it goes up when something in it changes its meaning.
const SCHEMA: u32 = 1;

/// A question about one request.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub booker: &'a Address,
    /// The first booking of the request.
    pub booking: &'a Booking,
    pub occurrences: usize,
}

/// What a command reads from its standard input, on one line.
#[derive(Serialize)]
struct Asked<'a> {
    schema: u32,
    lookup: &'a str,
    booker: &'a str,
    booking: AskedFor<'a>,
}

#[derive(Serialize)]
struct AskedFor<'a> {
    uid: &'a str,
    title: &'a str,
    /// The slug; null where the server does not show it.
    event_type: Option<&'a str>,
    event_type_id: Option<i64>,
    start: String,
    end: String,
    created: String,
    occurrences: usize,
}

impl Question<'_> {
    pub(super) fn json(&self, lookup: &str) -> Vec<u8> {
        let booking = self.booking;
        let kind = booking.event_type.as_ref();
        let asked = Asked {
            schema: SCHEMA,
            lookup,
            booker: self.booker.as_str(),
            booking: AskedFor {
                uid: booking.uid.as_str(),
                title: &booking.title,
                event_type: kind.and_then(|kind| kind.slug.as_deref()),
                event_type_id: kind.map(|kind| kind.id.0),
                start: instant(booking.start),
                end: instant(booking.end),
                created: instant(booking.created),
                occurrences: self.occurrences,
            },
        };
        let mut line = serde_json::to_vec(&asked).expect("texts and numbers are JSON");
        line.push(b'\n');
        line
    }
}

fn instant(at: Time) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
