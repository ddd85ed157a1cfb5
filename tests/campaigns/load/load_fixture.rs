//! A fixture for load tests: the sandbox in this process, and a folder with configuration and
//! ledger for the daemon, which runs in its own process so that its memory can be measured
//! separately.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use maitred::domain::fact::Fact;
use maitred::domain::id::{AccountId, Reference};
use maitred::domain::time::{Span, Time};
use maitred::sandbox::model::SandboxEventType;
use maitred::sandbox::rate_limiter::RateLimits;
use maitred::sandbox::server::Sandbox;
use maitred::sandbox::world::World;
use maitred::store::log_store::LogStore;
use maitred::store::open::{CreateIfMissing, open};
use maitred::store::port::{Maintenance, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::daemon_process::DaemonProcess;
use crate::common::{HOST, KEY, ManualClock, parse_time};

/// Accounts opened in one commit: few commits, and each far below the limit of a commit.
const ACCOUNTS_PER_COMMIT: usize = 1_000;

/// The store's folder.
const LEDGER: &str = "ledger";

pub struct LoadFixture {
    pub sandbox: Sandbox,
    pub clock: ManualClock,
    /// Costs 1; a booker without credit is declined.
    pub lesson: i64,
    /// Costs 3; a booker without credit waits, and an unknown booker is left to an operator.
    pub dinner: i64,
    folder: TempDir,
    _runtime: Runtime,
}

impl LoadFixture {
    /// Returns a fixture with lessons and dinners of this length, and all limits of the sandbox
    /// off.
    pub fn new(minutes: u32) -> Self {
        let runtime = Runtime::new().unwrap();
        let clock = ManualClock::starting_at(parse_time("2026-11-02T00:00:00Z"));
        let mut world = World::new();
        world.limits = RateLimits::off();
        world.add_user(HOST, "Ada Host", "ada@example.org");
        world.add_key(HOST, KEY);
        let mut kind = |slug| {
            world.add_event_type(SandboxEventType {
                minutes,
                ..SandboxEventType::new(HOST, slug)
            })
        };
        let (lesson, dinner) = (kind("lesson"), kind("dinner"));
        let listen = "127.0.0.1:0".parse().unwrap();
        let started = Sandbox::start(world, clock.clock(), listen);
        let fixture = Self {
            sandbox: runtime.block_on(started).unwrap(),
            clock,
            lesson,
            dinner,
            folder: tempfile::tempdir().unwrap(),
            _runtime: runtime,
        };
        fixture.configure();
        fixture
    }

    fn configure(&self) {
        let base = self.sandbox.base_url();
        let text = format!(
            "[calcom]\nbase-url = \"{base}\"\napi-key-file = \"key\"\nbudget = \"100%\"\n\n\
             [store]\npath = \"{LEDGER}\"\n\n[control]\nsocket = \"\"\n\n\
             [limits]\nrequests-per-pass = 10000\ndeclines = {{ at-most = 10000, per = \"1m\" }}\n\n\
             [[gate]]\nevent-types = [\"lesson\"]\ncost = 1\n\n\
             [[gate]]\nevent-types = [\"dinner\"]\ncost = 3\n\
             unknown-booker = \"review\"\nshort-of-credit = \"wait\"\n"
        );
        fs::write(self.config(), text).unwrap();
        let key = self.folder.path().join("key");
        fs::write(&key, KEY).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join(LEDGER)
    }

    /// Opens the ledger, while no daemon has it.
    pub fn open(&self) -> LogStore {
        let opened = open(
            &self.ledger(),
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
            let grant = |n: &usize| Fact::Grant {
                reference: Reference::parse(&format!("load {n}")).unwrap(),
                account: AccountId::parse(&member(*n)).unwrap(),
                credits,
                expires: None,
                reason: "load".to_owned(),
            };
            let facts = some.iter().map(grant).collect();
            store.commit(self.clock.now(), facts, &[]).unwrap();
        }
        store.close().unwrap();
    }

    pub fn start_daemon(&self) -> DaemonProcess {
        DaemonProcess::start(&self.config(), self.clock.now())
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
        let log = folder_size(&self.ledger().join("log"));
        (log, folder_size(&self.ledger()) - log)
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
