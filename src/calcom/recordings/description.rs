//! Describes in words what was decoded, for the snapshots.

use crate::calcom::port::BookingPage;
use crate::domain::booking::{Booking, EventType, EventTypeRef, Fetched};

pub(super) fn describe_reading(reading: Fetched) -> String {
    match reading {
        Fetched::Found(booking) => describe_booking(&booking),
        Fetched::Gone => "gone".to_owned(),
    }
}

fn describe_booking(booking: &Booking) -> String {
    let mut words = format!("{} {:?}", booking.uid, booking.status);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push_str(&format!(" {name}={value}"));
        }
    };
    add("host", booking.host_id().map(|id| id.to_string()));
    add(
        "booker",
        booking
            .booker
            .as_ref()
            .map(|booker| booker.address.to_string()),
    );
    let slug = |of: &EventTypeRef| format!("{}/{}", of.id, of.slug.as_deref().unwrap_or("?"));
    add("type", booking.event_type.as_ref().map(slug));
    add(
        "series",
        booking.series.as_ref().map(|series| series.to_string()),
    );
    add(
        "from",
        booking.rescheduled_from.as_ref().map(|uid| uid.to_string()),
    );
    add(
        "to",
        booking.rescheduled_to.as_ref().map(|uid| uid.to_string()),
    );
    add(
        "guests",
        Some(booking.guests.len())
            .filter(|n| *n > 0)
            .map(|n| n.to_string()),
    );
    add("seated", booking.seated.then(|| "yes".to_owned()));
    words
}

pub(super) fn describe_bookings(bookings: &[Booking]) -> String {
    let rows = bookings
        .iter()
        .map(|booking| format!("\n    {}", describe_booking(booking)));
    format!("{} rows{}", bookings.len(), rows.collect::<String>())
}

pub(super) fn describe_page(page: &BookingPage) -> String {
    let next = page
        .next
        .map(|next| format!("\n    next {next}"))
        .unwrap_or_default();
    format!(
        "{}{}{next}",
        describe_bookings(&page.bookings),
        page.unreadable.join("; ")
    )
}

pub(super) fn describe_event_types(types: &[EventType]) -> String {
    let rows = types.iter().map(|of| {
        format!(
            "\n    {}/{} {} min, price {}, {:?}, seated {}, recurring {}, verifies {:?}",
            of.id,
            of.slug,
            of.length_minutes,
            of.price,
            of.confirmation,
            of.seated,
            of.recurring,
            of.verifies_address
        )
    });
    format!("{} event types{}", types.len(), rows.collect::<String>())
}
