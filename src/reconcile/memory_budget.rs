//! Limits how much of what was read is kept in memory at the same time. The number of pages is
//! limited, but the rows of a page are not: a server that sends the largest accepted answer for
//! every page must not fill the memory.

use crate::domain::booking::{Answer, Attendee, Booking};
use crate::domain::id::Address;

/// The memory for the bookings of one pass or watch: 30,000 bookings of the usual size, as many as
/// an audit lists at 250 a page.
pub(super) const MAX_BOOKING_BYTES: usize = 96 * 1024 * 1024;

/// The memory of one entry of a map without the text of its name: a node has room for eleven
/// entries and is half full.
const MAP_ENTRY_BYTES: usize = 3 * (size_of::<String>() + size_of::<Answer>());

/// The remaining memory, in bytes.
#[derive(Debug)]
pub(super) struct MemoryBudget(usize);

impl MemoryBudget {
    pub fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes the memory that the booking needs. Returns false if the booking does not fit; then
    /// nothing is taken.
    pub fn reserve(&mut self, booking: &Booking) -> bool {
        let remaining = self.0.checked_sub(estimate_bytes(booking));
        self.0 = remaining.unwrap_or(self.0);
        remaining.is_some()
    }

    /// Does the same as [`MemoryBudget::reserve`] for all bookings together, or for none.
    pub fn reserve_all(&mut self, bookings: &[Booking]) -> bool {
        let total: usize = bookings.iter().map(estimate_bytes).sum();
        let remaining = self.0.checked_sub(total);
        self.0 = remaining.unwrap_or(self.0);
        remaining.is_some()
    }

    /// Gives back the memory of a booking that is not kept any more.
    pub fn release(&mut self, booking: &Booking) {
        self.0 += estimate_bytes(booking);
    }
}

/// Estimates the memory of a booking, too high rather than too low.
fn estimate_bytes(booking: &Booking) -> usize {
    let text_bytes = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let address_bytes =
        |address: &Option<Address>| address.as_ref().map_or(0, |a| a.as_str().len());
    let attendee_bytes = |one: &Attendee| {
        size_of::<Attendee>()
            + address_bytes(&one.address)
            + [&one.name, &one.time_zone, &one.language, &one.seat]
                .into_iter()
                .map(text_bytes)
                .sum::<usize>()
    };
    let host = booking.host.as_ref();
    let booker = booking.booker.as_ref();
    let event_type = booking.event_type.as_ref();
    let guests = booking.guests.iter();
    let fields = booking.answers.iter().chain(&booking.metadata);
    let own_bytes = [
        size_of::<Booking>(),
        booking.uid.as_str().len(),
        booking.title.len(),
        text_bytes(&booking.description),
        text_bytes(&booking.cancellation_reason),
        text_bytes(&booking.location),
        host.map_or(0, |host| {
            text_bytes(&host.name) + text_bytes(&host.time_zone)
        }),
        booker.map_or(0, |one| {
            one.address.as_str().len()
                + text_bytes(&one.name)
                + text_bytes(&one.time_zone)
                + text_bytes(&one.language)
        }),
        event_type.map_or(0, |kind| text_bytes(&kind.slug)),
    ];
    own_bytes.into_iter().sum::<usize>()
        + booking.attendees.iter().map(attendee_bytes).sum::<usize>()
        + guests
            .map(|one| size_of::<Address>() + one.as_str().len())
            .sum::<usize>()
        + fields
            .map(|(name, value)| entry_bytes(name, value))
            .sum::<usize>()
}

fn entry_bytes(name: &str, value: &Answer) -> usize {
    MAP_ENTRY_BYTES + name.len() + nested_bytes(value)
}

/// Returns the memory that a value needs in addition to its own size.
fn nested_bytes(value: &Answer) -> usize {
    match value {
        Answer::Null | Answer::Bool(_) | Answer::Number(_) => 0,
        Answer::Text(text) => text.len(),
        Answer::List(items) => items
            .iter()
            .map(|item| size_of::<Answer>() + nested_bytes(item))
            .sum(),
        Answer::Map(fields) => fields
            .iter()
            .map(|(name, value)| entry_bytes(name, value))
            .sum(),
    }
}
