//! The booking rows in order of creation, findable by uid, by number and by series.

use std::collections::HashMap;

use super::model::Booking;

/// The rows and their indexes.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    all: Vec<Booking>,
    by_uid: HashMap<String, usize>,
    by_id: HashMap<i64, usize>,
    by_series: HashMap<String, Vec<usize>>,
}

impl Rows {
    pub fn all(&self) -> &[Booking] {
        &self.all
    }

    pub fn by_uid(&self, uid: &str) -> Option<&Booking> {
        self.by_uid.get(uid).map(|at| &self.all[*at])
    }

    pub fn by_id(&self, id: i64) -> Option<&Booking> {
        self.by_id.get(&id).map(|at| &self.all[*at])
    }

    /// The occurrences of a series by start; empty when there is none of that name.
    pub fn series(&self, series: &str) -> Vec<&Booking> {
        let at = self.by_series.get(series).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<&Booking> = at.iter().map(|at| &self.all[*at]).collect();
        found.sort_by_key(|one| (one.start, one.id));
        found
    }

    pub fn get_mut(&mut self, uid: &str) -> Option<&mut Booking> {
        let at = *self.by_uid.get(uid)?;
        Some(&mut self.all[at])
    }

    /// Every row, to be changed in place; uid, id and series stay as they are.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Booking> {
        self.all.iter_mut()
    }

    pub fn push(&mut self, booking: Booking) {
        let at = self.all.len();
        self.by_uid.insert(booking.uid.clone(), at);
        self.by_id.insert(booking.id, at);
        if let Some(series) = &booking.series {
            self.by_series.entry(series.clone()).or_default().push(at);
        }
        self.all.push(booking);
    }

    /// Takes one row out. Everything is numbered anew: deletions are rare.
    pub fn remove(&mut self, uid: &str) -> Option<Booking> {
        let at = *self.by_uid.get(uid)?;
        let mut all = std::mem::take(&mut self.all);
        let removed = all.remove(at);
        *self = Rows::from(all);
        Some(removed)
    }
}

impl From<Vec<Booking>> for Rows {
    fn from(all: Vec<Booking>) -> Self {
        let mut rows = Rows::default();
        for booking in all {
            rows.push(booking);
        }
        rows
    }
}
