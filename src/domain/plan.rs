//! The plan: what one pass will do, decided as one value from one snapshot. Open intents come
//! first and are only finished; then each new request in order of creation (ties by name), each
//! seeing what the ones before it have taken. A step leaves the executor no choice.

mod finish;
mod listing;
mod note;
mod unsettled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;
use foldhash::HashMap;

use super::account::{Account, SpendPreview};
use super::booking::{Booking, BookingRef, Observed, Status};
use super::decision::{Code, Credits, Decision, Outcome, Reason};
use super::fact::Fact;
use super::gate::{Gate, Policy, RefuseWith};
use super::group::{Group, groups};
use super::id::{AccountId, Address, BookingUid, RequestId};
use super::judge::{EvaluationInput, Evaluation, judge};
use super::request::{CallKind, Charge, MAX_OCCURRENCES, Request, RequestState};
use super::snapshot::{Earlier, Series, Snapshot, Standing};
use super::taken::Taken;
use super::terms::{AfterMoves, MoveAway, RefundTerms, who_moved};
use super::time::{Time, kept};
use super::unresolved::UnresolvedCode;
use unsettled::{carriable, waiting};

/// Requests named one by one among the problems; of the others the number is told.
const MAX_NAMED: usize = 20;

/// All that a pass will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub problems: Vec<Problem>,
    /// Changes of the unresolved list that belong to no step.
    pub listing: Vec<Fact>,
    /// Requests were left for the next pass: this one had enough, or credits are on their way back.
    pub more: bool,
}

/// One item of a plan: the request as it is, or as it is to be written, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub request: Arc<Request>,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing to send. Written down when it says something new.
    Note { write: bool },
    /// Write the facts (an intent with its holds; none when it stands already), then send the call.
    Send {
        facts: Vec<Fact>,
        /// The account the decision looked at, and its version (`None`: there was none).
        looked_at: Option<(AccountId, Option<u64>)>,
        call: Call,
    },
    /// Write the facts: what happened at Cal.com finished it.
    Settle {
        facts: Vec<Fact>,
        outcome: Outcome,
        problem: Option<String>,
    },
    /// An open intent for which nothing can be done now, and why: a text for operators.
    Postpone { why: String },
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub kind: CallKind,
    pub booking: BookingRef,
    /// For the booker, with a decline or a cancellation.
    pub text: Option<String>,
}

/// Something an operator should know, beside the steps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub code: &'static str,
    pub text: String,
}

impl Plan {
    /// Whether anything is written down by it.
    pub fn writes(&self) -> bool {
        let steps = self.steps.iter().any(|step| match &step.action {
            Action::Send { .. } | Action::Settle { .. } => true,
            Action::Note { write } => *write,
            Action::Postpone { .. } => false,
        });
        steps || !self.listing.is_empty()
    }

    /// How many of these requests, or series, it confirms or declines.
    pub fn decides(&self, requests: &BTreeSet<RequestId>) -> usize {
        let of = |step: &&Step| {
            let request = &step.request;
            requests.contains(request.series.as_ref().unwrap_or(&request.id))
        };
        let begins =
            |step: &&Step| matches!(&step.action, Action::Send { facts, .. } if !facts.is_empty());
        self.steps.iter().filter(begins).filter(of).count()
    }

    /// The requests, or their series, of these pending bookings of which nothing is done and nothing
    /// new is written down.
    pub fn left_without_a_note(&self, pending: &[Observed]) -> BTreeSet<RequestId> {
        let mut left: BTreeSet<RequestId> = pending
            .iter()
            .map(|observed| observed.booking.request())
            .collect();
        for step in &self.steps {
            let acts = match step.action {
                Action::Note { write } => write,
                Action::Send { .. } | Action::Settle { .. } | Action::Postpone { .. } => true,
            };
            if acts {
                left.remove(step.request.series.as_ref().unwrap_or(&step.request.id));
            }
        }
        left
    }
}

/// Plans a pass.
pub fn plan(snapshot: &Snapshot, policy: &Policy) -> Plan {
    let mut planner = Planner::new(snapshot, policy);
    for open in &snapshot.intents {
        planner.finish(open);
    }
    for group in groups(snapshot) {
        planner.decide(group);
    }
    let more = planner.unanswered.saturating_sub(MAX_NAMED);
    if more > 0 {
        planner.plan.problems.push(Problem {
            code: "unanswered",
            text: format!("and {more} more requests that began without an answer"),
        });
    }
    planner.plan.defer_behind_freed_charges();
    planner.plan
}

/// The call that an intent wants for one of its bookings.
pub fn call(request: &Request, booking: &BookingRef) -> Option<Call> {
    request.call.map(|kind| Call {
        kind,
        booking: booking.clone(),
        text: request.text.clone(),
    })
}

struct Planner<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    /// As it is kept: what is written down must be equal when it is read again.
    now: Time,
    /// The accounts that steps so far take credits from, as these steps leave them.
    spent: HashMap<&'a AccountId, SpendPreview<'a>>,
    /// Accounts that a step so far gives credits back to.
    returning: BTreeSet<&'a AccountId>,
    /// Holds that a step so far posts, by account: they do not come back.
    posting: HashMap<&'a AccountId, Credits>,
    /// Charges that open intents take over, by account: they come back when the successor is declined.
    taken_over: HashMap<&'a AccountId, Credits>,
    /// The charges that pending bookings would take over, by account.
    carriable: HashMap<&'a AccountId, Vec<(&'a BookingUid, Credits)>>,
    /// Pending bookings that wait, or are left, for longer than this pass.
    waiting: BTreeSet<&'a BookingUid>,
    taken: Taken,
    sends_left: usize,
    declines_left: usize,
    /// Open intents, by name and by series: one call answers a whole series.
    open: BTreeSet<&'a RequestId>,
    /// The bookings of open intents.
    begun: BTreeSet<&'a BookingUid>,
    /// What was decided before, by booking.
    decided: HashMap<&'a BookingUid, &'a Request>,
    /// Charges that a step already takes over: a booking has one successor.
    carried: BTreeSet<BookingUid>,
    /// Whether anything asks how many bookings a member has.
    counts: bool,
    /// Bookings that steps so far let in.
    standing: HashMap<&'a AccountId, Vec<Standing>>,
    /// Requests that began unanswered.
    unanswered: usize,
    /// Requests looked at so far, by who asked.
    asked: BTreeMap<&'a Address, Vec<Earlier>>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(snapshot: &'a Snapshot, policy: &'a Policy) -> Self {
        let intents = || snapshot.intents.iter().map(|open| &open.request);
        let open: BTreeSet<&RequestId> = intents()
            .flat_map(|request| std::iter::once(&request.id).chain(&request.series))
            .collect();
        Self {
            snapshot,
            policy,
            now: kept(snapshot.now),
            spent: HashMap::with_capacity_and_hasher(snapshot.accounts.len(), Default::default()),
            returning: BTreeSet::new(),
            posting: HashMap::default(),
            taken_over: HashMap::default(),
            carriable: carriable(snapshot),
            waiting: waiting(snapshot),
            taken: taken(snapshot, &open),
            sends_left: policy.limits.requests_per_pass,
            declines_left: policy
                .limits
                .declines
                .at_most
                .saturating_sub(snapshot.declined),
            open,
            begun: intents()
                .flat_map(|request| &request.bookings)
                .map(|booking| &booking.uid)
                .collect(),
            decided: snapshot.decided_with(),
            carried: intents()
                .filter_map(|request| request.carries.clone())
                .collect(),
            counts: policy.counts(),
            standing: HashMap::default(),
            unanswered: 0,
            asked: BTreeMap::new(),
            plan: Plan {
                steps: Vec::new(),
                problems: Vec::new(),
                listing: Vec::new(),
                more: false,
            },
        }
    }

    /// What the account could still spend after the steps so far.
    fn available(&self, account: &Account) -> Credits {
        match self.spent.get(&account.id) {
            Some(preview) => preview.available(self.now),
            None => account.available(self.now),
        }
    }

    fn decide(&mut self, group: Group<'a>) {
        let first = group.bookings[0];
        if self.is_begun(&group) {
            return;
        }
        let record = self.snapshot.records.get(&group.id);
        let gate = match self.policy.guards(self.snapshot.me, first) {
            Ok(gate) => gate,
            Err(code) => return self.leave(&group, None, record, code),
        };
        match self.left(&group) {
            Some(code) => self.leave(&group, Some(gate), record, code),
            None => self.judge(&group, gate, record),
        }
    }

    /// Whether it was begun: by an open intent, or by one that this pass has no room for.
    fn is_begun(&self, group: &Group<'a>) -> bool {
        self.open.contains(&group.id)
            || group
                .series
                .is_some_and(|series| self.open.contains(series))
            || group.bookings.iter().any(|b| self.begun.contains(&b.uid))
            || self
                .records(group)
                .any(|record| record.state == RequestState::Recorded)
    }

    /// What was decided of it before: under its name, of late occurrences under their own, and under
    /// that of another which was decided together with them.
    fn records(&self, group: &Group<'a>) -> impl Iterator<Item = &'a Request> {
        let records = &self.snapshot.records;
        let own = |booking: &&'a Booking| records.get(&RequestId::from(&booking.uid));
        let together = |booking: &&'a Booking| self.decided.get(&booking.uid).copied();
        let late: Vec<&Request> = match group.series {
            Some(_) => {
                let all = group.bookings.iter();
                all.flat_map(|one| own(one).into_iter().chain(together(one)))
                    .collect()
            }
            None => Vec::new(),
        };
        records.get(&group.id).into_iter().chain(late)
    }

    /// Why it is not judged now, if it is not.
    fn left(&self, group: &Group<'a>) -> Option<Code> {
        if self.snapshot.clock_off {
            return Some(Code::ClockOff);
        }
        let settled = |record: &Request| matches!(record.state, RequestState::Settled { .. });
        if self.records(group).any(settled) {
            let begun = group.bookings[0].start <= self.now;
            return Some(if begun {
                Code::Begun
            } else {
                Code::DecidedBefore
            });
        }
        let unclear = &self.snapshot.unclear;
        if group.bookings.iter().any(|one| unclear.contains(&one.uid)) {
            return Some(Code::PredecessorUnclear);
        }
        let series = group.series?;
        // The one call would answer every one of them.
        let guards = |booking: &&Booking| self.policy.guards(self.snapshot.me, booking).err();
        if let Some(code) = group.bookings.iter().find_map(guards) {
            return Some(code);
        }
        match self.snapshot.series.get(series) {
            Some(Series::Whole(_)) if group.bookings.len() <= MAX_OCCURRENCES => {}
            Some(Series::Whole(_) | Series::Unread(_)) | None => {
                return Some(Code::SeriesUnreadable);
            }
        }
        (self.now < self.settled_at(group)).then_some(Code::SeriesSettling)
    }

    /// When a series is taken to be whole.
    pub(super) fn settled_at(&self, group: &Group<'a>) -> Time {
        group.newest + self.policy.limits.series_settle
    }

    fn judge(&mut self, group: &Group<'a>, gate: &Gate, record: Option<&Request>) {
        let first = group.bookings[0];
        let house = &self.policy.house;
        let zone = gate.criteria.zone(house, first);
        let (asked_before, told_before) = self.asked_before(group, gate, zone);
        let account = first
            .booker
            .as_ref()
            .and_then(|booker| self.snapshot.names.get(&booker.address))
            .and_then(|id| self.snapshot.accounts.get(id));
        let carried = self.carried(group, gate, account);
        let taken = group
            .bookings
            .iter()
            .enumerate()
            // An occurrence that is over cannot collide with another booking.
            .filter(|(_, booking)| booking.end > self.now)
            .find_map(|(at, booking)| Some((at, self.taken.find(booking)?)));
        let event_type = first.event_type.as_ref().map(|event_type| event_type.id);
        let reasons_since = record.map_or_else(Vec::new, known_reasons);
        let asked = EvaluationInput {
            gate,
            house,
            zone,
            bookings: &group.bookings,
            event_type: event_type
                .and_then(|id| self.snapshot.event_types.get(&id))
                .map(Option::as_ref),
            account,
            available: account.map_or(0, |account| self.available(account)),
            standing: self.standing(account),
            asked_before,
            told_before,
            pin: self.snapshot.pins.get(&first.uid).copied(),
            lookups: self.snapshot.lookups.get(&group.id),
            review: record.and_then(|record| record.review.as_ref()),
            taken_by: taken.map(|(_, by)| by),
            taken_at: taken.map_or(0, |(at, _)| at),
            unsettled: account.map_or(0, |account| self.unsettled(account, group)),
            carried: carried.map(|(charge, _)| charge),
            moved_together: self.moved_together(group, account),
            ledger_is_empty: self.snapshot.ledger_is_empty,
            reasons_since: &reasons_since,
            now: self.now,
        };
        let judged = judge(&asked);
        if self.may_suffice_later(&judged) {
            self.plan.more = true;
            return;
        }
        let carries = carried.map(|(charge, keeps)| (charge.booking.uid.clone(), keeps));
        let costs = judged.costs.clone();
        let to_hold = judged.to_hold;
        let request = self.request(group, Some(gate), record, judged, carries);
        match request.decision {
            Decision::Confirm | Decision::Decline if self.snapshot.restore_open => {
                self.leave_for_the_restore(request, record);
            }
            Decision::Confirm => {
                let account = account.expect("nobody else is confirmed");
                self.confirm(group, gate, request, account, (&costs, to_hold));
            }
            Decision::Decline => self.decline(request, record, account),
            Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                self.left_pending(group, request, record);
            }
        }
    }

    /// Notes a request that is not answered now.
    fn left_pending(&mut self, group: &Group<'a>, request: Request, record: Option<&Request>) {
        let has = |code| request.reasons.iter().any(|reason| reason.code == code);
        if has(Code::Unsettled) {
            // What this pass settles, the next one knows; anything else takes longer, and is noted.
            let acts = self.acts();
            self.plan.more |= acts;
            return self.note(request, record, !acts);
        }
        if has(Code::Begun) || has(Code::Unanswered) {
            let detail =
                "began while it waited for an answer, and nothing is confirmed after its start";
            self.list(
                &request.bookings[0],
                UnresolvedCode::Unanswered,
                request.account.clone(),
                (Some(request.end), detail),
            );
            self.unanswered += 1;
            if self.unanswered <= MAX_NAMED {
                self.plan.problems.push(unanswered(&request));
            }
        }
        self.waiting
            .extend(group.bookings.iter().map(|booking| &booking.uid));
        self.note(request, record, true);
    }

    /// The member's bookings that stand: those that were there, and those let in so far.
    fn standing(&self, account: Option<&Account>) -> [&[Standing]; 2] {
        let of = |account: &Account| {
            let before = self.snapshot.standing.get(&account.id);
            let since = self.standing.get(&account.id);
            [before, since].map(|some| some.map_or(&[][..], Vec::as_slice))
        };
        account.map_or([&[], &[]], of)
    }

    /// How often the booker asked before on the day of this request, whatever became of it.
    fn asked_before(&mut self, group: &Group<'a>, gate: &Gate, zone: Tz) -> (u32, bool) {
        let limits = [
            self.policy.house.requests_per_day,
            gate.criteria.requests_per_day,
        ];
        let Some(booker) = group.bookings[0].booker.as_ref() else {
            return (0, false);
        };
        if limits == [None, None] {
            return (0, false);
        }
        let day = |at: Time| at.with_timezone(&zone).date_naive();
        let today = day(group.created);
        let address = &booker.address;
        let own = (group.created, &group.id);
        let before = self.snapshot.asked.get(address).into_iter().flatten();
        let before: Vec<&Earlier> = before
            .chain(self.asked.get(address).into_iter().flatten())
            .filter(|earlier| earlier.request != group.id && day(earlier.created) == today)
            .collect();
        // Also by a request that was made later and declined sooner.
        let told = before.iter().any(|earlier| earlier.told);
        let before: BTreeSet<&RequestId> = before
            .into_iter()
            .filter(|earlier| (earlier.created, &earlier.request) < own)
            .map(|earlier| &earlier.request)
            .collect();
        let count = before.len().try_into().unwrap_or(u32::MAX);
        self.asked.entry(address).or_default().push(Earlier {
            request: group.id.clone(),
            created: group.created,
            told: false,
        });
        (count, told)
    }

    /// Credits that come back in this pass can be spent in the next: until then nobody is told that
    /// there are too few.
    fn may_suffice_later(&self, judged: &Evaluation) -> bool {
        let returning = judged
            .account
            .as_ref()
            .is_some_and(|account| self.returning.contains(account));
        returning
            && judged
                .reasons
                .iter()
                .any(|reason| reason.code == Code::ShortOfCredit)
    }

    /// The charge that the group's one booking takes over, and what of it does not come back.
    fn carried(
        &self,
        group: &Group<'a>,
        gate: &Gate,
        account: Option<&Account>,
    ) -> Option<(&'a Charge, Credits)> {
        let [only] = group.bookings.as_slice() else {
            return None;
        };
        self.snapshot
            .carried
            .get(&only.uid)
            .filter(|charge| !self.carried.contains(&charge.booking.uid))
            .filter(|charge| account.is_some_and(|account| account.id == charge.account))
            .and_then(|charge| {
                let direct = || {
                    vec![MoveAway {
                        start: charge.start,
                        at: only.created,
                        by: who_moved(only, &self.policy.hosts),
                    }]
                };
                let moves = self.snapshot.moves.get(&only.uid);
                let moves = moves.cloned().unwrap_or_else(direct);
                let terms = charge.refund_terms(Some(&gate.terms.refunds));
                match terms.after_moves(charge.credits(), &moves) {
                    AfterMoves::Carried { keeps } => Some((charge, keeps.max(charge.keeps))),
                    // The watch closes the charge as that of a cancelled booking, before this or
                    // after it.
                    AfterMoves::Cancelled { .. } => None,
                }
            })
    }

    fn moved_together(&self, group: &Group<'a>, account: Option<&Account>) -> bool {
        let paid = |booking: &&Booking| {
            let charge = self.snapshot.carried.get(&booking.uid);
            charge.is_some_and(|charge| account.is_some_and(|own| own.id == charge.account))
        };
        group.bookings.len() > 1 && group.bookings.iter().any(paid)
    }

    fn confirm(
        &mut self,
        group: &Group<'a>,
        gate: &Gate,
        mut request: Request,
        account: &'a Account,
        (costs, to_hold): (&[Credits], Credits),
    ) {
        if self.sends_left == 0 {
            self.plan.more = true;
            return;
        }
        self.sends_left -= 1;
        request.state = RequestState::Recorded;
        request.call = Some(CallKind::Confirm);
        let looked_at = looked_at(&request, Some(account));
        let request = Arc::new(request);
        let terms = Arc::new(gate.terms.refunds.clone());
        let mut facts = Vec::with_capacity(1 + group.bookings.len());
        facts.push(Fact::Decided {
            request: Arc::clone(&request),
        });
        for (booking, cost) in group.bookings.iter().zip(costs) {
            // A successor holds only what its predecessor did not pay.
            let credits = if request.carries.is_some() {
                to_hold
            } else {
                *cost
            };
            if request.carries.is_some() && credits == 0 {
                continue;
            }
            let hold = self
                .hold(&request, account, booking, credits, Some(&terms))
                .expect("the credit rule saw that there is enough");
            facts.extend(hold);
        }
        self.carried.extend(request.carries.clone());
        self.let_in(group, &request, account);
        self.send(request, facts, looked_at);
    }

    /// What later requests of this plan see of it.
    fn let_in(&mut self, group: &Group<'a>, request: &Request, account: &'a Account) {
        for booking in &group.bookings {
            self.taken.add_booking(booking, false);
        }
        if !self.counts {
            return;
        }
        let standing = self.standing.entry(&account.id).or_default();
        standing.extend(group.bookings.iter().map(|booking| Standing {
            booking: booking.uid.clone(),
            start: booking.start,
            end: booking.end,
            gate: request.gate.clone(),
            settled: false,
        }));
    }

    fn decline(
        &mut self,
        mut request: Request,
        record: Option<&Request>,
        account: Option<&Account>,
    ) {
        request.state = RequestState::Recorded;
        let counts = request.counts_as_decline();
        if counts && self.declines_left == 0 {
            request.state = RequestState::Noted;
            let limit = self.policy.limits.declines;
            request.decision = Decision::Leave;
            request.reasons = vec![Reason {
                code: Code::DeclineLimit,
                text: format!(
                    "would be declined, but no more than {limit} may be declined \
                     (limits.declines)"
                ),
            }];
            self.problem_once(
                "decline-limit",
                &format!(
                    "more requests would be declined than {limit} (limits.declines): if that is \
                     right, they are declined later, as the limit allows; if not, correct the \
                     configuration or the ledger now"
                ),
            );
            return self.note(request, record, false);
        }
        if self.sends_left == 0 {
            self.plan.more = true;
            return;
        }
        self.sends_left -= 1;
        self.declines_left = self.declines_left.saturating_sub(usize::from(counts));
        request.call = Some(match self.policy.refuse_with {
            RefuseWith::Decline => CallKind::Decline,
            RefuseWith::Cancel => CallKind::Cancel,
        });
        self.remember_told(&request);
        let looked_at = looked_at(&request, account);
        let request = Arc::new(request);
        let facts = vec![Fact::Decided {
            request: Arc::clone(&request),
        }];
        self.send(request, facts, looked_at);
    }

    /// The booker of a request that is declined as one too many is told so by it.
    fn remember_told(&mut self, request: &Request) {
        let too_many = |reason: &Reason| reason.code == Code::TooManyRequests;
        if !request.reasons.iter().any(too_many) {
            return;
        }
        let mut asked = self.asked.values_mut().flatten();
        if let Some(earlier) = asked.find(|earlier| earlier.request == request.id) {
            earlier.told = true;
        }
    }

    fn send(
        &mut self,
        request: Arc<Request>,
        facts: Vec<Fact>,
        looked_at: Option<(AccountId, Option<u64>)>,
    ) {
        let call = call(&request, &request.bookings[0]).expect("an intent names its call");
        self.plan.steps.push(Step {
            request,
            action: Action::Send {
                facts,
                looked_at,
                call,
            },
        });
    }

    /// Takes credits for one booking from the account as the steps so far leave it; expired lots
    /// are written off on the way. `None` when there are too few.
    fn hold(
        &mut self,
        request: &Request,
        known: &'a Account,
        booking: &Booking,
        credits: Credits,
        terms: Option<&Arc<RefundTerms>>,
    ) -> Option<Vec<Fact>> {
        let fresh = || SpendPreview::of(known);
        let preview = self.spent.entry(&known.id).or_insert_with(fresh);
        let parts = preview.allocate(credits, self.now)?;
        let mut facts = Fact::expired(&known.id, preview.expire_lots(self.now));
        preview.spend(&parts);
        facts.push(Fact::Hold {
            booking: booking.reference(),
            request: request.id.clone(),
            account: known.id.clone(),
            parts,
            event_type: booking.event_type.as_ref().map(|kind| kind.id),
            host: booking.host_id(),
            start: booking.start,
            end: booking.end,
            terms: terms.cloned(),
        });
        Some(facts)
    }

    fn problem_once(&mut self, code: &'static str, text: &str) {
        if self.plan.problems.iter().all(|known| known.code != code) {
            self.plan.problems.push(Problem {
                code,
                text: text.to_owned(),
            });
        }
    }
}

/// When the reasons of a note were given first. A note from before that was kept knows only when its
/// request was judged first.
fn known_reasons(record: &Request) -> Vec<(String, Time)> {
    if !record.reasons_since.is_empty() {
        return record.reasons_since.clone();
    }
    let reasons = record.reasons.iter();
    reasons
        .map(|reason| (reason.code.as_str().to_owned(), record.first))
        .collect()
}

/// What the decision rests on: the account's version, or that none has the booker's name.
fn looked_at(request: &Request, account: Option<&Account>) -> Option<(AccountId, Option<u64>)> {
    match (&request.account, &request.booker) {
        (Some(id), _) => Some((id.clone(), account.map(|known| known.version))),
        (None, Some(booker)) => Some((AccountId::from(booker), None)),
        (None, None) => None,
    }
}

/// The time that is taken before this pass begins.
fn taken(snapshot: &Snapshot, open: &BTreeSet<&RequestId>) -> Taken {
    let mut taken = Taken::with(snapshot.buffers.clone());
    for booking in &snapshot.accepted {
        if booking.status == Status::Accepted {
            taken.add_booking(booking, true);
        }
    }
    for (host, booking) in &snapshot.attended {
        taken.add_for(*host, booking, true);
    }
    // Begun, but not among the intents this pass has room for.
    let elsewhere: BTreeSet<&BookingUid> = snapshot
        .records
        .values()
        .filter(|record| record.state == RequestState::Recorded)
        .filter(|record| record.decision == Decision::Confirm && !open.contains(&record.id))
        .flat_map(|record| &record.bookings)
        .map(|booking| &booking.uid)
        .collect();
    for Observed { booking, .. } in &snapshot.pending {
        if elsewhere.contains(&booking.uid) {
            taken.add_booking(booking, false);
        }
    }
    taken
}

fn unanswered(request: &Request) -> Problem {
    let why: Vec<&str> = request
        .reasons
        .iter()
        .map(|reason| reason.text.as_str())
        .collect();
    Problem {
        code: "unanswered",
        text: format!(
            "request {} is left pending at Cal.com: {}; answer it there if it still matters",
            request.id,
            why.join("; ")
        ),
    }
}
