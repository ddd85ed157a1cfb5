//! One seed: a house, a town and some hours or days of trouble in it; then the trouble ends, and
//! everything must come to rest (`rest.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use maitred::calcom::port::Calendar;
use maitred::domain::booking::Status;
use maitred::domain::fact::Fact;
use maitred::domain::gate::{Policy, RefuseWith};
use maitred::domain::ledger_state::LedgerFact;
use maitred::domain::plan::plan;
use maitred::domain::terms::Unmanaged;
use maitred::domain::time::{Span, Time};
use maitred::lookup::desk::Desk;
use maitred::reconcile::observe::observe;
use maitred::reconcile::pass::pass;
use maitred::reconcile::ports::{PassError, Ports, Session, Stop};
use maitred::reconcile::report::Report;
use maitred::reconcile::watch::{Look, Watched, preview, watch};
use maitred::store::handle::StoreHandle;
use maitred::store::port::CommitError;

use super::behaviours::Behaviours;
use super::book::Sums;
use super::calendar::{Line, Shared, Sim};
use super::house::{START, policy, refunds};
use super::rng::Rng;
use super::shelf::{Setting, Shelf};
use super::tally::Tally;
use super::town::{PEOPLE, Town};

/// Turns of one run: each some events, and a pass or a watch or both.
const TURNS: u64 = 8;

pub struct Run {
    pub shared: Arc<Shared>,
    pub shelf: Shelf,
    line: Line,
    store: StoreHandle,
    policy: Policy,
    session: Session,
    stop: Stop,
    /// When the last watch that came to its end began, as the daemon remembers it.
    since: Option<Time>,
    /// Times that what runs may wait before it is dropped.
    waits: u64,
    trouble: u64,
    pub rng: Rng,
    /// Decides about restores and clocks. Of its own, so that everything else happens as without them.
    doubt: Rng,
    pub tally: Tally,
    pub wrong: Vec<String>,
}

/// Where the process ends.
#[derive(Debug, Clone, Copy)]
pub enum Point {
    /// Before or after the `n`th call or commit.
    Place(u64),
    /// When it waits for the `n`th time, for whatever it is.
    Wait(u64),
}

const NOWHERE: Point = Point::Place(0);

/// Drops what runs when it waits for the `n`th time.
async fn until<T>(waits: u64, what: impl Future<Output = T>) -> Option<T> {
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

/// What a run came to.
pub struct Summary {
    /// What was exercised.
    pub tally: Tally,
    /// The promises that were broken, in words.
    pub wrong: Vec<String>,
    /// All that was written.
    pub commits: Vec<(Time, Vec<Fact>)>,
}

/// Runs a seed.
pub async fn whole(seed: u64) -> Summary {
    through(Run::new(seed)).await
}

async fn through(mut run: Run) -> Summary {
    let turns = 3 + run.rng.below(TURNS);
    let trouble = *run.rng.pick(&[0, 30, 80, 150]);
    run.trouble(trouble);
    for _ in 0..turns {
        run.events();
        run.doubts().await;
        run.turn().await;
    }
    run.rest().await;
    run.end()
}

/// The same with every sentence taken out of what is written.
pub async fn scrubbed(seed: u64) -> Summary {
    let run = Run::new(seed);
    run.shelf.state().scrubs = true;
    through(run).await
}

/// The first pass ends at its `point`th place; the rest is quiet. `None` when the pass has fewer.
pub async fn stopped_at(seed: u64, point: Point) -> Option<Summary> {
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

/// The same for a watch, of bookings to which much has happened.
pub async fn watch_stopped_at(seed: u64, point: Point) -> Option<Summary> {
    let mut run = Run::new(seed);
    for _ in 0..3 {
        run.events();
        run.shared.advance(Span::seconds(60));
        run.whole_pass().await;
    }
    run.events();
    for _ in 0..8 {
        run.events_of_people();
    }
    let audit = run.rng.chance(500);
    let stopped = run.stopped_watch(audit, point).await;
    if !stopped {
        return None;
    }
    run.rest().await;
    Some(run.end())
}

/// The same world twice: at the end of its events a pass looks first, or a watch. Gives what the
/// accounts have at the end. Everybody has enough, so that nobody competes for credit.
pub async fn looked_at(seed: u64, watch_first: bool) -> (Summary, BTreeMap<String, Sums>) {
    let mut run = Run::with(seed, |policy| {
        for gate in &mut policy.gates {
            gate.terms.unmanaged = Unmanaged::Report;
        }
    });
    // Of two successors, one carries the charge and the other is judged as new: which one is whichever was
    // accepted when somebody looked.
    run.shared.sim().town.behaviours.two_successors = false;
    let start: Time = START.parse().unwrap();
    for who in PEOPLE {
        run.shelf.grant(start, who, 1_000, None);
    }
    for _ in 0..3 {
        run.events();
        run.shared.advance(Span::seconds(60));
        run.whole_pass().await;
        run.whole_watch(true).await;
    }
    run.events();
    for _ in 0..8 {
        run.events_of_people();
    }
    run.shared.advance(Span::seconds(60));
    if watch_first {
        run.whole_watch(true).await;
        run.whole_pass().await;
    } else {
        run.whole_pass().await;
        run.whole_watch(true).await;
    }
    run.rest().await;
    let mut sums = run.shelf.state().book.sums.clone();
    for sums in sums.values_mut() {
        // What was spent and came back is as if it had never been spent.
        sums.posted -= sums.refunded;
        sums.refunded = 0;
    }
    (run.end(), sums)
}

impl Run {
    pub fn new(seed: u64) -> Self {
        Self::with(seed, |_| ())
    }

    fn with(seed: u64, adapt: fn(&mut Policy)) -> Self {
        let mut rng = Rng::new(seed);
        let mut policy = policy(&mut rng);
        adapt(&mut policy);
        let reads_first = rng.chance(200);
        if reads_first {
            // v1 knows nothing else, and the configuration sees to it.
            policy.refuse_with = RefuseWith::Cancel;
        }
        let behaviours = Behaviours::of_seed(seed);
        let own = Rng::new(rng.next());
        let town = Town {
            series_per_occurrence: rng.chance(150),
            legacy: reads_first,
            hides_updated: reads_first && rng.chance(500),
            behaviours,
            ..Town::default()
        };
        let mut sim = Sim::new(own, town, policy.limits.max_observation_age);
        sim.page = *rng.pick(&[2, 5, 250, 250]);
        sim.resend_after = policy.limits.resend_after;
        if behaviours.slow_confirm {
            sim.timeout = Span::seconds(*rng.pick(&[3, 60]));
        }
        let start: Time = START.parse().unwrap();
        let mut setting = Setting {
            seed: 0,
            history: Arc::clone(&sim.town.history),
            policy: policy.clone(),
            legacy: sim.town.legacy,
            hides_updated: sim.town.hides_updated,
            stale: Arc::clone(&sim.stale),
        };
        let shared = Arc::new(Shared::new(sim, start));
        setting.seed = rng.next();
        let shelf = Shelf::new(setting, Arc::clone(&shared));
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
            since: None,
            waits: 0,
            trouble: 0,
            rng,
            doubt: Rng::new(seed ^ 0x5afe),
            tally,
            wrong: Vec::new(),
        }
    }

    fn stop_at(&mut self, point: Point) {
        let (place, waits) = match point {
            Point::Place(n) => (n, 0),
            Point::Wait(n) => (0, n),
        };
        self.shared.stop_after(place);
        let always_waits = &self.shared.always_waits;
        always_waits.store(waits > 0, Ordering::Relaxed);
        self.waits = waits;
    }

    pub fn trouble(&mut self, trouble: u64) {
        self.trouble = trouble;
        if trouble == 0 {
            self.shared.set_skew(Span::zero());
            self.shelf.state().skewed = false;
        }
        self.shared.sim().trouble = trouble;
        self.shelf.state().trouble = trouble;
    }

    /// An operator edits the refund terms of one gate and reloads.
    fn edit_terms(&mut self) {
        let gate = self.rng.index(self.policy.gates.len());
        self.policy.gates[gate].terms.refunds = refunds(&mut self.rng);
        self.shelf.state().policy = Arc::new(self.policy.clone());
        self.tally.add("terms edited");
    }

    /// What happens between two passes: time goes by, some ask, and others act.
    pub fn events(&mut self) {
        let hour = 3_600;
        let far = *self
            .rng
            .pick(&[1, 15, 60, 600, hour, 6 * hour, 23 * hour, 2 * 24 * hour]);
        self.shared.advance(Span::seconds(far));
        if self.rng.chance(40) {
            self.away();
        }
        {
            let mut guard = self.shared.sim();
            let sim = &mut *guard;
            sim.town.before = sim.town.rows.clone();
            sim.before = sim.town.history.lock().unwrap().moment();
            for _ in 0..self.rng.below(4) {
                sim.town.ask(&mut self.rng, self.shared.now());
            }
            if sim.behaviours.slow_calls && self.rng.chance(100) {
                sim.town.rush(&mut self.rng, self.shared.now());
            }
        }
        for _ in 0..self.rng.below(5) {
            self.events_of_people();
        }
        if self.rng.chance(300) {
            let now = self.shared.now();
            self.shelf.operate(&mut self.rng, &mut self.tally, now);
        }
        if self.rng.chance(60) {
            self.edit_terms();
        }
        self.wild_events();
        let soon = *self.rng.pick(&[1, 15, 15, 60]);
        self.shared.advance(Span::seconds(soon));
        if self.rng.chance(30) {
            self.shared.advance(-Span::seconds(5));
        }
    }

    /// What only some runs have, between two passes.
    fn wild_events(&mut self) {
        let behaviours = self.shared.sim().behaviours;
        if behaviours.rebook && self.rng.chance(300) {
            let mut guard = self.shared.sim();
            let sim = &mut *guard;
            let now = self.shared.now();
            sim.town.rebook(&mut self.rng, &mut self.tally, now);
        }
        if behaviours.clock {
            let wrong = self.trouble > 0 && self.rng.chance(80);
            let skew = if wrong {
                self.tally.add("the process's clock is wrong by days");
                let days = *self.rng.pick(&[-30, -2, 1, 3, 40]);
                Span::days(days)
            } else {
                Span::zero()
            };
            self.shared.set_skew(skew);
            self.shelf.state().skewed = wrong;
        }
        if behaviours.lost_ledger && self.trouble > 0 && self.rng.chance(60) {
            self.lose_ledger();
        }
    }

    /// Somebody does something to a booking.
    fn events_of_people(&mut self) {
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        let now = self.shared.now();
        sim.town.meddle(&mut self.rng, &mut self.tally, now);
    }

    /// Nobody looks for a week, while life goes on.
    fn away(&mut self) {
        self.tally.add("away for a week");
        for _ in 0..7 {
            self.shared.advance(Span::days(1));
            self.events_of_people();
        }
    }

    /// The ledger is lost: what is opened from now on is another one, and the hint is gone too.
    fn lose_ledger(&mut self) {
        if self.shelf.state().lost.is_some() {
            return;
        }
        self.shared.advance(Span::seconds(1));
        let now = self.shared.now();
        let mut sim = self.shared.sim();
        sim.town.ours.clear();
        // What was called and never answered is known to the ledger that was lost, and to nothing else.
        sim.unended.clear();
        for running in &mut sim.running {
            running.forgotten = true;
        }
        drop(sim);
        self.shelf.lose(&mut self.rng, &mut self.tally, now);
        self.session = Session::default();
        self.since = None;
    }

    async fn turn(&mut self) {
        match self.rng.below(12) {
            0 => self.dry_run().await,
            1 => self.repeated_plan().await,
            2 | 3 => {
                let point = 1 + self.rng.below(50);
                self.stopped_pass(Point::Place(point)).await;
            }
            4 => {}
            _ => {
                self.whole_pass().await;
            }
        }
        let audit = self.rng.chance(300);
        match self.rng.below(6) {
            0 => {
                let point = 1 + self.rng.below(40);
                self.stopped_watch(audit, Point::Place(point)).await;
            }
            1..=3 => {
                self.whole_watch(audit).await;
            }
            _ => {}
        }
        if self.rng.chance(30) {
            self.tally.add("hint lost");
            self.since = None;
        }
    }

    /// A backup is restored, or accepted; the clocks disagree, or agree again; an operator asks what a
    /// watch would do.
    async fn doubts(&mut self) {
        let now = self.shared.now();
        let open = self.shelf.restore_is_open();
        if open && self.doubt.chance(400) {
            self.shelf.of_ledger(
                now,
                LedgerFact::RestoreAccepted {
                    reason: "simulated".to_owned(),
                },
            );
        } else if self.doubt.chance(60) {
            self.tally.add("backup restored");
            self.shelf
                .of_ledger(now, LedgerFact::Restored { commit: 1 });
        }
        let differ = if self.doubt.chance(60) {
            self.tally.add("clocks differ");
            let far = Span::seconds(*self.doubt.pick(&[121, 3_600, 200_000]));
            if self.doubt.chance(500) { far } else { -far }
        } else if self.doubt.chance(300) {
            Span::seconds(120)
        } else {
            Span::zero()
        };
        self.clocks_differ(differ);
        if self.doubt.chance(200) {
            self.tally.add("watch previewed");
            let audit = self.doubt.chance(500);
            self.preview(audit).await;
        }
    }

    fn clocks_differ(&self, differ: Span) {
        self.shared.sim().clocks_differ = differ;
        self.shelf.state().clock_off = differ.abs() > Span::minutes(2);
    }

    pub fn no_more_doubts(&self) {
        self.clocks_differ(Span::zero());
        if self.shelf.restore_is_open() {
            let now = self.shared.now();
            self.shelf.of_ledger(
                now,
                LedgerFact::RestoreAccepted {
                    reason: "simulated".to_owned(),
                },
            );
        }
    }

    /// What a watch would do, which writes nothing.
    pub async fn preview(&mut self, audit: bool) -> Option<Watched> {
        self.ready();
        let look = Look {
            since: self.since,
            audit: audit || self.since.is_none(),
        };
        let clock = self.shared.clock();
        let calendar: &dyn Calendar = &self.line;
        let desk = Desk::default();
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &desk,
            clock: &clock,
            stop: &self.stop,
        };
        let before = (self.shelf.state().asked, self.shared.sim().writes);
        let previewed = preview(&ports, &self.policy, &mut Session::default(), look).await;
        let after = (self.shelf.state().asked, self.shared.sim().writes);
        if before != after {
            let text = format!("8: a preview of a watch wrote: {before:?}, {after:?}");
            self.wrong.push(text);
        }
        if let Err(error) = &previewed {
            self.failed(error, "preview");
        }
        previewed.ok()
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
        let desk = Desk::default();
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &desk,
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

    async fn stopped_watch(&mut self, audit: bool, point: Point) -> bool {
        self.stop_at(point);
        let ended = self.watch(audit).await;
        self.store.with(|_| ()).await;
        self.stop_at(NOWHERE);
        if let Some(ended) = ended {
            self.watch_ended(ended);
            return false;
        }
        self.tally.add("watch stopped");
        self.session = Session::default();
        self.shelf.reopen();
        true
    }

    /// Gives what the watch did when it came to its end.
    pub async fn whole_watch(&mut self, audit: bool) -> Option<Watched> {
        let ended = self.watch(audit).await?;
        self.watch_ended(ended)
    }

    fn watch_ended(&mut self, ended: Result<Watched, PassError>) -> Option<Watched> {
        match ended {
            Ok(watched) => {
                self.tally.add(if watched.audit {
                    "watch whole: audit"
                } else {
                    "watch whole: short"
                });
                for problem in &watched.problems {
                    self.tally.add(match problem.code {
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
                        self.wrong.push(problem.text.clone());
                    }
                }
                if watched.complete {
                    self.since = Some(watched.started);
                }
                Some(watched)
            }
            Err(error) => {
                self.tally.add("watch failed");
                self.failed(&error, "watch");
                None
            }
        }
    }

    /// `None`: stopped on the way. Without a hint of when the last one was, it is an audit.
    async fn watch(&mut self, audit: bool) -> Option<Result<Watched, PassError>> {
        self.ready();
        let look = Look {
            since: self.since,
            audit: audit || self.since.is_none(),
        };
        let clock = self.shared.clock();
        let calendar: &dyn Calendar = &self.line;
        let desk = Desk::default();
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &desk,
            clock: &clock,
            stop: &self.stop,
        };
        self.shelf.state().watching = true;
        let ended = tokio::select! {
            biased;
            () = self.shared.stopped.notified() => None,
            ended = until(self.waits, watch(&ports, &self.policy, &mut self.session, look)) => ended,
        };
        let ended = ended.filter(|_| !self.shared.has_ended());
        self.store.with(|_| ()).await;
        self.shelf.state().watching = false;
        self.check();
        ended
    }

    /// Whether the pass was stopped, which is a new process with nothing in its head.
    async fn stopped_pass(&mut self, point: Point) -> bool {
        self.stop_at(point);
        let ended = self.pass(false).await;
        // What it sent to the store's thread last comes to an end there before it is a new process.
        self.store.with(|_| ()).await;
        self.stop_at(NOWHERE);
        if let Some(ended) = ended {
            self.ended(ended);
            return false;
        }
        self.tally.add("pass stopped");
        self.session = Session::default();
        self.shelf.reopen();
        true
    }

    pub async fn whole_pass(&mut self) -> Option<Report> {
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
                self.failed(&error, "pass");
                None
            }
        }
    }

    fn failed(&mut self, error: &PassError, what: &str) {
        if self.shared.sim().trouble == 0 {
            self.wrong.push(format!("a quiet {what} failed: {error}"));
        }
        if matches!(error, PassError::Commit(CommitError::Indeterminate(_))) {
            self.session = Session::default();
            self.shelf.reopen();
        }
    }

    fn ready(&self) {
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        sim.listed = false;
        sim.nobody_sleeps();
        let moment = sim.town.history.lock().unwrap().moment();
        let before = if sim.trouble > 0 { sim.before } else { moment };
        let mut state = self.shelf.state();
        state.looked_from = before;
        state.pass_from = moment;
        drop(state);
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
        let desk = Desk::default();
        let ports = Ports {
            calendar,
            store: &self.store,
            lookups: &desk,
            clock: &clock,
            stop: &self.stop,
        };
        let ended = tokio::select! {
            biased;
            () = self.shared.stopped.notified() => None,
            ended = until(self.waits, pass(&ports, &self.policy, &mut self.session, dry_run)) => ended,
        };
        // The store's thread may have let it run a little further, without any effect.
        let ended = ended.filter(|_| !self.shared.has_ended());
        self.check();
        if let Some(Ok(report)) = &ended {
            let mut seen = BTreeSet::new();
            for step in &report.steps {
                for reason in &step.request.reasons {
                    let decision = step.request.decision.as_str();
                    self.tally
                        .add(format!("judged: {decision}, {}", reason.code));
                }
                if !seen.insert(&step.request.id) {
                    let text = format!("{} stands twice in a report", step.request.id);
                    self.wrong.push(text);
                }
            }
        }
        ended
    }

    /// Collects what was found wrong so far.
    pub fn check(&mut self) {
        self.wrong.append(&mut self.shared.sim().wrong);
        let mut state = self.shelf.state();
        state.compare();
        state.compare_charges();
        self.wrong.append(&mut state.book.wrong);
    }
}
