//! What a plan adds to the unresolved list and takes off it.

use super::Planner;
use crate::domain::booking::BookingRef;
use crate::domain::fact::{Fact, UnresolvedFact};
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::intent::BookingState;
use crate::domain::snapshot::OpenIntent;
use crate::domain::time::Time;
use crate::domain::unresolved::{
    Resolver, UnresolvedBooking, UnresolvedCode, has_operator_resolution, is_listed,
};
use crate::domain::watch::accepted_bookings::STATUS_KNOWN;

impl Planner<'_> {
    fn items(&self, booking: &BookingUid) -> &[UnresolvedBooking] {
        let items = self.snapshot.unresolved_bookings.get(booking);
        items.map_or(&[], Vec::as_slice)
    }

    /// Puts the booking on the list, unless it is already listed, an operator has resolved that
    /// finding, or `until` has passed.
    pub(super) fn add_to_unresolved(
        &mut self,
        booking: &BookingRef,
        code: UnresolvedCode,
        account: Option<AccountId>,
        (until, detail): (Option<Time>, &str),
    ) {
        let items = self.items(&booking.uid);
        let is_over = until.is_some_and(|until| until <= self.now);
        // While the clocks differ, it is not known what is over, and since when.
        if self.snapshot.clock_skewed
            || is_over
            || is_listed(items, code)
            || has_operator_resolution(items, code)
        {
            return;
        }
        self.plan
            .unresolved_facts
            .push(Fact::Unresolved(UnresolvedFact::Listed {
                booking: booking.clone(),
                code,
                account,
                until,
                detail: detail.to_owned(),
            }));
    }

    /// Lists the bookings of an open intent that have an unknown status, and takes those off the
    /// list whose status is known again.
    pub(super) fn list_unknown_statuses(&mut self, open: &OpenIntent) {
        if self.snapshot.clock_skewed {
            return;
        }
        let code = UnresolvedCode::UnknownStatus;
        for booking in &open.request.bookings {
            match open.booking_states.get(&booking.uid) {
                Some(BookingState::OtherStatus) => {
                    let detail = "has a status that maitred does not know; what is held for it stays \
                                  held";
                    let account = open.request.account.clone();
                    self.add_to_unresolved(booking, code, account, (None, detail));
                }
                None | Some(BookingState::Unread) => {}
                Some(_) if is_listed(self.items(&booking.uid), code) => {
                    self.plan
                        .unresolved_facts
                        .push(Fact::Unresolved(UnresolvedFact::Resolved {
                            booking: booking.uid.clone(),
                            code,
                            reason: STATUS_KNOWN.to_owned(),
                            by: Resolver::Watch,
                        }));
                }
                Some(_) => {}
            }
        }
    }

    /// Returns true if unknown statuses are the only thing that keeps the intent open, and an
    /// operator has resolved each of them.
    pub(super) fn is_resolved_by_operator(&self, open: &OpenIntent) -> bool {
        let resolved = |uid: &BookingUid| {
            has_operator_resolution(self.items(uid), UnresolvedCode::UnknownStatus)
        };
        let bookings = &open.request.bookings;
        let state_of = |uid: &BookingUid| {
            open.booking_states
                .get(uid)
                .copied()
                .unwrap_or(BookingState::Unread)
        };
        open.running_until.is_none()
            && !open.request.cancels_accepted()
            && bookings.iter().all(|booking| match state_of(&booking.uid) {
                BookingState::Unread => false,
                BookingState::OtherStatus => resolved(&booking.uid),
                _ => true,
            })
    }
}
