//! What the evaluation of a request reads: the snapshot, with what the earlier steps of the plan
//! have changed.

use std::collections::BTreeSet;

use super::Planner;
use crate::domain::account::Account;
use crate::domain::booking::Booking;
use crate::domain::decision::Credits;
use crate::domain::evaluation::EvaluationInput;
use crate::domain::evaluation::built_in_rule::RuleInput;
use crate::domain::evaluation::rules::needs_input;
use crate::domain::gate::Gate;
use crate::domain::id::RequestId;
use crate::domain::refund_policy::{MoveAway, MovesOutcome, identify_mover};
use crate::domain::request::Charge;
use crate::domain::request_grouping::RequestGroup;
use crate::domain::snapshot::{CountedBooking, PriorRequest};
use crate::domain::time::Time;

/// The booker's earlier requests on the day of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PriorRequestCount {
    count: u32,
    /// Whether a request of that day was declined as one too many.
    declined_over_limit: bool,
}

impl<'a> Planner<'a> {
    /// Returns the member's account.
    pub(super) fn account_of_booker(&self, group: &RequestGroup<'a>) -> Option<&'a Account> {
        let booker = group.bookings[0].booker.as_ref()?;
        let id = self.snapshot.accounts_by_address.get(&booker.address)?;
        self.snapshot.accounts.get(id)
    }

    /// Returns everything that the evaluation reads, without what the record of the request adds
    /// and without the charge that the request takes over.
    pub(super) fn evaluation_input<'s>(
        &'s self,
        group: &'s RequestGroup<'a>,
        gate: &'s Gate,
        account: Option<&'a Account>,
        prior_requests: PriorRequestCount,
    ) -> EvaluationInput<'s> {
        let first = group.bookings[0];
        let global = &self.policy.global;
        let overlap = group
            .bookings
            .iter()
            .enumerate()
            // An occurrence that is over cannot collide with another booking.
            .filter(|(_, booking)| booking.end > self.now)
            .find_map(|(at, booking)| Some((at, self.host_schedule.find_overlap(booking)?)));
        let event_type = first.event_type.as_ref().map(|event_type| event_type.id);
        let spending = &global.spending;
        let start = super::send::last_start(&group.bookings);
        let purpose = spending.purpose(self.now, Some(&gate.name), start);
        let spendable = account.map(|account| self.available(account, &purpose));
        let (available, lendable) = spendable.unwrap_or_default();
        EvaluationInput {
            gate,
            global,
            zone: gate.criteria.zone(global, first),
            bookings: &group.bookings,
            event_type: event_type
                .and_then(|id| self.snapshot.event_types.get(&id))
                .map(Option::as_ref),
            account,
            available,
            lendable,
            counted_bookings: self.counted_bookings(account),
            host_bookings: &self.host_bookings,
            prior_request_count: prior_requests.count,
            declined_over_limit_before: prior_requests.declined_over_limit,
            pin_result: self.snapshot.pin_results.get(&first.uid).copied(),
            lookups: self.snapshot.lookups.get(&group.id),
            source_failure: self
                .snapshot
                .source_failures
                .get(&group.id)
                .map(String::as_str),
            review: None,
            overlap: overlap.map(|(_, by)| by),
            overlap_index: overlap.map_or(0, |(at, _)| at),
            unsettled_credits: account.map_or(0, |account| self.unsettled_credits(account, group)),
            carried_charge: None,
            includes_paid_move: self.includes_paid_move(group, account),
            ledger_is_empty: self.snapshot.ledger_is_empty,
            reasons_since: &[],
            now: self.now,
        }
    }

    /// Returns the member's bookings that are held or charged: those from before this plan, and
    /// those that earlier steps confirm.
    fn counted_bookings(&self, account: Option<&Account>) -> [&[CountedBooking]; 2] {
        let of = |account: &Account| {
            let before = self.snapshot.counted_bookings.get(&account.id);
            let since = self.counted_bookings.get(&account.id);
            [before, since].map(|some| some.map_or(&[][..], Vec::as_slice))
        };
        account.map_or([&[], &[]], of)
    }

    /// Counts the booker's earlier requests on the day of this request, whatever their outcome.
    pub(super) fn count_prior_requests(
        &mut self,
        group: &RequestGroup<'a>,
        gate: &Gate,
    ) -> PriorRequestCount {
        let global = &self.policy.global;
        let first = group.bookings[0];
        let Some(booker) = first.booker.as_ref() else {
            return PriorRequestCount::default();
        };
        if !needs_input(global, gate, RuleInput::PriorRequests) {
            return PriorRequestCount::default();
        }
        let zone = gate.criteria.zone(global, first);
        let day = |at: Time| at.with_timezone(&zone).date_naive();
        let today = day(group.oldest_created_at);
        let address = &booker.address;
        let this_request = (group.oldest_created_at, &group.id);
        let before = self
            .snapshot
            .prior_requests
            .get(address)
            .into_iter()
            .flatten();
        let before: Vec<&PriorRequest> = before
            .chain(self.prior_requests.get(address).into_iter().flatten())
            .filter(|earlier| earlier.request != group.id && day(earlier.created_at) == today)
            .collect();
        // A request that was made later may have been declined sooner, so all requests of the day
        // count here.
        let declined_over_limit = before.iter().any(|earlier| earlier.declined_over_limit);
        let before: BTreeSet<&RequestId> = before
            .into_iter()
            .filter(|earlier| (earlier.created_at, &earlier.request) < this_request)
            .map(|earlier| &earlier.request)
            .collect();
        let count = before.len().try_into().unwrap_or(u32::MAX);
        self.prior_requests
            .entry(address)
            .or_default()
            .push(PriorRequest {
                request: group.id.clone(),
                created_at: group.oldest_created_at,
                declined_over_limit: false,
            });
        PriorRequestCount {
            count,
            declined_over_limit,
        }
    }

    /// Returns the charge that the group's single booking takes over, and how many of its credits
    /// are not refundable.
    pub(super) fn carried_charge(
        &self,
        group: &RequestGroup<'a>,
        gate: &Gate,
        account: Option<&Account>,
    ) -> Option<(&'a Charge, Credits)> {
        let [booking] = group.bookings.as_slice() else {
            return None;
        };
        self.snapshot
            .carried_charges
            .get(&booking.uid)
            .filter(|charge| !self.carried_charges.contains(&charge.booking.uid))
            .filter(|charge| account.is_some_and(|account| account.id == charge.account))
            .and_then(|charge| {
                let direct = || {
                    vec![MoveAway {
                        start: charge.start,
                        moved_at: booking.created_at,
                        by: identify_mover(booking, &self.policy.hosts),
                    }]
                };
                let moves = self.snapshot.moves.get(&booking.uid);
                let moves = moves.cloned().unwrap_or_else(direct);
                let terms = charge.refund_terms(Some(&gate.terms.refunds));
                match terms.apply_moves(charge.credits(), &moves) {
                    MovesOutcome::Carried {
                        non_refundable: keeps,
                    } => Some((charge, keeps.max(charge.non_refundable))),
                    // The watch closes the charge as that of a cancelled booking, before or after
                    // this pass.
                    MovesOutcome::Cancelled { .. } => None,
                }
            })
    }

    fn includes_paid_move(&self, group: &RequestGroup<'a>, account: Option<&Account>) -> bool {
        let replaces_paid_booking = |booking: &&Booking| {
            let charge = self.snapshot.carried_charges.get(&booking.uid);
            charge.is_some_and(|charge| account.is_some_and(|own| own.id == charge.account))
        };
        group.bookings.len() > 1 && group.bookings.iter().any(replaces_paid_booking)
    }
}
