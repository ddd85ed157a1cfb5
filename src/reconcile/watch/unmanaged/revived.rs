//! Bookings that are accepted although they were cancelled or moved.

use super::{REVIVED_DETAIL, UnmanagedCheck};
use crate::domain::booking::{Booking, BookingStatus, Fetched};
use crate::domain::decision::ReasonCode;
use crate::domain::gate::Gate;
use crate::domain::refund_policy::OnRevived;
use crate::domain::unresolved::{UnresolvedCode, has_operator_resolution};
use crate::reconcile::context::PassError;
use crate::reconcile::watch::cancel::CancelReason;
use crate::reconcile::watch::stored_booking::StoredBooking;

impl UnmanagedCheck<'_, '_> {
    /// Handles a booking that is accepted although it was cancelled or moved. A listing may show
    /// the booking as it was before a move that a later page shows, so it is read again first.
    pub(super) async fn handle_revived(
        &mut self,
        booking: &Booking,
        gate: &Gate,
        stored_booking: &StoredBooking,
    ) -> Result<(), PassError> {
        let code = UnresolvedCode::Revived;
        if has_operator_resolution(&stored_booking.items, code) {
            return Ok(());
        }
        let is_listed = stored_booking
            .items
            .iter()
            .any(|item| item.is_open() && item.code == code);
        let gate_cancels = gate.terms.on_revived == OnRevived::Cancel;
        if is_listed && !gate_cancels {
            return Ok(());
        }
        let reference = booking.to_ref();
        let read_result = tokio::select! {
            biased;
            () = self.ports.stop.stopped() => return Ok(()),
            read = self.ports.calendar.get(&reference) => read,
        };
        match read_result {
            Ok(Fetched::Found(read_booking)) if read_booking.status == BookingStatus::Accepted => {}
            Ok(_) => return Ok(()),
            Err(error) if error.is_fatal_for_pass() => {
                return Err(error.into());
            }
            // The next watch that sees the booking checks it again.
            Err(_) => return Ok(()),
        }
        if gate_cancels && self.take_cancellation(booking) {
            return self
                .cancel(
                    (booking, gate),
                    stored_booking,
                    CancelReason::from_code(ReasonCode::Revived),
                )
                .await;
        }
        self.list_unresolved(booking, stored_booking, code, REVIVED_DETAIL)
            .await
    }
}
