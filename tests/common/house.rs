//! A sandbox with people who ask for lessons, and the built binary beside it, which is killed and
//! started again. What the house must have come to is known from who asked, and from nothing else.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use maitred::daemon::clock;
use maitred::daemon::local::init;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::actions::{Action, Said};
use maitred::sandbox::faults::{Fault, Rule, Stage};
use maitred::sandbox::journal::{Operation, MailKind, Recipient};
use maitred::sandbox::limit::Limits;
use maitred::sandbox::model::EventType;
use maitred::sandbox::server::Sandbox;
use maitred::sandbox::world::World;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::shim::{Fail, Kill, Shim, scratch};

const HOST: i64 = 12;
const KEY: &str = "cal_killed_key_0123456789abcdef";

/// How long a process may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often it is looked whether a process has come to its end.
const LOOK: Duration = Duration::from_millis(2);

/// Who asks: one with credit for all of it, one who has an account and no credit, one unknown.
pub const RICH: &str = "bo@example.com";
pub const POOR: &str = "al@example.com";
pub const STRANGER: &str = "who@example.com";

/// The rich one's credits.
const GRANTED: u64 = 5_000;

/// Keys by which maitred waits for calls that may still be running, short enough for a test (no call
/// takes longer here): those of `[calcom]` and those of `[limits]`.
const RESEND: (&str, &str) = (
    "timeout = \"2s\"\nconfirm-timeout = \"2s\"\nresend-after = \"3s\"\n",
    "max-observation-age = \"2s\"\n",
);

/// Whether maitred waits for calls that may still be running, as its shipped configuration says.
pub fn waits_for_running_calls() -> bool {
    include_str!("../../config.toml").contains("resend-after")
}

/// A booking that was asked for.
struct Asked {
    uid: String,
    who: &'static str,
    cancelled: bool,
}

pub struct House {
    _runtime: Runtime,
    sandbox: Sandbox,
    folder: TempDir,
    lesson: i64,
    asked: Vec<Asked>,
}

impl House {
    pub fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let mut world = World::new();
        world.limits = Limits::off();
        world.add_user(HOST, "Ada Host", "ada@example.org");
        world.add_key(HOST, KEY);
        let lesson = world.add_event_type(EventType::new(HOST, "lesson"));
        let listen = "127.0.0.1:0".parse().unwrap();
        let started = Sandbox::start(world, clock::system(), listen);
        let house = Self {
            sandbox: runtime.block_on(started).unwrap(),
            _runtime: runtime,
            folder: scratch(),
            lesson,
            asked: Vec::new(),
        };
        house.configure();
        init(&house.path("ledger"), &clock::system()).unwrap();
        house.ok(&["credits", "grant", RICH, &GRANTED.to_string()]);
        house.ok(&["credits", "grant", POOR, "1"]);
        house.ok(&["credits", "revoke", POOR, "1"]);
        house
    }

    fn configure(&self) {
        let base = self.sandbox.base_url();
        let (calls, age) = match waits_for_running_calls() {
            true => RESEND,
            false => ("timeout = \"5s\"\n", ""),
        };
        let text = format!(
            "[calcom]\nbase-url = \"{base}\"\napi-key-file = \"key\"\n{calls}\
             budget = \"100%\"\n\n[schedule]\npoll = \"1s\"\nwatch = \"1s\"\n\n\
             [store]\npath = \"ledger\"\n\n[limits]\nseries-settle = \"1s\"\n\
             declines = {{ at-most = 10000, per = \"15m\" }}\n{age}\n\
             [[gate]]\nevent-types = [\"lesson\"]\ncost = 1\n"
        );
        fs::write(self.path("config.toml"), text).unwrap();
        let key = self.path("key");
        fs::write(&key, KEY).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("MAITRED_CONFIG", self.path("config.toml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts the binary on a disk that fails. What it says on stderr is kept.
    pub fn start_on(&self, disk: Fail, args: &[&str]) -> Running {
        let mut command = self.command(args);
        let shim = Shim {
            dir: self.path("ledger"),
            fail: Some(disk),
            ..Shim::default()
        };
        shim.apply(&mut command);
        Running(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until a daemon answers.
    pub fn answers(&self) {
        let end = clock::now() + Span::from_std(PATIENCE).unwrap();
        while !self.start(&["status"], None).ended().success() {
            assert!(clock::now() < end, "no daemon answers");
        }
    }

    /// Runs a command that fails: its exit code, and what it said.
    pub fn refused(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = self.command(args);
        Running(command.stderr(Stdio::piped()).spawn().unwrap()).said()
    }

    /// Calls to Cal.com that change something.
    pub fn calls(&self) -> u64 {
        let world = self.sandbox.lock();
        world.journal.count(Operation::Confirm) + world.journal.count(Operation::Decline)
    }

    /// Decisions in the log.
    pub fn decisions(&self) -> u64 {
        let facts = self.facts().into_iter();
        let decided = facts.filter(|((kind, _), _)| kind == "decided");
        decided.map(|(_, count)| u64::from(count)).sum()
    }

    /// Starts the binary, to be killed by the shim if that is wanted.
    pub fn start(&self, args: &[&str], kill: Option<Kill>) -> Running {
        if kill.is_none() {
            return Running(self.command(args).spawn().unwrap());
        }
        let shim = Shim {
            kill,
            ..Shim::default()
        };
        self.start_under(args, shim)
    }

    /// Starts the binary under a shim that looks at the ledger.
    pub fn start_under(&self, args: &[&str], shim: Shim) -> Running {
        let mut command = self.command(args);
        let dir = self.path("ledger");
        Shim { dir, ..shim }.apply(&mut command);
        Running(command.spawn().unwrap())
    }

    /// Runs and expects success; gives what was printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let mut command = self.command(args);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = output.output().unwrap();
        let (out, err) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        let out = String::from_utf8(out).unwrap();
        assert!(output.status.success(), "{args:?}: {out}{err}");
        out
    }

    /// Somebody asks for a lesson that nobody else asked for.
    pub fn ask(&mut self, who: &'static str) {
        let now = clock::now();
        let day = (now + Span::days(7)).format("%Y-%m-%dT09:00:00Z");
        let first: Time = day.to_string().parse().unwrap();
        let n = i64::try_from(self.asked.len()).unwrap();
        let made = now - Span::minutes(1);
        let mut world = self.sandbox.lock();
        let uid = world.request(made, self.lesson, who, first + Span::hours(n));
        drop(world);
        self.asked.push(Asked {
            uid,
            who,
            cancelled: false,
        });
    }

    /// The last confirmed booking is cancelled by its booker, who gets the credit back.
    pub fn cancel(&mut self) {
        let mut confirmed = self.asked.iter_mut().rev();
        let kept = confirmed.find(|asked| asked.who == RICH && !asked.cancelled);
        if let Some(asked) = kept {
            let action = Action::BookerCancels(Said::nothing(&asked.uid));
            self.sandbox.lock().act(clock::now(), action).unwrap();
            asked.cancelled = true;
        }
    }

    /// The answers to the next calls come late, though what they ask for is done at once.
    pub fn answer_slowly(&self, calls: &[Operation], ms: u64) {
        for call in calls {
            let stage = Stage::After;
            let rule = Rule::next(*call, Fault::Slow { stage, ms });
            self.sandbox.lock().add_fault(rule).unwrap();
        }
    }

    /// Cal.com's mail server is slow at the next such calls. A confirm has mailed and written nothing
    /// all that time, and goes on when whoever called it is dead.
    pub fn mail_slowly(&self, calls: &[Operation], ms: u64) {
        for call in calls {
            let stage = Stage::Between;
            let rule = Rule::next(*call, Fault::Slow { stage, ms });
            self.sandbox.lock().add_fault(rule).unwrap();
        }
    }

    /// Whether Cal.com has begun a call and not finished it.
    pub fn is_underway(&self) -> bool {
        self.sandbox.lock().underway() > 0
    }

    /// Whether nobody waits for an answer any more.
    pub fn is_answered(&self) -> bool {
        let world = self.sandbox.lock();
        let mut statuses = self.asked.iter().map(|asked| world.status(&asked.uid));
        statuses.all(|status| status.unwrap().lower() != "pending")
    }

    /// Starts it again and again until it has nothing to do and Cal.com neither. It must not take
    /// long: some runs, or as long as a call that was sent may still be running.
    pub fn finish(&self) {
        let end = clock::now() + Span::from_std(RUNNING).unwrap();
        let mut runs = 0;
        let mut last = String::new();
        while runs < FINISHING || waits_for_running_calls() && clock::now() < end {
            runs += 1;
            let ended = self.start(&["run", "--once", "--watch"], None).ended();
            let is_done = self.sandbox.lock().underway() == 0;
            if ended.success() && is_done && self.is_answered() {
                return;
            }
            last = format!(
                "the last run {ended}, nothing under way: {is_done}, all answered: {}",
                self.is_answered()
            );
            if !is_done || runs >= FINISHING {
                std::thread::park_timeout(PAUSE);
            }
        }
        let plan = self.ok(&["plan"]);
        panic!("not done after {runs} undisturbed runs: {last}\n{plan}");
    }

    /// What is wrong: each booking decided, mailed and charged once, and the sums.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let log = self.facts();
        let world = self.sandbox.lock();
        let count = |kind: &str, uid: &str| {
            let key = (kind.to_owned(), uid.to_owned());
            log.get(&key).copied().unwrap_or(0)
        };
        for Asked {
            uid,
            who,
            cancelled,
        } in &self.asked
        {
            let good = *who == RICH;
            let status = world.status(uid).unwrap().lower();
            let mail = |kind| world.journal.mails_for(uid, Recipient::Booker, kind);
            let found = (
                [
                    world.journal.count_for(uid, Operation::Confirm),
                    world.journal.count_for(uid, Operation::Decline),
                ],
                [mail(MailKind::Confirmed), mail(MailKind::Declined)],
                ["decided", "settled", "hold", "post", "void", "refund"]
                    .map(|kind| count(kind, uid)),
            );
            let right = if good {
                let refund = u32::from(*cancelled);
                ([1, 0], [1, 0], [1, 1, 1, 1, 0, refund])
            } else {
                ([0, 1], [0, 1], [1, 1, 0, 0, 0, 0])
            };
            let expect = match (good, cancelled) {
                (true, false) => "accepted",
                (true, true) => "cancelled",
                (false, _) => "rejected",
            };
            if status != expect || found != right {
                wrong.push(format!(
                    "{uid} of {who}: {status} {found:?}, not {expect} {right:?}"
                ));
            }
        }
        drop(world);
        wrong.extend(self.sums());
        wrong
    }

    fn sums(&self) -> Option<String> {
        let confirmed = self.asked.iter().filter(|asked| asked.who == RICH);
        let spent = confirmed.clone().count() as u64;
        let back = confirmed.filter(|asked| asked.cancelled).count() as u64;
        let shown = self.ok(&["account", "show", RICH, "--format", "json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let found = ["available", "held", "posted"].map(|name| shown[name].as_u64().unwrap());
        let right = [GRANTED - spent + back, 0, spent];
        self.ok(&["ledger", "verify"]);
        (found != right).then(|| format!("{RICH} has {found:?}, not {right:?}"))
    }

    /// The log as anybody may read it: how often each kind of fact names each booking.
    fn facts(&self) -> BTreeMap<(String, String), u32> {
        let mut counts = BTreeMap::new();
        let mut files: Vec<PathBuf> = fs::read_dir(self.path("ledger/log"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .collect();
        files.sort();
        for file in files {
            for line in fs::read_to_string(file).unwrap().lines() {
                // A line that was torn is none.
                let line: Value = serde_json::from_str(line).unwrap_or_default();
                for fact in line["facts"].as_array().into_iter().flatten() {
                    let (kind, fact) = fact.as_object().unwrap().iter().next().unwrap();
                    if let Some(uid) = about(fact) {
                        *counts.entry((kind.clone(), uid.to_owned())).or_default() += 1;
                    }
                }
            }
        }
        counts
    }

    pub fn asked(&self) -> usize {
        self.asked.len()
    }
}

/// Runs after which nothing may be left to do, unless a call may still be running.
const FINISHING: u32 = 3;

/// The longest that a call may be taken to be running: `RESEND` and the age of a reading, and the runs
/// that this takes on a busy machine.
const RUNNING: Duration = Duration::from_secs(40);

/// Between runs that wait for a call.
const PAUSE: Duration = Duration::from_millis(250);

/// The booking, or the request that is named as it is.
fn about(fact: &Value) -> Option<&str> {
    let booking = &fact["booking"];
    let uid = booking.as_str().or_else(|| booking["uid"].as_str());
    uid.or_else(|| fact["request"].as_str())
        .or_else(|| fact["id"].as_str())
}

/// A process of ours.
pub struct Running(Child);

impl Running {
    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let ended = self.ended_within(PATIENCE, || false);
        ended.expect("it ends before patience does")
    }

    /// Waits for its end: the exit code, and what was said. A pipe holds far more than that.
    pub fn said(mut self) -> (Option<i32>, String) {
        let code = self.ended().code();
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (code, said)
    }

    /// Waits for its end, for that long, or until it is enough.
    pub fn ended_within(
        &mut self,
        span: Duration,
        mut enough: impl FnMut() -> bool,
    ) -> Option<ExitStatus> {
        let end = clock::now() + Span::from_std(span).unwrap();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status);
            }
            if clock::now() >= end || enough() {
                return None;
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// Asks it to end, as the service manager does.
    pub fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
