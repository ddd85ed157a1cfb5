//! From a booking back to the charge that it goes on with, along all that it replaced: moved twice
//! before it was confirmed, it names only the one right before it.

use std::collections::BTreeSet;

use super::context::{PassError, Ports, Session};
use super::observe::is_fatal_for_pass;
use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, BookingRef, Fetched};
use crate::domain::id::{Address, BookingUid, HostKey};
use crate::domain::plan::Problem;
use crate::domain::refund_policy::{ClaimedActor, MoveAway, identify_mover};
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::Time;
use crate::domain::watch::MAX_CHAIN;

/// Links remembered in one process; when there are more, all are asked again.
const MAX_REPLACEMENTS: usize = 10_000;

/// Whether a booking goes on with what was paid for one before it.
#[derive(Debug)]
pub(super) enum PredecessorCharge {
    /// The charge, and the replacements between it and the booking that was asked about, newest first.
    Open(Box<Charge>, Vec<Replacement>),
    /// An intent holds for it: whether that is charged or comes back is not known yet.
    Undecided,
    /// What was paid for the nearest one before it is final, came back or went on with another.
    Closed(Box<Charge>),
    /// No.
    NoCharge,
    /// Not as far as it can be followed: this one, which was replaced, v1 does not show by its name.
    Hidden(BookingUid),
    /// What it replaced could not be read.
    Unread,
}

/// A booking as one that replaced another.
#[derive(Debug, Clone)]
pub(super) struct Replacement {
    /// What it replaced, if anything.
    replaced_uid: Option<BookingUid>,
    start: Time,
    created: Time,
    moved_by: Option<Address>,
    /// In whose name it was moved here, as far as the booking itself tells.
    claimed_actor: ClaimedActor,
}

impl Replacement {
    fn from_booking(booking: &Booking) -> Self {
        Self {
            replaced_uid: booking.rescheduled_from.clone(),
            start: booking.start,
            created: booking.created_at,
            moved_by: booking.rescheduled_by.clone(),
            claimed_actor: identify_mover(booking, &[]),
        }
    }

    /// The move that made it, away from a booking that would have started at `start`.
    fn to_move_away(&self, start: Time, hosts: &[HostKey]) -> MoveAway {
        let is_host = hosts.iter().any(
            |host| matches!((host, &self.moved_by), (HostKey::Address(host), Some(by)) if host == by),
        );
        MoveAway {
            start,
            moved_at: self.created,
            by: if is_host {
                ClaimedActor::Host
            } else {
                self.claimed_actor.clone()
            },
        }
    }
}

/// The moves from a charge to the booking that goes on with it, oldest first, by the replacements
/// between them, newest first.
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

/// What a booking replaced.
#[derive(Debug, Clone)]
enum ReplacementRead {
    Found(Replacement),
    Gone,
    Hidden,
    Unread,
}

impl Session {
    /// The open charge of this booking, or of the nearest one before it that has a charge.
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
                .with(move |store| store.charge(&charge_uid))
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

    /// Remembers what bookings that were seen had replaced: v1 cannot read one by its name alone.
    pub(super) fn cache_replacements<'a>(&mut self, bookings: impl Iterator<Item = &'a Booking>) {
        let moved_bookings = bookings.filter(|booking| booking.rescheduled_from.is_some());
        for booking in moved_bookings {
            self.cache_replacement(booking.uid.clone(), Replacement::from_booking(booking));
        }
    }

    /// Remembers of bookings that were seen what each had replaced, or that it had replaced none.
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
            // v1 cannot read by this name alone.
            Ok(Fetched::Gone) | Err(CallError::Refused(_)) if cannot_read_by_uid => {
                return Ok(ReplacementRead::Hidden);
            }
            Ok(Fetched::Gone) => return Ok(ReplacementRead::Gone),
            Err(error) if is_fatal_for_pass(&error) => return Err(error.into()),
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
