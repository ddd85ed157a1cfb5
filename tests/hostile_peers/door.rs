//! A house whose Cal.com is somebody else: the real client, the real pass, a ledger in memory in
//! which bo has credits, and a record of what was written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use maitred::calcom::connect::{Settings, connect};
use maitred::calcom::port::{Calendar, Dialect};
use maitred::domain::fact::Fact;
use maitred::domain::gate::{Policy, RefuseWith};
use maitred::domain::id::{AccountId, HostId, Reference};
use maitred::domain::ledger_state::{Identity, LedgerFact};
use maitred::domain::plan::Problem;
use maitred::domain::time::{Clock, Span};
use maitred::lookup::desk::Desk;
use maitred::reconcile::pass::pass;
use maitred::reconcile::ports::{PassError, Ports, Session, Stop};
use maitred::reconcile::report::Report;
use maitred::reconcile::watch::{Look, Watched, watch};
use maitred::store::handle::StoreHandle;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

use super::common::{HandClock, KEY, policy, time};

/// How long a call may take: long enough for a loaded machine.
pub const PATIENT: Duration = Duration::from_secs(30);

/// The same where it is known to run out: short enough to wait for in some rows of a table.
pub const HASTY: Duration = Duration::from_secs(1);

pub struct Door {
    pub calendar: Arc<dyn Calendar>,
    pub store: StoreHandle,
    pub clock: HandClock,
    pub policy: Policy,
    pub stop: Stop,
    dialect: Dialect,
    /// How often another server stood in for the one before.
    servers: AtomicU64,
}

/// What a watch did.
pub struct Watching {
    pub result: Result<Watched, PassError>,
    /// All that it says: its error with causes, or its problems.
    pub said: Vec<String>,
}

pub fn client(address: &str, dialect: Dialect, timeout: Duration) -> Arc<dyn Calendar> {
    connect(settings(address, dialect, timeout)).unwrap()
}

pub fn settings(address: &str, dialect: Dialect, timeout: Duration) -> Settings {
    Settings {
        base_url: address.to_owned(),
        dialect,
        key: KEY.to_owned().into(),
        timeout,
        confirm_timeout: timeout,
        connect_timeout: timeout,
        ca_file: None,
        budget: 1.0,
        clock: HandClock::at(time("2026-11-24T08:00:00Z")).clock(),
    }
}

impl Door {
    /// Bo has 100 credits.
    pub async fn before(address: &str, dialect: Dialect) -> Self {
        Self::within(address, dialect, PATIENT).await
    }

    /// As [`Door::before`], with another time limit for a call.
    pub async fn within(address: &str, dialect: Dialect, timeout: Duration) -> Self {
        let mut store = MemoryStore::new();
        let clock = HandClock::at(time("2026-11-24T08:00:00Z"));
        let grant = Fact::Grant {
            reference: Reference::parse("g").unwrap(),
            account: bo(),
            credits: 100,
            expires: None,
            reason: "test".to_owned(),
        };
        let calendar = client(address, dialect, timeout);
        let identity = Identity {
            server: calendar.server(),
            user: HostId(12),
            dialect: dialect.word().to_owned(),
        };
        let identified = Fact::Ledger(LedgerFact::Identified {
            identity,
            reason: "test".to_owned(),
        });
        store
            .commit(clock.now() - Span::days(30), vec![identified, grant], &[])
            .unwrap();
        Self {
            calendar,
            servers: AtomicU64::new(0),
            store: StoreHandle::start(Box::new(store)).unwrap().0,
            policy: Policy {
                refuse_with: match dialect {
                    Dialect::V2 => RefuseWith::Decline,
                    Dialect::V1 => RefuseWith::Cancel,
                },
                ..policy()
            },
            clock,
            stop: Stop::default(),
            dialect,
        }
    }

    /// The same house before another server.
    pub fn facing(mut self, address: &str) -> Self {
        self.turn_to(address, PATIENT);
        self
    }

    /// The same, with another time limit for a call.
    pub fn turn_to(&mut self, address: &str, timeout: Duration) {
        self.calendar = client(address, self.dialect, timeout);
    }

    /// A pass of a process that remembers nothing.
    pub async fn pass(&self) -> Result<Report, PassError> {
        self.accept_server().await;
        let (clock, lookups) = (self.clock.clock(), Desk::default());
        let ports = self.ports(&clock, &lookups);
        pass(&ports, &self.policy, &mut Session::default(), false).await
    }

    /// A watch of such a process; the last one began an hour ago.
    pub async fn watch(&self, audit: bool) -> Watching {
        self.accept_server().await;
        let (clock, lookups) = (self.clock.clock(), Desk::default());
        let since = Some(self.clock.now() - Span::hours(1));
        let look = Look { since, audit };
        let ports = self.ports(&clock, &lookups);
        let result = watch(&ports, &self.policy, &mut Session::default(), look).await;
        let said = match &result {
            Ok(watched) => watched.problems.iter().map(line).collect(),
            Err(error) => vec![chain(error)],
        };
        Watching { result, said }
    }

    /// The next server stands in for the one before: as after `maitred ledger move`.
    async fn accept_server(&self) {
        let (server, at) = (self.calendar.server(), self.clock.now());
        let accept = move |store: &mut dyn Store| {
            let known = store.ledger_state().unwrap().identity;
            if let Some(known) = known.filter(|known| known.server != server) {
                let fact = LedgerFact::Identified {
                    identity: Identity { server, ..known },
                    reason: "test".to_owned(),
                };
                store.commit(at, vec![Fact::Ledger(fact)], &[]).unwrap();
                return 1;
            }
            0
        };
        let accepted = self.store.with(accept).await;
        self.servers.fetch_add(accepted, Ordering::Relaxed);
    }

    fn ports<'a>(&'a self, clock: &'a Clock, lookups: &'a Desk) -> Ports<'a> {
        Ports {
            calendar: self.calendar.as_ref(),
            store: &self.store,
            lookups,
            clock,
            stop: &self.stop,
        }
    }

    /// Commits in the ledger, without those that only name another server; the grant is the first.
    pub async fn commits(&self) -> u64 {
        let all = self.store.with(|store| store.head().seq).await;
        all - self.servers.load(Ordering::Relaxed)
    }

    /// Bo's credits: available, held, posted. They add up, always.
    pub async fn balance(&self) -> (u64, u64, u64) {
        let account = self.store.with(|store| store.account(&bo())).await;
        let account = account.unwrap().unwrap();
        assert!(account.adds_up(), "{account:?}");
        let balance = account.balance(self.clock.now());
        (balance.available, balance.held, balance.posted)
    }
}

fn bo() -> AccountId {
    AccountId::parse("bo@example.com").unwrap()
}

/// All that a pass says: its error with causes, or its problems.
pub fn told(result: &Result<Report, PassError>) -> Vec<String> {
    match result {
        Ok(report) => report.problems.iter().map(line).collect(),
        Err(error) => vec![chain(error)],
    }
}

fn line(problem: &Problem) -> String {
    format!("{}: {}", problem.code, problem.text)
}

fn chain(error: &PassError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
