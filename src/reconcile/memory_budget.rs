//! Limits how much of what was read is kept in memory at the same time. The number of pages is
//! limited, but the rows of a page are not: a server that sends the largest accepted answer for
//! every page must not fill the memory. The client counts each row when its answer arrives.

use crate::domain::booking::Booking;

/// The memory for the bookings of one pass or watch: 24,000 bookings of the usual size, more than
/// two full listings at 250 a page.
pub(super) const MAX_BOOKING_BYTES: usize = 96 * 1024 * 1024;

/// The remaining memory, in bytes.
#[derive(Debug)]
pub(super) struct MemoryBudget(usize);

impl MemoryBudget {
    /// Returns a budget of this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes the memory that the booking needs. Returns false if the booking does not fit; then
    /// nothing is taken.
    pub(super) fn reserve(&mut self, booking: &Booking) -> bool {
        self.reserve_all(std::slice::from_ref(booking))
    }

    /// Does the same as [`MemoryBudget::reserve`] for all bookings together, or for none.
    pub(super) fn reserve_all(&mut self, bookings: &[Booking]) -> bool {
        let total: usize = bookings.iter().map(total_bytes).sum();
        let remaining = self.0.checked_sub(total);
        self.0 = remaining.unwrap_or(self.0);
        remaining.is_some()
    }

    /// Gives back the memory of a booking that is not kept any more.
    pub(super) fn release(&mut self, booking: &Booking) {
        self.0 += total_bytes(booking);
    }
}

fn total_bytes(booking: &Booking) -> usize {
    size_of::<Booking>() + booking.heap_bytes
}
