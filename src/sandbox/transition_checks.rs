//! The check of each change: which states a real server refuses. Another call may act between a check
//! and the steps that follow it.

use super::booking::SandboxStatus;
use super::transitions::{
    CancelRequest, PendingTransition, RescheduleRequest, Transition, TransitionRefusal,
};
use super::world::World;
use crate::domain::time::Time;

impl World {
    /// Checks a confirm: only a booking that is accepted already is refused.
    pub(super) fn check_confirm(
        &self,
        uid: &str,
        checked: bool,
    ) -> Result<PendingTransition, TransitionRefusal> {
        let booking = self.booking(uid).ok_or(TransitionRefusal::NotFound)?;
        if checked && booking.status == SandboxStatus::Accepted {
            return Err(TransitionRefusal::AlreadyConfirmed);
        }
        let silent = booking.is_unpaid();
        Ok(PendingTransition::new(uid, Transition::Confirm { silent }))
    }

    pub(super) fn check_decline(
        &self,
        uid: &str,
        reason: Option<&str>,
        checked: bool,
    ) -> Result<PendingTransition, TransitionRefusal> {
        let booking = self.booking(uid).ok_or(TransitionRefusal::NotFound)?;
        if checked && booking.status == SandboxStatus::Accepted {
            return Err(TransitionRefusal::AlreadyConfirmed);
        }
        let reason = reason.map(str::to_owned);
        Ok(PendingTransition::new(uid, Transition::Decline { reason }))
    }

    pub(super) fn check_cancel(
        &self,
        now: Time,
        uid: &str,
        cancel: CancelRequest,
    ) -> Result<PendingTransition, TransitionRefusal> {
        let booking = self.booking(uid).ok_or(TransitionRefusal::NotFound)?;
        if booking.status == SandboxStatus::Cancelled && !cancel.raced {
            return Err(TransitionRefusal::AlreadyCancelled);
        }
        if booking.end <= now {
            return Err(TransitionRefusal::Ended);
        }
        let event_type = booking.event_type.and_then(|id| self.event_type(id));
        if event_type.is_some_and(|event_type| event_type.forbids_cancelling) {
            let text = "This event type does not allow cancellations";
            return Err(TransitionRefusal::NotAllowed(text));
        }
        Ok(PendingTransition::new(uid, Transition::Cancel(cancel)))
    }

    pub(super) fn check_reschedule(
        &self,
        uid: &str,
        request: RescheduleRequest,
        checked: bool,
    ) -> Result<PendingTransition, TransitionRefusal> {
        let old = self.booking(uid).ok_or(TransitionRefusal::NotFound)?;
        if checked && old.status == SandboxStatus::Rejected {
            return Err(TransitionRefusal::Declined);
        }
        if let Some(successor) = &old.successor
            && checked
        {
            return Err(TransitionRefusal::AlreadyMoved(successor.clone()));
        }
        let event_type = old.event_type.and_then(|id| self.event_type(id));
        if event_type.is_some_and(|event_type| event_type.forbids_moving) {
            let text = "This event type does not allow rescheduling";
            return Err(TransitionRefusal::NotAllowed(text));
        }
        let host_asked_to_move = old.rescheduled && !request.by_api;
        if checked && old.status == SandboxStatus::Cancelled && !host_asked_to_move {
            return Err(TransitionRefusal::AlreadyCancelled);
        }
        Ok(PendingTransition::new(uid, Transition::Reschedule(request)))
    }
}
