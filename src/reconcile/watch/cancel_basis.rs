//! What the decision to cancel an accepted booking rests on. A watch asks Cal.com, and often the
//! rules, between reading the records and writing the decision, and an operator may be quicker.

use crate::domain::id::{BookingUid, RequestId};
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedCode};
use crate::store::port::{Store, StoreError};

/// The stored records about a booking and the bookings that it replaced, as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CancelBasis {
    /// The booking that is to be cancelled, and then the charged booking that it was moved from.
    bookings: Vec<BookingUid>,
    /// The version of each booking's charge. `None`: there is no charge.
    charges: Vec<Option<u64>>,
    /// The request that each booking was decided with, and its version.
    requests: Vec<(RequestId, Option<u64>)>,
    /// The codes under which an operator took the bookings off the unresolved list.
    resolutions: Vec<UnresolvedCode>,
}

impl CancelBasis {
    /// Reads the records about these bookings. The first is the one that is to be cancelled.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub(super) fn read(store: &dyn Store, bookings: Vec<BookingUid>) -> Result<Self, StoreError> {
        let (mut charges, mut requests, mut resolutions) = (Vec::new(), Vec::new(), Vec::new());
        for uid in &bookings {
            charges.push(store.charge_version(uid)?);
            let id = store.request_of(uid)?;
            let id = id.unwrap_or_else(|| RequestId::from(uid));
            let version = store.request_version(&id)?;
            requests.push((id, version));
            let items = store.unresolved_items_of(uid)?;
            let resolved = items
                .iter()
                .filter(|item| UnresolvedBooking::is_resolved_by_operator(item));
            resolutions.extend(resolved.map(|item| item.code));
        }
        Ok(Self {
            bookings,
            charges,
            requests,
            resolutions,
        })
    }

    /// Returns true if none of the records has changed since.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub(super) fn holds(&self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(Self::read(store, self.bookings.clone())? == *self)
    }
}
