//! What a decline rests on. Credits that are held, or time that is being given away, may still come
//! back: until that is settled nobody is declined for want of them. What is settled is read again right
//! before a decline is sent, because a cancellation may not be known yet.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::{Action, Plan, Planner, Step};
use crate::domain::account::Account;
use crate::domain::decision::{Credits, Decision, ReasonCode};
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, BookingUid, RequestId};
use crate::domain::request::{Charge, Request, RequestState};
use crate::domain::request_grouping::RequestGroup;
use crate::domain::snapshot::{OpenIntent, Snapshot};

impl Plan {
    /// The accounts whose credit or bookings a decline rests on: what became of them is looked at
    /// once more before it is sent.
    pub fn accounts_declines_depend_on(&self) -> BTreeSet<AccountId> {
        let declines = self.steps.iter().filter(|step| step.is_new_decline());
        declines
            .filter(|step| depends_on_account(&step.request))
            .filter_map(|step| step.request.account.clone())
            .collect()
    }

    /// Defers declines that another decline of this plan may make unnecessary: when a request that would
    /// have taken over a charge is declined, the credits of that charge come back to the account. The first
    /// such decline of an account is carried out, and the next pass decides the others with the new balance.
    pub(super) fn defer_behind_freed_charges(&mut self) {
        let mut first_freeing_request: BTreeMap<AccountId, RequestId> = BTreeMap::new();
        for step in self.steps.iter().filter(|step| step.is_new_decline()) {
            let request = &step.request;
            if let (Some(account), Some(_)) = (&request.account, &request.predecessor) {
                let first = first_freeing_request.entry(account.clone());
                first.or_insert_with(|| request.id.clone());
            }
        }
        let count_before = self.steps.len();
        self.steps.retain(|step| {
            let request = &step.request;
            let first = request
                .account
                .as_ref()
                .and_then(|id| first_freeing_request.get(id));
            !(step.is_new_decline()
                && depends_on_account(request)
                && first.is_some_and(|first| *first != request.id))
        });
        self.has_more |= self.steps.len() < count_before;
    }

    /// Takes out the declines that rest on these accounts: the next pass decides them. Gives how many.
    pub fn defer_declines(&mut self, accounts: &BTreeSet<AccountId>) -> usize {
        let count_before = self.steps.len();
        self.steps.retain(|step| {
            let account = step.request.account.as_ref();
            !(step.is_new_decline()
                && depends_on_account(&step.request)
                && account.is_some_and(|account| accounts.contains(account)))
        });
        count_before - self.steps.len()
    }
}

impl Step {
    /// Whether it declines a request that was not decided before.
    pub fn is_new_decline(&self) -> bool {
        let Action::Send { facts, .. } = &self.action else {
            return false;
        };
        self.request.decision == Decision::Decline && !facts.is_empty()
    }
}

/// Whether a request is declined for want of credit, for a cap or by a rule: for what a cancellation
/// that the ledger does not know of yet would change.
fn depends_on_account(request: &Request) -> bool {
    request.reasons.iter().any(|reason| {
        matches!(
            reason.code,
            ReasonCode::ShortOfCredit | ReasonCode::OverCap | ReasonCode::RuleNotMet
        )
    })
}

impl<'a> Planner<'a> {
    /// Whether a step so far does anything that the next pass will see.
    pub(super) fn has_effects(&self) -> bool {
        let mut steps = self.plan.steps.iter();
        steps.any(|step| match step.action {
            Action::Send { .. } | Action::Settle { .. } => true,
            Action::Note { .. } | Action::Postpone { .. } => false,
        })
    }

    /// Credits that may come back to the account, because what they were taken for is not settled:
    /// holds, what this plan has spent, and charges that a successor under decision takes over.
    pub(super) fn unsettled_credits(&self, account: &Account, group: &RequestGroup<'a>) -> Credits {
        let is_of_group =
            |uid: &BookingUid| group.bookings.iter().any(|booking| booking.uid == *uid);
        let id = &account.id;
        let credits_of = |map: &HashMap<&AccountId, Credits>| map.get(id).copied().unwrap_or(0);
        let carriable = self.carriable_charges.get(id).into_iter().flatten();
        let carriable: Credits = carriable
            .filter(|(uid, _)| !is_of_group(uid) && !self.waiting_bookings.contains(uid))
            .map(|(_, credits)| credits)
            .sum();
        let spent = account
            .available(self.now)
            .saturating_sub(self.available(account));
        let held = account
            .totals
            .held
            .saturating_sub(credits_of(&self.posted_credits));
        held + spent + credits_of(&self.taken_over_credits) + carriable
    }

    /// Counts what the intent's account may get back, or does not get back any more.
    pub(super) fn count_unsettled(&mut self, open: &'a OpenIntent, action: &Action) {
        let Some(account) = &open.request.account else {
            return;
        };
        let facts = match action {
            Action::Settle { facts, .. } => facts.as_slice(),
            Action::Send { .. } | Action::Note { .. } | Action::Postpone { .. } => &[],
        };
        // What is not taken over in the end may come back: the next watch says so.
        if !facts.iter().any(|fact| matches!(fact, Fact::Move { .. })) {
            let carried_credits = open.carried_charge.as_ref().map_or(0, Charge::credits);
            *self.taken_over_credits.entry(account).or_default() += carried_credits;
        }
        for fact in facts {
            if let Fact::Post { booking } = fact
                && let Some(charge) = open.charges.iter().find(|c| c.booking.uid == *booking)
            {
                *self.posted_credits.entry(account).or_default() += charge.credits();
            }
        }
    }
}

/// The charges that pending bookings would take over, by account.
pub(super) fn carriable_charges(
    snapshot: &Snapshot,
) -> HashMap<&AccountId, Vec<(&BookingUid, Credits)>> {
    let mut charges_by_account: HashMap<&AccountId, Vec<(&BookingUid, Credits)>> =
        HashMap::default();
    for (successor, charge) in &snapshot.carried_charges {
        let account_charges = charges_by_account.entry(&charge.account).or_default();
        account_charges.push((successor, charge.credits()));
    }
    charges_by_account
}

/// The bookings of requests that were noted: nothing is being decided about them until somebody acts.
pub(super) fn waiting_bookings(snapshot: &Snapshot) -> BTreeSet<&BookingUid> {
    let noted = snapshot.records.values();
    let noted = noted.filter(|record| record.state == RequestState::Noted);
    noted
        .flat_map(|record| &record.bookings)
        .map(|booking| &booking.uid)
        .collect()
}
