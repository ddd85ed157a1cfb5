//! From a booking back to the charge that it goes on with, along all that it replaced: moved twice
//! before it was confirmed, it names only the one right before it.

use std::collections::BTreeSet;

use super::observe::ends_the_pass;
use super::ports::{PassError, Ports, Session};
use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, BookingRef, Reading};
use crate::domain::id::BookingUid;
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::watch::MAX_CHAIN;

/// Links remembered in one process; when there are more, all are asked again.
const MAX_LINKS: usize = 10_000;

/// Whether a booking goes on with what was paid for one before it.
#[derive(Debug)]
pub(super) enum Before {
    Open(Box<Charge>),
    /// An intent holds for it: whether that is charged or comes back is not known yet.
    Undecided,
    /// No, or what was paid is over.
    Nothing,
    /// Not as far as it can be followed: what was replaced, v1 does not show by its name.
    Hidden,
    /// What it replaced could not be read.
    Unread,
}

/// What a booking replaced.
#[derive(Debug, Clone)]
enum Link {
    From(BookingUid),
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
                    ChargeState::Open => Before::Open(Box::new(charge)),
                    ChargeState::Held => Before::Undecided,
                    ChargeState::Void
                    | ChargeState::Final
                    | ChargeState::Refunded
                    | ChargeState::Moved { .. } => Before::Nothing,
                });
            }
            next = match self.replaced_by(ports, uid, problems).await? {
                Link::From(from) => Some(from),
                Link::Nothing => None,
                Link::Hidden => return Ok(Before::Hidden),
                Link::Unread => return Ok(Before::Unread),
            };
        }
        Ok(Before::Nothing)
    }

    /// Remembers what bookings that were seen had replaced: v1 cannot read one by its name alone.
    pub(super) fn learn<'a>(&mut self, bookings: impl Iterator<Item = &'a Booking>) {
        let moved = bookings.filter(|booking| booking.rescheduled_from.is_some());
        for booking in moved {
            self.remember(booking.uid.clone(), booking.rescheduled_from.clone());
        }
    }

    fn remember(&mut self, uid: BookingUid, from: Option<BookingUid>) {
        if self.links.len() >= MAX_LINKS {
            self.links.clear();
        }
        self.links.insert(uid, from);
    }

    async fn replaced_by(
        &mut self,
        ports: &Ports<'_>,
        uid: BookingUid,
        problems: &mut Vec<Problem>,
    ) -> Result<Link, PassError> {
        if let Some(known) = self.links.get(&uid) {
            return Ok(known.clone().map_or(Link::Nothing, Link::From));
        }
        let reference = BookingRef {
            uid: uid.clone(),
            id: None,
        };
        let hides = !ports.calendar.names_successors();
        let from = match ports.calendar.get(&reference).await {
            Ok(Reading::Is(booking)) => booking.rescheduled_from,
            // v1 cannot read by this name alone.
            Ok(Reading::Gone) | Err(CallError::Refused(_)) if hides => return Ok(Link::Hidden),
            Ok(Reading::Gone) => None,
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            Err(error) => {
                problems.push(Problem {
                    code: "unread-booking",
                    text: format!("what booking {uid} replaced could not be read: {error}"),
                });
                return Ok(Link::Unread);
            }
        };
        self.remember(uid, from.clone());
        Ok(from.map_or(Link::Nothing, Link::From))
    }
}
