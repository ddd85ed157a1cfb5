//! Checks the bookings that were seen and that no charge is settled for: those that are accepted
//! without a charge, those that are accepted although they were cancelled or moved, and requests
//! that ended while they waited. Every booking that is accepted without a charge is on the
//! unresolved list until it is dealt with.

mod revived;
mod unpaid;

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::WatchReport;
use super::cancel::{self, CancelReason};
use super::cancel_limit::CancelLimit;
use super::ended_bookings::check_ended;
use super::observed_bookings::ObservedBookings;
use super::series_occurrences::SeriesOccurrences;
use super::stored_booking::{StoredBooking, read_stored_booking};
use super::unresolved_list::{self, UnresolvedFinding};
use crate::domain::booking::{Booking, BookingStatus, Payment};
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{BookingUid, EventTypeId, HostId};
use crate::domain::request::{Request, RequestState};
use crate::domain::unresolved::UnresolvedCode;
use crate::domain::watch::accepted_bookings::{
    AcceptedCase, AcceptedState, UnpaidCause, classify_accepted, resolution_while_accepted,
};
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::observe::count_recent_declines;
use crate::reconcile::pin::submitted::take_pin;
use crate::reconcile::predecessor::PredecessorCharge;

/// The state of the watch while it checks unmanaged bookings.
struct UnmanagedCheck<'a, 'p> {
    ports: &'a Ports<'p>,
    policy: &'a Policy,
    session: &'a mut Session,
    observed_bookings: &'a ObservedBookings,
    report: &'a mut WatchReport,
    cancel_limit: CancelLimit,
    series_occurrences: SeriesOccurrences,
}

pub(super) async fn check_unmanaged(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    me: HostId,
    observed_bookings: &ObservedBookings,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let gated_bookings: Vec<(Cow<'_, Booking>, &Gate)> = observed_bookings
        .bookings()
        .filter_map(|booking| Some((booking, policy.require_gate(me, booking).ok()?)))
        .map(|(booking, gate)| (without_pin(policy, gate, booking), gate))
        .collect();
    let accepted_bookings = gated_bookings
        .iter()
        .filter(|(booking, _)| booking.status == BookingStatus::Accepted);
    let event_type_ids: BTreeSet<EventTypeId> = accepted_bookings
        .filter_map(|(booking, _)| booking.event_type.as_ref().map(|kind| kind.id))
        .collect();
    let event_types = if event_type_ids.is_empty() {
        Default::default()
    } else {
        session
            .event_types(ports, event_type_ids, &mut report.problems)
            .await?
    };
    let recent_declines = count_recent_declines(ports, policy).await?;
    let mut check = UnmanagedCheck {
        ports,
        policy,
        session,
        observed_bookings,
        report,
        cancel_limit: CancelLimit::new(
            policy
                .limits
                .declines
                .at_most
                .saturating_sub(recent_declines),
        ),
        series_occurrences: SeriesOccurrences::default(),
    };
    for (booking, gate) in gated_bookings {
        if check.report.should_stop(ports) {
            break;
        }
        let booking = booking.as_ref();
        if booking.status != BookingStatus::Accepted {
            check_ended(ports, booking, check.report).await?;
            continue;
        }
        let event_type_id = booking.event_type.as_ref().map(|kind| kind.id);
        let event_type = event_type_id.and_then(|id| event_types.get(&id)?.as_ref());
        // Credits and payment do not mix, and every attendee with a seat is a separate booker.
        let is_free = event_type.is_some_and(|kind| kind.price == 0 && !kind.seated);
        if is_free && booking.payment != Payment::Unpaid {
            check.check_accepted(booking, gate).await?;
        }
    }
    Ok(())
}

/// The detail under which a revived booking is listed.
const REVIVED_DETAIL: &str = "although it was cancelled or moved to another time";

impl UnmanagedCheck<'_, '_> {
    async fn check_accepted(&mut self, booking: &Booking, gate: &Gate) -> Result<(), PassError> {
        let stored_booking = self.read_stored(booking).await?;
        let mut case = AcceptedCase {
            booking,
            charge: stored_booking.charge.as_ref(),
            record: stored_booking.record.as_ref(),
            items: &stored_booking.items,
            is_replaced: self.observed_bookings.is_replaced(&booking.uid),
            predecessor: None,
            series_confirm: stored_booking.our_confirm,
            now: (self.ports.clock)(),
        };
        let mut state = classify_accepted(&case);
        let mut closed_predecessor = None;
        if let (AcceptedState::Unpaid(_), Some(from)) = (state, &booking.rescheduled_from) {
            match self.find_predecessor_charge(from).await? {
                PredecessorCharge::NoCharge => {}
                PredecessorCharge::Closed(charge) => closed_predecessor = Some(*charge),
                // If any of the charges led to this booking, it would have moved just now.
                PredecessorCharge::Hidden(_)
                    if self.report.audit && self.observed_bookings.is_complete() => {}
                PredecessorCharge::Hidden(_) if self.report.audit => {
                    state = AcceptedState::Unpaid(UnpaidCause::Unclear)
                }
                // The booking with the charge is accepted too, so the charge does not move to this
                // one.
                PredecessorCharge::Open(charge, _)
                    if self.is_seen_accepted(&charge.booking.uid) =>
                {
                    state = AcceptedState::Unpaid(UnpaidCause::Unclear);
                }
                // A decision may stay open for a long time, if a status is not known.
                PredecessorCharge::Undecided => state = AcceptedState::Unpaid(UnpaidCause::Unclear),
                // The audit checked every open charge just now, and none has led to this booking.
                PredecessorCharge::Open(charge, _)
                    if self.report.audit
                        && self.observed_bookings.is_complete()
                        && charge.taken_over_by.is_none()
                        && stored_booking.record.as_ref().is_none_or(is_noted) =>
                {
                    state = AcceptedState::Unpaid(UnpaidCause::Unclear);
                }
                // The booking was paid for under another uid, or may have been: the charge moves
                // first.
                PredecessorCharge::Open(..)
                | PredecessorCharge::Hidden(_)
                | PredecessorCharge::Unread => {
                    return Ok(());
                }
            }
        }
        if closed_predecessor.is_some() {
            case.predecessor = closed_predecessor.as_ref();
            state = classify_accepted(&case);
        }
        self.resolve_outdated_items(booking, &stored_booking, state)
            .await?;
        match state {
            // The credits that are held for the booking are kept until its request ends, which may
            // take long.
            AcceptedState::UnderDecision if case.is_revived_while_held() => {
                let code = UnresolvedCode::Revived;
                self.list_unresolved(booking, &stored_booking, code, REVIVED_DETAIL)
                    .await
            }
            AcceptedState::Settled | AcceptedState::UnderDecision => Ok(()),
            AcceptedState::PartlyPaid => {
                let detail = "by others, and the booker has not enough credits";
                let code = UnresolvedCode::Unmanaged;
                self.list_unresolved(booking, &stored_booking, code, detail)
                    .await
            }
            AcceptedState::Revived => self.handle_revived(booking, gate, &stored_booking).await,
            AcceptedState::Unpaid(cause) => {
                self.handle_unpaid((booking, gate), &stored_booking, cause)
                    .await
            }
        }
    }

    fn is_seen_accepted(&self, uid: &BookingUid) -> bool {
        let observed_booking = self.observed_bookings.get(uid);
        observed_booking.is_some_and(|booking| booking.status == BookingStatus::Accepted)
    }

    async fn read_stored(&self, booking: &Booking) -> Result<StoredBooking, PassError> {
        let siblings: Vec<BookingUid> = match &booking.series {
            Some(series) => self
                .observed_bookings
                .bookings_of_series(series)
                .map(|one| one.uid.clone())
                .collect(),
            None => Vec::new(),
        };
        self.read_stored_with_siblings(booking, siblings).await
    }

    /// Reads what the store knows about the booking, and about our confirm of these occurrences of
    /// its series.
    async fn read_stored_with_siblings(
        &self,
        booking: &Booking,
        siblings: Vec<BookingUid>,
    ) -> Result<StoredBooking, PassError> {
        let booking_copy = booking.clone();
        let stored_booking = self
            .ports
            .store
            .read(move |store| read_stored_booking(store, &booking_copy, &siblings));
        stored_booking.await.map_err(PassError::Store)
    }

    async fn find_predecessor_charge(
        &mut self,
        from: &BookingUid,
    ) -> Result<PredecessorCharge, PassError> {
        let ports = self.ports;
        tokio::select! {
            biased;
            () = ports.stop.stopped() => Ok(PredecessorCharge::Unread),
            predecessor = self.session.find_predecessor_charge(ports, from, &mut self.report.problems) => predecessor,
        }
    }

    /// Takes the items that no longer hold off the list.
    async fn resolve_outdated_items(
        &mut self,
        booking: &Booking,
        stored_booking: &StoredBooking,
        state: AcceptedState,
    ) -> Result<(), PassError> {
        let open = stored_booking.items.iter().filter(|item| item.is_open());
        let ended_items =
            open.filter_map(|item| Some((item.code, resolution_while_accepted(item.code, state)?)));
        unresolved_list::resolve(self.ports, &booking.uid, ended_items.collect()).await
    }

    async fn list_unresolved(
        &mut self,
        booking: &Booking,
        stored_booking: &StoredBooking,
        code: UnresolvedCode,
        detail: &str,
    ) -> Result<(), PassError> {
        let account = stored_booking
            .charge
            .as_ref()
            .map(|charge| charge.account.clone());
        let finding = UnresolvedFinding::new(booking, code, account, detail.to_owned());
        unresolved_list::add_to_unresolved(self.ports, finding, self.report).await
    }

    /// Returns whether the limit of declines allows to cancel the booking now, and counts it.
    fn take_cancellation(&mut self, booking: &Booking) -> bool {
        let now = (self.ports.clock)();
        self.cancel_limit.take(booking, now, self.report)
    }

    async fn cancel(
        &mut self,
        target: (&Booking, &Gate),
        stored_booking: &StoredBooking,
        why: CancelReason,
    ) -> Result<(), PassError> {
        let basis = stored_booking.basis.clone();
        let reason = (basis, why);
        cancel::cancel_booking(self.ports, self.policy, target, reason, self.report).await?;
        Ok(())
    }
}

fn is_noted(request: &Request) -> bool {
    request.state == RequestState::Noted
}

/// Returns the booking as it may be written down: without a PIN that was given with it.
fn without_pin<'a>(policy: &Policy, gate: &Gate, booking: &'a Booking) -> Cow<'a, Booking> {
    if gate.criteria.pin.is_none() {
        return Cow::Borrowed(booking);
    }
    let mut booking = booking.clone();
    take_pin(policy, &mut booking);
    Cow::Owned(booking)
}
