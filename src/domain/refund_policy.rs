//! A gate's terms for the time after the decision: what is refunded when a booking is cancelled,
//! moved or missed, and what happens to bookings that others accepted.

use super::booking::{Attendee, Booking};
use super::decision::Credits;
use super::id::{Address, HostKey};
use super::time::{Span, Time};

/// The largest number of refund tiers of one gate.
pub const MAX_REFUND_TIERS: usize = 20;

/// The terms that apply after a booking is confirmed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What comes back of a charge, and when.
    pub refunds: RefundTerms,
    /// How the successor of a paid booking is evaluated.
    pub on_reschedule: OnReschedule,
    /// What happens to an accepted booking without a charge.
    pub on_unmanaged: OnUnmanaged,
    /// What happens to a booking that is accepted although it was cancelled or moved.
    pub on_revived: OnRevived,
    /// How a paid booking is handled that was moved and accepted again without a pass.
    pub accepted_move: AcceptedMove,
    /// Bookings created before this instant are never reported, charged or cancelled as unmanaged.
    pub unmanaged_since: Option<Time>,
}

/// The terms that decide about the credits of one charge. The hold records these terms, and the
/// charge keeps them when the configuration changes later and when its booking is moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundTerms {
    /// What comes back when the booker cancels, longest notice first. The tier with the longest
    /// notice that is met counts; if none is met, nothing comes back.
    pub tiers: Vec<RefundTier>,
    /// The side that a cancellation in the host's name is attributed to, if such names are trusted.
    pub host_cancels: Blame,
    /// The side that a cancellation without a name, or in a third party's name, is attributed to.
    pub unknown_cancels: Blame,
    /// Whether a cancellation or a move that names the host counts as the host's. The name is a
    /// parameter of Cal.com's public pages.
    pub trust_named_cancels: bool,
    /// What happens to the charge when the host is marked absent.
    pub host_absent: HostAbsent,
    /// What happens to the charge when the booker does not come.
    pub no_show: NoShow,
    /// Absences that cost nothing.
    pub forgiveness: Option<Forgiveness>,
    /// How long after the end a charge stays open, because absence marks may be set and removed.
    pub grace: Span,
    /// Where credits go when the lot that paid has expired meanwhile.
    pub expired_refund: ExpiredRefund,
    /// How a move counts whose notice is too short for a full refund.
    pub late_move: LateMove,
}

/// A share that comes back if the booking is cancelled at least this long before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundTier {
    /// The shortest notice for this share.
    pub before: Span,
    /// 1 to 100.
    pub percent: u8,
}

/// The side that a cancellation is attributed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Everything comes back.
    Host,
    /// The tiers decide.
    Booker,
}

/// What happens to the charge when the host is marked absent. Every valid key of the server may set
/// that mark (`calcom/differences.md`, row 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAbsent {
    /// The charge stays open until an operator settles it.
    Review,
    /// Everything comes back.
    Refund,
    /// The mark does not count.
    Ignore,
}

/// What happens to the charge when the booker does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoShow {
    /// The credits stay spent.
    Keep,
    /// The credits come back.
    Refund,
    /// The charge stays open until an operator settles it.
    Review,
}

/// How many absences are forgiven within which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgiveness {
    /// The largest number of absences that are forgiven within the period.
    pub times: u32,
    /// The length of the period, which ends when the charge is settled.
    pub per: Span,
}

/// Where credits go when the lot that paid has expired meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiredRefund {
    /// To a new lot that lasts this long.
    RestoreFor(Span),
    /// To the lot that paid, where they expire immediately.
    Forfeit,
}

/// How the successor of a paid booking is evaluated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnReschedule {
    /// Only the rules that protect the calendar and the ledger are checked: the time is free, and a
    /// higher price is covered.
    Carry,
    /// Every rule is checked again.
    #[default]
    Recheck,
}

/// How a move counts whose notice is too short for a full refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateMove {
    /// As a move like any other.
    Carry,
    /// As a cancellation. The successor is a request of its own.
    Cancellation,
}

/// What happens to an accepted booking without a charge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnUnmanaged {
    /// The booking is put on the unresolved list, and nothing else happens.
    #[default]
    Report,
    /// The account of the booker is charged for the booking.
    Charge,
    /// The booking is cancelled.
    Cancel,
}

/// What happens to a booking that is accepted although it was cancelled or moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnRevived {
    /// The booking is charged and listed until an operator resolves it.
    #[default]
    Report,
    /// The booking is cancelled again.
    Cancel,
}

/// How a moved booking is handled that was accepted without a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AcceptedMove {
    /// The booking takes over the charge, and is listed.
    #[default]
    Carry,
    /// The booking is evaluated by the rules of its gate, as if it were pending.
    Judge,
}

/// The person in whose name a booking was cancelled or moved. The name is only a claim: it comes
/// from the page's address (`calcom/api.md` 5.2), and is empty for calls through the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedActor {
    /// The booking's host, or another host in `calcom.hosts`.
    Host,
    /// The booker, or one of the guests.
    Booker,
    /// A name that belongs to none of them.
    Other(Address),
    /// No name was given, as with calls through the API.
    Unnamed,
}

impl ClaimedActor {
    /// Returns whose name this is.
    pub fn identify(booking: &Booking, by: Option<&Address>, hosts: &[HostKey]) -> Self {
        let Some(by) = by else { return Self::Unnamed };
        let host = booking.host.as_ref().and_then(|host| host.address.as_ref());
        let is_configured_host =
            |key: &HostKey| matches!(key, HostKey::Address(address) if address == by);
        let booker = booking.booker.as_ref().map(|booker| &booker.address);
        let is_claimed_attendee = |one: &Attendee| one.address.as_ref() == Some(by);
        // Every attendee of a seated booking is a booker, and Cal.com shows none of them after a
        // cancellation.
        let is_attendee = || !booking.seated && booking.attendees.iter().any(is_claimed_attendee);
        if host == Some(by) || hosts.iter().any(is_configured_host) {
            Self::Host
        } else if booker == Some(by) || booking.guests.contains(by) || is_attendee() {
            Self::Booker
        } else {
            Self::Other(by.clone())
        }
    }
}

/// Returns in whose name a booking was moved, from its successor. An occurrence of a series and a
/// move through the API carry no name (`calcom/api.md` 4.2).
pub fn identify_mover(successor: &Booking, hosts: &[HostKey]) -> ClaimedActor {
    ClaimedActor::identify(successor, successor.rescheduled_by.as_ref(), hosts)
}

impl Default for RefundTerms {
    fn default() -> Self {
        Self {
            tiers: vec![RefundTier {
                before: Span::hours(24),
                percent: 100,
            }],
            host_cancels: Blame::Host,
            unknown_cancels: Blame::Booker,
            trust_named_cancels: false,
            host_absent: HostAbsent::Review,
            no_show: NoShow::Keep,
            forgiveness: None,
            grace: Span::hours(24),
            expired_refund: ExpiredRefund::RestoreFor(Span::days(14)),
            late_move: LateMove::Carry,
        }
    }
}

impl RefundTerms {
    /// Returns the percentage that comes back when `actor` cancels with this notice.
    pub fn refund_percent(&self, actor: &ClaimedActor, notice: Span) -> u8 {
        match self.blame(actor) {
            Blame::Host => 100,
            Blame::Booker => self
                .tiers
                .iter()
                .find(|window| notice >= window.before)
                .map_or(0, |window| window.percent),
        }
    }

    /// Returns the side that a cancellation or a move in this name is attributed to.
    pub fn blame(&self, actor: &ClaimedActor) -> Blame {
        match actor {
            ClaimedActor::Host if self.trust_named_cancels => self.host_cancels,
            ClaimedActor::Host | ClaimedActor::Booker => Blame::Booker,
            ClaimedActor::Other(_) | ClaimedActor::Unnamed => self.unknown_cancels,
        }
    }

    /// Returns the percentage that would come back if the booking were cancelled instead of moved.
    /// A host may move a booking at any time, if the name is trusted.
    pub fn refund_percent_of_move(&self, moved: &MoveAway) -> u8 {
        match moved.by {
            ClaimedActor::Host if self.trust_named_cancels => 100,
            ClaimedActor::Host
            | ClaimedActor::Booker
            | ClaimedActor::Other(_)
            | ClaimedActor::Unnamed => self.refund_percent(&moved.by, moved.notice()),
        }
    }

    /// Returns the effect of moves on a charge of `paid` credits: the first move that counts as a
    /// cancellation, or the credits that the most expensive move keeps.
    pub fn apply_moves(&self, paid: Credits, moves: &[MoveAway]) -> MovesOutcome {
        if self.late_move == LateMove::Cancellation
            && let Some(number) = moves
                .iter()
                .position(|moved| self.refund_percent_of_move(moved) < 100)
        {
            let percent = self.refund_percent_of_move(&moves[number]);
            return MovesOutcome::Cancelled {
                move_index: number,
                percent,
            };
        }
        let percents = moves.iter().map(|moved| self.refund_percent_of_move(moved));
        let lowest_percent = percents.min().unwrap_or(100);
        MovesOutcome::Carried {
            non_refundable: paid - refund_share(paid, lowest_percent),
        }
    }
}

/// One move of a paid booking. The pass that decides about the successor and the watch that follows
/// the charge read the same moves, so that the result does not depend on which of them runs first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveAway {
    /// When the booking that was moved away would have started.
    pub start: Time,
    /// When the booking was moved: the instant at which its successor was created.
    pub moved_at: Time,
    /// In whose name the booking was moved.
    pub by: ClaimedActor,
}

impl MoveAway {
    /// Returns the time from the move to the start of the booking; negative after the start.
    pub fn notice(&self) -> Span {
        self.start - self.moved_at
    }
}

/// What happens to a charge whose booking was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovesOutcome {
    /// The successor takes over the charge. A later cancellation by the booker, a refusal or a
    /// lower price gives back none of the `non_refundable` credits.
    Carried {
        /// The credits that do not come back later.
        non_refundable: Credits,
    },
    /// The move with this index counts as a cancellation that gives back this percentage.
    Cancelled {
        /// The position of the move in the list of moves, counted from 0.
        move_index: usize,
        /// The share of the credits that comes back, 0 to 99.
        percent: u8,
    },
}

/// Returns a percentage of the credits, rounded in favour of the booker.
pub fn refund_share(credits: Credits, percent: u8) -> Credits {
    (credits * Credits::from(percent))
        .div_ceil(100)
        .min(credits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refund_percent_depends_on_the_actor_and_the_notice() {
        let defaults = RefundTerms::default();
        let graded = RefundTerms {
            tiers: vec![
                RefundTier {
                    before: Span::hours(24),
                    percent: 100,
                },
                RefundTier {
                    before: Span::hours(2),
                    percent: 50,
                },
            ],
            ..RefundTerms::default()
        };
        let trusting = RefundTerms {
            trust_named_cancels: true,
            ..RefundTerms::default()
        };
        let strict = RefundTerms {
            tiers: Vec::new(),
            host_cancels: Blame::Booker,
            ..trusting.clone()
        };
        let lenient = RefundTerms {
            unknown_cancels: Blame::Host,
            ..RefundTerms::default()
        };
        let third_party =
            || ClaimedActor::Other(Address::parse("di@example.com").expect("an address"));
        // terms, actor, minutes before the start, percent
        let rows = [
            (&defaults, ClaimedActor::Booker, 1_440, 100),
            (&defaults, ClaimedActor::Booker, 1_439, 0),
            (&defaults, ClaimedActor::Booker, -10, 0),
            (&defaults, ClaimedActor::Unnamed, 1_440, 100),
            (&defaults, ClaimedActor::Unnamed, 60, 0),
            (&defaults, third_party(), 60, 0),
            // Everybody can give the host's address, so it counts only if the terms say so.
            (&defaults, ClaimedActor::Host, 1_440, 100),
            (&defaults, ClaimedActor::Host, 60, 0),
            (&lenient, ClaimedActor::Host, 60, 0),
            (&trusting, ClaimedActor::Host, -10, 100),
            (&trusting, ClaimedActor::Booker, 60, 0),
            (&graded, ClaimedActor::Booker, 1_440, 100),
            (&graded, ClaimedActor::Booker, 120, 50),
            (&graded, ClaimedActor::Booker, 119, 0),
            (&graded, ClaimedActor::Unnamed, 300, 50),
            (&strict, ClaimedActor::Booker, 100_000, 0),
            (&strict, ClaimedActor::Host, 100_000, 0),
            (&lenient, ClaimedActor::Unnamed, 1, 100),
            (&lenient, third_party(), 1, 100),
        ];
        for (terms, who, minutes, expect) in rows {
            let got = terms.refund_percent(&who, Span::minutes(minutes));
            assert_eq!(got, expect, "{who:?} {minutes} min before");
        }
    }

    /// The worst of several moves counts, whatever the order in which they are seen.
    #[test]
    fn a_late_move_keeps_what_a_cancellation_would_have_cost() {
        let tier = |hours, percent| RefundTier {
            before: Span::hours(hours),
            percent,
        };
        let terms = |late_move| RefundTerms {
            tiers: vec![tier(24, 100), tier(2, 50)],
            late_move,
            ..RefundTerms::default()
        };
        let moved = |by: ClaimedActor, hours| MoveAway {
            start: Time::UNIX_EPOCH + Span::hours(hours),
            moved_at: Time::UNIX_EPOCH,
            by,
        };
        let booker = |hours| moved(ClaimedActor::Booker, hours);
        let cancelled = |number, percent| MovesOutcome::Cancelled {
            move_index: number,
            percent,
        };
        // the moves, what 3 credits keep, the same where a late move is a cancellation
        let rows = [
            (vec![], 0, None),
            (vec![booker(24)], 0, None),
            (vec![booker(23)], 1, Some(cancelled(0, 50))),
            (vec![booker(1)], 3, Some(cancelled(0, 0))),
            (vec![booker(30), booker(23)], 1, Some(cancelled(1, 50))),
            (vec![booker(1), booker(23)], 3, Some(cancelled(0, 0))),
            (vec![booker(23), booker(1)], 3, Some(cancelled(0, 50))),
            (vec![moved(ClaimedActor::Host, 1)], 3, Some(cancelled(0, 0))),
            (
                vec![moved(ClaimedActor::Unnamed, 23)],
                1,
                Some(cancelled(0, 50)),
            ),
        ];
        for (moves, keeps, late) in rows {
            let carried = MovesOutcome::Carried {
                non_refundable: keeps,
            };
            assert_eq!(
                terms(LateMove::Carry).apply_moves(3, &moves),
                carried,
                "{moves:?}"
            );
            let got = terms(LateMove::Cancellation).apply_moves(3, &moves);
            assert_eq!(got, late.unwrap_or(carried), "{moves:?}");
        }
        let trusting = RefundTerms {
            trust_named_cancels: true,
            ..terms(LateMove::Cancellation)
        };
        let by_host = [moved(ClaimedActor::Host, 1)];
        let free = MovesOutcome::Carried { non_refundable: 0 };
        assert_eq!(trusting.apply_moves(3, &by_host), free);
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
            assert_eq!(
                refund_share(credits, percent),
                expect,
                "{percent}% of {credits}"
            );
        }
        assert_eq!(refund_share(7, 100), 7);
    }
}
