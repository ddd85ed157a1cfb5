//! The plan: what one pass will do, computed as one value from one snapshot. Open intents come
//! first and are only finished. New requests follow in order of creation (ties by id), and each is
//! decided with what the earlier ones have left. A step leaves the executor no choice.

mod open_intents;
mod record;
mod unresolved_list;
mod unsettled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;
use foldhash::HashMap;

use super::account::{Account, SpendPreview};
use super::booking::{Booking, BookingRef, BookingStatus, TimestampedBooking};
use super::decision::{Credits, Decision, DecisionOutcome, Reason, ReasonCode};
use super::evaluation::{Evaluation, EvaluationInput, evaluate};
use super::fact::Fact;
use super::gate::{Gate, Policy, RefuseWith};
use super::host_schedule::HostSchedule;
use super::id::{AccountId, Address, BookingUid, RequestId};
use super::refund_policy::{MoveAway, MovesOutcome, RefundTerms, identify_mover};
use super::request::{CallKind, Charge, MAX_OCCURRENCES, Request, RequestState};
use super::request_grouping::{RequestGroup, group_requests};
use super::snapshot::{CountedBooking, PriorRequest, Series, Snapshot};
use super::time::{Time, truncate_to_millis};
use super::unresolved::UnresolvedCode;
use unsettled::{carriable_charges, waiting_bookings};

/// The number of requests that are listed individually among the problems. Of the remaining
/// requests only the number is reported.
const MAX_UNANSWERED_PROBLEMS: usize = 20;

/// Everything that a pass will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub problems: Vec<Problem>,
    /// Changes to the unresolved list that belong to no step.
    pub unresolved_facts: Vec<Fact>,
    /// Whether requests were left for the next pass, because this pass has reached a limit or
    /// because it changes what they depend on, for example when credits come back.
    pub has_more: bool,
}

/// One item of a plan: the request, as it is or as it will be recorded, and the action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub request: Arc<Request>,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing is sent. The request is recorded if it has changed.
    Note { write: bool },
    /// Write the facts, then send the call. The facts are the intent and its holds; for an intent
    /// that is already recorded, only holds for occurrences that joined.
    Send {
        facts: Vec<Fact>,
        /// The account that the decision depends on, and its version (`None`: the account did not
        /// exist).
        expected_account: Option<(AccountId, Option<u64>)>,
        call: PlannedCall,
    },
    /// Write the facts: what happened at Cal.com finished the intent.
    Settle {
        facts: Vec<Fact>,
        outcome: DecisionOutcome,
        problem: Option<String>,
    },
    /// Nothing can be done now for this open intent. The reason is a text for operators.
    Postpone { reason: String },
}

/// A call that the executor sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCall {
    pub kind: CallKind,
    pub booking: BookingRef,
    /// The text for the booker, with a decline or a cancellation.
    pub text: Option<String>,
}

/// A problem for the operator, reported in addition to the steps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub code: &'static str,
    pub text: String,
}

impl Plan {
    /// Returns true if executing the plan writes any facts.
    pub fn writes_facts(&self) -> bool {
        let steps = self.steps.iter().any(|step| match &step.action {
            Action::Send { .. } | Action::Settle { .. } => true,
            Action::Note { write } => *write,
            Action::Postpone { .. } => false,
        });
        steps || !self.unresolved_facts.is_empty()
    }

    /// Returns how many of these requests, or series, the plan confirms or declines.
    pub fn count_decided(&self, requests: &BTreeSet<RequestId>) -> usize {
        let is_asked_for = |step: &&Step| {
            let request = &step.request;
            requests.contains(request.series.as_ref().unwrap_or(&request.id))
        };
        let begins =
            |step: &&Step| matches!(&step.action, Action::Send { facts, .. } if !facts.is_empty());
        self.steps
            .iter()
            .filter(begins)
            .filter(is_asked_for)
            .count()
    }

    /// Returns the requests, or their series, of these pending bookings for which the plan neither
    /// acts nor records anything new.
    pub fn skipped_silently(&self, pending: &[TimestampedBooking]) -> BTreeSet<RequestId> {
        let mut skipped: BTreeSet<RequestId> = pending
            .iter()
            .map(|observed| observed.booking.request_id())
            .collect();
        for step in &self.steps {
            let acts = match step.action {
                Action::Note { write } => write,
                Action::Send { .. } | Action::Settle { .. } | Action::Postpone { .. } => true,
            };
            if acts {
                skipped.remove(step.request.series.as_ref().unwrap_or(&step.request.id));
            }
        }
        skipped
    }
}

/// Computes the plan of a pass.
pub fn plan(snapshot: &Snapshot, policy: &Policy) -> Plan {
    let mut planner = Planner::new(snapshot, policy);
    for intent in &snapshot.intents {
        planner.finish_intent(intent);
    }
    for group in group_requests(snapshot) {
        planner.decide(group);
    }
    let unnamed = planner
        .unanswered_count
        .saturating_sub(MAX_UNANSWERED_PROBLEMS);
    if unnamed > 0 {
        planner.plan.problems.push(Problem {
            code: "unanswered",
            text: format!("and {unnamed} more requests that began without an answer"),
        });
    }
    planner.plan.defer_behind_freed_charges();
    planner.plan
}

/// Returns the call that an intent needs for one of its bookings.
pub fn planned_call(request: &Request, booking: &BookingRef) -> Option<PlannedCall> {
    request.call.map(|kind| PlannedCall {
        kind,
        booking: booking.clone(),
        text: request.booker_text.clone(),
    })
}

struct Planner<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    /// The current time, truncated as the store keeps it: what is recorded must be equal when it is
    /// read again.
    now: Time,
    /// The accounts that earlier steps take credits from, as these steps leave them.
    spend_previews: HashMap<&'a AccountId, SpendPreview<'a>>,
    /// The accounts that an earlier step gives credits back to.
    credited_accounts: BTreeSet<&'a AccountId>,
    /// Holds that an earlier step posts, by account. These credits do not come back.
    posted_credits: HashMap<&'a AccountId, Credits>,
    /// Charges that open intents take over, by account. The credits come back when the successor is
    /// declined.
    taken_over_credits: HashMap<&'a AccountId, Credits>,
    /// The charges that pending bookings would take over, by account.
    carriable_charges: HashMap<&'a AccountId, Vec<(&'a BookingUid, Credits)>>,
    /// Pending bookings that wait, or are left, beyond this pass.
    waiting_bookings: BTreeSet<&'a BookingUid>,
    host_schedule: HostSchedule,
    remaining_sends: usize,
    remaining_declines: usize,
    /// Open intents, by request id and by series, because one call answers a whole series.
    open_intents: BTreeSet<&'a RequestId>,
    /// The bookings of open intents.
    intent_bookings: BTreeSet<&'a BookingUid>,
    /// Earlier decisions, by booking.
    decisions: HashMap<&'a BookingUid, &'a Request>,
    /// Charges that a step already takes over. A booking has only one successor.
    carried_charges: BTreeSet<BookingUid>,
    /// Whether anything needs the number of a member's bookings.
    needs_booking_counts: bool,
    /// Bookings that earlier steps confirm.
    counted_bookings: HashMap<&'a AccountId, Vec<CountedBooking>>,
    /// The number of requests that began without an answer.
    unanswered_count: usize,
    /// Requests processed so far, by booker.
    prior_requests: BTreeMap<&'a Address, Vec<PriorRequest>>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(snapshot: &'a Snapshot, policy: &'a Policy) -> Self {
        let intents = || snapshot.intents.iter().map(|open| &open.request);
        let open_intents: BTreeSet<&RequestId> = intents()
            .flat_map(|request| std::iter::once(&request.id).chain(&request.series))
            .collect();
        Self {
            snapshot,
            policy,
            now: truncate_to_millis(snapshot.now),
            spend_previews: HashMap::with_capacity_and_hasher(
                snapshot.accounts.len(),
                Default::default(),
            ),
            credited_accounts: BTreeSet::new(),
            posted_credits: HashMap::default(),
            taken_over_credits: HashMap::default(),
            carriable_charges: carriable_charges(snapshot),
            waiting_bookings: waiting_bookings(snapshot),
            host_schedule: initial_host_schedule(snapshot, &open_intents),
            remaining_sends: policy.limits.requests_per_pass,
            remaining_declines: policy
                .limits
                .declines
                .at_most
                .saturating_sub(snapshot.recent_declines),
            open_intents,
            intent_bookings: intents()
                .flat_map(|request| &request.bookings)
                .map(|booking| &booking.uid)
                .collect(),
            decisions: snapshot.decisions_by_booking(),
            carried_charges: intents()
                .filter_map(|request| request.predecessor.clone())
                .collect(),
            needs_booking_counts: policy.needs_booking_counts(),
            counted_bookings: HashMap::default(),
            unanswered_count: 0,
            prior_requests: BTreeMap::new(),
            plan: Plan {
                steps: Vec::new(),
                problems: Vec::new(),
                unresolved_facts: Vec::new(),
                has_more: false,
            },
        }
    }

    /// Returns what the account can still spend after the earlier steps.
    fn available(&self, account: &Account) -> Credits {
        match self.spend_previews.get(&account.id) {
            Some(preview) => preview.available(self.now),
            None => account.available(self.now),
        }
    }

    fn decide(&mut self, group: RequestGroup<'a>) {
        let first = group.bookings[0];
        if self.has_open_intent(&group) {
            return;
        }
        let record = self.snapshot.records.get(&group.id);
        let gate = match self.policy.require_gate(self.snapshot.key_user, first) {
            Ok(gate) => gate,
            Err(code) => return self.record_leave(&group, None, record, code),
        };
        match self.reason_to_skip(&group) {
            Some(code) => self.record_leave(&group, Some(gate), record, code),
            None => self.evaluate(&group, gate, record),
        }
    }

    /// Returns true if a decision about the group is already recorded and not finished: an open
    /// intent of this pass, or one that this pass has no room for.
    fn has_open_intent(&self, group: &RequestGroup<'a>) -> bool {
        self.open_intents.contains(&group.id)
            || group
                .series
                .is_some_and(|series| self.open_intents.contains(series))
            || group
                .bookings
                .iter()
                .any(|b| self.intent_bookings.contains(&b.uid))
            || self
                .records(group)
                .any(|record| record.state == RequestState::Recorded)
    }

    /// Returns all earlier decisions that cover this request: its own record, and, for a series,
    /// the records of single occurrences and of requests that they were decided with.
    fn records(&self, group: &RequestGroup<'a>) -> impl Iterator<Item = &'a Request> {
        let records = &self.snapshot.records;
        let own = |booking: &&'a Booking| records.get(&RequestId::from(&booking.uid));
        let together = |booking: &&'a Booking| self.decisions.get(&booking.uid).copied();
        let occurrence_records: Vec<&Request> = match group.series {
            Some(_) => {
                let all = group.bookings.iter();
                all.flat_map(|one| own(one).into_iter().chain(together(one)))
                    .collect()
            }
            None => Vec::new(),
        };
        records.get(&group.id).into_iter().chain(occurrence_records)
    }

    /// Returns why the group is not evaluated now, or `None` if it is.
    fn reason_to_skip(&self, group: &RequestGroup<'a>) -> Option<ReasonCode> {
        if self.snapshot.clock_skewed {
            return Some(ReasonCode::ClockSkew);
        }
        let is_settled = |record: &Request| matches!(record.state, RequestState::Settled { .. });
        if self.records(group).any(is_settled) {
            let has_begun = group.bookings[0].start <= self.now;
            return Some(if has_begun {
                ReasonCode::AlreadyBegun
            } else {
                ReasonCode::DecidedBefore
            });
        }
        let unclear_predecessors = &self.snapshot.unclear_predecessors;
        if group
            .bookings
            .iter()
            .any(|one| unclear_predecessors.contains(&one.uid))
        {
            return Some(ReasonCode::PredecessorUnclear);
        }
        let series = group.series?;
        // One call would answer every occurrence, so each of them must be in scope.
        let out_of_scope = |booking: &&Booking| {
            self.policy
                .require_gate(self.snapshot.key_user, booking)
                .err()
        };
        if let Some(code) = group.bookings.iter().find_map(out_of_scope) {
            return Some(code);
        }
        match self.snapshot.series.get(series) {
            Some(Series::Whole(_)) if group.bookings.len() <= MAX_OCCURRENCES => {}
            Some(Series::Whole(_) | Series::Unread(_)) | None => {
                return Some(ReasonCode::SeriesUnreadable);
            }
        }
        (self.now < self.series_settled_at(group)).then_some(ReasonCode::SeriesSettling)
    }

    /// Returns when a series counts as complete.
    pub(super) fn series_settled_at(&self, group: &RequestGroup<'a>) -> Time {
        group.newest_created_at + self.policy.limits.series_settle
    }

    fn evaluate(&mut self, group: &RequestGroup<'a>, gate: &Gate, record: Option<&Request>) {
        let first = group.bookings[0];
        let global = &self.policy.global;
        let zone = gate.criteria.zone(global, first);
        let (prior_request_count, declined_over_limit_before) =
            self.count_prior_requests(group, gate, zone);
        let account = first
            .booker
            .as_ref()
            .and_then(|booker| self.snapshot.accounts_by_address.get(&booker.address))
            .and_then(|id| self.snapshot.accounts.get(id));
        let carried_charge = self.carried_charge(group, gate, account);
        let overlap = group
            .bookings
            .iter()
            .enumerate()
            // An occurrence that is over cannot collide with another booking.
            .filter(|(_, booking)| booking.end > self.now)
            .find_map(|(at, booking)| Some((at, self.host_schedule.find_overlap(booking)?)));
        let event_type = first.event_type.as_ref().map(|event_type| event_type.id);
        let reasons_since = record.map_or_else(Vec::new, dated_reasons);
        let input = EvaluationInput {
            gate,
            global,
            zone,
            bookings: &group.bookings,
            event_type: event_type
                .and_then(|id| self.snapshot.event_types.get(&id))
                .map(Option::as_ref),
            account,
            available: account.map_or(0, |account| self.available(account)),
            counted_bookings: self.counted_bookings(account),
            prior_request_count,
            declined_over_limit_before,
            pin_result: self.snapshot.pin_results.get(&first.uid).copied(),
            lookups: self.snapshot.lookups.get(&group.id),
            review: record.and_then(|record| record.review.as_ref()),
            overlap: overlap.map(|(_, by)| by),
            overlap_index: overlap.map_or(0, |(at, _)| at),
            unsettled_credits: account.map_or(0, |account| self.unsettled_credits(account, group)),
            carried_charge: carried_charge.map(|(charge, _)| charge),
            includes_paid_move: self.includes_paid_move(group, account),
            ledger_is_empty: self.snapshot.ledger_is_empty,
            reasons_since: &reasons_since,
            now: self.now,
        };
        let evaluation = evaluate(&input);
        if self.credit_may_suffice_later(&evaluation) {
            self.plan.has_more = true;
            return;
        }
        let predecessor = carried_charge.map(|(charge, keeps)| (charge.booking.uid.clone(), keeps));
        let costs = evaluation.costs.clone();
        let to_hold = evaluation.to_hold;
        let request = self.build_request(group, Some(gate), record, evaluation, predecessor);
        match request.decision {
            Decision::Confirm | Decision::Decline if self.snapshot.restore_pending => {
                self.leave_until_restore_accepted(request, record);
            }
            Decision::Confirm => {
                let account = account.expect("nobody else is confirmed");
                self.confirm(group, gate, request, account, (&costs, to_hold));
            }
            Decision::Decline => self.decline(request, record, account),
            Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                self.note_pending(group, request, record);
            }
        }
    }

    /// Notes a request that this pass does not answer.
    fn note_pending(
        &mut self,
        group: &RequestGroup<'a>,
        request: Request,
        record: Option<&Request>,
    ) {
        let has_reason = |code| request.reasons.iter().any(|reason| reason.code == code);
        if has_reason(ReasonCode::DependsOnUnsettled) {
            // The next pass knows what this pass settles. Anything else takes longer, and is noted.
            let acts = self.has_effects();
            self.plan.has_more |= acts;
            return self.add_note(request, record, !acts);
        }
        if has_reason(ReasonCode::AlreadyBegun) || has_reason(ReasonCode::Unanswered) {
            let detail =
                "began while it waited for an answer, and nothing is confirmed after its start";
            self.add_to_unresolved(
                &request.bookings[0],
                UnresolvedCode::Unanswered,
                request.account.clone(),
                (Some(request.end), detail),
            );
            self.unanswered_count += 1;
            if self.unanswered_count <= MAX_UNANSWERED_PROBLEMS {
                self.plan.problems.push(unanswered_problem(&request));
            }
        }
        self.waiting_bookings
            .extend(group.bookings.iter().map(|booking| &booking.uid));
        self.add_note(request, record, true);
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
    /// Also returns whether a request of that day was declined as one too many.
    fn count_prior_requests(
        &mut self,
        group: &RequestGroup<'a>,
        gate: &Gate,
        zone: Tz,
    ) -> (u32, bool) {
        let limits = [
            self.policy.global.requests_per_day,
            gate.criteria.requests_per_day,
        ];
        let Some(booker) = group.bookings[0].booker.as_ref() else {
            return (0, false);
        };
        if limits == [None, None] {
            return (0, false);
        }
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
        (count, declined_over_limit)
    }

    /// Postpones a short-of-credit decline when a refund to the same account is part of this plan.
    /// The next pass decides with the new balance.
    fn credit_may_suffice_later(&self, evaluation: &Evaluation) -> bool {
        let returning = evaluation
            .account
            .as_ref()
            .is_some_and(|account| self.credited_accounts.contains(account));
        returning
            && evaluation
                .reasons
                .iter()
                .any(|reason| reason.code == ReasonCode::ShortOfCredit)
    }

    /// Returns the charge that the group's single booking takes over, and how many of its credits
    /// are not refundable.
    fn carried_charge(
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

    fn confirm(
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
        let expected_account = expected_account(&request, Some(account));
        let request = Arc::new(request);
        let terms = Arc::new(gate.terms.refunds.clone());
        let mut facts = Vec::with_capacity(1 + group.bookings.len());
        facts.push(Fact::RequestDecided {
            request: Arc::clone(&request),
        });
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
                .hold(&request, account, booking, credits, Some(&terms))
                .expect("the credit rule saw that there is enough");
            facts.extend(hold);
        }
        self.carried_charges.extend(request.predecessor.clone());
        self.reserve_for_later_requests(group, &request, account);
        self.add_send_step(request, facts, expected_account);
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

    fn decline(
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
        let expected_account = expected_account(&request, account);
        let request = Arc::new(request);
        let facts = vec![Fact::RequestDecided {
            request: Arc::clone(&request),
        }];
        self.add_send_step(request, facts, expected_account);
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

    fn add_send_step(
        &mut self,
        request: Arc<Request>,
        facts: Vec<Fact>,
        expected_account: Option<(AccountId, Option<u64>)>,
    ) {
        let call = planned_call(&request, &request.bookings[0]).expect("an intent names its call");
        self.plan.steps.push(Step {
            request,
            action: Action::Send {
                facts,
                expected_account,
                call,
            },
        });
    }

    /// Takes credits for one booking from the account as the earlier steps leave it, and writes off
    /// its expired lots. Returns `None` when there are too few credits.
    fn hold(
        &mut self,
        request: &Request,
        account: &'a Account,
        booking: &Booking,
        credits: Credits,
        terms: Option<&Arc<RefundTerms>>,
    ) -> Option<Vec<Fact>> {
        let fresh = || SpendPreview::new(account);
        let preview = self.spend_previews.entry(&account.id).or_insert_with(fresh);
        let parts = preview.allocate(credits, self.now)?;
        let mut facts = Fact::expire_parts(&account.id, preview.expire_lots(self.now));
        preview.spend(&parts);
        facts.push(Fact::Hold {
            booking: booking.to_ref(),
            request: request.id.clone(),
            account: account.id.clone(),
            parts,
            event_type: booking.event_type.as_ref().map(|kind| kind.id),
            host: booking.host_id(),
            start: booking.start,
            end: booking.end,
            terms: terms.cloned(),
        });
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

/// Returns when the reasons of a note were first given. A note from before this was stored has only
/// the time of the request's first evaluation.
fn dated_reasons(record: &Request) -> Vec<(String, Time)> {
    if !record.reasons_since.is_empty() {
        return record.reasons_since.clone();
    }
    let reasons = record.reasons.iter();
    reasons
        .map(|reason| (reason.code.as_str().to_owned(), record.first_evaluated_at))
        .collect()
}

/// Returns the account and the version that the decision depends on. Without an account, the result
/// is the booker's address and no version: the decision depends on the absence of such an account.
fn expected_account(
    request: &Request,
    account: Option<&Account>,
) -> Option<(AccountId, Option<u64>)> {
    match (&request.account, &request.booker) {
        (Some(id), _) => Some((id.clone(), account.map(|known| known.version))),
        (None, Some(booker)) => Some((AccountId::from(booker), None)),
        (None, None) => None,
    }
}

/// Returns the time that is occupied before this pass begins.
fn initial_host_schedule(snapshot: &Snapshot, open_intents: &BTreeSet<&RequestId>) -> HostSchedule {
    let mut host_schedule = HostSchedule::new(snapshot.buffers.clone());
    for booking in &snapshot.accepted {
        if booking.status == BookingStatus::Accepted {
            host_schedule.add_booking(booking, true);
        }
    }
    for (host, booking) in &snapshot.co_hosted {
        host_schedule.add_for_host(*host, booking, true);
    }
    // Decisions that are recorded, but not among the intents that this pass has room for.
    let deferred_bookings: BTreeSet<&BookingUid> = snapshot
        .records
        .values()
        .filter(|record| record.state == RequestState::Recorded)
        .filter(|record| record.decision == Decision::Confirm && !open_intents.contains(&record.id))
        .flat_map(|record| &record.bookings)
        .map(|booking| &booking.uid)
        .collect();
    for TimestampedBooking { booking, .. } in &snapshot.pending {
        if deferred_bookings.contains(&booking.uid) {
            host_schedule.add_booking(booking, false);
        }
    }
    host_schedule
}

fn unanswered_problem(request: &Request) -> Problem {
    let reasons: Vec<&str> = request
        .reasons
        .iter()
        .map(|reason| reason.text.as_str())
        .collect();
    Problem {
        code: "unanswered",
        text: format!(
            "request {} is left pending at Cal.com: {}; answer it there if it still matters",
            request.id,
            reasons.join("; ")
        ),
    }
}
