//! How much of what was read is kept at once: pages have a limit in number, and their rows in none.
//! A server that sends as much as is taken on every page must not fill the memory.

use crate::domain::booking::{Answer, Attendee, Booking};
use crate::domain::id::Address;

/// What the bookings of one pass or watch may take: 30,000 of the usual size, which is as many as an
/// audit lists at 250 a page.
pub(super) const ROOM: usize = 96 * 1024 * 1024;

/// What one entry of a map takes beside its name: a node has room for eleven and is half full.
const ENTRY: usize = 3 * (size_of::<String>() + size_of::<Answer>());

/// What is left of it, in bytes.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes what the booking needs; `false` when it does not fit, and nothing is taken.
    pub fn take(&mut self, booking: &Booking) -> bool {
        let left = self.0.checked_sub(weight(booking));
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// As [`Room::take`], of all of them or none.
    pub fn take_all(&mut self, bookings: &[Booking]) -> bool {
        let all: usize = bookings.iter().map(weight).sum();
        let left = self.0.checked_sub(all);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// It is not kept any more.
    pub fn give_back(&mut self, booking: &Booking) {
        self.0 += weight(booking);
    }
}

/// The memory that a booking takes, rather too much than too little.
fn weight(booking: &Booking) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let address = |address: &Option<Address>| address.as_ref().map_or(0, |a| a.as_str().len());
    let attendee = |one: &Attendee| {
        size_of::<Attendee>()
            + address(&one.address)
            + [&one.name, &one.time_zone, &one.language, &one.seat]
                .into_iter()
                .map(text)
                .sum::<usize>()
    };
    let host = booking.host.as_ref();
    let booker = booking.booker.as_ref();
    let kind = booking.event_type.as_ref();
    let guests = booking.guests.iter();
    let fields = booking.answers.iter().chain(&booking.metadata);
    let own = [
        size_of::<Booking>(),
        booking.uid.as_str().len(),
        booking.title.len(),
        text(&booking.description),
        text(&booking.cancellation_reason),
        text(&booking.location),
        host.map_or(0, |host| text(&host.name) + text(&host.time_zone)),
        booker.map_or(0, |one| {
            one.address.as_str().len()
                + text(&one.name)
                + text(&one.time_zone)
                + text(&one.language)
        }),
        kind.map_or(0, |kind| text(&kind.slug)),
    ];
    own.into_iter().sum::<usize>()
        + booking.attendees.iter().map(attendee).sum::<usize>()
        + guests
            .map(|one| size_of::<Address>() + one.as_str().len())
            .sum::<usize>()
        + fields
            .map(|(name, value)| entry(name, value))
            .sum::<usize>()
}

fn entry(name: &str, value: &Answer) -> usize {
    ENTRY + name.len() + inner(value)
}

/// What a value takes beside itself.
fn inner(value: &Answer) -> usize {
    match value {
        Answer::Null | Answer::Bool(_) | Answer::Number(_) => 0,
        Answer::Text(text) => text.len(),
        Answer::List(items) => items
            .iter()
            .map(|item| size_of::<Answer>() + inner(item))
            .sum(),
        Answer::Map(fields) => fields.iter().map(|(name, value)| entry(name, value)).sum(),
    }
}
