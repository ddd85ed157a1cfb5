//! The time of hosts that is taken. Looking up costs the logarithm of what is kept, and what
//! overlaps by start.

use std::collections::BTreeMap;

use super::booking::{Booking, Buffers};
use super::id::{BookingUid, EventTypeId, HostId};
use super::time::{Span, Time};

/// Buffers by event type; one that is not known has none.
pub type BuffersByEventType = BTreeMap<EventTypeId, Buffers>;

/// What takes the time of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap<'a> {
    pub uid: &'a str,
    /// Whether it is accepted at Cal.com. What is still being confirmed may come to nothing.
    pub is_accepted: bool,
}

#[derive(Debug, Default)]
pub struct HostSchedule {
    spans: BTreeMap<(HostId, Time, Option<BookingUid>), (Time, bool)>,
    longest: Span,
    buffers: BuffersByEventType,
}

impl HostSchedule {
    pub fn new(buffers: BuffersByEventType) -> Self {
        Self {
            buffers,
            ..Self::default()
        }
    }

    /// The host is busy then, and for the buffers of the event type before and after.
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

    /// The booking's host is busy then; one without a host is nobody's time.
    pub fn add_booking(&mut self, booking: &Booking, is_accepted: bool) {
        if let Some(host) = booking.host_id() {
            self.add_for_host(host, booking, is_accepted);
        }
    }

    /// A host who takes part in the booking is busy then.
    pub fn add_for_host(&mut self, host: HostId, booking: &Booking, is_accepted: bool) {
        let kind = booking.event_type.as_ref().map(|kind| kind.id);
        let span = (booking.start, booking.end);
        self.add(host, kind, span, (&booking.uid, is_accepted));
    }

    /// What overlaps the booking at its host, other than itself: what is settled before what is not.
    pub fn find_overlap(&self, booking: &Booking) -> Option<Overlap<'_>> {
        let host = booking.host_id()?;
        // A server may show anything: what ends before it starts overlaps nothing, and is no range.
        if booking.end < booking.start {
            return None;
        }
        let kind = booking.event_type.as_ref().map(|kind| kind.id);
        let (start, end) = self.with_buffers(kind, (booking.start, booking.end));
        // Before every name at that instant.
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
