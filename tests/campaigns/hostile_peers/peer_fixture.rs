//! A fixture with a hostile Cal.com: the real client, the real pass, a ledger in memory in which bo
//! has credits, and a record of what was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use maitred::calcom::connect::{Settings, connect};
use maitred::calcom::port::Calendar;
use maitred::domain::dialect::Dialect;
use maitred::domain::fact::Fact;
use maitred::domain::gate::{Policy, RefuseWith};
use maitred::domain::id::{AccountId, HostId, Reference};
use maitred::domain::ledger_state::{Identity, LedgerFact};
use maitred::domain::plan::Problem;
use maitred::domain::time::{Clock, Span};
use maitred::lookup::client::LookupClient;
use maitred::reconcile::context::{PassError, Ports, Session, StopSignal};
use maitred::reconcile::pass::run_pass;
use maitred::reconcile::report::PassReport;
use maitred::reconcile::watch::{WatchReport, WatchScope, run_watch};
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;
use maitred::store::store_thread::StoreHandle;

use crate::common::{KEY, ManualClock, parse_time, policy};

/// How long a call may take: long enough for a loaded machine.
pub const LONG_TIMEOUT: Duration = Duration::from_secs(30);

/// A limit that certainly runs out: short enough to wait for in some rows of a table.
pub const SHORT_TIMEOUT: Duration = Duration::from_secs(1);

pub struct PeerFixture {
    pub calendar: Arc<dyn Calendar>,
    pub store: StoreHandle,
    pub clock: ManualClock,
    pub policy: Policy,
    pub stop: StopSignal,
    dialect: Dialect,
    /// How often another server replaced the previous one.
    server_changes: AtomicU64,
}

/// The result of a watch.
pub struct WatchRun {
    pub result: Result<WatchReport, PassError>,
    /// Its error with causes, or its problems.
    pub messages: Vec<String>,
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
        clock: ManualClock::starting_at(parse_time("2026-11-24T08:00:00Z")).clock(),
    }
}

impl PeerFixture {
    /// Returns a fixture in which Bo has 100 credits.
    pub async fn new(address: &str, dialect: Dialect) -> Self {
        Self::with_timeout(address, dialect, LONG_TIMEOUT).await
    }

    /// Does the same as [`PeerFixture::new`], with another time limit for a call.
    pub async fn with_timeout(address: &str, dialect: Dialect, timeout: Duration) -> Self {
        let mut store = MemoryStore::new();
        let clock = ManualClock::starting_at(parse_time("2026-11-24T08:00:00Z"));
        let grant = Fact::Grant {
            reference: Reference::parse("g").unwrap(),
            account: bo_account(),
            credits: 100,
            expires: None,
            reason: "test".to_owned(),
        };
        let calendar = client(address, dialect, timeout);
        let identity = Identity {
            server: calendar.server(),
            user: HostId(12),
            dialect: dialect.as_str().to_owned(),
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
            server_changes: AtomicU64::new(0),
            store: StoreHandle::start(Box::new(store)).unwrap().0,
            policy: Policy {
                refuse_with: match dialect {
                    Dialect::V2 => RefuseWith::Decline,
                    Dialect::V1 => RefuseWith::Cancel,
                },
                ..policy()
            },
            clock,
            stop: StopSignal::default(),
            dialect,
        }
    }

    /// Returns the same fixture with another server.
    pub fn with_server(mut self, address: &str) -> Self {
        self.set_server(address, LONG_TIMEOUT);
        self
    }

    /// Sets another server, with a time limit for a call.
    pub fn set_server(&mut self, address: &str, timeout: Duration) {
        self.calendar = client(address, self.dialect, timeout);
    }

    /// Runs a pass in a process that remembers nothing.
    pub async fn pass(&self) -> Result<PassReport, PassError> {
        self.accept_next_server().await;
        let (clock, lookups) = (self.clock.clock(), LookupClient::default());
        let ports = self.ports(&clock, &lookups);
        run_pass(&ports, &self.policy, &mut Session::default(), false).await
    }

    /// Runs a watch in such a process; the last watch began an hour ago.
    pub async fn watch(&self, audit: bool) -> WatchRun {
        self.accept_next_server().await;
        let (clock, lookups) = (self.clock.clock(), LookupClient::default());
        let since = Some(self.clock.now() - Span::hours(1));
        let look = WatchScope { since, audit };
        let ports = self.ports(&clock, &lookups);
        let result = run_watch(&ports, &self.policy, &mut Session::default(), look).await;
        let messages = match &result {
            Ok(watched) => watched.problems.iter().map(problem_line).collect(),
            Err(error) => vec![error_chain(error)],
        };
        WatchRun { result, messages }
    }

    /// Lets the ledger accept the new server, as after `maitred ledger move`.
    async fn accept_next_server(&self) {
        let (server, at) = (self.calendar.server(), self.clock.now());
        let accept = move |store: &mut dyn Store| {
            let identity = store.ledger_state().unwrap().identity;
            if let Some(identity) = identity.filter(|known| known.server != server) {
                let fact = LedgerFact::Identified {
                    identity: Identity { server, ..identity },
                    reason: "test".to_owned(),
                };
                store.commit(at, vec![Fact::Ledger(fact)], &[]).unwrap();
                return 1;
            }
            0
        };
        let accepted = self.store.with(accept).await;
        self.server_changes.fetch_add(accepted, Ordering::Relaxed);
    }

    fn ports<'a>(&'a self, clock: &'a Clock, lookups: &'a LookupClient) -> Ports<'a> {
        Ports {
            calendar: self.calendar.as_ref(),
            store: &self.store,
            lookups,
            clock,
            stop: &self.stop,
        }
    }

    /// Returns the number of commits in the ledger, without those that only name another server;
    /// the grant is the first.
    pub async fn commit_count(&self) -> u64 {
        let all = self.store.with(|store| store.head().seq).await;
        all - self.server_changes.load(Ordering::Relaxed)
    }

    /// Returns Bo's available, held and posted credits, and checks that they add up.
    pub async fn balance(&self) -> (u64, u64, u64) {
        let account = self.store.with(|store| store.account(&bo_account())).await;
        let account = account.unwrap().unwrap();
        assert!(account.adds_up(), "{account:?}");
        let balance = account.balance(self.clock.now());
        (balance.available, balance.held, balance.posted)
    }
}

fn bo_account() -> AccountId {
    AccountId::parse("bo@example.com").unwrap()
}

/// Returns everything that a pass reports: its error with causes, or its problems.
pub fn pass_messages(result: &Result<PassReport, PassError>) -> Vec<String> {
    match result {
        Ok(report) => report.problems.iter().map(problem_line).collect(),
        Err(error) => vec![error_chain(error)],
    }
}

fn problem_line(problem: &Problem) -> String {
    format!("{}: {}", problem.code, problem.text)
}

fn error_chain(error: &PassError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
