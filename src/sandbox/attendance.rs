//! Who comes: absence marks, and seats that are given up.

use super::booking::SandboxStatus;
use super::call_log::{MailKind, Recipient};
use super::transitions::TransitionRefusal;
use super::world::{World, WorldError};
use crate::domain::time::Time;

impl World {
    /// Marks who did not come, or removes marks. A mark on an attendee does not change the
    /// booking's row: `updatedAt` stays as it was (`calcom/api.md` 2.5). Unknown addresses are
    /// ignored silently.
    pub fn mark_absent(
        &mut self,
        now: Time,
        uid: &str,
        host: Option<bool>,
        attendees: &[(String, bool)],
    ) -> Result<(), TransitionRefusal> {
        let booking = self
            .booking_mut(uid)
            .map_err(|_| TransitionRefusal::NotFound)?;
        if booking.start > now {
            return Err(TransitionRefusal::NotStarted);
        }
        for attendee in &mut booking.attendees {
            for (email, absent) in attendees {
                if attendee.email == *email {
                    attendee.absent = *absent;
                }
            }
        }
        if let Some(absent) = host {
            booking.absent_host = absent;
            booking.updated = Some(now);
        }
        Ok(())
    }

    /// Gives up one seat: the attendee is removed, and the last attendee cancels the booking.
    pub fn remove_seat(&mut self, now: Time, uid: &str, email: &str) -> Result<(), WorldError> {
        let booking = self.booking_mut(uid)?;
        let count_before = booking.attendees.len();
        booking.attendees.retain(|one| one.email != email);
        if booking.attendees.len() == count_before {
            return Err(WorldError::NoAttendee {
                uid: uid.to_owned(),
                email: email.to_owned(),
            });
        }
        if booking.attendees.is_empty() {
            booking.status = SandboxStatus::Cancelled;
            booking.updated = Some(now);
        }
        self.call_log
            .count_mail(uid, Recipient::Booker, MailKind::Cancelled);
        self.call_log
            .count_mail(uid, Recipient::Host, MailKind::Cancelled);
        Ok(())
    }
}
