//! Ids for further decisions about a booking that was decided before.

use crate::domain::id::{BookingUid, RequestId};
use crate::domain::request::RequestState;
use crate::store::port::{Store, StoreError};

/// The maximum number of decisions that one booking may have in the ledger: it can be accepted
/// again that often.
const MAX_DECISIONS: u32 = 50;

/// Returns an id for one more decision about the booking: the booking's own, or one with a number.
/// Returns `None` if the booking has as many decisions as it may have.
pub(super) fn find_unused_id(
    store: &dyn Store,
    booking: &BookingUid,
) -> Result<Option<RequestId>, StoreError> {
    // A request is charged once: credits that came back were held for another request.
    let charged_request = store.charge(booking)?.map(|charge| charge.request);
    for number in 1..=MAX_DECISIONS {
        let id = match number {
            1 => Some(RequestId::from(booking)),
            _ => RequestId::parse(&format!("{booking}~{number}")).ok(),
        };
        let Some(id) = id else { return Ok(None) };
        let stored_request = store.request(&id)?;
        let is_free = stored_request.is_none_or(|request| request.state == RequestState::Noted);
        if is_free && charged_request.as_ref() != Some(&id) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
