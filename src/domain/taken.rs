//! The time of hosts that is taken. Looking up costs the logarithm of what is kept, and what
//! overlaps by start.

use std::collections::BTreeMap;

use super::booking::Booking;
use super::id::{BookingUid, HostId};
use super::time::{Span, Time};

#[derive(Debug, Default)]
pub struct Taken {
    spans: BTreeMap<(HostId, Time, Option<BookingUid>), Time>,
    longest: Span,
}

impl Taken {
    pub fn add(&mut self, host: HostId, (start, end): (Time, Time), uid: &BookingUid) {
        self.longest = self.longest.max(end - start);
        self.spans.insert((host, start, Some(uid.clone())), end);
    }

    /// The booking's host is busy then; one without a host is nobody's time.
    pub fn add_booking(&mut self, booking: &Booking) {
        if let Some(host) = booking.host_id() {
            self.add(host, (booking.start, booking.end), &booking.uid);
        }
    }

    /// What overlaps the booking at its host, other than itself.
    pub fn find(&self, booking: &Booking) -> Option<&str> {
        let host = booking.host_id()?;
        // A server may show anything: what ends before it starts overlaps nothing, and is no range.
        if booking.end < booking.start {
            return None;
        }
        // Before every name at that instant.
        let from = (host, booking.start - self.longest, None);
        let to = (host, booking.end, None);
        self.spans
            .range(from..to)
            .find(|((_, _, uid), until)| {
                **until > booking.start && uid.as_ref() != Some(&booking.uid)
            })
            .and_then(|((_, _, uid), _)| uid.as_ref().map(BookingUid::as_str))
    }
}
