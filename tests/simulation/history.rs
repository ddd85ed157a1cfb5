//! What truly happened: every row as it was after each change, by number. Lists may be stale and
//! answers lost; this is what they are held against.

use std::collections::{BTreeMap, BTreeSet};

use super::model_calcom::ModelBooking;

#[derive(Default)]
pub struct History {
    changes: usize,
    /// By booking, the number of the change and the row after it; none when it was deleted.
    rows: BTreeMap<String, Vec<(usize, Option<ModelBooking>)>>,
}

impl History {
    /// Takes in what is different from what is known.
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

    /// All that became of a booking and of what replaced it, for whoever reads why a seed failed.
    pub fn describe(&self, uid: &str) -> String {
        let all = self.descendants(uid);
        let changes = all.iter().filter_map(|uid| self.rows.get(uid)).flatten();
        let changes_text = changes.map(|(number, row)| format!("\n  {number}: {row:?}"));
        changes_text.collect()
    }

    /// How many changes there were.
    pub fn change_count(&self) -> usize {
        self.changes
    }

    /// The row when so many changes had happened.
    pub fn row_at(&self, uid: &str, moment: usize) -> Option<&ModelBooking> {
        let states = self.rows.get(uid)?;
        let upto = states.partition_point(|(number, _)| *number <= moment);
        states.get(upto.checked_sub(1)?)?.1.as_ref()
    }

    /// The row as it was last, also of one that was deleted.
    pub fn last_row(&self, uid: &str) -> Option<&ModelBooking> {
        let mut states = self.rows.get(uid)?.iter().rev();
        states.find_map(|(_, row)| row.as_ref())
    }

    /// Whether the row was ever like this.
    pub fn was_ever(&self, uid: &str, is: impl Fn(&ModelBooking) -> bool) -> bool {
        let mut states = self.rows.get(uid).into_iter().flatten();
        states.any(|(_, row)| row.as_ref().is_some_and(&is))
    }

    /// The number of the change that made it.
    pub fn first_change(&self, uid: &str) -> usize {
        let states = self.rows.get(uid).and_then(|known| known.first());
        states.map_or(0, |(number, _)| *number)
    }

    /// The booking and all that replaced it, as far as ever.
    pub fn successors(&self, uid: &str) -> Vec<&ModelBooking> {
        let mut chain = Vec::new();
        let mut next = self.last_row(uid);
        while let Some(row) = next {
            chain.push(row);
            next = row.successor.as_ref().and_then(|to| self.last_row(to));
        }
        chain
    }

    /// The bookings that ever said that they replaced this one, or one that did: two moves at once make
    /// two, of which the old one names one.
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

    /// The bookings that say at a moment that they replaced this one, and the one that it names first.
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

    /// From a booking to another that replaced it, one after the other; nothing when it did not.
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

    /// What the booking replaced, the nearest first.
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

    /// The moments from one to another at which one of these bookings was changed, and the first.
    pub fn moments(&self, uids: &[&str], from: usize, to: usize) -> Vec<usize> {
        let mut moments = BTreeSet::from([from]);
        for uid in uids {
            let states = self.rows.get(*uid).into_iter().flatten();
            let numbers = states.map(|(number, _)| *number);
            moments.extend(numbers.filter(|number| (from + 1..=to).contains(number)));
        }
        moments.into_iter().collect()
    }

    /// Every booking that is there.
    pub fn current_rows(&self) -> impl Iterator<Item = &ModelBooking> {
        let last = self.rows.values().filter_map(|known| known.last());
        last.filter_map(|(_, row)| row.as_ref())
    }

    /// Every booking there ever was, as it was last.
    pub fn all_rows(&self) -> impl Iterator<Item = &ModelBooking> {
        self.rows.keys().filter_map(|uid| self.last_row(uid))
    }
}
