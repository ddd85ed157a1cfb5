//! What confirm, decline, cancel, move and the absence marks do to a booking. As on real servers,
//! hardly any state is checked, so a cancelled booking can be revived and a declined one declined
//! again (`calcom/api.md` 3.3). Each refusal is a value; each dialect gives it the dialect's own
//! shape.
//!
//! A change has a check and two steps, and other calls may act between them
//! (`calcom/differences.md`, "Two calls at once"): a confirm checks the state, mails, and writes
//! the state last; decline, cancel and reschedule write right after their check, and mail last.

use super::account::User;
use super::booking::{SandboxBooking, SandboxStatus};
use super::call_log::MailKind;
use super::world::World;
use crate::domain::time::Time;

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransitionRefusal {
    /// There is no booking with this uid.
    NotFound,
    /// The booking was declined, and a declined booking cannot be moved.
    Declined,
    /// The booking is accepted already.
    AlreadyConfirmed,
    /// The booking is cancelled already.
    AlreadyCancelled,
    /// The booking was moved already, to the booking with this uid.
    AlreadyMoved(String),
    /// The booking is over, and only bookings ahead can be cancelled.
    Ended,
    /// The booking has not begun, so no person can be marked absent.
    NotStarted,
    /// The host has to give a reason for cancelling.
    ReasonRequired,
    /// The event type allows no cancellations, or no moves.
    NotAllowed(&'static str),
}

/// The parameters of a cancellation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CancelRequest {
    /// The reason; `None` if none was given.
    pub reason: Option<String>,
    /// Stored unchanged; the API leaves the field empty.
    pub by: Option<String>,
    /// How much of a series is cancelled.
    pub extent: CancelExtent,
    /// Whether the call passed its state check before another call cancelled the booking (a race).
    pub raced: bool,
}

/// How much of a series is cancelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CancelExtent {
    /// The named booking only.
    #[default]
    Single,
    /// The named occurrence and the later ones, including those that are cancelled or rejected
    /// already: their reason and `updatedAt` are written again.
    Following,
    /// Every occurrence that has not begun, including those that are cancelled or rejected already.
    Remaining,
}

/// The parameters of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescheduleRequest {
    /// When the new booking starts.
    pub start: Time,
    /// The reason; `None` if none was given.
    pub reason: Option<String>,
    /// The address of the person who moves the booking, stored unchanged.
    pub by: Option<String>,
    /// Whether the host moves it, which needs no confirmation.
    pub by_host: bool,
    /// Whether the move came through the API, which stores the reason in a different field than the
    /// web page.
    pub by_api: bool,
    /// The uid of the new booking; `None`: the world generates one.
    pub uid: Option<String>,
}

/// What a call does after its check has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// `silent`: sends no mails and makes no calendar event, because a payment is due.
    Confirm {
        /// Whether a payment is due.
        silent: bool,
    },
    /// Declines a booking, or all pending occurrences of its series.
    Decline {
        /// The reason; `None` if none was given.
        reason: Option<String>,
    },
    /// Cancels a booking or a part of its series.
    Cancel(CancelRequest),
    /// Moves a booking: a new one replaces the old.
    Reschedule(RescheduleRequest),
}

/// A call that has passed its check and still has steps to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingTransition {
    /// The uid of the booking that the call names.
    pub uid: String,
    /// What the call does.
    pub transition: Transition,
    /// The booking that a move made.
    pub new_uid: Option<String>,
}

impl PendingTransition {
    /// Returns a change that has taken no step yet.
    pub fn new(uid: &str, transition: Transition) -> Self {
        PendingTransition {
            uid: uid.to_owned(),
            transition,
            new_uid: None,
        }
    }
}

impl World {
    /// Returns true when the user may answer requests for this booking, as its host or as the owner
    /// of its event type.
    pub fn may_answer(&self, user: &User, booking: &SandboxBooking) -> bool {
        let owns = |id| {
            self.event_type(id)
                .is_some_and(|event_type| event_type.owner == user.id)
        };
        booking.host == Some(user.id) || booking.event_type.is_some_and(owns)
    }

    /// Accepts a booking, or all pending occurrences of its series, at one instant.
    ///
    /// `checked` is false for a call that passed its state check before another call changed the
    /// booking (a race). The checks of decline, cancel and reschedule have the same exception.
    pub fn confirm(
        &mut self,
        now: Time,
        uid: &str,
        checked: bool,
    ) -> Result<(), TransitionRefusal> {
        let change = self.check_confirm(uid, checked)?;
        self.run_both_steps(now, change).map(|_| ())
    }

    /// Rejects a booking, or all pending occurrences of its series. For a booking that is rejected
    /// already, the mail is sent again.
    pub fn decline(
        &mut self,
        now: Time,
        uid: &str,
        reason: Option<&str>,
        checked: bool,
    ) -> Result<(), TransitionRefusal> {
        let change = self.check_decline(uid, reason, checked)?;
        self.run_both_steps(now, change).map(|_| ())
    }

    /// Cancels a booking and, if asked to, more of its series.
    pub fn cancel(
        &mut self,
        now: Time,
        uid: &str,
        cancel: CancelRequest,
    ) -> Result<(), TransitionRefusal> {
        let change = self.check_cancel(now, uid, cancel)?;
        self.run_both_steps(now, change).map(|_| ())
    }

    /// Replaces a booking by a booking at another time; returns the new uid. The old booking stays,
    /// cancelled.
    pub fn reschedule(
        &mut self,
        now: Time,
        uid: &str,
        request: RescheduleRequest,
    ) -> Result<String, TransitionRefusal> {
        let change = self.check_reschedule(uid, request, true)?;
        let transition = self.run_both_steps(now, change)?;
        transition.new_uid.ok_or(TransitionRefusal::NotFound)
    }

    /// Takes both steps of a change at one instant.
    fn run_both_steps(
        &mut self,
        now: Time,
        mut change: PendingTransition,
    ) -> Result<PendingTransition, TransitionRefusal> {
        self.take_first_step(now, &mut change);
        self.take_second_step(now, &change);
        Ok(change)
    }

    /// Takes the step right after the check: a confirm mails, everything else writes.
    pub(super) fn take_first_step(&mut self, now: Time, change: &mut PendingTransition) {
        let uid = change.uid.as_str();
        match &change.transition {
            Transition::Confirm { silent: true } => {}
            Transition::Confirm { silent: false } => {
                self.call_log.count_calendar_event(uid);
                self.count_mails(uid, MailKind::Confirmed, true);
            }
            Transition::Decline { reason } => {
                self.write_answer(now, uid, SandboxStatus::Rejected, reason.as_deref());
            }
            Transition::Cancel(cancel) => self.write_cancel(now, uid, cancel),
            Transition::Reschedule(to) => change.new_uid = self.write_move(now, uid, to),
        }
    }

    /// Takes the last step: a confirm writes, everything else mails.
    pub(super) fn take_second_step(&mut self, now: Time, change: &PendingTransition) {
        let uid = change.uid.as_str();
        match &change.transition {
            Transition::Confirm { .. } => {
                self.write_answer(now, uid, SandboxStatus::Accepted, None)
            }
            Transition::Decline { .. } => self.count_mails(uid, MailKind::Declined, false),
            Transition::Cancel(_) => self.count_mails(uid, MailKind::Cancelled, true),
            Transition::Reschedule(_) => {
                let Some(new_uid) = &change.new_uid else {
                    return;
                };
                let accepted = self.status(new_uid) == Some(SandboxStatus::Accepted);
                let kind = if accepted {
                    MailKind::Rescheduled
                } else {
                    MailKind::Requested
                };
                if accepted {
                    self.call_log.count_calendar_event(new_uid);
                }
                self.count_booking_mails(new_uid, kind);
            }
        }
    }
}

#[cfg(test)]
mod tests;
