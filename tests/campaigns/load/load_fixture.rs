//! A fixture for load tests: the sandbox in this process, and a folder with configuration and
//! ledger for the daemon, which runs in its own process so that its memory can be measured
//! separately.

use std::fs;
use std::ops::Deref;
use std::path::Path;

use maitred::domain::fact::{CreditFact, Fact};
use maitred::domain::id::{AccountId, Reference};
use maitred::domain::time::{Span, Time};
use maitred::store::log_store::LogStore;
use maitred::store::open::{CreateIfMissing, open};
use maitred::store::port::{Maintenance, Store};

use super::daemon_process::DaemonProcess;
use crate::fixture::binary::BinaryFixture;
use crate::fixture::clock::{ManualClock, parse_time};
use crate::fixture::test_world::WorldBuilder;

/// Accounts opened in one commit: few commits, and each far below the limit of a commit.
const ACCOUNTS_PER_COMMIT: usize = 1_000;

/// The folder is prepared for a daemon. A lesson costs 1, and a booker without credit is declined.
/// A dinner costs 3, a booker without credit waits, and an unknown booker is left to an operator.
pub struct LoadFixture {
    binary: BinaryFixture,
    pub clock: ManualClock,
}

impl Deref for LoadFixture {
    type Target = BinaryFixture;

    fn deref(&self) -> &BinaryFixture {
        &self.binary
    }
}

impl LoadFixture {
    /// Returns a fixture in which each booking lasts this long.
    pub fn new(minutes: u32) -> Self {
        let clock = ManualClock::starting_at(parse_time("2026-11-02T00:00:00Z"));
        let world = WorldBuilder::new(clock.clock()).minutes(minutes);
        let fixture = Self {
            binary: BinaryFixture::in_world(world, tempfile::tempdir().unwrap()),
            clock,
        };
        fixture.configure();
        fixture
    }

    fn configure(&self) {
        let base = self.sandbox.base_url();
        let text = format!(
            "[calcom]\nbase-url = \"{base}\"\napi-key-file = \"key\"\nbudget = \"100%\"\n\n\
             [store]\npath = \"ledger\"\n\n[control]\nsocket = \"\"\n\n\
             [limits]\nrequests-per-pass = 10000\ndeclines = {{ at-most = 10000, per = \"1m\" }}\n\n\
             [[gate]]\nevent-types = [\"lesson\"]\ncost = 1\n\n\
             [[gate]]\nevent-types = [\"dinner\"]\ncost = 3\n\
             unknown-booker = \"review\"\nshort-of-credit = \"wait\"\n"
        );
        self.write_config(&text);
    }

    /// Opens the ledger, while no daemon has it.
    pub fn open(&self) -> LogStore {
        let opened = open(
            &self.path("ledger"),
            CreateIfMissing::Yes,
            self.clock.now(),
            &mut |_| {},
        );
        opened.unwrap().store
    }

    /// Opens the accounts 0 to `count`, each with this number of credits.
    pub fn open_accounts(&self, count: usize, credits: u64) {
        let mut store = self.open();
        let numbers: Vec<usize> = (0..count).collect();
        for some in numbers.chunks(ACCOUNTS_PER_COMMIT) {
            let grant = |n: &usize| {
                Fact::Credit(CreditFact::Grant {
                    terms: Default::default(),
                    reference: Reference::parse(&format!("load {n}")).unwrap(),
                    account: AccountId::parse(&member(*n)).unwrap(),
                    credits,
                    expires: None,
                    reason: "load".to_owned(),
                })
            };
            let facts = some.iter().map(grant).collect();
            store.commit(self.clock.now(), facts, &[]).unwrap();
        }
        store.close().unwrap();
    }

    pub fn start_daemon(&self) -> DaemonProcess {
        DaemonProcess::start(&self.path("config.toml"), self.clock.now())
    }

    /// Requests a booking a minute ago, and later than the previous request.
    pub fn request_booking(&self, event_type: i64, email: &str, start: Time) -> String {
        self.clock.advance(Span::milliseconds(1));
        let made = self.clock.now() - Span::minutes(1);
        let mut world = self.sandbox.lock();
        world.request(made, event_type, email, start)
    }

    /// Returns the bytes on disk of the log, and of the rest of the ledger.
    pub fn log_and_other_sizes(&self) -> (u64, u64) {
        let log = folder_size(&self.path("ledger").join("log"));
        (log, folder_size(&self.path("ledger")) - log)
    }
}

/// Returns the member's address, which is the account's name.
pub fn member(n: usize) -> String {
    format!("member{n}@example.com")
}

fn folder_size(path: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        // A file that is renamed or removed meanwhile does not count.
        let Ok(found) = entry.metadata() else {
            continue;
        };
        sum += if found.is_dir() {
            folder_size(&entry.path())
        } else {
            found.len()
        };
    }
    sum
}
