//! The terms of a gate after the decision: what comes back when a booking is cancelled, moved or
//! missed, and what becomes of bookings that others accepted.

use super::booking::Booking;
use super::decision::Credits;
use super::id::Address;
use super::time::{Span, Time};

/// Windows one gate may have.
pub const MAX_WINDOWS: usize = 20;

/// What holds once a booking was confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What comes back when the booker cancels: the window with the longest notice that is met
    /// counts; when none is, nothing comes back. Longest notice first.
    pub refund: Vec<Window>,
    pub host_cancels: Blame,
    /// Cancelled through the API, or by an address that is neither the host's nor the booker's.
    pub unknown_cancels: Blame,
    pub no_show: NoShow,
    /// Absences that cost nothing.
    pub forgive: Option<Forgive>,
    /// How long after the end a charge stays open: marks may be set and taken back.
    pub grace: Span,
    pub expired_refund: ExpiredRefund,
    pub on_reschedule: OnReschedule,
    pub late_move: LateMove,
    pub unmanaged: Unmanaged,
    /// Bookings made before this are never reported, charged or cancelled as unmanaged.
    pub unmanaged_since: Option<Time>,
}

/// Cancelled at least so long before the start, this share comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub before: Span,
    /// 1 to 100.
    pub percent: u8,
}

/// Whose doing a cancellation counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Everything comes back.
    Host,
    /// The windows decide.
    Booker,
}

/// What becomes of the charge when the booker did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoShow {
    Keep,
    Refund,
    /// It stays open until an operator settles it.
    Review,
}

/// So many absences within so long are forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgive {
    pub times: u32,
    pub per: Span,
}

/// Where credits go back to when the lot that paid has expired meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiredRefund {
    /// To a lot of their own that lasts so long.
    RestoreFor(Span),
    /// To the lot that paid, where they are expired at once.
    Forfeit,
}

/// How a successor of a paid booking is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReschedule {
    /// Only what keeps the calendar and the ledger right is looked at: the time is free, and a
    /// higher price is covered.
    Carry,
    /// Every rule is checked again.
    Recheck,
}

/// What a move with less notice than a full refund asks for is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateMove {
    /// A move like any other.
    Carry,
    /// A cancellation, and the successor a request of its own.
    Cancellation,
}

/// What becomes of an accepted booking without a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmanaged {
    Report,
    Charge,
    Cancel,
}

/// Who ended a booking, as far as the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Host,
    Booker,
    Unknown,
}

impl Who {
    /// The reason as it is written down.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "the host",
            Self::Booker => "the booker",
            Self::Unknown => "somebody Cal.com does not name",
        }
    }

    /// Whose address this is. The server's word is self-asserted (`calcom/api.md` 5.2), and empty
    /// for what came through the API.
    pub fn of(booking: &Booking, by: Option<&Address>) -> Self {
        let Some(by) = by else { return Self::Unknown };
        let host = booking.host.as_ref().and_then(|host| host.address.as_ref());
        let booker = booking.booker.as_ref().map(|booker| &booker.address);
        if host == Some(by) {
            Self::Host
        } else if booker == Some(by) {
            Self::Booker
        } else {
            Self::Unknown
        }
    }
}

/// Who moved a booking, by what replaced it. An occurrence of a series, and what came through the API,
/// names nobody (`calcom/api.md` 4.2).
pub fn who_moved(successor: &Booking) -> Who {
    Who::of(successor, successor.rescheduled_by.as_ref())
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            refund: vec![Window {
                before: Span::hours(24),
                percent: 100,
            }],
            host_cancels: Blame::Host,
            unknown_cancels: Blame::Booker,
            no_show: NoShow::Keep,
            forgive: None,
            grace: Span::hours(24),
            expired_refund: ExpiredRefund::RestoreFor(Span::days(14)),
            on_reschedule: OnReschedule::Recheck,
            late_move: LateMove::Carry,
            unmanaged: Unmanaged::Report,
            unmanaged_since: None,
        }
    }
}

impl Terms {
    /// Percent that come back when `who` cancels with this much notice.
    pub fn percent(&self, who: Who, notice: Span) -> u8 {
        let blame = match who {
            Who::Host => self.host_cancels,
            Who::Booker => Blame::Booker,
            Who::Unknown => self.unknown_cancels,
        };
        match blame {
            Blame::Host => 100,
            Blame::Booker => self
                .refund
                .iter()
                .find(|window| notice >= window.before)
                .map_or(0, |window| window.percent),
        }
    }

    /// Whether moving a booking that starts then, at `at`, counts as cancelling it late.
    pub fn is_late_move(&self, start: Time, successor: &Booking) -> bool {
        let by = who_moved(successor);
        self.late_move == LateMove::Cancellation
            && by != Who::Host
            && self.percent(by, start - successor.created) < 100
    }
}

/// That share of the credits, rounded in favour of the booker.
pub fn share(credits: Credits, percent: u8) -> Credits {
    (credits * Credits::from(percent))
        .div_ceil(100)
        .min(credits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refund_policy_by_who_and_how_late() {
        let defaults = Terms::default();
        let graded = Terms {
            refund: vec![
                Window {
                    before: Span::hours(24),
                    percent: 100,
                },
                Window {
                    before: Span::hours(2),
                    percent: 50,
                },
            ],
            ..Terms::default()
        };
        let strict = Terms {
            refund: Vec::new(),
            host_cancels: Blame::Booker,
            ..Terms::default()
        };
        let lenient = Terms {
            unknown_cancels: Blame::Host,
            ..Terms::default()
        };
        // terms, who, minutes before the start, percent
        let rows = [
            (&defaults, Who::Booker, 1_440, 100),
            (&defaults, Who::Booker, 1_439, 0),
            (&defaults, Who::Booker, -10, 0),
            (&defaults, Who::Unknown, 1_440, 100),
            (&defaults, Who::Unknown, 60, 0),
            (&defaults, Who::Host, -10, 100),
            (&graded, Who::Booker, 1_440, 100),
            (&graded, Who::Booker, 120, 50),
            (&graded, Who::Booker, 119, 0),
            (&graded, Who::Unknown, 300, 50),
            (&strict, Who::Booker, 100_000, 0),
            (&strict, Who::Host, 100_000, 0),
            (&lenient, Who::Unknown, 1, 100),
        ];
        for (terms, who, minutes, expect) in rows {
            let got = terms.percent(who, Span::minutes(minutes));
            assert_eq!(got, expect, "{who:?} {minutes} min before");
        }
    }

    #[test]
    fn shares_are_rounded_in_favour_of_the_booker() {
        let rows = [
            (3, 50, 2),
            (1, 50, 1),
            (1, 1, 1),
            (4, 50, 2),
            (0, 50, 0),
            (7, 0, 0),
        ];
        for (credits, percent, expect) in rows {
            assert_eq!(share(credits, percent), expect, "{percent}% of {credits}");
        }
        assert_eq!(share(7, 100), 7);
    }
}
