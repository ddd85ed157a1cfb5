//! What a booking costs: the first price that fits, or else the gate's cost.

use chrono_tz::Tz;

use super::time_window::TimeWindow;
use crate::domain::booking::Booking;
use crate::domain::decision::Credits;
use crate::domain::id::EventTypeKey;
use crate::domain::time::Span;

/// The most prices that one gate may have.
pub const MAX_PRICES: usize = 200;

/// A price and the bookings that it fits. A condition that is not given fits every booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// What one booking costs.
    pub cost: Credits,
    /// The tiers of the members who pay this price. If empty, it fits every booker.
    pub tiers: Vec<String>,
    /// The event types whose bookings have this price. If empty, it fits every event type.
    pub event_types: Vec<EventTypeKey>,
    /// The booking's length, both ends included.
    pub length: (Option<Span>, Option<Span>),
    /// The time in which the booking starts.
    pub start_window: TimeWindow,
    /// The number of occurrences of the request, both ends included.
    pub occurrences: (Option<usize>, Option<usize>),
}

impl Price {
    /// Returns true if a booking has this price. `tier` is the member's; `zone` is the zone of the
    /// start.
    pub fn applies_to(
        &self,
        booking: &Booking,
        tier: Option<&str>,
        occurrences: usize,
        zone: Tz,
    ) -> bool {
        let (shortest, longest) = self.length;
        let (fewest, most) = self.occurrences;
        let length = booking.length();
        let tier_matches = self.tiers.is_empty()
            || tier.is_some_and(|tier| self.tiers.iter().any(|known| known == tier));
        tier_matches
            && (self.event_types.is_empty() || booking.has_event_type(&self.event_types))
            && shortest.is_none_or(|least| length >= least)
            && longest.is_none_or(|most| length <= most)
            && fewest.is_none_or(|least| occurrences >= least)
            && most.is_none_or(|most| occurrences <= most)
            && self.start_window.contains_start(booking.start, zone)
    }
}
