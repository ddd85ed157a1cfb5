//! One seed: a policy, a model of Cal.com and some hours or days with faults; then the faults stop,
//! and everything must come to rest (`quiescence.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use maitred::calcom::port::Calendar;
use maitred::domain::booking::BookingStatus;
use maitred::domain::fact::Fact;
use maitred::domain::gate::{Policy, RefuseWith};
use maitred::domain::ledger_state::LedgerFact;
use maitred::domain::plan::plan;
use maitred::domain::refund_policy::OnUnmanaged;
use maitred::domain::time::{Span, Time};
use maitred::lookup::client::LookupClient;
use maitred::reconcile::context::{PassError, Ports, Session, StopSignal};
use maitred::reconcile::observe::observe;
use maitred::reconcile::pass::run_pass;
use maitred::reconcile::report::PassReport;
use maitred::reconcile::watch::{WatchReport, WatchScope, preview_watch, run_watch};
use maitred::source::client::SourceClient;
use maitred::store::port::CommitError;
use maitred::store::store_thread::StoreHandle;

use super::behaviours::Behaviours;
use super::coverage::Coverage;
use super::faulty_store::{FaultyStore, FaultyStoreConfig};
use super::model_calcom::{BOOKERS, ModelCalcom};
use super::model_connection::{ModelConnection, SharedWorld, SimState};
use super::random_policy::{START, random_policy, random_refund_terms};
use super::reference_ledger::ReferenceSums;
use crate::rng::Rng;

/// Turns of one run: each has some events, and a pass, a watch or both.
const MAX_TURNS: u64 = 8;

pub struct SimulationRun {
    pub shared: Arc<SharedWorld>,
    pub faulty_store: FaultyStore,
    connection: ModelConnection,
    store: StoreHandle,
    policy: Policy,
    session: Session,
    stop: StopSignal,
    /// When the last watch that ended began, as the daemon remembers it.
    last_watch: Option<Time>,
    /// How often the running pass or watch may wait before it is dropped.
    drop_after_waits: u64,
    fault_rate: u64,
    pub rng: Rng,
    /// Decides about restores and clocks. It is separate, so that everything else happens as it
    /// would without them.
    doubt_rng: Rng,
    /// Decides about pauses, separate for the same reason.
    pause_rng: Rng,
    /// Decides about overdrafts and transfers, separate for the same reason.
    correction_rng: Rng,
    pub coverage: Coverage,
    pub violations: Vec<String>,
}

/// Where the process ends.
#[derive(Debug, Clone, Copy)]
pub enum StopPoint {
    /// Before or after the `n`th call or commit.
    Call(u64),
    /// When the process waits for the `n`th time, whatever it waits for.
    Wait(u64),
}

const NO_STOP: StopPoint = StopPoint::Call(0);

/// Drops the future when it waits for the `n`th time.
async fn drop_after<T>(waits: u64, what: impl Future<Output = T>) -> Option<T> {
    let mut what = pin!(what);
    let mut waited = 0;
    poll_fn(|context| match what.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending => {
            waited += 1;
            if waited == waits {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}

/// The result of a run.
pub struct RunSummary {
    /// What was exercised.
    pub coverage: Coverage,
    /// Broken promises, as text.
    pub violations: Vec<String>,
    /// Everything that was written.
    pub commits: Vec<(Time, Vec<Fact>)>,
}

/// Runs a seed.
pub async fn run_seed(seed: u64) -> RunSummary {
    run_to_end(SimulationRun::new(seed)).await
}

async fn run_to_end(mut run: SimulationRun) -> RunSummary {
    let turns = 3 + run.rng.up_to(MAX_TURNS);
    let trouble = *run.rng.pick(&[0, 30, 80, 150]);
    run.set_fault_rate(trouble);
    for _ in 0..turns {
        run.run_events();
        run.change_trust().await;
        run.change_pauses();
        run.correct_accounts();
        run.run_turn().await;
    }
    run.run_to_quiescence().await;
    run.finish()
}

/// Runs a seed with message texts removed from everything that is written.
pub async fn run_scrubbed(seed: u64) -> RunSummary {
    let run = SimulationRun::new(seed);
    run.faulty_store.state().removes_texts = true;
    run_to_end(run).await
}

/// Ends the first pass at its `point`th point; the rest runs without faults. Returns `None` if the
/// pass has fewer points.
pub async fn run_stopped_pass(seed: u64, point: StopPoint) -> Option<RunSummary> {
    let mut run = SimulationRun::new(seed);
    for _ in 0..3 {
        run.run_events();
    }
    run.shared.advance(Span::seconds(60));
    let stopped = run.stopped_pass(point).await;
    if !stopped {
        return None;
    }
    run.run_to_quiescence().await;
    Some(run.finish())
}

/// Does the same for a watch, on bookings with many changes.
pub async fn run_stopped_watch(seed: u64, point: StopPoint) -> Option<RunSummary> {
    let mut run = SimulationRun::new(seed);
    for _ in 0..3 {
        run.run_events();
        run.shared.advance(Span::seconds(60));
        run.run_pass().await;
    }
    run.run_events();
    for _ in 0..8 {
        run.run_participant_event();
    }
    let audit = run.rng.chance(500);
    let stopped = run.stopped_watch(audit, point).await;
    if !stopped {
        return None;
    }
    run.run_to_quiescence().await;
    Some(run.finish())
}

/// Runs the same world with a pass or a watch first at the end of its events. Returns the accounts'
/// sums at the end. Every account has enough credit, so that requests do not compete for credit.
pub async fn run_observed_first_by(
    seed: u64,
    watch_first: bool,
) -> (RunSummary, BTreeMap<String, ReferenceSums>) {
    let mut run = SimulationRun::with_policy(seed, |policy| {
        for gate in &mut policy.gates {
            gate.terms.on_unmanaged = OnUnmanaged::Report;
        }
    });
    // Of two successors, one inherits the charge and the other is evaluated as new: which one
    // depends on which was accepted at the time of the reading.
    run.shared.lock_sim().calcom.behaviours.two_successors = false;
    let start: Time = START.parse().unwrap();
    for who in BOOKERS {
        run.faulty_store.grant(start, who, 1_000, None);
    }
    for _ in 0..3 {
        run.run_events();
        run.shared.advance(Span::seconds(60));
        run.run_pass().await;
        run.run_watch(true).await;
    }
    run.run_events();
    for _ in 0..8 {
        run.run_participant_event();
    }
    run.shared.advance(Span::seconds(60));
    if watch_first {
        run.run_watch(true).await;
        run.run_pass().await;
    } else {
        run.run_pass().await;
        run.run_watch(true).await;
    }
    run.run_to_quiescence().await;
    let mut sums = run.faulty_store.state().reference.sums.clone();
    for sums in sums.values_mut() {
        // Credits that were spent and came back count as never spent.
        sums.posted -= sums.refunded;
        sums.refunded = 0;
    }
    (run.finish(), sums)
}

impl SimulationRun {
    pub fn new(seed: u64) -> Self {
        Self::with_policy(seed, |_| ())
    }

    fn with_policy(seed: u64, adapt: fn(&mut Policy)) -> Self {
        let mut rng = Rng::new(seed);
        let mut policy = random_policy(&mut rng);
        adapt(&mut policy);
        let reads_first = rng.chance(200);
        if reads_first {
            // v1 has no other refusal, and the configuration enforces this.
            policy.refuse_with = RefuseWith::Cancel;
        }
        let behaviours = Behaviours::of_seed(seed);
        let own = Rng::new(rng.next());
        let calcom = ModelCalcom {
            series_per_occurrence: rng.chance(150),
            legacy: reads_first,
            hides_updated: reads_first && rng.chance(500),
            behaviours,
            ..ModelCalcom::default()
        };
        let mut sim = SimState::new(own, calcom, policy.limits.max_observation_age);
        sim.page_size = *rng.pick(&[2, 5, 250, 250]);
        sim.resend_after = policy.limits.resend_after;
        if behaviours.slow_confirm {
            sim.timeout = Span::seconds(*rng.pick(&[3, 60]));
        }
        let start: Time = START.parse().unwrap();
        let mut setting = FaultyStoreConfig {
            seed: 0,
            history: Arc::clone(&sim.calcom.history),
            policy: policy.clone(),
            legacy: sim.calcom.legacy,
            hides_updated: sim.calcom.hides_updated,
            stale: Arc::clone(&sim.stale),
        };
        let shared = Arc::new(SharedWorld::new(sim, start));
        setting.seed = rng.next();
        let faulty_store = FaultyStore::new(setting, Arc::clone(&shared));
        let (store, _) = StoreHandle::start(Box::new(faulty_store.clone())).unwrap();
        let mut coverage = Coverage::default();
        if reads_first {
            coverage.count("both dialects: reads before acting");
        }
        let people = &BOOKERS[..BOOKERS.len() - 2];
        for who in people {
            if rng.chance(300) {
                continue;
            }
            let expires = rng.chance(300).then(|| start + Span::minutes(20));
            faulty_store.grant(start, who, 1 + rng.up_to(6), expires);
        }
        Self {
            connection: ModelConnection {
                shared: Arc::clone(&shared),
                store: faulty_store.clone(),
            },
            shared,
            faulty_store,
            store,
            policy,
            session: Session::default(),
            stop: StopSignal::default(),
            last_watch: None,
            drop_after_waits: 0,
            fault_rate: 0,
            rng,
            doubt_rng: Rng::new(seed ^ 0x5afe),
            pause_rng: Rng::new(seed ^ 0x9a05e),
            correction_rng: Rng::new(seed ^ 0xc0_44ec),
            coverage,
            violations: Vec::new(),
        }
    }

    fn stop_at(&mut self, point: StopPoint) {
        let (place, waits) = match point {
            StopPoint::Call(n) => (n, 0),
            StopPoint::Wait(n) => (0, n),
        };
        self.shared.stop_after(place);
        let always_waits = &self.shared.always_yields;
        always_waits.store(waits > 0, Ordering::Relaxed);
        self.drop_after_waits = waits;
    }

    pub fn set_fault_rate(&mut self, trouble: u64) {
        self.fault_rate = trouble;
        if trouble == 0 {
            self.shared.set_skew(Span::zero());
            self.faulty_store.state().has_skewed_clock = false;
        }
        self.shared.lock_sim().fault_rate = trouble;
        self.faulty_store.state().fault_rate = trouble;
    }

    /// Lets an operator edit the refund terms of one gate and reload.
    fn edit_terms(&mut self) {
        let gate = self.rng.index(self.policy.gates.len());
        self.policy.gates[gate].terms.refunds = random_refund_terms(&mut self.rng);
        self.faulty_store.state().policy = Arc::new(self.policy.clone());
        self.coverage.count("terms edited");
    }

    /// Runs the events between two passes: time passes, bookers make requests, and others act.
    pub fn run_events(&mut self) {
        let hour = 3_600;
        let far = *self
            .rng
            .pick(&[1, 15, 60, 600, hour, 6 * hour, 23 * hour, 2 * 24 * hour]);
        self.shared.advance(Span::seconds(far));
        if self.rng.chance(40) {
            self.pass_a_week();
        }
        {
            let mut guard = self.shared.lock_sim();
            let sim = &mut *guard;
            sim.calcom.earlier_rows = sim.calcom.rows.clone();
            sim.stale_from = sim.calcom.history.lock().unwrap().change_count();
            for _ in 0..self.rng.up_to(4) {
                sim.calcom
                    .request_bookings(&mut self.rng, self.shared.now());
            }
            if sim.behaviours.slow_calls && self.rng.chance(100) {
                sim.calcom.request_many(&mut self.rng, self.shared.now());
            }
        }
        for _ in 0..self.rng.up_to(5) {
            self.run_participant_event();
        }
        if self.rng.chance(300) {
            let now = self.shared.now();
            self.faulty_store
                .run_operator_command(&mut self.rng, &mut self.coverage, now);
        }
        if self.rng.chance(60) {
            self.edit_terms();
        }
        self.run_rare_events();
        let soon = *self.rng.pick(&[1, 15, 15, 60]);
        self.shared.advance(Span::seconds(soon));
        if self.rng.chance(30) {
            self.shared.advance(-Span::seconds(5));
        }
    }

    /// Runs the events between two passes that only some runs have.
    fn run_rare_events(&mut self) {
        let behaviours = self.shared.lock_sim().behaviours;
        if behaviours.rebook && self.rng.chance(300) {
            let mut guard = self.shared.lock_sim();
            let sim = &mut *guard;
            let now = self.shared.now();
            sim.calcom
                .cancel_and_rebook(&mut self.rng, &mut self.coverage, now);
        }
        if behaviours.clock_skew {
            let wrong = self.fault_rate > 0 && self.rng.chance(80);
            let skew = if wrong {
                self.coverage.count("the process's clock is wrong by days");
                let days = *self.rng.pick(&[-30, -2, 1, 3, 40]);
                Span::days(days)
            } else {
                Span::zero()
            };
            self.shared.set_skew(skew);
            self.faulty_store.state().has_skewed_clock = wrong;
        }
        if behaviours.lost_ledger && self.fault_rate > 0 && self.rng.chance(60) {
            self.lose_ledger();
        }
    }

    /// Lets a person change a booking.
    fn run_participant_event(&mut self) {
        let mut guard = self.shared.lock_sim();
        let sim = &mut *guard;
        let now = self.shared.now();
        sim.calcom
            .change_random_booking(&mut self.rng, &mut self.coverage, now);
    }

    /// Lets a week pass without a pass or watch, while bookings change.
    fn pass_a_week(&mut self) {
        self.coverage.count("away for a week");
        for _ in 0..7 {
            self.shared.advance(Span::days(1));
            self.run_participant_event();
        }
    }

    /// Loses the ledger: another one is opened from now on, and the watch hint is gone, too.
    fn lose_ledger(&mut self) {
        if self.faulty_store.state().lost_ledger.is_some() {
            return;
        }
        self.shared.advance(Span::seconds(1));
        let now = self.shared.now();
        let mut sim = self.shared.lock_sim();
        sim.calcom.own_writes.clear();
        // Only the lost ledger knew about calls without an answer.
        sim.open_writes.clear();
        for running in &mut sim.running {
            running.of_lost_ledger = true;
        }
        drop(sim);
        self.faulty_store
            .lose_ledger(&mut self.rng, &mut self.coverage, now);
        self.session = Session::default();
        self.last_watch = None;
    }

    async fn run_turn(&mut self) {
        match self.rng.up_to(12) {
            0 => self.check_dry_run().await,
            1 => self.check_repeated_plan().await,
            2 | 3 => {
                let point = 1 + self.rng.up_to(50);
                self.stopped_pass(StopPoint::Call(point)).await;
            }
            4 => {}
            _ => {
                self.run_pass().await;
            }
        }
        let audit = self.rng.chance(300);
        match self.rng.up_to(6) {
            0 => {
                let point = 1 + self.rng.up_to(40);
                self.stopped_watch(audit, StopPoint::Call(point)).await;
            }
            1..=3 => {
                self.run_watch(audit).await;
            }
            _ => {}
        }
        if self.rng.chance(30) {
            self.coverage.count("hint lost");
            self.last_watch = None;
        }
    }

    /// Restores or accepts a backup; makes the clocks disagree or agree again; lets an operator
    /// preview a watch.
    async fn change_trust(&mut self) {
        let now = self.shared.now();
        let open = self.faulty_store.restore_is_open();
        if open && self.doubt_rng.chance(400) {
            self.faulty_store.commit_ledger_fact(
                now,
                LedgerFact::RestoreAccepted {
                    reason: "simulated".to_owned(),
                },
            );
        } else if self.doubt_rng.chance(60) {
            self.coverage.count("backup restored");
            self.faulty_store
                .commit_ledger_fact(now, LedgerFact::Restored { commit: 1 });
        }
        let differ = if self.doubt_rng.chance(60) {
            self.coverage.count("clocks differ");
            let far = Span::seconds(*self.doubt_rng.pick(&[121, 3_600, 200_000]));
            if self.doubt_rng.chance(500) {
                far
            } else {
                -far
            }
        } else if self.doubt_rng.chance(300) {
            Span::seconds(120)
        } else {
            Span::zero()
        };
        self.set_clock_difference(differ);
        if self.doubt_rng.chance(200) {
            self.coverage.count("watch previewed");
            let audit = self.doubt_rng.chance(500);
            self.preview(audit).await;
        }
    }

    /// Lets an operator pause a gate, for a while or until it is resumed, or resume a gate.
    fn change_pauses(&mut self) {
        if !self.shared.lock_sim().behaviours.pauses || !self.pause_rng.chance(250) {
            return;
        }
        let now = self.shared.now();
        let gate = self.pause_rng.index(self.policy.gates.len());
        let gate = self.policy.gates[gate].name.clone();
        let resumes = self.pause_rng.chance(300);
        let far = *self.pause_rng.pick(&[60, 3_600, 24 * 3_600]);
        let until = self.pause_rng.chance(500).then(|| now + Span::seconds(far));
        let gate = Some(gate);
        let fact = if resumes {
            LedgerFact::Resumed { gate }
        } else {
            self.coverage.count("gate paused");
            LedgerFact::Paused {
                gate,
                until,
                reason: "simulated".to_owned(),
            }
        };
        self.faulty_store.commit_ledger_fact(now, fact);
    }

    /// Lets an operator change the overdraft of an account, or pass credits on to another account.
    fn correct_accounts(&mut self) {
        let corrects = self.shared.lock_sim().behaviours.corrections;
        if !corrects || !self.correction_rng.chance(600) {
            return;
        }
        let now = self.shared.now();
        let rng = &mut self.correction_rng;
        self.faulty_store
            .correct_account(rng, &mut self.coverage, now);
    }

    /// Lets an operator end every pause.
    pub fn end_pauses(&self) {
        let paused: Vec<String> = {
            let state = self.faulty_store.state();
            state.reference.paused_gates.keys().cloned().collect()
        };
        for gate in paused {
            let fact = LedgerFact::Resumed { gate: Some(gate) };
            self.faulty_store
                .commit_ledger_fact(self.shared.now(), fact);
        }
    }

    fn set_clock_difference(&self, differ: Span) {
        self.shared.lock_sim().clocks_differ = differ;
        self.faulty_store.state().clocks_differ = differ.abs() > Span::minutes(2);
    }

    pub fn end_doubts(&self) {
        self.set_clock_difference(Span::zero());
        if self.faulty_store.restore_is_open() {
            let now = self.shared.now();
            self.faulty_store.commit_ledger_fact(
                now,
                LedgerFact::RestoreAccepted {
                    reason: "simulated".to_owned(),
                },
            );
        }
    }

    /// Returns what a watch would do; the preview writes nothing.
    pub async fn preview(&mut self, audit: bool) -> Option<WatchReport> {
        self.prepare_run();
        let look = WatchScope {
            since: self.last_watch,
            audit: audit || self.last_watch.is_none(),
        };
        let clock = self.shared.clock();
        let calendar: &dyn Calendar = &self.connection;
        let desk = LookupClient::default();
        let sources = SourceClient::default();
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &desk,
            sources: &sources,
            clock: &clock,
            stop: &self.stop,
        };
        let before = (
            self.faulty_store.state().pass_commits,
            self.shared.lock_sim().writes,
        );
        let previewed = preview_watch(&ports, &self.policy, &mut Session::default(), look).await;
        let after = (
            self.faulty_store.state().pass_commits,
            self.shared.lock_sim().writes,
        );
        if before != after {
            let text = format!("8: a preview of a watch wrote: {before:?}, {after:?}");
            self.violations.push(text);
        }
        if let Err(error) = &previewed {
            self.record_failure(error, "preview");
        }
        previewed.ok()
    }

    async fn check_dry_run(&mut self) {
        self.coverage.count("dry run");
        let before = (
            self.faulty_store.state().pass_commits,
            self.shared.lock_sim().writes,
        );
        let _ = self.pass(true).await;
        if before
            != (
                self.faulty_store.state().pass_commits,
                self.shared.lock_sim().writes,
            )
        {
            let now = (
                self.faulty_store.state().pass_commits,
                self.shared.lock_sim().writes,
            );
            let text = format!("8: a dry run wrote: {before:?}, {now:?}");
            self.violations.push(text);
        }
    }

    /// Checks promise 7.
    async fn check_repeated_plan(&mut self) {
        self.prepare_run();
        let clock = self.shared.clock();
        let calendar: &dyn Calendar = &self.connection;
        let desk = LookupClient::default();
        let sources = SourceClient::default();
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &desk,
            sources: &sources,
            clock: &clock,
            stop: &self.stop,
        };
        if let Ok(observed) = observe(&ports, &self.policy, &mut self.session).await {
            self.coverage.count("plan repeated");
            if plan(&observed.snapshot, &self.policy) != observed.plan {
                self.violations
                    .push("7: the same snapshot gave another plan".to_owned());
            }
        }
    }

    async fn stopped_watch(&mut self, audit: bool, point: StopPoint) -> bool {
        self.stop_at(point);
        let ended = self.watch(audit).await;
        self.store.with(|_| ()).await;
        self.stop_at(NO_STOP);
        if let Some(ended) = ended {
            self.record_watch_result(ended);
            return false;
        }
        self.coverage.count("watch stopped");
        self.session = Session::default();
        self.faulty_store.reopen();
        true
    }

    /// Runs a watch. Returns what it did if it ended.
    pub async fn run_watch(&mut self, audit: bool) -> Option<WatchReport> {
        let ended = self.watch(audit).await?;
        self.record_watch_result(ended)
    }

    fn record_watch_result(
        &mut self,
        ended: Result<WatchReport, PassError>,
    ) -> Option<WatchReport> {
        match ended {
            Ok(watched) => {
                self.coverage.count(if watched.audit {
                    "watch whole: audit"
                } else {
                    "watch whole: short"
                });
                for problem in &watched.problems {
                    self.coverage.count(match problem.code {
                        "booking-gone" => "told: booking gone",
                        "move-not-covered" => "told: move not covered",
                        "no-show" => "told: no-show to be settled",
                        "unmanaged" => "told: unmanaged",
                        "unread-charge" => "told: charge not read",
                        "unreadable-booking" => "told: row not read",
                        "watch-failed" => "told: watch failed",
                        _ => "told: something else",
                    });
                    if problem.code == "watch-failed" {
                        self.violations.push(problem.text.clone());
                    }
                }
                if watched.complete {
                    self.last_watch = Some(watched.started);
                }
                Some(watched)
            }
            Err(error) => {
                self.coverage.count("watch failed");
                self.record_failure(&error, "watch");
                None
            }
        }
    }

    /// Runs a watch; `None` means that it was stopped on the way. Without a hint of the last watch
    /// it is an audit.
    async fn watch(&mut self, audit: bool) -> Option<Result<WatchReport, PassError>> {
        self.prepare_run();
        let look = WatchScope {
            since: self.last_watch,
            audit: audit || self.last_watch.is_none(),
        };
        let clock = self.shared.clock();
        let calendar: &dyn Calendar = &self.connection;
        let desk = LookupClient::default();
        let sources = SourceClient::default();
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &desk,
            sources: &sources,
            clock: &clock,
            stop: &self.stop,
        };
        self.faulty_store.state().watching = true;
        let ended = tokio::select! {
            biased;
            () = self.shared.stop_notice.notified() => None,
            ended = drop_after(self.drop_after_waits, run_watch(&ports, &self.policy, &mut self.session, look)) => ended,
        };
        let ended = ended.filter(|_| !self.shared.has_ended());
        self.store.with(|_| ()).await;
        self.faulty_store.state().watching = false;
        self.collect_violations();
        ended
    }

    /// Returns true if the pass was stopped. Then the next pass is a new process without memory.
    async fn stopped_pass(&mut self, point: StopPoint) -> bool {
        self.stop_at(point);
        let ended = self.pass(false).await;
        // The last request to the store's thread ends there before the new process starts.
        self.store.with(|_| ()).await;
        self.stop_at(NO_STOP);
        if let Some(ended) = ended {
            self.record_pass_result(ended);
            return false;
        }
        self.coverage.count("pass stopped");
        self.session = Session::default();
        self.faulty_store.reopen();
        true
    }

    pub async fn run_pass(&mut self) -> Option<PassReport> {
        let ended = self.pass(false).await?;
        self.record_pass_result(ended)
    }

    /// Records the result. If the process had to end, an operator or the service manager starts it
    /// again.
    fn record_pass_result(&mut self, ended: Result<PassReport, PassError>) -> Option<PassReport> {
        match ended {
            Ok(report) => {
                self.coverage.count("pass whole");
                Some(report)
            }
            Err(error) => {
                self.coverage.count("pass failed");
                self.record_failure(&error, "pass");
                None
            }
        }
    }

    fn record_failure(&mut self, error: &PassError, what: &str) {
        if self.shared.lock_sim().fault_rate == 0 {
            self.violations
                .push(format!("a quiet {what} failed: {error}"));
        }
        if matches!(error, PassError::Commit(CommitError::Indeterminate(_))) {
            self.session = Session::default();
            self.faulty_store.reopen();
        }
    }

    fn prepare_run(&self) {
        let mut guard = self.shared.lock_sim();
        let sim = &mut *guard;
        sim.has_listed = false;
        sim.clear_sleepers();
        let moment = sim.calcom.history.lock().unwrap().change_count();
        let before = if sim.fault_rate > 0 {
            sim.stale_from
        } else {
            moment
        };
        let mut state = self.faulty_store.state();
        state.observed_from = before;
        state.pass_from = moment;
        drop(state);
        let pending = sim
            .calcom
            .rows
            .iter()
            .filter(|r| r.status == BookingStatus::Pending);
        sim.calcom.pending_at_start = pending.map(|row| row.uid.clone()).collect();
    }

    /// Runs a pass; `None` means that it was stopped on the way.
    async fn pass(&mut self, dry_run: bool) -> Option<Result<PassReport, PassError>> {
        self.prepare_run();
        if self
            .faulty_store
            .state()
            .reference
            .open_intents()
            .next()
            .is_some()
        {
            self.coverage.count("intent resumed");
        }
        let clock = self.shared.clock();
        let calendar: &dyn Calendar = &self.connection;
        let desk = LookupClient::default();
        let sources = SourceClient::default();
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &desk,
            sources: &sources,
            clock: &clock,
            stop: &self.stop,
        };
        let ended = tokio::select! {
            biased;
            () = self.shared.stop_notice.notified() => None,
            ended = drop_after(self.drop_after_waits, run_pass(&ports, &self.policy, &mut self.session, dry_run)) => ended,
        };
        // The store's thread may have let the pass continue a little further, without any effect.
        let ended = ended.filter(|_| !self.shared.has_ended());
        self.collect_violations();
        if let Some(Ok(report)) = &ended {
            let mut uids = BTreeSet::new();
            for step in &report.steps {
                for reason in &step.request.reasons {
                    let decision = step.request.decision.as_str();
                    self.coverage
                        .count(format!("judged: {decision}, {}", reason.code));
                }
                if !uids.insert(&step.request.id) {
                    let text = format!("{} stands twice in a report", step.request.id);
                    self.violations.push(text);
                }
            }
        }
        ended
    }

    /// Collects the violations found so far.
    pub fn collect_violations(&mut self) {
        self.violations
            .append(&mut self.shared.lock_sim().violations);
        let mut state = self.faulty_store.state();
        state.compare();
        state.compare_charges();
        self.violations.append(&mut state.reference.violations);
    }
}
