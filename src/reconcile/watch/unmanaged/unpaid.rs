//! Bookings that are accepted and not paid for: they are charged, cancelled or left, as configured.

use super::UnmanagedCheck;
use crate::domain::booking::Booking;
use crate::domain::decision::ReasonCode;
use crate::domain::gate::Gate;
use crate::domain::messages;
use crate::domain::refund_policy::{AcceptedMove, OnUnmanaged};
use crate::domain::time::Time;
use crate::domain::watch::accepted_bookings::{SeriesConfirm, UnpaidCause};
use crate::reconcile::context::PassError;
use crate::reconcile::watch::accepted_move::{self, MoveEvaluation};
use crate::reconcile::watch::cancel::CancelReason;
use crate::reconcile::watch::charge_accepted::{ChargeResult, charge_available};
use crate::reconcile::watch::stored_booking::{MAX_SIBLINGS, StoredBooking};

impl UnmanagedCheck<'_, '_> {
    /// Handles a booking that is not paid for: it is charged, cancelled or left, as configured, and
    /// listed as long as it is unpaid.
    pub(super) async fn handle_unpaid(
        &mut self,
        (booking, gate): (&Booking, &Gate),
        stored_booking: &StoredBooking,
        cause: UnpaidCause,
    ) -> Result<(), PassError> {
        let terms = &gate.terms;
        let is_old = |since: Time| booking.created_at < since;
        if cause == UnpaidCause::AcceptedByOthers && terms.unmanaged_since.is_some_and(is_old) {
            return Ok(());
        }
        let mut detail = cause.description().to_owned();
        let mut always_list = false;
        let action = match cause {
            // It is not known whether the booking was paid for, because the ledger did not exist.
            UnpaidCause::AcceptedByOthers
            | UnpaidCause::AcceptedAgain
            | UnpaidCause::JoinedSeries
                if stored_booking.predates_ledger =>
            {
                detail = format!("{detail}: it was made before the ledger began");
                OnUnmanaged::Report
            }
            UnpaidCause::AcceptedByOthers
                if terms.on_unmanaged == OnUnmanaged::Cancel
                    && !self.was_accepted_by_others(booking).await? =>
            {
                UnpaidCause::Unclear.description().clone_into(&mut detail);
                OnUnmanaged::Report
            }
            UnpaidCause::AcceptedByOthers | UnpaidCause::AcceptedAgain => terms.on_unmanaged,
            UnpaidCause::JoinedSeries => OnUnmanaged::Charge,
            UnpaidCause::Unclear => OnUnmanaged::Report,
            UnpaidCause::PredecessorClosed | UnpaidCause::SecondSuccessor => {
                always_list = true;
                match self.evaluate_move(booking, terms.accepted_move).await? {
                    MoveEvaluation::Keep => OnUnmanaged::Charge,
                    MoveEvaluation::Postpone => return Ok(()),
                    MoveEvaluation::Review(why) => {
                        detail = format!("{detail}; its gate asks for a review: {why}");
                        OnUnmanaged::Charge
                    }
                    MoveEvaluation::Cancel(why) => {
                        return self
                            .cancel_or_list((booking, gate), stored_booking, cause, why)
                            .await;
                    }
                }
            }
        };
        match action {
            OnUnmanaged::Report => {}
            OnUnmanaged::Cancel => {
                let why = CancelReason::from_code(ReasonCode::Unmanaged);
                return self
                    .cancel_or_list((booking, gate), stored_booking, cause, why)
                    .await;
            }
            OnUnmanaged::Charge => match self.charge((booking, gate), stored_booking, cause).await?
            {
                ChargeResult::Charged { missing: 0 } if !always_list => return Ok(()),
                ChargeResult::Charged { missing: 0 } => {}
                ChargeResult::Charged { missing } => {
                    let missing = messages::format_credits(missing);
                    detail = format!("{detail}; {missing} are missing for it");
                }
                ChargeResult::NoAccount => detail = format!("{detail}: there is no account"),
                ChargeResult::PriceUnknown(why) => {
                    detail = format!("{detail}: what it costs could not be determined ({why})");
                }
            },
        }
        self.list_unresolved(booking, stored_booking, cause.code(), &detail)
            .await
    }

    /// Charges the credits that are available.
    async fn charge(
        &mut self,
        target: (&Booking, &Gate),
        stored_booking: &StoredBooking,
        cause: UnpaidCause,
    ) -> Result<ChargeResult, PassError> {
        let record = stored_booking.record.as_ref();
        charge_available(self.ports, self.policy, target, record, cause, self.report).await
    }

    /// Returns true if no confirm of ours can have accepted the booking. The confirm of one
    /// occurrence accepts its whole series. So the series is read before an occurrence is cancelled.
    /// Returns false if the series cannot be read.
    async fn was_accepted_by_others(&mut self, booking: &Booking) -> Result<bool, PassError> {
        let Some(series) = &booking.series else {
            return Ok(true);
        };
        let siblings = self.series_occurrences.read(self.ports, series).await?;
        let Some(siblings) = siblings.filter(|all| all.len() <= MAX_SIBLINGS) else {
            return Ok(false);
        };
        let stored_booking = self.read_stored_with_siblings(booking, siblings).await?;
        Ok(stored_booking.our_confirm == SeriesConfirm::No)
    }

    async fn evaluate_move(
        &mut self,
        booking: &Booking,
        mode: AcceptedMove,
    ) -> Result<MoveEvaluation, PassError> {
        if mode == AcceptedMove::Carry || !accepted_move::needs_evaluation(self.policy, booking) {
            return Ok(MoveEvaluation::Keep);
        }
        let problems = &mut self.report.problems;
        accepted_move::evaluate_move(self.ports, self.policy, self.session, booking, problems).await
    }

    async fn cancel_or_list(
        &mut self,
        (booking, gate): (&Booking, &Gate),
        stored_booking: &StoredBooking,
        cause: UnpaidCause,
        why: CancelReason,
    ) -> Result<(), PassError> {
        if self.take_cancellation(booking) {
            return self.cancel((booking, gate), stored_booking, why).await;
        }
        self.list_unresolved(booking, stored_booking, cause.code(), cause.description())
            .await
    }
}
