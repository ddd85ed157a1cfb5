//! The booking rows in order of creation, indexed by uid, by number and by series.

use std::collections::HashMap;

use super::booking::SandboxBooking;

/// The rows and their indexes.
#[derive(Debug, Clone, Default)]
pub struct BookingTable {
    all: Vec<SandboxBooking>,
    by_uid: HashMap<String, usize>,
    by_id: HashMap<i64, usize>,
    by_series: HashMap<String, Vec<usize>>,
}

impl BookingTable {
    /// Returns every row, in order of creation.
    pub fn all(&self) -> &[SandboxBooking] {
        &self.all
    }

    /// Returns the row with this uid.
    pub fn by_uid(&self, uid: &str) -> Option<&SandboxBooking> {
        self.by_uid.get(uid).map(|at| &self.all[*at])
    }

    /// Returns the row with this number.
    pub fn by_id(&self, id: i64) -> Option<&SandboxBooking> {
        self.by_id.get(&id).map(|at| &self.all[*at])
    }

    /// Returns the occurrences of a series by start; empty when there is no series of that name.
    pub fn series(&self, series: &str) -> Vec<&SandboxBooking> {
        let indexes = self.by_series.get(series).map_or(&[][..], Vec::as_slice);
        let mut bookings: Vec<&SandboxBooking> = indexes.iter().map(|at| &self.all[*at]).collect();
        bookings.sort_by_key(|one| (one.start, one.id));
        bookings
    }

    /// Returns the row with this uid, to be changed in place. The caller must not change uid, id or
    /// series.
    pub fn get_mut(&mut self, uid: &str) -> Option<&mut SandboxBooking> {
        let index = *self.by_uid.get(uid)?;
        Some(&mut self.all[index])
    }

    /// Returns every row, to be changed in place. The caller must not change uid, id or series.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut SandboxBooking> {
        self.all.iter_mut()
    }

    /// Adds a row after the others, and indexes it.
    pub fn push(&mut self, booking: SandboxBooking) {
        let index = self.all.len();
        self.by_uid.insert(booking.uid.clone(), index);
        self.by_id.insert(booking.id, index);
        if let Some(series) = &booking.series {
            self.by_series
                .entry(series.clone())
                .or_default()
                .push(index);
        }
        self.all.push(booking);
    }

    /// Removes one row. All rows are numbered again, because deletions are rare.
    pub fn remove(&mut self, uid: &str) -> Option<SandboxBooking> {
        let index = *self.by_uid.get(uid)?;
        let mut all = std::mem::take(&mut self.all);
        let removed = all.remove(index);
        *self = BookingTable::from(all);
        Some(removed)
    }
}

impl From<Vec<SandboxBooking>> for BookingTable {
    fn from(all: Vec<SandboxBooking>) -> Self {
        let mut rows = BookingTable::default();
        for booking in all {
            rows.push(booking);
        }
        rows
    }
}
