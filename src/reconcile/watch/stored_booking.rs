//! What the store knows about one booking that is accepted without a charge.

use std::collections::BTreeSet;

use super::cancel_basis::CancelBasis;
use crate::domain::booking::Booking;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::request::{Charge, Request};
use crate::domain::unresolved::UnresolvedBooking;
use crate::domain::watch::accepted_bookings::{SeriesConfirm, series_confirm};
use crate::reconcile::store_reads::find_request;
use crate::store::port::{Store, StoreError};

/// The maximum number of siblings whose decisions are read to find our confirm of a series.
pub(super) const MAX_SIBLINGS: usize = 50;

/// What the store knows about one booking.
pub(super) struct StoredBooking {
    pub charge: Option<Charge>,
    pub record: Option<Request>,
    pub items: Vec<UnresolvedBooking>,
    pub our_confirm: SeriesConfirm,
    /// What a decision to cancel the booking rests on.
    pub basis: CancelBasis,
    /// Whether the booking was made before the ledger knew any booking.
    pub predates_ledger: bool,
}

pub(super) fn read_stored_booking(
    store: &dyn Store,
    booking: &Booking,
    siblings: &[BookingUid],
) -> Result<StoredBooking, StoreError> {
    let mut our_confirm = SeriesConfirm::No;
    let of_siblings = siblings.iter().take(MAX_SIBLINGS);
    let mut request_ids: BTreeSet<RequestId> = booking.series.iter().cloned().collect();
    // The booking that this one replaced may have been decided under an id of its own, and is in no
    // list any more.
    for uid in of_siblings.chain(&booking.rescheduled_from) {
        request_ids.extend(store.request_of(uid)?);
    }
    for id in request_ids {
        if let Some(request) = store.request(&id)? {
            our_confirm = our_confirm.max(series_confirm(booking, &request));
        }
    }
    Ok(StoredBooking {
        charge: store.charge(&booking.uid)?,
        record: find_request(store, &booking.uid)?,
        items: store.unresolved_items_of(&booking.uid)?,
        our_confirm,
        basis: CancelBasis::read(store, vec![booking.uid.clone()])?,
        predates_ledger: store.ledger_state()?.predates(booking.created_at),
    })
}
