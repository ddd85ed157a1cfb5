//! What a decline depends on. Credits that are held, and time that is being given away, may still
//! come back, so no request is declined for lack of them until that is settled. What is settled is
//! read again immediately before a decline is sent, because a cancellation may not be known yet.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::{Action, Plan, Planner, Step};
use crate::domain::account::{Account, SpendPreview};
use crate::domain::decision::{Credits, Decision};
use crate::domain::evaluation::built_in_rule::ReasonTrait;
use crate::domain::evaluation::rules::has_trait;
use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::id::{AccountId, BookingUid, RequestId};
use crate::domain::lot::Purpose;
use crate::domain::request::{Charge, Request, RequestState};
use crate::domain::request_grouping::RequestGroup;
use crate::domain::snapshot::{OpenIntent, Snapshot};

impl Plan {
    /// Returns the accounts whose credit or bookings a decline depends on. The pass reads them
    /// again before it sends the decline.
    pub fn accounts_declines_depend_on(&self) -> BTreeSet<AccountId> {
        let declines = self.steps.iter().filter(|step| step.is_new_decline());
        declines
            .filter(|step| depends_on_account(&step.request))
            .filter_map(|step| step.request.account.clone())
            .collect()
    }

    /// Defers declines that another decline of this plan may make unnecessary: when a request that
    /// would have taken over a charge is declined, the credits of that charge come back to the
    /// account. The first such decline of an account is carried out, and the next pass decides the
    /// others with the new balance.
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

    /// Removes the declines that depend on these accounts, so that the next pass decides them.
    /// Returns how many were removed.
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
    /// Returns true if the step declines a request that was not decided before.
    pub fn is_new_decline(&self) -> bool {
        let Action::Send { facts, .. } = &self.action else {
            return false;
        };
        self.request.decision == Decision::Decline && !facts.is_empty()
    }
}

/// Returns true if a request is declined for lack of credit, for a cap or by a rule: for reasons
/// that could disappear with a cancellation that the ledger does not know of yet.
fn depends_on_account(request: &Request) -> bool {
    let mut reasons = request.reasons.iter();
    reasons.any(|reason| has_trait(reason.code, ReasonTrait::DependsOnAccount))
}

impl<'a> Planner<'a> {
    /// Returns true if an earlier step does anything that the next pass will see.
    pub(super) fn has_effects(&self) -> bool {
        let mut steps = self.plan.steps.iter();
        steps.any(|step| match step.action {
            Action::Send { .. } | Action::Settle { .. } => true,
            Action::Note { .. } | Action::Postpone { .. } => false,
        })
    }

    /// Returns the credits that may come back to the account, because what they were taken for is
    /// not settled: holds, what this plan has spent, and charges that an undecided successor would
    /// take over.
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
        let purpose = Purpose::without_booking(self.now);
        let (available, lendable) = self.available(account, &purpose);
        let limit = self.policy.global.spending.overdraft_limit(account);
        let lendable_before = SpendPreview::new(account).lendable(limit);
        // What an earlier step was lent can be lent again when it comes back.
        let spent = account.available(self.now).saturating_sub(available)
            + lendable_before.saturating_sub(lendable);
        let held = account
            .totals
            .held
            .saturating_sub(credits_of(&self.posted_credits));
        held + spent + credits_of(&self.taken_over_credits) + carriable
    }

    /// Counts credits that the intent's account may get back, or can no longer get back.
    pub(super) fn count_unsettled(&mut self, open: &'a OpenIntent, action: &Action) {
        let Some(account) = &open.request.account else {
            return;
        };
        let facts = match action {
            Action::Settle { facts, .. } => facts.as_slice(),
            Action::Send { .. } | Action::Note { .. } | Action::Postpone { .. } => &[],
        };
        // A charge that is not taken over in the end may come back; the next watch decides that.
        if !facts
            .iter()
            .any(|fact| matches!(fact, Fact::Charge(ChargeFact::Move { .. })))
        {
            let carried_credits = open.carried_charge.as_ref().map_or(0, Charge::credits);
            *self.taken_over_credits.entry(account).or_default() += carried_credits;
        }
        for fact in facts {
            if let Fact::Charge(ChargeFact::Post { booking }) = fact
                && let Some(charge) = open.charges.iter().find(|c| c.booking.uid == *booking)
            {
                *self.posted_credits.entry(account).or_default() += charge.credits();
            }
        }
    }
}

/// Returns the charges that pending bookings would take over, by account.
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

/// Returns the bookings of requests that are noted. Nothing about them is decided until a person
/// acts.
pub(super) fn waiting_bookings(snapshot: &Snapshot) -> BTreeSet<&BookingUid> {
    let noted = snapshot.records.values();
    let noted = noted.filter(|record| record.state == RequestState::Noted);
    noted
        .flat_map(|record| &record.bookings)
        .map(|booking| &booking.uid)
        .collect()
}
