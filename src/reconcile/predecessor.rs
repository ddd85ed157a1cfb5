//! Finds the open charge that a rescheduled booking inherits. A booking names only its direct
//! predecessor, so a booking that was moved twice before it was confirmed is followed back step by
//! step.

use std::collections::BTreeSet;

use super::context::{PassError, Ports, Session};
use super::replacement::Replacement;
use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, BookingRef, Fetched};
use crate::domain::id::{BookingUid, HostKey};
use crate::domain::plan::Problem;
use crate::domain::refund_policy::MoveAway;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::watch::MAX_CHAIN;

/// The maximum number of replacements cached in one process. If there are more, all are read again.
const MAX_REPLACEMENTS: usize = 10_000;

/// Whether a booking inherits a charge from a predecessor.
#[derive(Debug)]
pub(super) enum PredecessorCharge {
    /// The open charge, and the replacements between it and the given booking, newest first.
    Open(Box<Charge>, Vec<Replacement>),
    /// An intent holds credits for the predecessor: whether they are charged or come back is not
    /// known yet.
    Undecided,
    /// The charge of the nearest predecessor is final, was refunded, or moved to another booking.
    Closed(Box<Charge>),
    /// No predecessor has a charge.
    NoCharge,
    /// No charge was found as far as the predecessors can be followed: v1 does not show this
    /// replaced booking by its uid.
    Hidden(BookingUid),
    /// A predecessor could not be read.
    Unread,
}

/// Returns the moves from a charge to the booking that inherits it, oldest first, from the
/// replacements between them, newest first.
pub(super) fn collect_moves(
    charge: &Charge,
    replacements: &[Replacement],
    last: &Booking,
    hosts: &[HostKey],
) -> Vec<MoveAway> {
    let last = Replacement::from_booking(last);
    let mut start = charge.start;
    let mut moves = Vec::new();
    for replacement in replacements.iter().rev().chain(std::iter::once(&last)) {
        moves.push(replacement.to_move_away(start, hosts));
        start = replacement.start;
    }
    moves
}

/// The result of reading what a booking replaced.
#[derive(Debug, Clone)]
enum ReplacementRead {
    Found(Replacement),
    Gone,
    Hidden,
    Unread,
}

impl Session {
    /// Finds the open charge of this booking, or of its nearest predecessor that has a charge.
    pub(super) async fn find_predecessor_charge(
        &mut self,
        ports: &Ports<'_>,
        booking: &BookingUid,
        problems: &mut Vec<Problem>,
    ) -> Result<PredecessorCharge, PassError> {
        let mut visited = BTreeSet::new();
        let mut replacements = Vec::new();
        let mut next = Some(booking.clone());
        while let Some(uid) = next {
            if visited.len() >= MAX_CHAIN || !visited.insert(uid.clone()) {
                problems.push(Problem {
                    code: "chain-too-long",
                    text: format!(
                        "what booking {booking} replaced was itself moved more than {MAX_CHAIN} \
                         times, or in a circle: what was paid for it is not looked for"
                    ),
                });
                return Ok(PredecessorCharge::Unread);
            }
            let charge_uid = uid.clone();
            let stored_charge = ports
                .store
                .read(move |store| store.charge(&charge_uid))
                .await;
            if let Some(charge) = stored_charge.map_err(PassError::Store)?
                && charge.state != ChargeState::Void
            {
                return Ok(match charge.state {
                    ChargeState::Open => PredecessorCharge::Open(Box::new(charge), replacements),
                    ChargeState::Held => PredecessorCharge::Undecided,
                    ChargeState::Final | ChargeState::Refunded | ChargeState::Moved { .. } => {
                        PredecessorCharge::Closed(Box::new(charge))
                    }
                    ChargeState::Void => PredecessorCharge::NoCharge,
                });
            }
            next = match self.read_replacement(ports, uid.clone(), problems).await? {
                ReplacementRead::Found(replacement) => {
                    let from = replacement.replaced_uid.clone();
                    replacements.push(replacement);
                    from
                }
                ReplacementRead::Gone => None,
                ReplacementRead::Hidden => return Ok(PredecessorCharge::Hidden(uid)),
                ReplacementRead::Unread => return Ok(PredecessorCharge::Unread),
            };
        }
        Ok(PredecessorCharge::NoCharge)
    }

    /// Caches what the moved ones among these bookings replaced, because v1 cannot read a booking
    /// by its uid alone.
    pub(super) fn cache_replacements<'a>(&mut self, bookings: impl Iterator<Item = &'a Booking>) {
        let moved_bookings = bookings.filter(|booking| booking.rescheduled_from.is_some());
        for booking in moved_bookings {
            self.cache_replacement(booking.uid.clone(), Replacement::from_booking(booking));
        }
    }

    /// Caches for each of these bookings what it replaced, or that it replaced none.
    pub(super) fn cache_all_replacements<'a>(
        &mut self,
        bookings: impl Iterator<Item = &'a Booking>,
    ) {
        for booking in bookings {
            self.cache_replacement(booking.uid.clone(), Replacement::from_booking(booking));
        }
    }

    fn cache_replacement(&mut self, uid: BookingUid, replacement: Replacement) {
        if self.replacements.len() >= MAX_REPLACEMENTS {
            self.replacements.clear();
        }
        self.replacements.insert(uid, replacement);
    }

    async fn read_replacement(
        &mut self,
        ports: &Ports<'_>,
        uid: BookingUid,
        problems: &mut Vec<Problem>,
    ) -> Result<ReplacementRead, PassError> {
        if let Some(cached_replacement) = self.replacements.get(&uid) {
            return Ok(ReplacementRead::Found(cached_replacement.clone()));
        }
        let reference = BookingRef {
            uid: uid.clone(),
            id: None,
        };
        let cannot_read_by_uid = !ports.calendar.names_successors();
        let replacement = match ports.calendar.get(&reference).await {
            Ok(Fetched::Found(booking)) => Replacement::from_booking(&booking),
            // v1 cannot read a booking by this uid alone.
            Ok(Fetched::Gone) | Err(CallError::Refused(_)) if cannot_read_by_uid => {
                return Ok(ReplacementRead::Hidden);
            }
            Ok(Fetched::Gone) => return Ok(ReplacementRead::Gone),
            Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
            Err(error) => {
                problems.push(Problem {
                    code: "unread-booking",
                    text: format!("what booking {uid} replaced could not be read: {error}"),
                });
                return Ok(ReplacementRead::Unread);
            }
        };
        self.cache_replacement(uid, replacement.clone());
        Ok(ReplacementRead::Found(replacement))
    }
}
