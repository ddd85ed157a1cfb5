//! The mails that a real server would have sent, counted.

use super::call_log::{MailKind, Recipient};
use super::world::World;

impl World {
    /// Counts the mails about a booking that was made or moved. For a pending booking, booker and
    /// guests share one mail; for an accepted booking, each guest gets one.
    pub(super) fn count_booking_mails(&mut self, uid: &str, kind: MailKind) {
        if kind == MailKind::Requested {
            self.call_log.count_mail(uid, Recipient::Booker, kind);
            self.call_log.count_mail(uid, Recipient::Host, kind);
        } else {
            self.count_mails(uid, kind, true);
        }
    }

    /// Counts one mail to the booker, one to each guest and, with `to_host_too`, one to the host.
    pub(super) fn count_mails(&mut self, uid: &str, kind: MailKind, to_host_too: bool) {
        let guests = self.booking(uid).map_or(0, |one| one.guests.len());
        self.call_log.count_mail(uid, Recipient::Booker, kind);
        for _ in 0..guests {
            self.call_log.count_mail(uid, Recipient::Guest, kind);
        }
        if to_host_too {
            self.call_log.count_mail(uid, Recipient::Host, kind);
        }
    }
}
