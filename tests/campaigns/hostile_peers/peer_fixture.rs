//! A fixture with a hostile Cal.com: the real client, the real pass, a ledger in memory in which bo
//! has credits, and a record of what was written.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use maitred::calcom::connect::{Settings, connect};
use maitred::calcom::port::Calendar;
use maitred::domain::dialect::Dialect;
use maitred::domain::fact::{CreditFact, Fact};
use maitred::domain::id::{AccountId, HostId, Reference};
use maitred::domain::ledger_state::{Identity, LedgerFact};
use maitred::domain::plan::Problem;
use maitred::domain::time::Span;
use maitred::reconcile::context::{PassError, Session};
use maitred::reconcile::report::PassReport;
use maitred::reconcile::watch::{WatchReport, WatchScope};
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

use crate::fixture::clock::{ManualClock, parse_time};
use crate::fixture::in_process::{self, InProcess};
use crate::fixture::test_world::HOST;

const BO: &str = "bo@example.com";

/// How long a call may take: long enough for a loaded machine.
pub const LONG_TIMEOUT: Duration = Duration::from_secs(30);

/// A limit that certainly runs out: short enough to wait for in some rows of a table.
pub const SHORT_TIMEOUT: Duration = Duration::from_secs(1);

pub struct PeerFixture {
    runner: InProcess,
    /// How often another server replaced the previous one.
    server_changes: AtomicU64,
}

impl Deref for PeerFixture {
    type Target = InProcess;

    fn deref(&self) -> &InProcess {
        &self.runner
    }
}

impl DerefMut for PeerFixture {
    fn deref_mut(&mut self) -> &mut InProcess {
        &mut self.runner
    }
}

/// The result of a watch.
pub struct WatchRun {
    pub result: Result<WatchReport, PassError>,
    /// Its error with causes, or its problems.
    pub messages: Vec<String>,
}

fn start_clock() -> ManualClock {
    ManualClock::starting_at(parse_time("2026-11-24T08:00:00Z"))
}

pub fn client(address: &str, dialect: Dialect, timeout: Duration) -> Arc<dyn Calendar> {
    connect(settings(address, dialect, timeout)).unwrap()
}

pub fn settings(address: &str, dialect: Dialect, timeout: Duration) -> Settings {
    in_process::settings(address, dialect, timeout, &start_clock())
}

impl PeerFixture {
    /// Returns a fixture in which Bo has 100 credits.
    pub async fn new(address: &str, dialect: Dialect) -> Self {
        Self::with_timeout(address, dialect, LONG_TIMEOUT).await
    }

    /// Does the same as [`PeerFixture::new`], with another time limit for a call.
    pub async fn with_timeout(address: &str, dialect: Dialect, timeout: Duration) -> Self {
        let clock = start_clock();
        let began = clock.now() - Span::days(30);
        let store = Box::new(MemoryStore::new());
        let runner = InProcess::new(address, dialect, timeout, clock, store);
        let grant = Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: Reference::parse("g").unwrap(),
            account: AccountId::parse(BO).unwrap(),
            credits: 100,
            expires: None,
            reason: "test".to_owned(),
        });
        let identity = Identity {
            server: runner.calendar.server(),
            user: HostId(HOST),
            dialect: dialect.as_str().to_owned(),
        };
        let identified = Fact::Ledger(LedgerFact::Identified {
            identity,
            reason: "test".to_owned(),
        });
        let facts = vec![identified, grant];
        let commit = move |store: &mut dyn Store| store.commit(began, facts, &[]).map(|_| ());
        runner.store.with(commit).await.unwrap();
        Self {
            runner,
            server_changes: AtomicU64::new(0),
        }
    }

    /// Returns the same fixture with another server.
    pub fn with_server(mut self, address: &str) -> Self {
        self.connect_to(address, LONG_TIMEOUT);
        self
    }

    /// Runs a pass in a process that remembers nothing.
    pub async fn pass(&self) -> Result<PassReport, PassError> {
        self.accept_next_server().await;
        self.run_pass(&mut Session::default(), false).await
    }

    /// Runs a watch in such a process; the last watch began an hour ago.
    pub async fn watch(&self, audit: bool) -> WatchRun {
        self.accept_next_server().await;
        let since = Some(self.clock.now() - Span::hours(1));
        let scope = WatchScope { since, audit };
        let result = self.run_watch(&mut Session::default(), scope).await;
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

    /// Returns the number of commits in the ledger, without those that only name another server;
    /// the grant is the first.
    pub async fn commit_count(&self) -> u64 {
        self.sequence().await - self.server_changes.load(Ordering::Relaxed)
    }

    /// Returns Bo's available, held and posted credits.
    pub async fn balance(&self) -> (u64, u64, u64) {
        self.runner.balance(BO).await
    }
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
