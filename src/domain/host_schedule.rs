//! The occupied time of each host. A lookup costs the logarithm of the number of entries, plus the
//! number of entries that may overlap by their start.

use std::collections::BTreeMap;

use super::booking::{Booking, Buffers};
use super::id::{BookingUid, EventTypeId, HostId};
use super::time::{Span, Time};

/// Buffers by event type. An unknown event type has no buffers.
pub type BuffersByEventType = BTreeMap<EventTypeId, Buffers>;

/// The booking that occupies the time of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap<'a> {
    /// The uid of the booking that occupies the time.
    pub uid: &'a str,
    /// Whether the booking is accepted at Cal.com. A booking that is still being confirmed may end
    /// without a confirmation.
    pub is_accepted: bool,
}

/// The times that each host's bookings occupy, with the buffers of their event types.
#[derive(Debug, Default)]
pub struct HostSchedule {
    spans: BTreeMap<(HostId, Time, Option<BookingUid>), (Time, bool)>,
    longest: Span,
    buffers: BuffersByEventType,
}

impl HostSchedule {
    /// Returns a schedule without bookings.
    pub fn new(buffers: BuffersByEventType) -> Self {
        Self {
            buffers,
            ..Self::default()
        }
    }

    /// Marks the host as busy during the span and during the event type's buffers before and after
    /// it.
    pub fn add(
        &mut self,
        host: HostId,
        kind: Option<EventTypeId>,
        span: (Time, Time),
        (uid, is_accepted): (&BookingUid, bool),
    ) {
        let (start, end) = self.with_buffers(kind, span);
        self.longest = self.longest.max(end - start);
        let key = (host, start, Some(uid.clone()));
        let entry = self.spans.entry(key).or_insert((end, is_accepted));
        *entry = (entry.0.max(end), entry.1 || is_accepted);
    }

    /// Marks the booking's host as busy. A booking without a host occupies no time.
    pub fn add_booking(&mut self, booking: &Booking, is_accepted: bool) {
        if let Some(host) = booking.host_id() {
            self.add_for_host(host, booking, is_accepted);
        }
    }

    /// Marks a host who takes part in the booking as busy.
    pub fn add_for_host(&mut self, host: HostId, booking: &Booking, is_accepted: bool) {
        let kind = booking.event_type.as_ref().map(|kind| kind.id);
        let span = (booking.start, booking.end);
        self.add(host, kind, span, (&booking.uid, is_accepted));
    }

    /// Returns another booking that overlaps this one at its host. Accepted bookings are preferred
    /// to those that are still being confirmed.
    pub fn find_overlap(&self, booking: &Booking) -> Option<Overlap<'_>> {
        let host = booking.host_id()?;
        // A server may send any data. A booking that ends before it starts overlaps nothing, and
        // its bounds are not a valid range.
        if booking.end < booking.start {
            return None;
        }
        let kind = booking.event_type.as_ref().map(|kind| kind.id);
        let (start, end) = self.with_buffers(kind, (booking.start, booking.end));
        // `None` sorts before every uid at that instant.
        let from = (host, start - self.longest, None);
        let to = (host, end, None);
        let mut overlap = None;
        for ((_, _, uid), (until, is_accepted)) in self.spans.range(from..to) {
            let Some(uid) = uid.as_ref().filter(|uid| **uid != booking.uid) else {
                continue;
            };
            if *until > start && (*is_accepted || overlap.is_none()) {
                let uid = uid.as_str();
                let is_accepted = *is_accepted;
                overlap = Some(Overlap { uid, is_accepted });
                if is_accepted {
                    break;
                }
            }
        }
        overlap
    }

    fn with_buffers(&self, kind: Option<EventTypeId>, (start, end): (Time, Time)) -> (Time, Time) {
        let buffers = kind.and_then(|kind| self.buffers.get(&kind));
        let buffers = buffers.copied().unwrap_or(Buffers::NONE);
        (start - buffers.before, end + buffers.after)
    }
}
