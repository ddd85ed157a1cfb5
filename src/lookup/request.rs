//! What another system receives: who asks, and for what. Answers to booking questions are not part
//! of the request, so no PIN is either.

use serde::Serialize;

use crate::domain::booking::Booking;
use crate::domain::id::Address;
use crate::domain::time::Time;

/// The version of the shape below; it increases when something in the shape changes its meaning.
const SCHEMA: u32 = 1;

/// A query about one request.
#[derive(Debug, Clone, Copy)]
pub struct LookupRequest<'a> {
    /// The booker's e-mail address.
    pub booker: &'a Address,
    /// The first booking of the request.
    pub booking: &'a Booking,
    /// The number of bookings of the request; more than one for a series.
    pub occurrences: usize,
}

/// What a command reads from its standard input, on one line.
#[derive(Serialize)]
struct CommandInput<'a> {
    schema: u32,
    lookup: &'a str,
    booker: &'a str,
    booking: CommandInputBooking<'a>,
}

#[derive(Serialize)]
struct CommandInputBooking<'a> {
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

impl LookupRequest<'_> {
    pub(super) fn to_json_line(self, lookup: &str) -> Vec<u8> {
        let booking = self.booking;
        let event_type = booking.event_type.as_ref();
        let input = CommandInput {
            schema: SCHEMA,
            lookup,
            booker: self.booker.as_str(),
            booking: CommandInputBooking {
                uid: booking.uid.as_str(),
                title: &booking.title,
                event_type: event_type.and_then(|kind| kind.slug.as_deref()),
                event_type_id: event_type.map(|kind| kind.id.0),
                start: format_time(booking.start),
                end: format_time(booking.end),
                created: format_time(booking.created_at),
                occurrences: self.occurrences,
            },
        };
        let mut line = serde_json::to_vec(&input).expect("texts and numbers are JSON");
        line.push(b'\n');
        line
    }
}

fn format_time(at: Time) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
