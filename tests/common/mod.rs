//! A fixture for passes and watches: a sandbox on a free port, the real client, the real pass, a
//! store in memory (or any other), and a clock that a test can move.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use maitred::calcom::connect::{Settings, connect};
use maitred::calcom::port::Calendar;
use maitred::domain::criteria::gate_criteria::Criteria;
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::dialect::Dialect;
use maitred::domain::fact::Fact;
use maitred::domain::gate::{DeclineLimit, Gate, OnUnanswered, PassLimits, Policy, RefuseWith};
use maitred::domain::id::{AccountId, BookingUid, EventTypeKey, Reference, RequestId};
use maitred::domain::refund_policy::RefundTier;
use maitred::domain::request::{Charge, Request};
use maitred::domain::time::{Clock, Span, Time, truncate_to_millis};
use maitred::lookup::client::LookupClient;
use maitred::reconcile::context::{PassError, Ports, Session, StopSignal};
use maitred::reconcile::pass::run_pass;
use maitred::reconcile::report::PassReport;
use maitred::reconcile::watch::{WatchReport, WatchScope, run_watch};
use maitred::sandbox::model::SandboxEventType;
use maitred::sandbox::rate_limiter::RateLimits;
use maitred::sandbox::server::Sandbox;
use maitred::sandbox::world::World;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Maintenance;
use maitred::store::store_thread::StoreHandle;

pub const HOST: i64 = 12;
pub const OTHER_HOST: i64 = 13;
pub const KEY: &str = "cal_test_key_0123456789abcdef";

/// Long enough for a loaded machine, short enough for a test of time-outs.
pub const TIMEOUT: Duration = Duration::from_millis(1_500);

/// A clock that starts at a given time, continues at the usual speed (the client waits by it), and
/// jumps when a test moves it.
#[derive(Clone)]
pub struct ManualClock {
    base: Time,
    started: std::time::Instant,
    offset: Arc<AtomicI64>,
}

impl ManualClock {
    #[allow(clippy::disallowed_methods, reason = "a test's clock")]
    pub fn starting_at(base: Time) -> Self {
        Self {
            base,
            started: std::time::Instant::now(),
            offset: Arc::new(AtomicI64::new(0)),
        }
    }

    pub fn now(&self) -> Time {
        let ahead = Span::milliseconds(self.offset.load(Ordering::Relaxed));
        truncate_to_millis(self.base + ahead + Span::from_std(self.started.elapsed()).unwrap())
    }

    pub fn advance(&self, span: Span) {
        self.offset
            .fetch_add(span.num_milliseconds(), Ordering::Relaxed);
    }

    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Arc::new(move || this.now())
    }
}

pub fn parse_time(text: &str) -> Time {
    text.parse().unwrap()
}

/// The event types of the test world; each lasts half an hour.
#[derive(Clone, Copy)]
pub struct TestEventTypes {
    /// Gated, costs 1.
    pub lesson: i64,
    /// Gated, costs 3.
    pub dinner: i64,
    /// Not gated.
    pub open: i64,
    /// Has a gate by mistake: it has a price.
    pub priced: i64,
    /// Belongs to another host.
    pub foreign: i64,
}

/// Returns refund windows: everything until a day before the start, half until two hours before.
pub fn graded_refund_tiers() -> Vec<RefundTier> {
    let window = |(hours, percent)| RefundTier {
        before: Span::hours(hours),
        percent,
    };
    [(24, 100), (2, 50)].map(window).to_vec()
}

pub struct PassFixture {
    pub sandbox: Sandbox,
    pub clock: ManualClock,
    pub calendar: Arc<dyn Calendar>,
    pub store: StoreHandle,
    pub policy: Policy,
    pub lookups: LookupClient,
    pub session: Session,
    pub stop: StopSignal,
    pub event_types: TestEventTypes,
    pub dialect: Dialect,
    /// When the last watch began.
    pub last_watch: Option<Time>,
}

pub fn policy() -> Policy {
    let gate = |name: &str, cost| Gate {
        name: name.to_owned(),
        event_types: vec![EventTypeKey::Slug(name.to_owned())],
        cost,
        unknown_booker: OnViolation::Decline,
        short_of_credit: OnViolation::Decline,
        time_taken: OnViolation::Decline,
        on_unanswered: OnUnanswered::Leave,
        criteria: Criteria::default(),
        terms: maitred::domain::refund_policy::Terms::default(),
    };
    Policy {
        gates: vec![gate("lesson", 1), gate("dinner", 3), gate("priced", 1)],
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: PassLimits {
            requests_per_pass: 250,
            declines: DeclineLimit {
                at_most: 25,
                per: Span::minutes(15),
            },
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
            resend_after: Span::minutes(15),
        },
        global: maitred::domain::criteria::global_policy::GlobalPolicy::default(),
        hash: "test".to_owned(),
    }
}

impl PassFixture {
    pub async fn new(dialect: Dialect) -> Self {
        Self::with_store(dialect, Box::new(MemoryStore::new())).await
    }

    pub async fn with_store(dialect: Dialect, store: Box<dyn Maintenance>) -> Self {
        let clock = ManualClock::starting_at(parse_time("2026-11-24T08:00:00Z"));
        let mut world = World::new();
        world.limits = RateLimits::off();
        world.add_user(HOST, "Ada Host", "ada@example.org");
        world.add_user(OTHER_HOST, "Oda Other", "oda@example.org");
        world.add_key(HOST, KEY);
        let priced = SandboxEventType {
            price: 5_000,
            ..SandboxEventType::new(HOST, "priced")
        };
        let kinds = TestEventTypes {
            lesson: world.add_event_type(SandboxEventType::new(HOST, "lesson")),
            dinner: world.add_event_type(SandboxEventType::new(HOST, "dinner")),
            open: world.add_event_type(SandboxEventType::new(HOST, "open")),
            priced: world.add_event_type(priced),
            foreign: world.add_event_type(SandboxEventType::new(OTHER_HOST, "lesson")),
        };
        let address = "127.0.0.1:0".parse().unwrap();
        let sandbox = Sandbox::start(world, clock.clock(), address).await.unwrap();
        let calendar = calendar_client(&sandbox.base_url(), dialect, KEY, &clock);
        let (store, _) = StoreHandle::start(store).unwrap();
        Self {
            sandbox,
            calendar,
            store,
            policy: Policy {
                // As the configuration does: v1 has no other refusal.
                refuse_with: match dialect {
                    Dialect::V2 => RefuseWith::Decline,
                    Dialect::V1 => RefuseWith::Cancel,
                },
                ..policy()
            },
            lookups: LookupClient::default(),
            session: Session::default(),
            stop: StopSignal::default(),
            event_types: kinds,
            dialect,
            clock,
            last_watch: None,
        }
    }

    pub async fn pass(&mut self) -> PassReport {
        self.try_pass(false).await.unwrap()
    }

    pub async fn try_pass(&mut self, dry_run: bool) -> Result<PassReport, PassError> {
        let clock = self.clock.clock();
        let ports = Ports {
            calendar: self.calendar.as_ref(),
            store: &self.store,
            lookups: &self.lookups,
            clock: &clock,
            stop: &self.stop,
        };
        run_pass(&ports, &self.policy, &mut self.session, dry_run).await
    }

    /// Runs a watch as a timer does: it remembers when the last watch ran.
    pub async fn watch(&mut self, audit: bool) -> WatchReport {
        let clock = self.clock.clock();
        let ports = Ports {
            calendar: self.calendar.as_ref(),
            store: &self.store,
            lookups: &self.lookups,
            clock: &clock,
            stop: &self.stop,
        };
        let since = self.last_watch;
        let look = WatchScope { since, audit };
        let watched = run_watch(&ports, &self.policy, &mut self.session, look);
        let watched = watched.await.unwrap();
        self.last_watch = Some(watched.started);
        watched
    }

    /// Runs a pass as a timer does: in a new process, which remembers nothing.
    pub async fn pass_of_new_process(&mut self) -> Result<PassReport, PassError> {
        self.session = Session::default();
        self.calendar = calendar_client(&self.sandbox.base_url(), self.dialect, KEY, &self.clock);
        self.try_pass(false).await
    }

    /// Makes a request that is a minute old.
    pub fn request(&self, event_type: i64, email: &str, start: &str) -> String {
        self.clock.advance(Span::seconds(1));
        let made = self.clock.now() - Span::minutes(1);
        let mut world = self.sandbox.lock();
        world.request(made, event_type, email, parse_time(start))
    }

    pub fn series(&self, event_type: i64, email: &str, start: &str, count: usize) -> Vec<String> {
        self.clock.advance(Span::seconds(1));
        let made = self.clock.now() - Span::minutes(1);
        let mut world = self.sandbox.lock();
        world.request_series(made, event_type, email, parse_time(start), count)
    }

    pub async fn grant(&self, account: &str, credits: u64) {
        let at = self.clock.now();
        let fact = Fact::Grant {
            reference: Reference::parse(&format!("grant {account} {credits} {at}")).unwrap(),
            account: AccountId::parse(account).unwrap(),
            credits,
            expires: None,
            reason: "test".to_owned(),
        };
        self.store
            .with(move |store| store.commit(at, vec![fact], &[]))
            .await
            .unwrap();
    }

    /// Returns the available, held and posted credits.
    pub async fn balance(&self, account: &str) -> (u64, u64, u64) {
        let id = AccountId::parse(account).unwrap();
        let account = self.store.with(move |store| store.account(&id)).await;
        let account = account.unwrap().unwrap();
        assert!(account.adds_up());
        let balance = account.balance(self.clock.now());
        (balance.available, balance.held, balance.posted)
    }

    pub async fn stored_request(&self, uid: &str) -> Option<Request> {
        let uid = BookingUid::parse(uid).unwrap();
        self.store
            .with(move |store| {
                let id = store.request_of(&uid)?.unwrap_or(RequestId::from(&uid));
                store.request(&id)
            })
            .await
            .unwrap()
    }

    pub async fn charge(&self, uid: &str) -> Option<Charge> {
        let uid = BookingUid::parse(uid).unwrap();
        self.store
            .with(move |store| store.charge(&uid))
            .await
            .unwrap()
    }

    pub async fn sequence(&self) -> u64 {
        self.store.with(|store| store.head().seq).await
    }

    pub fn status(&self, uid: &str) -> &'static str {
        self.sandbox.lock().status(uid).unwrap().as_v2()
    }
}

pub fn calendar_client(
    base: &str,
    dialect: Dialect,
    key: &str,
    clock: &ManualClock,
) -> Arc<dyn Calendar> {
    connect(Settings {
        base_url: base.to_owned(),
        dialect,
        key: key.to_owned().into(),
        timeout: TIMEOUT,
        confirm_timeout: TIMEOUT,
        connect_timeout: TIMEOUT,
        ca_file: None,
        budget: 1.0,
        clock: clock.clock(),
    })
    .unwrap()
}

/// Returns how the step of this booking ended.
pub fn step_outcome(report: &PassReport, uid: &str) -> &'static str {
    let step = report
        .steps
        .iter()
        .find(|step| step.request.bookings.iter().any(|b| b.uid.as_str() == uid));
    step.map_or("absent", |step| step.outcome.as_str())
}
