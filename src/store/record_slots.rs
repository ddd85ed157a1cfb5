//! The records that a write set holds: each as it is now, and its previous keys in the indexes.

use std::collections::HashMap;

use super::changes::{ChargeChange, ChargeIndexKeys, RequestChange, RequestIndexKeys};
use super::versioned::Versioned;
use crate::domain::id::BookingUid;
use crate::domain::request::{Charge, Request};

/// How many commit numbers are kept with a record. When there are this many, they move to a page of
/// their own, so that a record does not grow with its history.
pub(super) const HISTORY_PAGE_LENGTH: usize = 64;

/// A record as it is now, and whether it changed.
pub(super) struct Slot<T> {
    pub(super) current: Option<T>,
    pub(super) changed: bool,
}

/// A charge as it is now, and the index keys that it had in the source.
pub(super) struct ChargeSlot {
    pub(super) current: Option<Box<Versioned<Charge>>>,
    pub(super) changed: bool,
    pub(super) previous_keys: ChargeIndexKeys,
}

/// A request as it is now, and the index keys and bookings that it had in the source.
pub(super) struct RequestSlot {
    pub(super) current: Option<Box<Versioned<Request>>>,
    pub(super) changed: bool,
    pub(super) previous_keys: RequestIndexKeys,
    pub(super) previous_bookings: Vec<BookingUid>,
}

impl<T> Slot<T> {
    pub(super) fn from_read(current: Option<T>) -> Self {
        Self {
            current,
            changed: false,
        }
    }
}

impl ChargeSlot {
    pub(super) fn into_change(self) -> Option<ChargeChange> {
        Some(ChargeChange {
            versioned: self.current?,
            previous_keys: self.previous_keys,
        })
    }
}

impl RequestSlot {
    pub(super) fn from_read(current: Option<Versioned<Request>>) -> Self {
        let request = current.as_ref().map(|versioned| &versioned.record);
        Self {
            previous_keys: request.map(RequestIndexKeys::of).unwrap_or_default(),
            previous_bookings: request.map(bookings_besides_id).unwrap_or_default(),
            changed: false,
            current: current.map(Box::new),
        }
    }

    pub(super) fn into_change(self) -> Option<RequestChange> {
        let versioned = self.current?;
        let mut joined_bookings = bookings_besides_id(&versioned.record);
        let is_removed = |uid: &BookingUid| !joined_bookings.contains(uid);
        let removed_bookings = self
            .previous_bookings
            .iter()
            .filter(|uid| is_removed(uid))
            .cloned()
            .collect();
        joined_bookings.retain(|uid| !self.previous_bookings.contains(uid));
        Some(RequestChange {
            versioned,
            previous_keys: self.previous_keys,
            joined_bookings,
            removed_bookings,
        })
    }
}

impl<T> Versioned<T> {
    pub(super) fn new(record: T) -> Box<Self> {
        Box::new(Self {
            record,
            seqs: Vec::new(),
        })
    }
}

/// Returns the occurrences whose uid is not the request's id, so that the request is not found by
/// them directly.
fn bookings_besides_id(request: &Request) -> Vec<BookingUid> {
    let uids = request.bookings.iter().map(|booking| &booking.uid);
    uids.filter(|uid| uid.as_str() != request.id.as_str())
        .cloned()
        .collect()
}

/// Appends the number unless it is the last number already. If the list is full, returns it as a
/// page and starts a new list.
pub(super) fn push_seq(seqs: &mut Vec<u64>, seq: u64) -> Option<Vec<u64>> {
    if seqs.last() == Some(&seq) {
        return None;
    }
    let full = seqs.len() >= HISTORY_PAGE_LENGTH;
    let full_page = full.then(|| std::mem::take(seqs));
    seqs.push(seq);
    full_page
}

pub(super) fn into_changed_values<K, T>(
    slots: HashMap<K, Slot<T>>,
) -> impl Iterator<Item = (K, T)> {
    let slots = slots.into_iter().filter(|(_, slot)| slot.changed);
    slots.filter_map(|(key, slot)| Some((key, slot.current?)))
}
