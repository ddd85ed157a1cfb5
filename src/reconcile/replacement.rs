//! A booking as the replacement of another booking.

use crate::domain::booking::Booking;
use crate::domain::id::{Address, BookingUid, HostKey};
use crate::domain::refund_policy::{ClaimedActor, MoveAway, identify_mover};
use crate::domain::time::Time;

/// A booking as the replacement of another booking.
#[derive(Debug, Clone)]
pub(super) struct Replacement {
    /// The booking that was replaced, if any.
    pub(super) replaced_uid: Option<BookingUid>,
    pub(super) start: Time,
    pub(super) created: Time,
    pub(super) moved_by: Option<Address>,
    /// In whose name the booking was moved here, as far as the booking itself shows.
    pub(super) claimed_actor: ClaimedActor,
}

impl Replacement {
    pub(super) fn from_booking(booking: &Booking) -> Self {
        Self {
            replaced_uid: booking.rescheduled_from.clone(),
            start: booking.start,
            created: booking.created_at,
            moved_by: booking.rescheduled_by.clone(),
            claimed_actor: identify_mover(booking, &[]),
        }
    }

    /// Returns the move that led to this booking, away from a booking that would have started at
    /// `start`.
    pub(super) fn to_move_away(&self, start: Time, hosts: &[HostKey]) -> MoveAway {
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
