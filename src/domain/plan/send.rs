//! Steps that send a call: confirms with their holds, and declines within their limits.

use std::sync::Arc;

use super::{Action, Planner, Problem, Step, planned_call};
use crate::domain::account::{Account, SpendPreview};
use crate::domain::booking::Booking;
use crate::domain::decision::{Credits, Decision, Reason, ReasonCode};
use crate::domain::expected::Expected;
use crate::domain::fact::{ChargeFact, Fact, RequestFact};
use crate::domain::gate::{Gate, RefuseWith};
use crate::domain::refund_policy::RefundTerms;
use crate::domain::request::{CallKind, Request, RequestState};
use crate::domain::request_grouping::RequestGroup;
use crate::domain::snapshot::CountedBooking;
use crate::domain::time::Time;

impl<'a> Planner<'a> {
    pub(super) fn confirm(
        &mut self,
        group: &RequestGroup<'a>,
        gate: &Gate,
        mut request: Request,
        account: &'a Account,
        (costs, to_hold): (&[Credits], Credits),
    ) {
        if self.remaining_sends == 0 {
            self.plan.has_more = true;
            return;
        }
        self.remaining_sends -= 1;
        request.state = RequestState::Recorded;
        request.call = Some(CallKind::Confirm);
        let expected = self.expected_records(&request, Some(account));
        let request = Arc::new(request);
        let terms = Arc::new(gate.terms.refunds.clone());
        let mut facts = Vec::with_capacity(1 + group.bookings.len());
        facts.push(Fact::Request(RequestFact::Decided {
            request: Arc::clone(&request),
        }));
        let last_start = last_start(&group.bookings);
        for (booking, cost) in group.bookings.iter().zip(costs) {
            // A successor holds only what its predecessor did not pay.
            let credits = if request.predecessor.is_some() {
                to_hold
            } else {
                *cost
            };
            if request.predecessor.is_some() && credits == 0 {
                continue;
            }
            let hold = self
                .hold(
                    &request,
                    account,
                    (booking, last_start),
                    credits,
                    Some(&terms),
                )
                .expect("the credit rule saw that there is enough");
            facts.extend(hold);
        }
        self.carried_charges.extend(request.predecessor.clone());
        self.reserve_for_later_requests(group, &request, account);
        self.add_send_step(request, facts, expected);
    }

    /// Reserves the bookings' time and counts them for the member, so that later requests of this
    /// plan see them.
    fn reserve_for_later_requests(
        &mut self,
        group: &RequestGroup<'a>,
        request: &Request,
        account: &'a Account,
    ) {
        for booking in &group.bookings {
            self.host_schedule.add_booking(booking, false);
            if let Some(host) = booking.host_id() {
                let at = (host, booking.start);
                self.count_for_host(at, &booking.uid, request.gate.as_deref(), false);
            }
        }
        if !self.needs_booking_counts {
            return;
        }
        let counted_bookings = self.counted_bookings.entry(&account.id).or_default();
        counted_bookings.extend(group.bookings.iter().map(|booking| CountedBooking {
            booking: booking.uid.clone(),
            start: booking.start,
            end: booking.end,
            gate: request.gate.clone(),
            is_confirmed: false,
        }));
    }

    pub(super) fn decline(
        &mut self,
        mut request: Request,
        record: Option<&Request>,
        account: Option<&Account>,
    ) {
        request.state = RequestState::Recorded;
        let counts_as_decline = request.counts_as_decline();
        if counts_as_decline && self.remaining_declines == 0 {
            request.state = RequestState::Noted;
            let limit = self.policy.limits.declines;
            request.decision = Decision::Leave;
            request.reasons = vec![Reason {
                code: ReasonCode::DeclineLimit,
                text: format!(
                    "would be declined, but no more than {limit} may be declined \
                     (limits.declines)"
                ),
            }];
            self.add_problem_once(
                "decline-limit",
                &format!(
                    "more requests would be declined than {limit} (limits.declines): if that is \
                     right, they are declined later, as the limit allows; if not, correct the \
                     configuration or the ledger now"
                ),
            );
            return self.add_note(request, record, false);
        }
        if self.remaining_sends == 0 {
            self.plan.has_more = true;
            return;
        }
        self.remaining_sends -= 1;
        self.remaining_declines = self
            .remaining_declines
            .saturating_sub(usize::from(counts_as_decline));
        request.call = Some(match self.policy.refuse_with {
            RefuseWith::Decline => CallKind::Decline,
            RefuseWith::Cancel => CallKind::Cancel,
        });
        self.record_limit_decline(&request);
        let expected = self.expected_records(&request, account);
        let request = Arc::new(request);
        let facts = vec![Fact::Request(RequestFact::Decided {
            request: Arc::clone(&request),
        })];
        self.add_send_step(request, facts, expected);
    }

    /// Records that a decline for too many requests also tells the booker so.
    fn record_limit_decline(&mut self, request: &Request) {
        let too_many = |reason: &Reason| reason.code == ReasonCode::TooManyRequests;
        if !request.reasons.iter().any(too_many) {
            return;
        }
        let mut prior_requests = self.prior_requests.values_mut().flatten();
        if let Some(earlier) = prior_requests.find(|earlier| earlier.request == request.id) {
            earlier.declined_over_limit = true;
        }
    }

    pub(super) fn add_send_step(
        &mut self,
        request: Arc<Request>,
        facts: Vec<Fact>,
        expected: Vec<Expected>,
    ) {
        let call = planned_call(&request, &request.bookings[0]).expect("an intent names its call");
        self.plan.steps.push(Step {
            request,
            action: Action::Send { facts, call },
            expected,
        });
    }

    /// Returns the records that a new decision rests on: the request's own record, the account, and
    /// the charge that the request takes over.
    fn expected_records(&self, request: &Request, account: Option<&Account>) -> Vec<Expected> {
        let versions = &self.snapshot.versions;
        let mut expected = vec![versions.expect_request(&request.id)];
        expected.extend(expected_account(request, account));
        let predecessor = request.predecessor.as_ref();
        expected.extend(predecessor.map(|from| versions.expect_charge(from)));
        expected
    }

    /// Takes credits for one booking from the account as the earlier steps leave it, and writes off
    /// its expired lots. What is missing is lent within the account's limit. Returns `None` when
    /// there are too few credits. `last_start` is the start of the last booking that is paid for
    /// together with this one.
    pub(super) fn hold(
        &mut self,
        request: &Request,
        account: &'a Account,
        (booking, last_start): (&Booking, Time),
        credits: Credits,
        terms: Option<&Arc<RefundTerms>>,
    ) -> Option<Vec<Fact>> {
        let spending = &self.policy.global.spending;
        let gate = request.gate.as_deref();
        let purpose = spending.purpose(self.now, gate, last_start);
        let fresh = || SpendPreview::new(account);
        let preview = self.spend_previews.entry(&account.id).or_insert_with(fresh);
        let from_lots = preview.available(&purpose).min(credits);
        let lent = credits - from_lots;
        if lent > preview.lendable(spending.overdraft_limit(account)) {
            return None;
        }
        let parts = preview.allocate(from_lots, &purpose)?;
        let mut facts = Fact::expire_parts(&account.id, preview.expire_lots(self.now));
        preview.spend(&parts);
        preview.lend(lent);
        facts.push(Fact::Charge(ChargeFact::Hold {
            booking: booking.to_ref(),
            request: request.id.clone(),
            account: account.id.clone(),
            parts,
            lent,
            event_type: booking.event_type.as_ref().map(|kind| kind.id),
            host: booking.host_id(),
            start: booking.start,
            end: booking.end,
            terms: terms.cloned(),
        }));
        Some(facts)
    }

    fn add_problem_once(&mut self, code: &'static str, text: &str) {
        if self.plan.problems.iter().all(|known| known.code != code) {
            self.plan.problems.push(Problem {
                code,
                text: text.to_owned(),
            });
        }
    }
}

/// Returns the start of the last of the bookings.
pub(super) fn last_start(bookings: &[&Booking]) -> Time {
    let starts = bookings.iter().map(|booking| booking.start);
    starts.max().expect("a request has a booking")
}

/// Returns the account that the decision rests on, with its version. Without an account, the
/// decision rests on the booker's address leading to none.
pub(super) fn expected_account(request: &Request, account: Option<&Account>) -> Option<Expected> {
    match (&request.account, &request.booker) {
        (Some(id), _) => Some(Expected::Account {
            id: id.clone(),
            version: account.map(|known| known.version),
        }),
        (None, Some(booker)) => Some(Expected::Alias {
            address: booker.clone(),
            account: None,
        }),
        (None, None) => None,
    }
}
