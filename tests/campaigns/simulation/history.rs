//! What really happened: every row after each change, by number. Lists may be stale and answers
//! lost; the results are checked against this history.

use std::collections::{BTreeMap, BTreeSet};

use super::model_calcom::ModelBooking;

#[derive(Default)]
pub struct History {
    changes: usize,
    /// For each booking, the numbers of the changes and the row after each; `None` when the booking
    /// was deleted.
    rows: BTreeMap<String, Vec<(usize, Option<ModelBooking>)>>,
}

impl History {
    /// Records the differences from the last known rows.
    pub fn record(&mut self, rows: &[ModelBooking]) {
        let there: BTreeSet<&str> = rows.iter().map(|row| row.uid.as_str()).collect();
        for row in rows {
            let states = self.rows.entry(row.uid.clone()).or_default();
            if states.last().and_then(|(_, row)| row.as_ref()) != Some(row) {
                self.changes += 1;
                states.push((self.changes, Some(row.clone())));
            }
        }
        for (uid, states) in &mut self.rows {
            let gone = !there.contains(uid.as_str());
            if gone && states.last().is_some_and(|(_, row)| row.is_some()) {
                self.changes += 1;
                states.push((self.changes, None));
            }
        }
    }

    /// Describes everything that happened to a booking and its successors, for a person who
    /// examines why a seed failed.
    pub fn describe(&self, uid: &str) -> String {
        let all = self.descendants(uid);
        let changes = all.iter().filter_map(|uid| self.rows.get(uid)).flatten();
        let changes_text = changes.map(|(number, row)| format!("\n  {number}: {row:?}"));
        changes_text.collect()
    }

    /// Returns the number of changes so far.
    pub fn change_count(&self) -> usize {
        self.changes
    }

    /// Returns the row after this number of changes.
    pub fn row_at(&self, uid: &str, moment: usize) -> Option<&ModelBooking> {
        let states = self.rows.get(uid)?;
        let upto = states.partition_point(|(number, _)| *number <= moment);
        states.get(upto.checked_sub(1)?)?.1.as_ref()
    }

    /// Returns the last state of the row, even if the booking was deleted.
    pub fn last_row(&self, uid: &str) -> Option<&ModelBooking> {
        let mut states = self.rows.get(uid)?.iter().rev();
        states.find_map(|(_, row)| row.as_ref())
    }

    /// Returns true if the row ever satisfied the condition.
    pub fn was_ever(&self, uid: &str, is: impl Fn(&ModelBooking) -> bool) -> bool {
        let mut states = self.rows.get(uid).into_iter().flatten();
        states.any(|(_, row)| row.as_ref().is_some_and(&is))
    }

    /// Returns the number of the change that created the booking.
    pub fn first_change(&self, uid: &str) -> usize {
        let states = self.rows.get(uid).and_then(|known| known.first());
        states.map_or(0, |(number, _)| *number)
    }

    /// Returns the booking and the chain of its successors, in their last states.
    pub fn successors(&self, uid: &str) -> Vec<&ModelBooking> {
        let mut chain = Vec::new();
        let mut next = self.last_row(uid);
        while let Some(row) = next {
            chain.push(row);
            next = row.successor.as_ref().and_then(|to| self.last_row(to));
        }
        chain
    }

    /// Returns the booking and all bookings that ever replaced it, directly or indirectly: two
    /// simultaneous moves make two successors, and the old booking names only one of them.
    pub fn descendants(&self, uid: &str) -> BTreeSet<String> {
        let mut found_uids = BTreeSet::from([uid.to_owned()]);
        loop {
            let named = found_uids
                .iter()
                .filter_map(|uid| self.last_row(uid)?.successor.clone());
            let others = self.all_rows().filter(|row| {
                let from = row.predecessor.as_ref();
                from.is_some_and(|from| found_uids.contains(from))
            });
            let more: BTreeSet<String> = named.chain(others.map(|row| row.uid.clone())).collect();
            let before = found_uids.len();
            found_uids.extend(more);
            if found_uids.len() == before {
                return found_uids;
            }
        }
    }

    /// Returns the bookings that name this booking as their predecessor at a moment; the successor
    /// that it names comes first.
    pub fn replaced_by(&self, uid: &str, moment: usize) -> Vec<String> {
        let named = self
            .row_at(uid, moment)
            .and_then(|row| row.successor.clone());
        let says = |other: &&String| {
            let row = self.row_at(other, moment);
            row.is_some_and(|row| row.predecessor.as_deref() == Some(uid))
        };
        let others = self.rows.keys().filter(says).cloned();
        let others = others.filter(|other| Some(other) != named.as_ref());
        let others: Vec<String> = others.collect();
        named.into_iter().chain(others).collect()
    }

    /// Returns the chain from a booking to a successor, or nothing if there is no such chain.
    pub fn path(&self, from: &str, to: &str) -> Vec<&ModelBooking> {
        let mut path: Vec<&ModelBooking> = self.last_row(to).into_iter().collect();
        for row in self.ancestors(to) {
            path.push(row);
            if row.uid == from {
                path.reverse();
                return path;
            }
        }
        Vec::new()
    }

    /// Returns the predecessors of the booking, the nearest first.
    pub fn ancestors(&self, uid: &str) -> Vec<&ModelBooking> {
        let mut found = Vec::new();
        let from = |row: &ModelBooking| row.predecessor.clone();
        let mut next = self.last_row(uid).and_then(from);
        while let Some(row) = next.as_deref().and_then(|uid| self.last_row(uid)) {
            found.push(row);
            next = from(row);
        }
        found
    }

    /// Returns the moments in a range at which one of these bookings was changed, and the first
    /// moment of the range.
    pub fn moments(&self, uids: &[&str], from: usize, to: usize) -> Vec<usize> {
        let mut moments = BTreeSet::from([from]);
        for uid in uids {
            let states = self.rows.get(*uid).into_iter().flatten();
            let numbers = states.map(|(number, _)| *number);
            moments.extend(numbers.filter(|number| (from + 1..=to).contains(number)));
        }
        moments.into_iter().collect()
    }

    /// Returns every booking that exists.
    pub fn current_rows(&self) -> impl Iterator<Item = &ModelBooking> {
        let last = self.rows.values().filter_map(|known| known.last());
        last.filter_map(|(_, row)| row.as_ref())
    }

    /// Returns every booking that ever existed, in its last state.
    pub fn all_rows(&self) -> impl Iterator<Item = &ModelBooking> {
        self.rows.keys().filter_map(|uid| self.last_row(uid))
    }
}
