//! From a booking back to the charge that it goes on with, along all that it replaced: moved twice
//! before it was confirmed, it names only the one right before it.

use std::collections::BTreeSet;

use super::observe::ends_the_pass;
use super::ports::{PassError, Ports, Session};
use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, BookingRef, Reading};
use crate::domain::id::{Address, BookingUid, HostKey};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::terms::{MoveAway, Who, who_moved};
use crate::domain::time::Time;
use crate::domain::watch::MAX_CHAIN;

/// Links remembered in one process; when there are more, all are asked again.
const MAX_LINKS: usize = 10_000;

/// Whether a booking goes on with what was paid for one before it.
#[derive(Debug)]
pub(super) enum Before {
    /// The charge, and the replacements between it and the booking that was asked about, newest first.
    Open(Box<Charge>, Vec<Replacement>),
    /// An intent holds for it: whether that is charged or comes back is not known yet.
    Undecided,
    /// What was paid for the nearest one before it is final, came back or went on with another.
    Ended(Box<Charge>),
    /// No.
    Nothing,
    /// Not as far as it can be followed: this one, which was replaced, v1 does not show by its name.
    Hidden(BookingUid),
    /// What it replaced could not be read.
    Unread,
}

/// A booking as one that replaced another.
#[derive(Debug, Clone)]
pub(super) struct Replacement {
    /// What it replaced, if anything.
    from: Option<BookingUid>,
    start: Time,
    created: Time,
    by: Option<Address>,
    /// In whose name it was moved here, as far as the booking itself tells.
    who: Who,
}

impl Replacement {
    fn of(booking: &Booking) -> Self {
        Self {
            from: booking.rescheduled_from.clone(),
            start: booking.start,
            created: booking.created,
            by: booking.rescheduled_by.clone(),
            who: who_moved(booking, &[]),
        }
    }

    /// The move that made it, away from a booking that would have started at `start`.
    fn moved(&self, start: Time, hosts: &[HostKey]) -> MoveAway {
        let listed = hosts.iter().any(
            |host| matches!((host, &self.by), (HostKey::Address(host), Some(by)) if host == by),
        );
        MoveAway {
            start,
            at: self.created,
            by: if listed { Who::Host } else { self.who.clone() },
        }
    }
}

/// The moves from a charge to the booking that goes on with it, oldest first, by the replacements
/// between them, newest first.
pub(super) fn moves(
    charge: &Charge,
    between: &[Replacement],
    last: &Booking,
    hosts: &[HostKey],
) -> Vec<MoveAway> {
    let last = Replacement::of(last);
    let mut start = charge.start;
    let mut moves = Vec::new();
    for one in between.iter().rev().chain(std::iter::once(&last)) {
        moves.push(one.moved(start, hosts));
        start = one.start;
    }
    moves
}

/// What a booking replaced.
#[derive(Debug, Clone)]
enum Link {
    Is(Replacement),
    Nothing,
    Hidden,
    Unread,
}

impl Session {
    /// The open charge of this booking, or of the nearest one before it that has a charge.
    pub(super) async fn charge_before(
        &mut self,
        ports: &Ports<'_>,
        booking: &BookingUid,
        problems: &mut Vec<Problem>,
    ) -> Result<Before, PassError> {
        let mut seen = BTreeSet::new();
        let mut between = Vec::new();
        let mut next = Some(booking.clone());
        while let Some(uid) = next {
            if seen.len() >= MAX_CHAIN || !seen.insert(uid.clone()) {
                problems.push(Problem {
                    code: "chain-too-long",
                    text: format!(
                        "what booking {booking} replaced was itself moved more than {MAX_CHAIN} \
                         times, or in a circle: what was paid for it is not looked for"
                    ),
                });
                return Ok(Before::Unread);
            }
            let asked = uid.clone();
            let found = ports.store.with(move |store| store.charge(&asked)).await;
            if let Some(charge) = found.map_err(PassError::Store)?
                && charge.state != ChargeState::Void
            {
                return Ok(match charge.state {
                    ChargeState::Open => Before::Open(Box::new(charge), between),
                    ChargeState::Held => Before::Undecided,
                    ChargeState::Final | ChargeState::Refunded | ChargeState::Moved { .. } => {
                        Before::Ended(Box::new(charge))
                    }
                    ChargeState::Void => Before::Nothing,
                });
            }
            next = match self.replaced_by(ports, uid.clone(), problems).await? {
                Link::Is(one) => {
                    let from = one.from.clone();
                    between.push(one);
                    from
                }
                Link::Nothing => None,
                Link::Hidden => return Ok(Before::Hidden(uid)),
                Link::Unread => return Ok(Before::Unread),
            };
        }
        Ok(Before::Nothing)
    }

    /// Remembers what bookings that were seen had replaced: v1 cannot read one by its name alone.
    pub(super) fn learn<'a>(&mut self, bookings: impl Iterator<Item = &'a Booking>) {
        let moved = bookings.filter(|booking| booking.rescheduled_from.is_some());
        for booking in moved {
            self.remember(booking.uid.clone(), Replacement::of(booking));
        }
    }

    /// Remembers of bookings that were seen what each had replaced, or that it had replaced none.
    pub(super) fn learn_all<'a>(&mut self, bookings: impl Iterator<Item = &'a Booking>) {
        for booking in bookings {
            self.remember(booking.uid.clone(), Replacement::of(booking));
        }
    }

    fn remember(&mut self, uid: BookingUid, replacement: Replacement) {
        if self.links.len() >= MAX_LINKS {
            self.links.clear();
        }
        self.links.insert(uid, replacement);
    }

    async fn replaced_by(
        &mut self,
        ports: &Ports<'_>,
        uid: BookingUid,
        problems: &mut Vec<Problem>,
    ) -> Result<Link, PassError> {
        if let Some(known) = self.links.get(&uid) {
            return Ok(Link::Is(known.clone()));
        }
        let reference = BookingRef {
            uid: uid.clone(),
            id: None,
        };
        let hides = !ports.calendar.names_successors();
        let replacement = match ports.calendar.get(&reference).await {
            Ok(Reading::Is(booking)) => Replacement::of(&booking),
            // v1 cannot read by this name alone.
            Ok(Reading::Gone) | Err(CallError::Refused(_)) if hides => return Ok(Link::Hidden),
            Ok(Reading::Gone) => return Ok(Link::Nothing),
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            Err(error) => {
                problems.push(Problem {
                    code: "unread-booking",
                    text: format!("what booking {uid} replaced could not be read: {error}"),
                });
                return Ok(Link::Unread);
            }
        };
        self.remember(uid, replacement.clone());
        Ok(Link::Is(replacement))
    }
}
