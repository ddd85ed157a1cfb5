//! Derives notifications from the facts of the log. A fact leads to at most one notification, and to
//! the same one whenever it is read again, as long as the records say the same.

use super::event::{
    BookerAnswer, ListedBooking, Member, Notification, NotificationContent, NotificationOrigin,
    RequestSummary,
};
use crate::domain::account::{Account, LotPart, sum_credits};
use crate::domain::decision::{Credits, Decision, DecisionOutcome};
use crate::domain::fact::{ChargeFact, CreditFact, Fact, RequestFact, UnresolvedFact};
use crate::domain::id::{AccountId, BookingUid, RequestId};
use crate::domain::request::{Request, RequestState};
use crate::domain::time::Time;
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedCode};

/// The place of a fact in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactPlace {
    /// The number of the commit.
    pub seq: u64,
    /// The place of the fact in the commit, from 0.
    pub index: usize,
    /// When the commit was written.
    pub at: Time,
}

/// Which records the derivation reads for a fact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelatedIds<'a> {
    /// A request, as it is now; its account is read too.
    pub request: Option<&'a RequestId>,
    /// A request, of which the decision before this fact is read.
    pub decided_request: Option<&'a RequestId>,
    /// An account, as it is now.
    pub account: Option<&'a AccountId>,
    /// A booking, whose items of the unresolved list are read.
    pub booking: Option<&'a BookingUid>,
}

/// The records that [`related_ids`] names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelatedRecords {
    /// The request.
    pub request: Option<Request>,
    /// The decision that the request had before the fact.
    pub earlier_decision: Option<Request>,
    /// The account, or that of the request.
    pub account: Option<Account>,
    /// The items of the unresolved list.
    pub unresolved: Vec<UnresolvedBooking>,
}

/// Returns which records [`notification_of_fact`] needs. `None`: the fact leads to no notification.
pub fn related_ids(fact: &Fact) -> Option<RelatedIds<'_>> {
    let none = RelatedIds::default();
    match fact {
        Fact::Request(RequestFact::Decided { request }) if is_in_review(request) => {
            Some(RelatedIds {
                decided_request: Some(&request.id),
                ..none
            })
        }
        Fact::Request(RequestFact::IntentSettled { request, .. }) => Some(RelatedIds {
            request: Some(request),
            ..none
        }),
        Fact::Unresolved(UnresolvedFact::Listed { booking, .. }) => Some(RelatedIds {
            booking: Some(&booking.uid),
            ..none
        }),
        Fact::Account(_)
        | Fact::Credit(_)
        | Fact::Charge(_)
        | Fact::Ledger(_)
        | Fact::By(_)
        | Fact::Request(_)
        | Fact::Unresolved(_) => taken_credits(fact).map(|(account, _)| RelatedIds {
            account: Some(account),
            ..none
        }),
    }
}

/// Returns the notification that follows from a fact.
///
/// A low balance follows whenever credits were taken and fewer than `low_balance` are left;
/// [`is_news_of_low_balance`] says whether the member knows already.
pub fn notification_of_fact(
    place: FactPlace,
    fact: &Fact,
    records: &RelatedRecords,
    low_balance: Credits,
    now: Time,
) -> Option<Notification> {
    let content = match fact {
        Fact::Request(RequestFact::Decided { request }) => review_needed(request, records),
        Fact::Request(RequestFact::IntentSettled { outcome, .. }) => decision(*outcome, records),
        Fact::Unresolved(UnresolvedFact::Listed {
            booking,
            code,
            account,
            detail,
            ..
        }) => listed(place.at, *code, records).then(|| {
            NotificationContent::Listed(ListedBooking {
                booking: booking.uid.clone(),
                code: *code,
                account: account.clone(),
                detail: detail.clone(),
            })
        }),
        Fact::Account(_)
        | Fact::Credit(_)
        | Fact::Charge(_)
        | Fact::Ledger(_)
        | Fact::By(_)
        | Fact::Request(_)
        | Fact::Unresolved(_) => low_balance_content(fact, records, low_balance, now),
    }?;
    Some(Notification {
        origin: NotificationOrigin::Fact {
            seq: place.seq,
            index: place.index,
        },
        at: place.at,
        content,
    })
}

/// Returns true if a member should get a notification of a low balance. `was_told`: the member got
/// one, and since then no taking of credits left enough.
pub fn is_news_of_low_balance(before: Credits, low_balance: Credits, was_told: bool) -> bool {
    // Credits that came back in between make a fall below the threshold news again.
    !was_told || before >= low_balance
}

/// Returns the account and the number of credits that a fact takes, if it takes any.
pub fn taken_credits(fact: &Fact) -> Option<(&AccountId, Credits)> {
    let (account, parts): (&AccountId, &[LotPart]) = match fact {
        Fact::Credit(
            CreditFact::Revoke { account, parts, .. } | CreditFact::Transfer { account, parts, .. },
        )
        | Fact::Charge(ChargeFact::Hold { account, parts, .. }) => (account, parts),
        Fact::Credit(CreditFact::Expire { account, part }) => (account, std::slice::from_ref(part)),
        Fact::Credit(CreditFact::Grant { .. })
        | Fact::Charge(
            ChargeFact::Post { .. }
            | ChargeFact::Void { .. }
            | ChargeFact::Refund { .. }
            | ChargeFact::Move { .. }
            | ChargeFact::Closed { .. },
        )
        | Fact::Account(_)
        | Fact::Request(_)
        | Fact::Unresolved(_)
        | Fact::Ledger(_)
        | Fact::By(_) => return None,
    };
    let taken = sum_credits(parts);
    (taken > 0).then_some((account, taken))
}

fn is_in_review(request: &Request) -> bool {
    request.decision == Decision::Review && request.state == RequestState::Noted
}

/// Only the first note of a review leads to a notification: later notes have other findings about
/// the same request, which already waits.
fn review_needed(request: &Request, records: &RelatedRecords) -> Option<NotificationContent> {
    let already_waits = records.earlier_decision.as_ref().is_some_and(is_in_review);
    (is_in_review(request) && !already_waits)
        .then(|| NotificationContent::ReviewNeeded(RequestSummary::new(request)))
}

/// Returns what a member reads about an answered request. A booker without an account is no
/// member: they receive Cal.com's own mail.
fn decision(outcome: DecisionOutcome, records: &RelatedRecords) -> Option<NotificationContent> {
    let (request, account) = (records.request.as_ref()?, records.account.as_ref()?);
    let answer = match outcome {
        DecisionOutcome::Confirmed => BookerAnswer::Confirmed,
        DecisionOutcome::Declined if request.cancels_accepted() => BookerAnswer::Cancelled,
        DecisionOutcome::Declined => BookerAnswer::Declined,
        DecisionOutcome::Superseded | DecisionOutcome::Refused => return None,
    };
    Some(NotificationContent::Decision {
        member: Member::new(account),
        request: RequestSummary {
            reasons: Vec::new(),
            ..RequestSummary::new(request)
        },
        answer,
        booker_text: request.booker_text.clone(),
    })
}

/// Returns true if this fact put the booking on the list. A fact that only updates the item, and
/// one whose item was listed again later, gives no notification.
fn listed(at: Time, code: UnresolvedCode, records: &RelatedRecords) -> bool {
    let mut items = records.unresolved.iter();
    items
        .find(|item| item.code == code)
        .is_none_or(|item| item.since == at)
}

fn low_balance_content(
    fact: &Fact,
    records: &RelatedRecords,
    low_balance: Credits,
    now: Time,
) -> Option<NotificationContent> {
    let (_, taken) = taken_credits(fact)?;
    let account = records.account.as_ref()?;
    let available = account.available(now);
    (available < low_balance).then(|| NotificationContent::LowBalance {
        member: Member::new(account),
        available,
        before: available.saturating_add(taken),
    })
}
