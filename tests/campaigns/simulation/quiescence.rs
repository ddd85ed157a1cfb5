//! After the faults have stopped: every open intent ends, bookings that others accepted are found,
//! and once all bookings are over and all grace periods have passed, every charge is final or
//! refunded.

use std::collections::BTreeSet;

use maitred::domain::booking::BookingStatus;
use maitred::domain::decision::{Decision, DecisionOutcome};
use maitred::domain::gate::Gate;
use maitred::domain::id::{BookingUid, RequestId};
use maitred::domain::refund_policy::{HostAbsent, NoShow, OnRevived, OnUnmanaged};
use maitred::domain::request::{CallKind, RequestState};
use maitred::domain::time::{CLOCK_TOLERANCE, Span, Time};
use maitred::domain::watch::ChargeOutcome;
use maitred::reconcile::report::{PassReport, StepOutcome, StepReport};
use maitred::reconcile::watch::{RecordedChange, WatchReport};
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

use super::faulty_store::FaultyStoreState;
use super::model_calcom::{
    ADMIN_ADDRESS, EVENT_TYPES, HOST_ADDRESS, HOST_ID, ModelBooking, ModelCalcom,
};
use super::reference_ledger::HoldState;
use super::reference_policy::PAID_BY_PREDECESSOR;
use super::run::{RunSummary, SimulationRun};
use crate::rng::Rng;

/// Unmanaged bookings that one report lists.
const MAX_UNMANAGED_IN_REPORT: usize = 20;

/// Passes, and watches, within which the run must come to rest.
const MAX_RUNS_TO_QUIESCENCE: usize = 80;

impl SimulationRun {
    /// Runs without faults until every open intent has ended. Whatever still waits does so for a
    /// reason.
    pub async fn run_to_quiescence(&mut self) {
        self.set_fault_rate(0);
        self.end_doubts();
        self.end_pauses();
        self.make_rows_readable();
        let Some(report) = self.run_passes().await else {
            return;
        };
        if std::env::var_os("MAITRED_SHOW").is_some() {
            for step in &report.steps {
                let reasons = step
                    .request
                    .reasons
                    .iter()
                    .map(|reason| reason.code.as_str());
                let reasons: Vec<_> = reasons.collect();
                eprintln!(
                    "at rest: {} {:?} {reasons:?}",
                    step.request.id, step.request.decision
                );
            }
        }
        self.check_waits_have_reasons(&report);
        self.check_decided_are_answered();
        self.check_next_watch_finds_accepted().await;
        let Some(watched) = self.run_audits().await else {
            return;
        };
        self.check_paid_or_listed();
        self.check_all_listed(&watched);
        self.advance_past_all_bookings();
        if self.run_audits().await.is_none() {
            return;
        }
        self.settle_remaining_charges();
        self.check_nothing_more_written().await;
        self.collect_violations();
        self.check_nothing_open();
        self.check_charged_once();
    }

    fn make_rows_readable(&self) {
        let mut sim = self.shared.lock_sim();
        for row in &mut sim.calcom.rows {
            row.unreadable = false;
        }
        sim.calcom.record_history();
    }

    /// Runs passes until there is nothing more to do, with a short watch in between.
    async fn run_passes(&mut self) -> Option<PassReport> {
        let mut quiet = 0;
        for n in 0..MAX_RUNS_TO_QUIESCENCE {
            let pause = if n < 2 { 65 * 60 } else { 15 };
            self.shared.advance(Span::seconds(pause));
            let report = self.run_pass().await?;
            if n == 1 {
                self.run_watch(false).await?;
            }
            let busy = |step: &StepOutcome| match step {
                StepOutcome::Planned | StepOutcome::NothingToDo => false,
                StepOutcome::Confirmed
                | StepOutcome::Declined
                | StepOutcome::Superseded
                | StepOutcome::Unresolved
                | StepOutcome::Refused
                | StepOutcome::Failed => true,
            };
            // Later watches cancel bookings that are already accepted.
            let is_passes = |step: &&StepReport| !step.request.cancels_accepted();
            // An intent about a booking with an unknown status stays open until the status changes
            // or the booking is over.
            let settles = |step: &&StepReport| {
                step.outcome != StepOutcome::Unresolved || self.has_known_status(step)
            };
            let mut steps = report.steps.iter().filter(is_passes).filter(settles);
            if report.more || steps.any(|step| busy(&step.outcome)) {
                quiet = 0;
            } else {
                quiet += 1;
            }
            if n > 2 && quiet > 1 {
                return Some(report);
            }
        }
        self.violations.push("does not come to rest".to_owned());
        None
    }

    /// Returns true if every booking of the step has a status by which a pass can settle the step.
    fn has_known_status(&self, step: &StepReport) -> bool {
        let sim = self.shared.lock_sim();
        step.request.bookings.iter().all(|booking| {
            let row = sim.calcom.row(booking.uid.as_str());
            row.is_none_or(|row| match row.status {
                BookingStatus::AwaitingHost | BookingStatus::Other(_) => false,
                BookingStatus::Pending
                | BookingStatus::Accepted
                | BookingStatus::Rejected
                | BookingStatus::Cancelled => true,
            })
        })
    }

    /// Runs audits, and passes that finish what the audits start, until nothing more is written.
    async fn run_audits(&mut self) -> Option<WatchReport> {
        // Declines that the limit holds back are sent when the limit's period is over.
        let per = self.faulty_store.state().policy.limits.declines.per;
        let mut limited = false;
        for _ in 0..MAX_RUNS_TO_QUIESCENCE {
            let before = self.faulty_store.state().commits.len();
            let pause = if limited { per } else { Span::zero() };
            self.shared.advance(pause + Span::seconds(15));
            self.run_pass().await?;
            let began = self.shared.now();
            let previewed = self.preview(true).await?;
            let watched = self.run_watch(true).await?;
            // Only the server knows whether a cancellation is answered with a reading.
            let sure = |watched: &WatchReport| -> Vec<RecordedChange> {
                let changes = watched.changes.iter();
                let sure = changes.filter(|change| change.outcome != ChargeOutcome::Cancelled);
                sure.cloned().collect()
            };
            let (planned, did) = (sure(&previewed), sure(&watched));
            // The same watch closes what a cancellation has answered.
            let cancels = did.len() < watched.changes.len();
            let closes = |change: &RecordedChange| {
                change.outcome == ChargeOutcome::Closed && !planned.contains(change)
            };
            let follows: Vec<RecordedChange> = did
                .iter()
                .filter(|change| !closes(change))
                .cloned()
                .collect();
            let agrees = planned == did
                || cancels && planned == follows
                || self.is_due_between(began, self.shared.now());
            if !agrees {
                self.violations.push(format!(
                    "8: the preview of a watch said {planned:?}, and it did {did:?}"
                ));
            }
            let mut problems = watched.problems.iter();
            limited = problems.any(|problem| problem.text.contains("limits.declines"));
            if self.faulty_store.state().commits.len() == before && !limited {
                return Some(watched);
            }
        }
        self.violations
            .push("the watch does not come to rest".to_owned());
        None
    }

    /// Returns true if a booking ends or a charge becomes final between a preview and the end of
    /// the watch after it.
    fn is_due_between(&self, from: Time, to: Time) -> bool {
        let sim = self.shared.lock_sim();
        let state = self.faulty_store.state();
        let graces = state.reference.holds.values().map(|hold| hold.terms.grace);
        let graces: BTreeSet<Span> = graces.chain([Span::zero()]).collect();
        let due = |row: &ModelBooking| {
            graces.iter().any(|grace| {
                let at = row.end + *grace;
                from < at && at <= to
            })
        };
        sim.calcom.rows.iter().any(due)
    }

    /// Checks that the next watch finds a booking that the server accepts immediately and never
    /// writes again.
    async fn check_next_watch_finds_accepted(&mut self) {
        let (uid, now) = {
            let mut guard = self.shared.lock_sim();
            let now = self.shared.now();
            (guard.calcom.book_accepted(now), now)
        };
        self.shared.advance(Span::seconds(30));
        let Some(watched) = self.run_watch(false).await else {
            return;
        };
        let state = self.faulty_store.state();
        let sim = self.shared.lock_sim();
        let row = sim.calcom.row(&uid).expect("nobody deletes it");
        if expected_unmanaged_action(&state, &sim.calcom, row, now).is_some()
            && !is_reported(&state, &watched, &uid)
        {
            let text = format!("15 (A8): {uid} was accepted at once, and the next watch is silent");
            drop((state, sim));
            self.violations.push(text);
        }
    }

    /// Checks promise 15: every booking that is accepted without a charge is on a list, and so is
    /// every booking that was accepted again, or moved and accepted by others.
    fn check_all_listed(&mut self, watched: &WatchReport) {
        let now = self.shared.now();
        let sim = self.shared.lock_sim();
        let state = self.faulty_store.state();
        let mut wrong = Vec::new();
        for row in &sim.calcom.rows {
            let Some(kind) = reason_to_be_listed(&state, row, &sim.calcom, now) else {
                continue;
            };
            if is_reported(&state, watched, &row.uid) {
                self.coverage.count(format!("listed: {kind}"));
            } else {
                wrong.push(format!(
                    "15 ({kind}): {} is accepted and not listed",
                    row.uid
                ));
            }
        }
        drop((sim, state));
        self.violations.append(&mut wrong);
    }

    /// Advances the time until the last booking is over and the longest grace period has passed.
    fn advance_past_all_bookings(&self) {
        let now = self.shared.now();
        let mut sim = self.shared.lock_sim();
        // An unknown status proves nothing, even when the booking is over: in the end the booking
        // becomes accepted.
        let mut rows = sim.calcom.rows.iter_mut();
        let unknown = |row: &&mut ModelBooking| {
            matches!(
                row.status,
                BookingStatus::AwaitingHost | BookingStatus::Other(_)
            )
        };
        for row in rows.by_ref().filter(unknown) {
            row.status = BookingStatus::Accepted;
            row.updated = Some(now);
        }
        sim.calcom.record_history();
        let history = sim.calcom.history.lock().unwrap();
        let end: Time = history.all_rows().map(|row| row.end).max().unwrap_or(now);
        self.shared.advance(end.max(now) - now + Span::hours(80));
    }

    /// Ends the remaining charges. Only an operator ends a charge whose booker or host did not
    /// come, if the terms say so.
    fn settle_remaining_charges(&mut self) {
        let left = self.faulty_store.state().reference.open_charges();
        for uid in left {
            let right = {
                let sim = self.shared.lock_sim();
                let history = sim.calcom.history.lock().unwrap();
                let terms = self.faulty_store.state().reference.holds[&uid]
                    .terms
                    .clone();
                let marked = |row: &ModelBooking| {
                    row.absent && terms.no_show == NoShow::Review
                        || row.absent_host && terms.host_absent == HostAbsent::Review
                };
                // A revived booking ends under its own uid, whatever replaced it.
                let mut rows = history.successors(&uid).into_iter();
                rows.any(|row| row.status == BookingStatus::Accepted && marked(row))
            };
            if !right {
                self.violations
                    .push(format!("3: the charge of {uid} is never closed"));
            }
            self.coverage.count("no-show settled by hand");
            let now = self.shared.now();
            // The operator's choice depends only on the booking.
            let number = uid.trim_start_matches('b').parse().unwrap_or_default();
            let mut rng = Rng::new(number);
            self.faulty_store
                .settle_charge(&mut rng, &mut self.coverage, now, &uid);
        }
    }

    async fn check_nothing_more_written(&mut self) {
        let before = self.faulty_store.state().commits.len();
        for audit in [false, true] {
            self.shared.advance(Span::seconds(15));
            self.run_watch(audit).await;
        }
        if self.faulty_store.state().commits.len() != before {
            self.violations
                .push("a second watch wrote something".to_owned());
        }
    }

    fn check_waits_have_reasons(&mut self, report: &PassReport) {
        let now = self.shared.now();
        let sim = self.shared.lock_sim();
        let state = self.faulty_store.state();
        // The report says that there are more pages than are read, and requests on the other pages
        // wait.
        let cut = report
            .problems
            .iter()
            .any(|problem| problem.code == "too-many-pending");
        let ours = sim.calcom.rows.iter().filter(|row| {
            !cut && row.status == BookingStatus::Pending
                && row.host == HOST_ID
                && row.event_type != 3
                && row.successor.is_none()
                && row.end > now
        });
        for row in ours {
            let mut steps = report.steps.iter().filter(|step| {
                let mut bookings = step.request.bookings.iter();
                bookings.any(|booking| booking.uid.as_str() == row.uid)
            });
            let reasoned = steps.any(|step| {
                let waits = match step.request.decision {
                    Decision::Wait { .. } | Decision::Review | Decision::Leave => true,
                    Decision::Confirm | Decision::Decline => false,
                };
                waits && !step.request.reasons.is_empty()
            });
            // A booking that joined a series waits until the decision about the series has ended.
            let of_series = |step: &StepReport| {
                let series = step.request.series.as_ref().map(ToString::to_string);
                series.is_some() && series == row.series && step.outcome == StepOutcome::Unresolved
            };
            let reasoned = reasoned || report.steps.iter().any(of_series);
            // A pass reads a limited number of requests; the ledger contains what another pass
            // noted about the others.
            let noted = |id: &RequestId| {
                let record = state.store.request(id).unwrap();
                record.is_some_and(|record| {
                    record.state == RequestState::Noted && !record.reasons.is_empty()
                })
            };
            let uid = BookingUid::parse(&row.uid).unwrap();
            let id = state.store.request_of(&uid).unwrap();
            let reasoned = reasoned || noted(&id.unwrap_or_else(|| RequestId::from(&uid)));
            if !reasoned {
                let (uid, end) = (&row.uid, row.end);
                let (steps, problems) = (report.steps.len(), &report.problems);
                let text = format!(
                    "11: {uid} waits at {now} until {end} and nobody says why, among {steps} steps: \
                     {problems:?}"
                );
                self.violations.push(text);
            }
        }
    }

    /// Checks that a booking with a settled decision does not wait any more.
    fn check_decided_are_answered(&mut self) {
        let now = self.shared.now();
        let sim = self.shared.lock_sim();
        let state = self.faulty_store.state();
        // Nothing is confirmed after its start: such a request is left to a person.
        let waits = |row: &&ModelBooking| row.status == BookingStatus::Pending && row.start > now;
        for row in sim.calcom.rows.iter().filter(waits) {
            let intent = state.reference.intents.get(&row.uid);
            // A booking that Cal.com refused repeatedly is left to a person.
            let settled = intent.is_some_and(|begun| {
                begun
                    .outcome
                    .is_some_and(|outcome| outcome != DecisionOutcome::Refused)
            });
            if row.series.is_none() && settled {
                self.violations
                    .push(format!("4: {} was decided, and still waits", row.uid));
            }
        }
    }

    /// Checks promise 15: a booking that is accepted, upcoming and unpaid is on the unresolved
    /// list, or was cancelled if the gate says so. A booking that is accepted although it was
    /// cancelled is on the list, too.
    fn check_paid_or_listed(&mut self) {
        let now = self.shared.now();
        let sim = self.shared.lock_sim();
        let state = self.faulty_store.state();
        for row in &sim.calcom.rows {
            let Some(gate) = gate_of_upcoming(&state, row, now) else {
                continue;
            };
            let uid = BookingUid::parse(&row.uid).unwrap();
            let items = state.store.unresolved_items_of(&uid).unwrap();
            let hold = state.reference.holds.get(&row.uid);
            let paid = hold.is_some_and(|hold| match hold.state {
                HoldState::Held | HoldState::Posted | HoldState::Final => true,
                HoldState::Voided | HoldState::Refunded | HoldState::TakenOver => false,
            });
            let mut intents = state.reference.intents.values();
            let decided = hold.is_some() || intents.any(|one| one.bookings.contains(&row.uid));
            let since = gate.terms.unmanaged_since;
            let is_old = since.is_some_and(|since| row.created < since);
            let signs = row.cancelled_by.is_some() && !row.seated;
            // An operator who gives credits back resolves the list's item, too.
            let listed = items
                .iter()
                .any(|item| item.is_open() || item.is_resolved_by_operator());
            let revived = paid && signs && gate.terms.on_revived == OnRevived::Report;
            let unpaid = !paid && (decided || !is_old);
            if (unpaid || revived) && !listed {
                let text = format!("15: {} is accepted, and on no list", row.uid);
                self.violations.push(text);
            } else if unpaid {
                self.coverage.count("unmanaged: reported");
            } else if revived {
                self.coverage.count("revived: reported");
            }
            let cancels = expected_unmanaged_action(&state, &sim.calcom, row, now)
                == Some(OnUnmanaged::Cancel);
            if unpaid && !decided && cancels {
                let text = format!("3: {} is accepted by others, and nothing was done", row.uid);
                self.violations.push(text);
            }
        }
    }

    /// Checks promises 2 and 3 again, from the bookings' final states.
    fn check_nothing_open(&mut self) {
        let sim = self.shared.lock_sim();
        let state = self.faulty_store.state();
        let open: Vec<&String> = state.reference.open_intents().map(|(id, _)| id).collect();
        if !open.is_empty() {
            self.violations.push(format!("open at the end: {open:?}"));
        }
        for (uid, hold) in &state.reference.holds {
            if matches!(hold.state, HoldState::Held | HoldState::Posted) {
                let text = format!("3: {uid} is {:?} at the end", hold.state);
                self.violations.push(text);
            }
        }
        for row in &sim.calcom.rows {
            let ours = sim
                .calcom
                .own_writes
                .get(&row.uid)
                .cloned()
                .unwrap_or_default();
            let hold = state.reference.holds.get(&row.uid);
            let stands = row.status == BookingStatus::Accepted && row.successor.is_none();
            let lost = state.lost_ledger.as_ref();
            let lost = lost.is_some_and(|lost| lost.rows.contains(&row.uid));
            if stands && ours.confirmed > 0 && !ours.confirmed_when_over && !lost && !row.revived {
                match hold.map(|hold| hold.state) {
                    Some(HoldState::Final | HoldState::Refunded) => {}
                    None => self.coverage.count("accepted without a hold"),
                    state => {
                        let text = format!("2: {} is confirmed and {state:?}", row.uid);
                        self.violations.push(text);
                    }
                }
            }
            let paid = hold.is_some_and(|hold| hold.credits > 0 && hold.state != HoldState::Voided);
            if ours.refused > 0 && paid && !state.reference.was_unmanaged(&row.uid) {
                let text = format!("2: {} was refused and is charged", row.uid);
                self.violations.push(text);
            }
        }
        for intent in state.reference.intents.values() {
            let refused = intent.outcome == Some(DecisionOutcome::Declined);
            // A booking that others accepted although maitred declined it inherits what was paid
            // for its predecessor.
            let held = |uid: &String| {
                let hold = state.reference.holds.get(uid);
                hold.is_some_and(|hold| !hold.inherited) && !state.reference.was_unmanaged(uid)
            };
            if refused && intent.bookings.iter().any(held) {
                self.violations.push("2: declined and held for".to_owned());
            }
        }
    }

    /// Checks that no chain pays twice for a session that took place once.
    fn check_charged_once(&mut self) {
        let sim = self.shared.lock_sim();
        let history = sim.calcom.history.lock().unwrap();
        let state = self.faulty_store.state();
        for (uid, why) in &state.end_reasons {
            if *why != PAID_BY_PREDECESSOR {
                continue;
            }
            let later = history.successors(uid);
            // The booking was accepted again, in addition to its successor: these are two sessions.
            let stands = |row: &&ModelBooking| row.status == BookingStatus::Accepted;
            if later.first().is_some_and(stands) {
                continue;
            }
            let paid = |row: &&ModelBooking| {
                let hold = state.reference.holds.get(&row.uid);
                hold.is_some_and(|hold| hold.credits > 0)
            };
            if let Some(other) = later.into_iter().skip(1).find(paid) {
                let text = format!("2: {uid} and its successor {} are charged", other.uid);
                self.violations.push(text);
            }
        }
    }

    /// Checks promise 9, and returns the combined results.
    pub fn finish(mut self) -> RunSummary {
        self.collect_violations();
        let mut state = self.faulty_store.state();
        if let Ok(filter) = std::env::var("MAITRED_SHOW") {
            let sim = self.shared.lock_sim();
            let history = sim.calcom.history.lock().unwrap();
            for uid in filter.split(',').filter(|uid| uid.starts_with('b')) {
                eprintln!("{uid}: {}", history.describe(uid));
            }
            for (at, facts) in &state.commits {
                eprintln!("{at}");
                for fact in facts {
                    eprintln!("    {fact:?}");
                }
            }
        }
        let mut again = MemoryStore::new();
        for (at, facts) in &state.commits {
            again.commit(*at, facts.clone(), &[]).unwrap();
        }
        let all = |store: &MemoryStore| {
            (
                store.head(),
                store.accounts(None, 100).unwrap(),
                store.decided_requests(None, None, 1_000).unwrap(),
                store.open_intents(None, 1_000).unwrap(),
                store.open_charges(None, 1_000).unwrap(),
            )
        };
        if all(&again) != all(&state.store) {
            self.violations
                .push("9: the replayed store is another".to_owned());
        }
        self.coverage.count("replayed");
        self.coverage.merge(&state.coverage);
        self.coverage.merge(&self.shared.lock_sim().coverage);
        let unique: BTreeSet<String> = self.violations.drain(..).collect();
        let commits = std::mem::take(&mut state.commits);
        drop(state);
        RunSummary {
            coverage: self.coverage,
            violations: unique.into_iter().collect(),
            commits,
        }
    }
}

/// Returns true if this booking is on the unresolved list, or a watch reported it.
fn is_reported(state: &FaultyStoreState, watched: &WatchReport, uid: &str) -> bool {
    let booking = BookingUid::parse(uid).unwrap();
    let listed = state.store.unresolved_items_of(&booking).unwrap();
    if listed
        .iter()
        .any(|one| one.is_open() || one.is_resolved_by_operator())
    {
        return true;
    }
    let texts = watched.problems.iter().map(|problem| &problem.text);
    let word = |text: &String| {
        text.split(|c: char| !c.is_alphanumeric())
            .any(|word| word == uid)
    };
    let others = |text: &&String| text.contains("was accepted by others");
    texts.clone().any(word) || texts.filter(others).count() >= MAX_UNMANAGED_IN_REPORT
}

/// Returns why this booking must be on a list, if it must.
fn reason_to_be_listed(
    state: &FaultyStoreState,
    row: &ModelBooking,
    calcom: &ModelCalcom,
    now: Time,
) -> Option<&'static str> {
    let mut gates = state.policy.gates.iter();
    let gate = gates.find(|gate| gate.name == EVENT_TYPES[row.event_type].0)?;
    let ours = row.status == BookingStatus::Accepted
        && row.host == HOST_ID
        && row.end > now
        && row.start < now + Span::days(365)
        && EVENT_TYPES[row.event_type].1 == 0
        && !row.seated;
    if !ours {
        return None;
    }
    let hold = state.reference.holds.get(&row.uid);
    let charged = hold.filter(|hold| {
        matches!(
            hold.state,
            HoldState::Posted | HoldState::Final | HoldState::Held
        )
    });
    let done = calcom.own_writes.get(&row.uid).cloned().unwrap_or_default();
    let linked = !calcom.legacy && row.series.is_none();
    let signs = row.cancelled_by.is_some() || row.has_reason || (linked && row.successor.is_some());
    let lost = state.lost_ledger.as_ref();
    let lost = lost.is_some_and(|lost| lost.rows.contains(&row.uid));
    match (charged, hold) {
        (Some(hold), _) if row.revived && signs && hold.state != HoldState::Final => Some("A3"),
        (Some(hold), _) if hold.inherited => {
            // The host may move bookings freely if the gate trusts names.
            let fixture = row.moved_by == Some(HOST_ADDRESS)
                || row.moved_by == Some(ADMIN_ADDRESS) && !state.policy.hosts.is_empty();
            let is_shown = calcom.legacy || row.series.is_none();
            // Whether the move is exempt was decided when the charge moved; an operator may have
            // edited the gate since then.
            let exempt = fixture && is_shown && hold.trusts_names;
            // A booking that waited was accepted by a person who saw it, or by maitred.
            let history = calcom.history.lock().unwrap();
            let waited = history.was_ever(&row.uid, |row| row.status == BookingStatus::Pending);
            // A booking that was cancelled once and is accepted again has its own item on the list.
            let decided = state
                .reference
                .intents
                .values()
                .any(|begun| begun.bookings.contains(&row.uid));
            let at_once = done.confirmed == 0 && !waited && !decided && !exempt;
            at_once.then_some("A7")
        }
        (Some(_), _) => None,
        (None, Some(_)) if row.revived && done.confirmed > 0 => Some("A3"),
        (None, Some(hold)) if hold.state == HoldState::Voided => Some("B8"),
        (None, Some(_)) => Some("B3"),
        // This ledger does not know about a confirm of the ledger that was lost.
        (None, None) if done.confirmed > 0 && !lost => Some("B10"),
        (None, None) => {
            let since = gate.terms.unmanaged_since;
            let new = since.is_none_or(|since| row.created >= since);
            (new && !row.unreadable).then_some("unmanaged")
        }
    }
}

/// Returns the gate of an accepted booking of the calendar's host that an audit shows.
fn gate_of_upcoming<'a>(
    state: &'a FaultyStoreState,
    row: &ModelBooking,
    now: Time,
) -> Option<&'a Gate> {
    let mut gates = state.policy.gates.iter();
    let gate = gates.find(|gate| gate.name == EVENT_TYPES[row.event_type].0)?;
    let ours = row.status == BookingStatus::Accepted
        && row.host == HOST_ID
        && row.end > now
        // An audit looks a year ahead.
        && row.start < now + Span::days(365)
        && EVENT_TYPES[row.event_type].1 == 0
        && !row.seated
        && row.successor.is_none();
    ours.then_some(gate)
}

/// Returns what the configuration demands for an accepted booking without a charge, or nothing in
/// other cases.
fn expected_unmanaged_action(
    state: &FaultyStoreState,
    calcom: &ModelCalcom,
    row: &ModelBooking,
    now: Time,
) -> Option<OnUnmanaged> {
    let gate = state
        .policy
        .gates
        .iter()
        .find(|gate| gate.name == EVENT_TYPES[row.event_type].0)?;
    let ours = row.status == BookingStatus::Accepted
        && row.host == HOST_ID
        && row.end > now
        // An audit looks a year ahead.
        && row.start < now + Span::days(365)
        && EVENT_TYPES[row.event_type].1 == 0
        && !row.seated
        && row.successor.is_none();
    let since = gate.terms.unmanaged_since;
    let new = since.is_none_or(|since| row.created >= since);
    // The ledger began with its first commit, by a clock that may be behind the server's.
    let older = state
        .commits
        .first()
        .is_some_and(|(began, _)| row.created < *began + CLOCK_TOLERANCE);
    if !ours || state.reference.holds.contains_key(&row.uid) {
        return None;
    }
    let intents = state.reference.intents.values();
    let intents = intents
        .into_iter()
        .find(|begun| begun.bookings.contains(&row.uid));
    // A predecessor that paid is accepted again, or is being decided: only a person knows which
    // booking is meant.
    let history = calcom.history.lock().unwrap();
    let ancestors = history.ancestors(&row.uid);
    // The successor that one of the predecessors names was deleted, so the charge before it stays.
    let is_gone = |uid: &String| calcom.row(uid).is_none();
    let broken = ancestors
        .iter()
        .any(|before| before.successor.as_ref().is_some_and(is_gone));
    let beside = ancestors.into_iter().any(|before| {
        let hold = state.reference.holds.get(&before.uid);
        state.reference.open_intent_of(&before.uid).is_some()
            || (before.status == BookingStatus::Accepted || broken)
                && hold.is_some_and(|hold| hold.state == HoldState::Posted)
    });
    // Maitred's confirm of the series may have accepted the booking, as long as the end of that
    // confirm is unknown.
    let may_be_ours = state.reference.intents.values().any(|begun| {
        begun.call == Some(CallKind::Confirm)
            && begun.series.is_some()
            && begun.series == row.series
            && matches!(begun.outcome, None | Some(DecisionOutcome::Superseded))
    });
    if beside || may_be_ours {
        return Some(OnUnmanaged::Report);
    }
    match intents.map(|begun| begun.outcome) {
        Some(Some(DecisionOutcome::Confirmed)) => None,
        Some(_) => Some(OnUnmanaged::Report),
        None if new && older => Some(OnUnmanaged::Report),
        None if new => Some(gate.terms.on_unmanaged),
        None => None,
    }
}
