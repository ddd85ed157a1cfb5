//! Derives notifications from the passing of time: from records as they are, and a window that ends
//! now and begins where the last window ended. What became due in the window leads to a notification,
//! so nothing leads to two.

use super::event::{Member, Notification, NotificationContent, NotificationOrigin, RequestSummary};
use super::target::NotificationTerms;
use crate::domain::account::Account;
use crate::domain::decision::Decision;
use crate::domain::lot::Lot;
use crate::domain::request::{Request, RequestState};
use crate::domain::time::Time;

/// From an instant that is not part of the window to one that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueWindow {
    /// Where the last window ended.
    pub after: Time,
    /// Now, or when the examination of the records began.
    pub until: Time,
}

impl DueWindow {
    fn contains(self, at: Time) -> bool {
        self.after < at && at <= self.until
    }
}

/// Returns the notification about a request that has waited too long for an operator.
pub fn review_waiting(
    request: &Request,
    terms: &NotificationTerms,
    window: DueWindow,
) -> Option<Notification> {
    let waits = request.decision == Decision::Review
        && request.state == RequestState::Noted
        && request.review.is_none();
    let since = request.decided_at;
    let due = since.checked_add_signed(terms.review_waiting)?;
    (waits && window.contains(due)).then(|| Notification {
        origin: NotificationOrigin::State {
            subject: request.id.to_string(),
            since,
        },
        at: due,
        content: NotificationContent::ReviewWaiting(RequestSummary::new(request), since),
    })
}

/// Returns the notifications about credits of an account that expire soon: one for each lot.
pub fn credits_expiring(
    account: &Account,
    terms: &NotificationTerms,
    window: DueWindow,
) -> Vec<Notification> {
    let of_lot = |lot: &Lot| {
        let expires = lot.expires.filter(|expires| window.until < *expires)?;
        let begins = expires.checked_sub_signed(terms.credits_expiring);
        // Credits that were given so late are due at once.
        let due = begins.map_or(lot.granted_at, |begins| begins.max(lot.granted_at));
        if lot.remaining == 0 || !window.contains(due) {
            return None;
        }
        Some(Notification {
            origin: NotificationOrigin::State {
                subject: lot.grant.as_str().to_owned(),
                since: expires,
            },
            at: due,
            content: NotificationContent::CreditsExpiring {
                member: Member::new(account),
                credits: lot.remaining,
                expires,
                available: account.available(window.until),
            },
        })
    };
    account.lots.iter().filter_map(of_lot).collect()
}
