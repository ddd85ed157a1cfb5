//! One seed: a house, a town and an hour of trouble in it; then the trouble ends, and everything
//! must come to rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use maitred::calcom::port::Calendar;
use maitred::domain::booking::Status;
use maitred::domain::criteria::effect::Effect;
use maitred::domain::criteria::house::House;
use maitred::domain::criteria::terms::Criteria;
use maitred::domain::decision::{Decision, Outcome};
use maitred::domain::gate::{EventTypeKey, Gate, Limits, Policy, RefuseWith};
use maitred::domain::plan::plan;
use maitred::domain::time::{Span, Time};
use maitred::lookup::desk::Desk;
use maitred::reconcile::observe::observe;
use maitred::reconcile::pass::pass;
use maitred::reconcile::ports::{PassError, Ports, Session, Stop};
use maitred::reconcile::report::{Ended, Report};
use maitred::store::handle::StoreHandle;
use maitred::store::memory::MemoryStore;
use maitred::store::port::{CommitError, Store};

use super::book::HoldState;
use super::calendar::{Line, Shared, Sim};
use super::rng::Rng;
use super::shelf::Shelf;
use super::tally::Tally;
use super::town::{ME, PEOPLE, Town};

/// Turns of one run: each some events and a pass.
const TURNS: u64 = 8;

/// Passes within which everything must have come to rest.
const MAX_REST: usize = 80;

pub struct Run {
    pub shared: Arc<Shared>,
    shelf: Shelf,
    line: Line,
    store: StoreHandle,
    policy: Policy,
    session: Session,
    stop: Stop,
    rng: Rng,
    tally: Tally,
    wrong: Vec<String>,
}

/// Runs a seed; gives what was exercised and the promises that were broken.
pub async fn whole(seed: u64) -> (Tally, Vec<String>) {
    let mut run = Run::new(seed);
    let turns = 3 + run.rng.below(TURNS);
    let trouble = *run.rng.pick(&[0, 30, 80, 150]);
    run.trouble(trouble);
    for _ in 0..turns {
        run.events();
        run.turn().await;
    }
    run.trouble(0);
    run.rest().await;
    run.end()
}

/// The first pass ends at its `point`th place; the rest is quiet. `None` when the pass has fewer.
pub async fn stopped_at(seed: u64, point: u64) -> Option<(Tally, Vec<String>)> {
    let mut run = Run::new(seed);
    for _ in 0..3 {
        run.events();
    }
    run.shared.advance(Span::seconds(60));
    let stopped = run.stopped_pass(point).await;
    if !stopped {
        return None;
    }
    run.rest().await;
    Some(run.end())
}

fn policy(rng: &mut Rng) -> Policy {
    let limits = Limits {
        requests_per_pass: *rng.pick(&[2, 250, 250]),
        declines_per_pass: *rng.pick(&[1, 25, 25]),
        max_observation_age: Span::seconds(10),
        series_settle: Span::seconds(10),
    };
    let unknown_booker = *rng.pick(&[
        Effect::Decline,
        Effect::Decline,
        Effect::WAIT,
        Effect::Review,
        Effect::Leave,
    ]);
    let short_of_credit = *rng.pick(&[
        Effect::Decline,
        Effect::Decline,
        Effect::Review,
        Effect::wait(Span::minutes(90)),
    ]);
    let taken = *rng.pick(&[Effect::Decline, Effect::WAIT, Effect::Leave]);
    let gate = |name: &str, cost| Gate {
        terms: maitred::domain::terms::Terms::default(),
        name: name.to_owned(),
        event_types: vec![EventTypeKey::Slug(name.to_owned())],
        cost,
        unknown_booker,
        short_of_credit,
        taken,
        criteria: Criteria::default(),
    };
    Policy {
        gates: vec![
            gate("lesson", 1),
            gate("dinner", 3),
            gate("visit", 0),
            gate("priced", 1),
        ],
        hosts: Vec::new(),
        refuse_with: *rng.pick(&[RefuseWith::Decline, RefuseWith::Decline, RefuseWith::Cancel]),
        limits,
        house: House::default(),
        hash: "simulated".to_owned(),
    }
}

impl Run {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let policy = policy(&mut rng);
        let reads_first = rng.chance(200);
        let sim = Sim {
            rng: Rng::new(rng.next()),
            town: Town {
                series_per_occurrence: rng.chance(150),
                hides_series: reads_first,
                ..Town::default()
            },
            tally: Tally::default(),
            trouble: 0,
            page: *rng.pick(&[2, 5, 250, 250]),
            max_age: policy.limits.max_observation_age,
            reads_first,
            calls: 0,
            listed: false,
            writes: 0,
            wrong: Vec::new(),
        };
        let start: Time = "2026-11-24T08:00:00Z".parse().unwrap();
        let shared = Arc::new(Shared::new(sim, start));
        let shelf = Shelf::new(rng.next(), Arc::clone(&shared));
        let (store, _) = StoreHandle::start(Box::new(shelf.clone())).unwrap();
        let mut tally = Tally::default();
        if reads_first {
            tally.add("both dialects: reads before acting");
        }
        let people = &PEOPLE[..PEOPLE.len() - 2];
        for who in people {
            if rng.chance(300) {
                continue;
            }
            let expires = rng.chance(300).then(|| start + Span::minutes(20));
            shelf.grant(start, who, 1 + rng.below(6), expires);
        }
        Self {
            line: Line {
                shared: Arc::clone(&shared),
                shelf: shelf.clone(),
            },
            shared,
            shelf,
            store,
            policy,
            session: Session::default(),
            stop: Stop::default(),
            rng,
            tally,
            wrong: Vec::new(),
        }
    }

    fn trouble(&self, trouble: u64) {
        self.shared.sim().trouble = trouble;
        self.shelf.state().trouble = trouble;
    }

    /// What happens between two passes.
    pub fn events(&mut self) {
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        sim.town.before = sim.town.rows.clone();
        for _ in 0..self.rng.below(4) {
            sim.town.ask(&mut self.rng, self.shared.now());
        }
        for _ in 0..self.rng.below(3) {
            sim.town.meddle(&mut self.rng, self.shared.now());
        }
        if self.rng.chance(300) {
            let now = self.shared.now();
            self.shelf.operate(&mut self.rng, &mut self.tally, now);
        }
        let far = *self.rng.pick(&[1, 15, 15, 60, 600, 3_700]);
        self.shared.advance(Span::seconds(far));
        if self.rng.chance(30) {
            self.shared.advance(-Span::seconds(5));
        }
    }

    async fn turn(&mut self) {
        match self.rng.below(12) {
            0 => self.dry_run().await,
            1 => self.repeated_plan().await,
            2 | 3 => {
                let point = 1 + self.rng.below(50);
                self.stopped_pass(point).await;
            }
            _ => {
                self.whole_pass().await;
            }
        }
    }

    async fn dry_run(&mut self) {
        self.tally.add("dry run");
        let before = (self.shelf.state().asked, self.shared.sim().writes);
        let _ = self.pass(true).await;
        if before != (self.shelf.state().asked, self.shared.sim().writes) {
            let now = (self.shelf.state().asked, self.shared.sim().writes);
            let text = format!("8: a dry run wrote: {before:?}, {now:?}");
            self.wrong.push(text);
        }
    }

    /// Promise 7.
    async fn repeated_plan(&mut self) {
        self.ready();
        let clock = self.shared.clock();
        let calendar: &dyn Calendar = &self.line;
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &Desk::default(),
            clock: &clock,
            stop: &self.stop,
        };
        if let Ok(seen) = observe(&ports, &self.policy, &mut self.session).await {
            self.tally.add("plan repeated");
            if plan(&seen.snapshot, &self.policy) != seen.plan {
                self.wrong
                    .push("7: the same snapshot gave another plan".to_owned());
            }
        }
    }

    /// Whether the pass was stopped, which is a new process with nothing in its head.
    async fn stopped_pass(&mut self, point: u64) -> bool {
        self.shared.stop_after(point);
        let ended = self.pass(false).await;
        // What it sent to the store's thread last comes to nothing there before it is a new process.
        self.store.with(|_| ()).await;
        self.shared.stop_after(0);
        if let Some(ended) = ended {
            self.ended(ended);
            return false;
        }
        self.tally.add("pass stopped");
        self.session = Session::default();
        self.shelf.reopen();
        true
    }

    async fn whole_pass(&mut self) -> Option<Report> {
        let ended = self.pass(false).await?;
        self.ended(ended)
    }

    /// An operator or the service manager starts the process again where it had to end.
    fn ended(&mut self, ended: Result<Report, PassError>) -> Option<Report> {
        match ended {
            Ok(report) => {
                self.tally.add("pass whole");
                Some(report)
            }
            Err(error) => {
                self.tally.add("pass failed");
                if self.shared.sim().trouble == 0 {
                    self.wrong.push(format!("a quiet pass failed: {error}"));
                }
                if matches!(error, PassError::Commit(CommitError::Indeterminate(_))) {
                    self.session = Session::default();
                    self.shelf.reopen();
                }
                None
            }
        }
    }

    fn ready(&self) {
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        sim.listed = false;
        let pending = sim.town.rows.iter().filter(|r| r.status == Status::Pending);
        sim.town.at_start = pending.map(|row| row.uid.clone()).collect();
    }

    /// `None`: stopped on the way.
    async fn pass(&mut self, dry_run: bool) -> Option<Result<Report, PassError>> {
        self.ready();
        if self.shelf.state().book.open().next().is_some() {
            self.tally.add("intent resumed");
        }
        let clock = self.shared.clock();
        let calendar: &dyn Calendar = &self.line;
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &Desk::default(),
            clock: &clock,
            stop: &self.stop,
        };
        let ended = tokio::select! {
            biased;
            () = self.shared.stopped.notified() => None,
            ended = pass(&ports, &self.policy, &mut self.session, dry_run) => Some(ended),
        };
        // The store's thread may have let it run a little further, without any effect.
        let ended = ended.filter(|_| !self.shared.has_ended());
        self.check();
        if let Some(Ok(report)) = &ended {
            let mut seen = BTreeSet::new();
            for step in &report.steps {
                if !seen.insert(&step.request.id) {
                    let text = format!("{} stands twice in a report", step.request.id);
                    self.wrong.push(text);
                }
            }
        }
        ended
    }

    /// Collects what was found wrong so far.
    fn check(&mut self) {
        self.wrong.append(&mut self.shared.sim().wrong);
        let mut state = self.shelf.state();
        state.compare();
        self.wrong.append(&mut state.book.wrong);
    }

    /// Nothing goes wrong any more: everything that was begun ends, and whatever still waits does so
    /// for a reason.
    async fn rest(&mut self) {
        let mut quiet = 0;
        for n in 0..MAX_REST {
            let pause = if n < 3 { 65 * 60 } else { 15 };
            self.shared.advance(Span::seconds(pause));
            let Some(report) = self.whole_pass().await else {
                return;
            };
            let busy = |step: &Ended| match step {
                Ended::Planned | Ended::Nothing => false,
                Ended::Confirmed
                | Ended::Declined
                | Ended::Superseded
                | Ended::Unresolved
                | Ended::Failed => true,
            };
            if report.more || report.steps.iter().any(|step| busy(&step.ended)) {
                quiet = 0;
            } else {
                quiet += 1;
            }
            if n > 3 && quiet > 1 {
                self.waits_for_a_reason(&report);
                self.nothing_open();
                return;
            }
        }
        self.wrong.push("does not come to rest".to_owned());
    }

    fn waits_for_a_reason(&mut self, report: &Report) {
        let sim = self.shared.sim();
        let ours = sim.town.rows.iter().filter(|row| {
            row.status == Status::Pending && row.host == ME && row.kind != 3 && row.to.is_none()
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
            if !reasoned {
                self.wrong
                    .push(format!("11: {} waits and nobody says why", row.uid));
            }
        }
    }

    /// Promises 2 and 3 once more, from the other side: what the bookings are.
    fn nothing_open(&mut self) {
        let sim = self.shared.sim();
        let state = self.shelf.state();
        let open: Vec<&String> = state.book.open().map(|(id, _)| id).collect();
        if !open.is_empty() {
            self.wrong.push(format!("open at the end: {open:?}"));
        }
        for (uid, hold) in &state.book.holds {
            if hold.state == HoldState::Held {
                self.wrong.push(format!("3: {uid} is held at the end"));
            }
        }
        for row in &sim.town.rows {
            let finished = state.book.begun.get(&row.uid);
            let given_up = row.series.is_none() && finished.is_some_and(|b| b.outcome.is_some());
            if row.status == Status::Pending && given_up {
                self.wrong
                    .push(format!("4: {} was decided, and still waits", row.uid));
            }
            let ours = sim.town.ours.get(&row.uid).cloned().unwrap_or_default();
            let hold = state.book.holds.get(&row.uid).map(|hold| hold.state);
            let stands = row.status == Status::Accepted && row.to.is_none();
            if stands && ours.confirmed > 0 {
                match hold {
                    Some(HoldState::Posted) => {}
                    None => self.tally.add("accepted without a hold"),
                    Some(HoldState::Held | HoldState::Voided | HoldState::MovedOn) => {
                        let text = format!("2: {} is confirmed and {hold:?}", row.uid);
                        self.wrong.push(text);
                    }
                }
            }
            if ours.refused > 0 && hold == Some(HoldState::Posted) {
                let text = format!("2: {} was refused and is charged", row.uid);
                self.wrong.push(text);
            }
        }
        for begun in state.book.begun.values() {
            let refused = begun.outcome == Some(Outcome::Declined);
            let charged = |uid: &String| state.book.holds.contains_key(uid);
            if refused && begun.bookings.iter().any(charged) {
                self.wrong.push("2: declined and held for".to_owned());
            }
        }
    }

    /// Promise 9, and the sum of everything.
    fn end(mut self) -> (Tally, Vec<String>) {
        self.check();
        let state = self.shelf.state();
        let mut again = MemoryStore::new();
        for (at, facts) in &state.commits {
            again.commit(*at, facts.clone(), &[]).unwrap();
        }
        let all = |store: &MemoryStore| {
            (
                store.head(),
                store.accounts(None, 100).unwrap(),
                store.decided(None, None, 1_000).unwrap(),
                store.open_intents(1_000).unwrap(),
                store.open_charges(None, 1_000).unwrap(),
            )
        };
        if all(&again) != all(&state.store) {
            self.wrong
                .push("9: the replayed store is another".to_owned());
        }
        self.tally.add("replayed");
        self.tally.extend(&state.tally);
        self.tally.extend(&self.shared.sim().tally);
        drop(state);
        (self.tally, self.wrong)
    }
}
