//! The plan: what one pass will do, computed as one value from one snapshot. Open intents come
//! first and are only finished. New requests follow in order of creation (ties by id), and each is
//! decided with what the earlier ones have left. A step leaves the executor no choice.

mod evaluation_input;
mod initial_schedule;
mod open_intents;
mod record;
mod send;
mod skip_reason;
mod unresolved_list;
mod unsettled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::account::{Account, SpendPreview};
use super::booking::{BookingRef, TimestampedBooking};
use super::decision::{Credits, Decision, DecisionOutcome, ReasonCode};
use super::evaluation::built_in_rule::RuleInput;
use super::evaluation::rules::needs_input;
use super::evaluation::{Evaluation, EvaluationInput, evaluate};
use super::expected::Expected;
use super::fact::Fact;
use super::gate::{Gate, Policy};
use super::host_bookings::HostBookings;
use super::host_schedule::HostSchedule;
use super::id::{AccountId, Address, BookingUid, RequestId};
use super::lot::Purpose;
use super::request::{CallKind, Request};
use super::request_grouping::{RequestGroup, group_requests};
use super::snapshot::{CountedBooking, PriorRequest, Snapshot};
use super::time::{Time, truncate_to_millis};
use super::unresolved::UnresolvedCode;
use initial_schedule::{initial_host_bookings, initial_host_schedule};
use record::dated_reasons;
use skip_reason::SkipReason;
use unsettled::{carriable_charges, waiting_bookings};

/// The number of requests that are listed individually among the problems. Of the remaining
/// requests only the number is reported.
const MAX_UNANSWERED_PROBLEMS: usize = 20;

/// Everything that a pass will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The requests and intents with their actions, in the order of execution.
    pub steps: Vec<Step>,
    /// What operators should know in addition to the steps.
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
    /// The request as it is or will be recorded.
    pub request: Arc<Request>,
    /// What is done about the request.
    pub action: Action,
    /// The stored records that the step rests on. Its facts are written only if none of them has
    /// changed.
    pub expected: Vec<Expected>,
}

/// What a pass does about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing is sent. The request is recorded if it has changed.
    Note {
        /// Whether the record has changed and has to be written.
        write: bool,
    },
    /// Write the facts, then send the call. The facts are the intent and its holds; for an intent
    /// that is already recorded, only holds for occurrences that joined.
    Send {
        /// What is written before the call is sent.
        facts: Vec<Fact>,
        /// The call that is sent afterwards.
        call: PlannedCall,
    },
    /// Write the facts: what happened at Cal.com finished the intent.
    Settle {
        /// What is written.
        facts: Vec<Fact>,
        /// How the intent ended.
        outcome: DecisionOutcome,
        /// A problem for the operator. `None`: the intent ended as planned.
        problem: Option<String>,
    },
    /// Nothing can be done now for this open intent. The reason is a text for operators.
    Postpone {
        /// Why the intent stays open, for operators.
        reason: String,
    },
}

/// A call that the executor sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCall {
    /// The kind of the call.
    pub kind: CallKind,
    /// The booking that the call names.
    pub booking: BookingRef,
    /// The text for the booker, with a decline or a cancellation.
    pub text: Option<String>,
}

/// A problem for the operator, reported in addition to the steps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// One word for machines that never changes its meaning, such as `unanswered`.
    pub code: &'static str,
    /// The explanation for operators.
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
    /// The bookings of hosts; empty if no cap counts them.
    host_bookings: HostBookings,
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
            host_bookings: initial_host_bookings(snapshot, policy, &open_intents),
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
            needs_booking_counts: policy
                .gates
                .iter()
                .any(|gate| needs_input(&policy.global, gate, RuleInput::BookingCounts)),
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

    /// Returns what the account can still spend on this after the earlier steps, and how much it may
    /// be lent beyond that.
    fn available(&self, account: &Account, purpose: &Purpose<'_>) -> (Credits, Credits) {
        let limit = self.policy.global.spending.overdraft_limit(account);
        let of = |preview: &SpendPreview<'_>| (preview.available(purpose), preview.lendable(limit));
        match self.spend_previews.get(&account.id) {
            Some(preview) => of(preview),
            None => of(&SpendPreview::new(account)),
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
            Err(reason) => {
                let reason = SkipReason::OutOfScope(reason);
                return self.record_leave(&group, None, record, reason);
            }
        };
        match self.reason_to_skip(&group) {
            Some(reason) => self.record_leave(&group, Some(gate), record, reason),
            None => match self.snapshot.paused_gates.get(&gate.name) {
                Some(pause) => self.leave_while_paused(&group, gate, record, pause),
                None => self.evaluate(&group, gate, record),
            },
        }
    }

    fn evaluate(&mut self, group: &RequestGroup<'a>, gate: &Gate, record: Option<&Request>) {
        let account = self.account_of_booker(group);
        let carried_charge = self.carried_charge(group, gate, account);
        let prior_requests = self.count_prior_requests(group, gate);
        let reasons_since = record.map_or_else(Vec::new, dated_reasons);
        let input = EvaluationInput {
            carried_charge: carried_charge.map(|(charge, _)| charge),
            review: record.and_then(|record| record.review.as_ref()),
            reasons_since: &reasons_since,
            ..self.evaluation_input(group, gate, account, prior_requests)
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
                let account = account.expect("no other request is confirmed");
                self.confirm(group, gate, request, account, (&costs, to_hold));
            }
            Decision::Decline => self.decline(request, record, account),
            Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                self.note_pending(group, request, record);
            }
        }
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
        let began_while_paused = has_reason(ReasonCode::Paused) && request.start <= self.now;
        if has_reason(ReasonCode::AlreadyBegun)
            || has_reason(ReasonCode::Unanswered)
            || began_while_paused
        {
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
            "request {} is left pending at Cal.com: {}; answer it there if that is still needed",
            request.id,
            reasons.join("; ")
        ),
    }
}
