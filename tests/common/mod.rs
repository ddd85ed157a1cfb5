//! A house under test: a sandbox on a free port, the real client, the real pass, a store in memory
//! (or any other), and a clock that stands still until it is told to move.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use maitred::calcom::connect::{Settings, connect};
use maitred::calcom::port::{Calendar, Dialect};
use maitred::domain::criteria::effect::Effect;
use maitred::domain::criteria::terms::Criteria;
use maitred::domain::fact::Fact;
use maitred::domain::gate::{DeclineLimit, Gate, Limits, Policy, RefuseWith, Unanswered};
use maitred::domain::id::{AccountId, BookingUid, EventTypeKey, Reference, RequestId};
use maitred::domain::request::{Charge, Request};
use maitred::domain::terms::Window;
use maitred::domain::time::{Clock, Span, Time, kept};
use maitred::lookup::desk::Desk;
use maitred::reconcile::pass::pass;
use maitred::reconcile::ports::{PassError, Ports, Session, Stop};
use maitred::reconcile::report::Report;
use maitred::reconcile::watch::{Look, Watched, watch};
use maitred::sandbox::limit::Limits as RateLimits;
use maitred::sandbox::model::EventType;
use maitred::sandbox::server::Sandbox;
use maitred::sandbox::world::World;
use maitred::store::handle::StoreHandle;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

pub const HOST: i64 = 12;
pub const OTHER_HOST: i64 = 13;
pub const KEY: &str = "cal_test_key_0123456789abcdef";

/// Long enough for a loaded machine, short enough for a test of time-outs.
pub const TIMEOUT: Duration = Duration::from_millis(1_500);

/// A clock that starts where it is told to, goes on at the usual pace (the client waits by it), and
/// jumps when told to.
#[derive(Clone)]
pub struct HandClock {
    base: Time,
    started: std::time::Instant,
    ahead: Arc<AtomicI64>,
}

impl HandClock {
    #[allow(clippy::disallowed_methods, reason = "a test's clock")]
    pub fn at(base: Time) -> Self {
        Self {
            base,
            started: std::time::Instant::now(),
            ahead: Arc::new(AtomicI64::new(0)),
        }
    }

    pub fn now(&self) -> Time {
        let ahead = Span::milliseconds(self.ahead.load(Ordering::Relaxed));
        kept(self.base + ahead + Span::from_std(self.started.elapsed()).unwrap())
    }

    pub fn advance(&self, span: Span) {
        self.ahead
            .fetch_add(span.num_milliseconds(), Ordering::Relaxed);
    }

    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Arc::new(move || this.now())
    }
}

pub fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// The event types of the test world, all of half an hour.
#[derive(Clone, Copy)]
pub struct Kinds {
    /// Gated, costs 1.
    pub lesson: i64,
    /// Gated, costs 3.
    pub dinner: i64,
    /// Not gated.
    pub open: i64,
    /// Gated by mistake: it has a price.
    pub priced: i64,
    /// Of another host.
    pub foreign: i64,
}

/// Refund windows: all of it until a day before the start, half until two hours before.
pub fn graded() -> Vec<Window> {
    let window = |(hours, percent)| Window {
        before: Span::hours(hours),
        percent,
    };
    [(24, 100), (2, 50)].map(window).to_vec()
}

pub struct House {
    pub sandbox: Sandbox,
    pub clock: HandClock,
    pub calendar: Arc<dyn Calendar>,
    pub store: StoreHandle,
    pub policy: Policy,
    pub lookups: Desk,
    pub session: Session,
    pub stop: Stop,
    pub kinds: Kinds,
    pub dialect: Dialect,
    /// When the last watch began.
    pub watched: Option<Time>,
}

pub fn policy() -> Policy {
    let gate = |name: &str, cost| Gate {
        name: name.to_owned(),
        event_types: vec![EventTypeKey::Slug(name.to_owned())],
        cost,
        unknown_booker: Effect::Decline,
        short_of_credit: Effect::Decline,
        taken: Effect::Decline,
        unanswered: Unanswered::Leave,
        criteria: Criteria::default(),
        terms: maitred::domain::terms::Terms::default(),
    };
    Policy {
        gates: vec![gate("lesson", 1), gate("dinner", 3), gate("priced", 1)],
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: Limits {
            requests_per_pass: 250,
            declines: DeclineLimit {
                at_most: 25,
                per: Span::minutes(15),
            },
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
            resend_after: Span::minutes(15),
        },
        house: maitred::domain::criteria::house::House::default(),
        hash: "test".to_owned(),
    }
}

impl House {
    pub async fn new(dialect: Dialect) -> Self {
        Self::with(dialect, Box::new(MemoryStore::new())).await
    }

    pub async fn with(dialect: Dialect, store: Box<dyn Store>) -> Self {
        let clock = HandClock::at(time("2026-11-24T08:00:00Z"));
        let mut world = World::new();
        world.limits = RateLimits::off();
        world.add_user(HOST, "Ada Host", "ada@example.org");
        world.add_user(OTHER_HOST, "Oda Other", "oda@example.org");
        world.add_key(HOST, KEY);
        let priced = EventType {
            price: 5_000,
            ..EventType::new(HOST, "priced")
        };
        let kinds = Kinds {
            lesson: world.add_event_type(EventType::new(HOST, "lesson")),
            dinner: world.add_event_type(EventType::new(HOST, "dinner")),
            open: world.add_event_type(EventType::new(HOST, "open")),
            priced: world.add_event_type(priced),
            foreign: world.add_event_type(EventType::new(OTHER_HOST, "lesson")),
        };
        let address = "127.0.0.1:0".parse().unwrap();
        let sandbox = Sandbox::start(world, clock.clock(), address).await.unwrap();
        let calendar = client(&sandbox.base_url(), dialect, KEY, &clock);
        let (store, _) = StoreHandle::start(store).unwrap();
        Self {
            sandbox,
            calendar,
            store,
            policy: Policy {
                // As the configuration does: v1 knows no other refusal.
                refuse_with: match dialect {
                    Dialect::V2 => RefuseWith::Decline,
                    Dialect::V1 => RefuseWith::Cancel,
                },
                ..policy()
            },
            lookups: Desk::default(),
            session: Session::default(),
            stop: Stop::default(),
            kinds,
            dialect,
            clock,
            watched: None,
        }
    }

    pub async fn pass(&mut self) -> Report {
        self.try_pass(false).await.unwrap()
    }

    pub async fn try_pass(&mut self, dry_run: bool) -> Result<Report, PassError> {
        let clock = self.clock.clock();
        let ports = Ports {
            calendar: self.calendar.as_ref(),
            store: &self.store,
            lookups: &self.lookups,
            clock: &clock,
            stop: &self.stop,
        };
        pass(&ports, &self.policy, &mut self.session, dry_run).await
    }

    /// A watch as a timer runs it: it remembers when the last one was.
    pub async fn watch(&mut self, audit: bool) -> Watched {
        let clock = self.clock.clock();
        let ports = Ports {
            calendar: self.calendar.as_ref(),
            store: &self.store,
            lookups: &self.lookups,
            clock: &clock,
            stop: &self.stop,
        };
        let since = self.watched;
        let look = Look { since, audit };
        let watched = watch(&ports, &self.policy, &mut self.session, look);
        let watched = watched.await.unwrap();
        self.watched = Some(watched.started);
        watched
    }

    /// Passes as a timer runs them: each in a process of its own, which remembers nothing.
    pub async fn fresh_pass(&mut self) -> Result<Report, PassError> {
        self.session = Session::default();
        self.calendar = client(&self.sandbox.base_url(), self.dialect, KEY, &self.clock);
        self.try_pass(false).await
    }

    /// A request made a minute ago.
    pub fn request(&self, event_type: i64, email: &str, start: &str) -> String {
        self.clock.advance(Span::seconds(1));
        let made = self.clock.now() - Span::minutes(1);
        let mut world = self.sandbox.lock();
        world.request(made, event_type, email, time(start))
    }

    pub fn series(&self, event_type: i64, email: &str, start: &str, count: usize) -> Vec<String> {
        self.clock.advance(Span::seconds(1));
        let made = self.clock.now() - Span::minutes(1);
        let mut world = self.sandbox.lock();
        world.request_series(made, event_type, email, time(start), count)
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

    /// Available, held, posted.
    pub async fn balance(&self, account: &str) -> (u64, u64, u64) {
        let id = AccountId::parse(account).unwrap();
        let account = self.store.with(move |store| store.account(&id)).await;
        let account = account.unwrap().unwrap();
        assert!(account.adds_up());
        let balance = account.balance(self.clock.now());
        (balance.available, balance.held, balance.posted)
    }

    pub async fn record(&self, uid: &str) -> Option<Request> {
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
        self.sandbox.lock().status(uid).unwrap().lower()
    }
}

pub fn client(base: &str, dialect: Dialect, key: &str, clock: &HandClock) -> Arc<dyn Calendar> {
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

/// How the steps of a report ended, by booking.
pub fn ended(report: &Report, uid: &str) -> &'static str {
    let step = report
        .steps
        .iter()
        .find(|step| step.request.bookings.iter().any(|b| b.uid.as_str() == uid));
    step.map_or("absent", |step| step.ended.as_str())
}
