//! What a plan puts on the unresolved list and takes off it.

use super::Planner;
use crate::domain::booking::BookingRef;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::intent::Sight;
use crate::domain::snapshot::OpenIntent;
use crate::domain::time::Time;
use crate::domain::unresolved::{Resolver, Unresolved, UnresolvedCode, is_listed, is_settled};
use crate::domain::watch::accepted::KNOWN_AGAIN;

impl Planner<'_> {
    fn items(&self, booking: &BookingUid) -> &[Unresolved] {
        let items = self.snapshot.listed.get(booking);
        items.map_or(&[], Vec::as_slice)
    }

    /// Puts the booking on the list, unless it is on it, an operator took it off, or its time is over.
    pub(super) fn list(
        &mut self,
        booking: &BookingRef,
        code: UnresolvedCode,
        account: Option<AccountId>,
        (until, detail): (Option<Time>, &str),
    ) {
        let items = self.items(&booking.uid);
        let is_over = until.is_some_and(|until| until <= self.now);
        // While the clocks differ, what is over and since when is not known.
        if self.snapshot.clock_off || is_over || is_listed(items, code) || is_settled(items, code) {
            return;
        }
        self.plan.listing.push(Fact::Unresolved {
            booking: booking.clone(),
            code,
            account,
            until,
            detail: detail.to_owned(),
        });
    }

    /// Lists the bookings of an open intent whose status is not known, and takes off the list those
    /// whose status is known.
    pub(super) fn list_unknown(&mut self, open: &OpenIntent) {
        if self.snapshot.clock_off {
            return;
        }
        let code = UnresolvedCode::UnknownStatus;
        for booking in &open.request.bookings {
            match open.sights.get(&booking.uid) {
                Some(Sight::OtherStatus) => {
                    let detail = "has a status that maitred does not know; what is held for it stays \
                                  held";
                    let account = open.request.account.clone();
                    self.list(booking, code, account, (None, detail));
                }
                None | Some(Sight::Unread) => {}
                Some(_) if is_listed(self.items(&booking.uid), code) => {
                    self.plan.listing.push(Fact::Resolved {
                        booking: booking.uid.clone(),
                        code,
                        reason: KNOWN_AGAIN.to_owned(),
                        by: Resolver::Watch,
                    });
                }
                Some(_) => {}
            }
        }
    }

    /// Whether nothing but statuses that are not known keeps an intent open, and an operator has
    /// resolved each of them.
    pub(super) fn is_resolved(&self, open: &OpenIntent) -> bool {
        let resolved =
            |uid: &BookingUid| is_settled(self.items(uid), UnresolvedCode::UnknownStatus);
        let bookings = &open.request.bookings;
        let sight = |uid: &BookingUid| open.sights.get(uid).copied().unwrap_or(Sight::Unread);
        open.running_until.is_none()
            && !open.request.cancels_accepted()
            && bookings.iter().all(|booking| match sight(&booking.uid) {
                Sight::Unread => false,
                Sight::OtherStatus => resolved(&booking.uid),
                _ => true,
            })
    }
}
