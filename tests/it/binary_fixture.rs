//! A fixture for tests of the built binary: a sandbox over HTTP, and a folder with its own
//! configuration, key and ledger.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use maitred::daemon::clock;
use maitred::daemon::offline::init;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::model::SandboxEventType;
use maitred::sandbox::rate_limiter::RateLimits;
use maitred::sandbox::server::Sandbox;
use maitred::sandbox::world::World;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub const HOST: i64 = 12;
pub const KEY: &str = "cal_binary_key_0123456789abcdef";

/// How long a process may take to do what a test waits for, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct BinaryFixture {
    _runtime: Runtime,
    pub sandbox: Sandbox,
    pub folder: TempDir,
    pub lesson: i64,
    pub dinner: i64,
    pub open: i64,
    pub foreign: i64,
}

/// The result of one run of the binary.
pub struct RunResult {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl RunResult {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("{e}: out {:?} err {:?}", self.out, self.err))
    }

    /// Returns everything that was printed, for searching.
    pub fn all_output(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

impl BinaryFixture {
    pub fn new(dialect: &str) -> Self {
        let fixture = Self::without_ledger(dialect);
        init(&fixture.path("ledger"), &clock::system_clock()).unwrap();
        fixture
    }

    /// Returns a fixture before its first day: there is no ledger yet.
    pub fn without_ledger(dialect: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut world = World::new();
        world.limits = RateLimits::off();
        world.add_user(HOST, "Ada Host", "ada@example.org");
        world.add_user(HOST + 1, "Oda Other", "oda@example.org");
        world.add_key(HOST, KEY);
        let lesson = world.add_event_type(SandboxEventType::new(HOST, "lesson"));
        let dinner = world.add_event_type(SandboxEventType::new(HOST, "dinner"));
        let open = world.add_event_type(SandboxEventType::new(HOST, "open"));
        let foreign = world.add_event_type(SandboxEventType::new(HOST + 1, "lesson"));
        let listen = "127.0.0.1:0".parse().unwrap();
        let sandbox = runtime
            .block_on(Sandbox::start(world, clock::system_clock(), listen))
            .unwrap();
        let fixture = Self {
            _runtime: runtime,
            sandbox,
            folder: tempfile::tempdir().unwrap(),
            lesson,
            dinner,
            open,
            foreign,
        };
        fixture.configure(dialect, &fixture.sandbox.base_url(), "");
        let key = fixture.path("key");
        fs::write(&key, KEY).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        fixture
    }

    pub fn configure(&self, dialect: &str, base: &str, more: &str) {
        let text = format!(
            "[calcom]\nbase-url = \"{base}\"\ndialect = \"{dialect}\"\napi-key-file = \"key\"\n\
             timeout = \"3s\"\nbudget = \"100%\"\n\n[schedule]\npoll = \"1s\"\nwatch = \"1s\"\n\n\
             [store]\npath = \"ledger\"\n\n[limits]\nseries-settle = \"1s\"\n\n\
             [[gate]]\nevent-types = [\"lesson\"]\ncost = 1\n\n\
             [[gate]]\nevent-types = [\"dinner\"]\ncost = 3\n{more}"
        );
        fs::write(self.path("config.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("MAITRED_CONFIG", self.path("config.toml"));
        command
    }

    pub fn run(&self, args: &[&str]) -> RunResult {
        to_run_result(self.command(args).output().unwrap())
    }

    /// Runs the binary and expects success.
    pub fn run_ok(&self, args: &[&str]) -> RunResult {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.all_output());
        ran
    }

    pub fn request_booking(&self, event_type: i64, email: &str, start: &str) -> String {
        let now = clock::now();
        let made = now - Span::minutes(1);
        let start = (now + Span::days(7)).format("%Y-%m-%dT").to_string() + start;
        let start: Time = start.parse().unwrap();
        self.sandbox.lock().request(made, event_type, email, start)
    }

    pub fn status(&self, uid: &str) -> &'static str {
        self.sandbox.lock().status(uid).unwrap().as_v2()
    }

    pub fn call_count(&self, kind: Operation) -> u64 {
        self.sandbox.lock().call_log.call_count(kind)
    }

    pub fn balance(&self, account: &str) -> (u64, u64, u64) {
        let view = self
            .run_ok(&["account", "show", account, "--format", "json"])
            .json();
        let number = |name: &str| view[name].as_u64().unwrap();
        (number("available"), number("held"), number("posted"))
    }

    pub fn log(&self) -> PathBuf {
        self.path("ledger/log/00000001.jsonl")
    }
}

pub fn to_run_result(output: Output) -> RunResult {
    RunResult {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits until the condition is true; a test never sleeps for a fixed time.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = clock::now() + Span::from_std(PATIENCE).unwrap();
    while !holds() {
        assert!(clock::now() < end, "{what} did not happen in time");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

pub struct Daemon {
    pub child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Daemon {
    pub fn start(fixture: &BinaryFixture) -> Self {
        let mut child = fixture
            .command(&["run"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (send, lines) = std::sync::mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let daemon = Self { child, lines };
        daemon.wait_for_line("maitred is up");
        daemon
    }

    pub fn wait_for_line(&self, text: &str) -> Vec<String> {
        let mut lines_so_far = Vec::new();
        // The wait also ends if the daemon keeps printing other lines.
        let end = clock::now() + Span::from_std(PATIENCE).unwrap() * 3;
        loop {
            assert!(
                clock::now() < end,
                "the daemon never said {text:?}: {lines_so_far:#?}"
            );
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let found = line.contains(text);
                    lines_so_far.push(line);
                    if found {
                        return lines_so_far;
                    }
                }
                Err(_) => panic!("the daemon never said {text:?}: {lines_so_far:#?}"),
            }
        }
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub fn terminate(mut self) -> (i32, Vec<String>) {
        self.signal("-TERM");
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.lines.iter().collect())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
