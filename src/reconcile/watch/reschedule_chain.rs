//! The chains of bookings that replaced each other: which booking a charge belongs to now.

use super::observed_bookings::{
    ObservedBookings, over_budget_problem, unless_stopped, unread_problem,
};
use crate::domain::booking::{Booking, BookingRef, BookingStatus, Fetched};
use crate::domain::id::BookingUid;
use crate::domain::plan::Problem;
use crate::domain::watch::{ChainEnd, MAX_CHAIN};
use crate::reconcile::context::{PassError, Ports};

/// A charged booking with its successors.
#[derive(Debug)]
pub(super) struct RescheduleChain {
    pub bookings: Vec<Booking>,
    pub end: ChainEnd,
}

impl ObservedBookings {
    /// Returns the booking and its successors, one after the other.
    pub(super) async fn follow_chain(
        &mut self,
        ports: &Ports<'_>,
        first: &BookingRef,
        problems: &mut Vec<Problem>,
    ) -> Result<RescheduleChain, PassError> {
        let chain = self
            .follow_to_live_successor(ports, first, problems)
            .await?;
        self.has_unread |= chain.end == ChainEnd::Unread;
        Ok(chain)
    }

    /// Follows the successors that the bookings name. If the chain ends with a booking that does
    /// not stand, another successor may stand: two simultaneous moves make two successors, and only
    /// a list shows the one that is not named.
    async fn follow_to_live_successor(
        &mut self,
        ports: &Ports<'_>,
        first: &BookingRef,
        problems: &mut Vec<Problem>,
    ) -> Result<RescheduleChain, PassError> {
        let chain = self.follow_names(ports, first, problems).await?;
        let first_move_at = chain.bookings.get(1).map(|booking| booking.created_at);
        let last_liveness = chain.bookings.last().map(liveness);
        match first_move_at.filter(|_| chain.end == ChainEnd::Whole && last_liveness == Some(DEAD))
        {
            Some(first_move_at)
                if self
                    .list_created_since(ports, first_move_at, problems)
                    .await? =>
            {
                self.follow_names(ports, first, problems).await
            }
            _ => Ok(chain),
        }
    }

    async fn follow_names(
        &mut self,
        ports: &Ports<'_>,
        first: &BookingRef,
        problems: &mut Vec<Problem>,
    ) -> Result<RescheduleChain, PassError> {
        let mut bookings: Vec<Booking> = Vec::new();
        let mut next = Some(first.clone());
        while let Some(reference) = next {
            let is_repeated = bookings.iter().any(|known| known.uid == reference.uid);
            if is_repeated || bookings.len() >= MAX_CHAIN {
                problems.push(Problem {
                    code: "chain-too-long",
                    text: format!(
                        "booking {} was moved more than {MAX_CHAIN} times, or in a circle: its \
                         charge stays open",
                        first.uid
                    ),
                });
                let end = ChainEnd::Unread;
                return Ok(RescheduleChain { bookings, end });
            }
            let is_first = bookings.is_empty();
            match self
                .find_booking(ports, &reference, is_first, problems)
                .await?
            {
                Ok(booking) => {
                    let successor = self.find_successor(ports, &booking, problems).await?;
                    bookings.push(booking);
                    match successor {
                        Successor::Found(successor) => next = Some(successor),
                        Successor::Missing => next = None,
                        Successor::Unread => {
                            let end = ChainEnd::Unread;
                            return Ok(RescheduleChain { bookings, end });
                        }
                    }
                }
                Err(end) => return Ok(RescheduleChain { bookings, end }),
            }
        }
        let end = ChainEnd::Whole;
        Ok(RescheduleChain { bookings, end })
    }

    async fn find_booking(
        &mut self,
        ports: &Ports<'_>,
        reference: &BookingRef,
        is_first: bool,
        problems: &mut Vec<Problem>,
    ) -> Result<Result<Booking, ChainEnd>, PassError> {
        if let Some(booking) = self.bookings.get(&reference.uid) {
            return Ok(Ok(booking.clone()));
        }
        if self.gone_uids.contains(&reference.uid) {
            return Ok(Err(ChainEnd::Gone));
        }
        if is_first {
            // The booking was already read individually, and that failed.
            return Ok(Err(ChainEnd::Unread));
        }
        match unless_stopped(ports, ports.calendar.get(reference)).await {
            Ok(Fetched::Found(booking)) => {
                if self.add((*booking).clone()) {
                    return Ok(Ok(*booking));
                }
                problems.push(over_budget_problem(&reference.uid));
                Ok(Err(ChainEnd::Unread))
            }
            Ok(Fetched::Gone) => {
                self.gone_uids.insert(reference.uid.clone());
                Ok(Err(ChainEnd::Gone))
            }
            Err(error) if error.is_fatal_for_pass() => Err(error.into()),
            Err(_) if ports.stop.is_set() => Ok(Err(ChainEnd::Unread)),
            // This is reported, because the charge that led here stays open until the booking can
            // be read.
            Err(error) => {
                problems.push(unread_problem(&reference.uid, &error));
                Ok(Err(ChainEnd::Unread))
            }
        }
    }

    /// Returns the successor: the one that the booking names, or the one that names the booking. A
    /// cancelled occurrence of a series names no successor, so its series is read to find the one
    /// that names it (`calcom/api.md` 6.1).
    async fn find_successor(
        &mut self,
        ports: &Ports<'_>,
        booking: &Booking,
        problems: &mut Vec<Problem>,
    ) -> Result<Successor, PassError> {
        if let Some(uid) = &booking.rescheduled_to {
            let id = self.bookings.get(uid).and_then(|known| known.id);
            let uid = uid.clone();
            let named_reference = BookingRef { uid, id };
            return self
                .resolve_named_successor(ports, booking, named_reference, problems)
                .await;
        }
        // A known successor may be the dead one of two that simultaneous moves made.
        let has_live_successor = |seen: &Self| {
            let best = seen.best_successor(&booking.uid, None);
            best.is_some_and(|one| seen.liveness(one) < DEAD)
        };
        if booking.status == BookingStatus::Cancelled
            && !has_live_successor(self)
            && let Some(series) = &booking.series
            && !self.read_series(ports, series, problems).await?
        {
            return Ok(Successor::Unread);
        }
        if booking.status == BookingStatus::Cancelled
            && !has_live_successor(self)
            && !ports.calendar.names_successors()
        {
            let all_listed = self
                .list_all_since(ports, booking.created_at, problems)
                .await?;
            if ports.stop.is_set() {
                return Ok(Successor::Unread);
            }
            if !all_listed && !has_live_successor(self) {
                problems.push(Problem {
                    code: "unread-charge",
                    text: format!(
                        "whether booking {0} was moved or cancelled cannot be determined: v1 \
                         does not show it, and too many bookings followed it; `maitred charges settle \
                         {0} keep` or `refund`",
                        booking.uid
                    ),
                });
                return Ok(Successor::Unread);
            }
        }
        let best = self.best_successor(&booking.uid, None);
        Ok(best.map_or(Successor::Missing, |one| Successor::Found(one.to_ref())))
    }

    /// Returns the successor that a booking names, unless that one is dead and another one stands:
    /// two simultaneous moves make two successors, and the booking names one of them. Regardless of
    /// which is read first, the charge moves to one that stands.
    async fn resolve_named_successor(
        &mut self,
        ports: &Ports<'_>,
        booking: &Booking,
        named_reference: BookingRef,
        problems: &mut Vec<Problem>,
    ) -> Result<Successor, PassError> {
        match self
            .find_booking(ports, &named_reference, false, problems)
            .await?
        {
            Ok(_) | Err(ChainEnd::Gone) => {}
            Err(ChainEnd::Unread | ChainEnd::Whole) => return Ok(Successor::Unread),
        }
        let best = self.best_successor(&booking.uid, Some(&named_reference.uid));
        Ok(Successor::Found(
            best.map_or(named_reference, Booking::to_ref),
        ))
    }

    /// Returns the best of the successors that were seen of a booking: the first created of the
    /// accepted ones, else of the pending ones, else the one that the booking names, else the last
    /// created.
    fn best_successor(&self, uid: &BookingUid, named_uid: Option<&BookingUid>) -> Option<&Booking> {
        let all = self
            .successors
            .get(uid)
            .into_iter()
            .flatten()
            .chain(named_uid);
        let all = all.filter_map(|uid| self.bookings.get(uid));
        all.min_by_key(|one| {
            let created_at = one.created_at.timestamp_millis();
            let liveness = self.liveness(one);
            let order = match liveness {
                DEAD if named_uid == Some(&one.uid) => i64::MIN,
                DEAD => -created_at,
                _ => created_at,
            };
            (liveness, order, one.uid.clone())
        })
    }

    /// Returns how alive a booking is: a booking that was moved is as alive as its successor.
    fn liveness(&self, booking: &Booking) -> u8 {
        let mut best = DEAD;
        let mut to_visit = vec![booking];
        // Simultaneous moves are rare: the path is a line, and no longer than any other chain.
        for _ in 0..MAX_CHAIN {
            let Some(candidate) = to_visit.pop() else {
                break;
            };
            let own_liveness = liveness(candidate);
            if own_liveness < DEAD {
                best = best.min(own_liveness);
                continue;
            }
            let named_uid = candidate.rescheduled_to.as_ref();
            // The booking's successor was not seen: it may stand.
            if named_uid.is_some_and(|uid| !self.contains(uid) && !self.gone_uids.contains(uid)) {
                best = best.min(UNKNOWN_LIVENESS);
            }
            let next = self.successors.get(&candidate.uid).into_iter().flatten();
            to_visit.extend(
                next.chain(named_uid)
                    .filter_map(|uid| self.bookings.get(uid)),
            );
        }
        best
    }
}

/// The liveness of a cancelled or declined booking, which comes last among successors.
const DEAD: u8 = 2;

/// The liveness of a booking that may stand.
const UNKNOWN_LIVENESS: u8 = 1;

fn liveness(booking: &Booking) -> u8 {
    match booking.status {
        BookingStatus::Accepted => 0,
        BookingStatus::Pending | BookingStatus::AwaitingHost | BookingStatus::Other(_) => 1,
        BookingStatus::Rejected | BookingStatus::Cancelled => DEAD,
    }
}

/// The successor of one booking of a chain.
enum Successor {
    Found(BookingRef),
    Missing,
    Unread,
}
