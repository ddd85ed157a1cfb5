//! A sandbox with people who request lessons, and the built binary, which is killed and started
//! again. The expected result follows from the requests alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use maitred::daemon::clock;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::{MailKind, Operation, Recipient};
use maitred::sandbox::faults::{Fault, FaultRule, Stage};
use serde_json::Value;

use crate::fixture::binary::BinaryFixture;
use crate::fixture::test_world::WorldBuilder;
use crate::shim::{DiskFailure, KillAt, Shim, scratch_folder};

/// How long a process may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often the fixture checks whether a process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// The bookers: one with enough credit, one with an account but no credit, one unknown.
pub const WITH_CREDIT: &str = "bo@example.com";
pub const WITHOUT_CREDIT: &str = "al@example.com";
pub const WITHOUT_ACCOUNT: &str = "who@example.com";

/// The credits of the first booker.
const GRANTED_CREDITS: u64 = 5_000;

/// Settings with which maitred waits for calls that may still be running, short enough for a test
/// (no call takes longer here): those of `[calcom]` and those of `[limits]`.
const RESEND_SETTINGS: (&str, &str) = (
    "timeout = \"2s\"\nconfirm-timeout = \"2s\"\nresend-after = \"3s\"\n",
    "max-observation-age = \"2s\"\n",
);

/// Returns true if maitred waits for calls that may still be running, as its shipped configuration
/// says.
pub fn waits_for_running_calls() -> bool {
    include_str!("../../config.toml").contains("resend-after")
}

/// A booking that was requested.
struct RequestedBooking {
    uid: String,
    email: &'static str,
    cancelled: bool,
}

pub struct CrashFixture {
    binary: BinaryFixture,
    requested: Vec<RequestedBooking>,
}

impl Deref for CrashFixture {
    type Target = BinaryFixture;

    fn deref(&self) -> &BinaryFixture {
        &self.binary
    }
}

impl CrashFixture {
    pub fn new() -> Self {
        let world = WorldBuilder::new(clock::system_clock());
        let fixture = Self {
            binary: BinaryFixture::in_world(world, scratch_folder()),
            requested: Vec::new(),
        };
        fixture.configure();
        fixture.init();
        fixture.run_ok(&[
            "credits",
            "grant",
            WITH_CREDIT,
            &GRANTED_CREDITS.to_string(),
        ]);
        fixture.run_ok(&["credits", "grant", WITHOUT_CREDIT, "1"]);
        fixture.run_ok(&["credits", "revoke", WITHOUT_CREDIT, "1"]);
        fixture
    }

    fn configure(&self) {
        let base = self.sandbox.base_url();
        let (calls, age) = match waits_for_running_calls() {
            true => RESEND_SETTINGS,
            false => ("timeout = \"5s\"\n", ""),
        };
        let text = format!(
            "[calcom]\nbase-url = \"{base}\"\napi-key-file = \"key\"\n{calls}\
             budget = \"100%\"\n\n[schedule]\npoll = \"1s\"\nwatch = \"1s\"\n\n\
             [store]\npath = \"ledger\"\n\n[limits]\nseries-settle = \"1s\"\n\
             declines = {{ at-most = 10000, per = \"15m\" }}\n{age}\n\
             [[gate]]\nevent-types = [\"lesson\"]\ncost = 1\n"
        );
        self.write_config(&text);
    }

    /// Returns a command without output.
    fn quiet_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts the binary on a disk that fails. Its output on stderr is kept.
    pub fn start_on(&self, disk: DiskFailure, args: &[&str]) -> RunningProcess {
        let mut command = self.quiet_command(args);
        let shim = Shim {
            dir: self.path("ledger"),
            fail: Some(disk),
            ..Shim::default()
        };
        shim.apply(&mut command);
        RunningProcess(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until a daemon answers.
    pub fn wait_until_answering(&self) {
        let end = clock::now() + Span::from_std(PATIENCE).unwrap();
        while !self.start(&["status"], None).wait().success() {
            assert!(clock::now() < end, "no daemon answers");
        }
    }

    /// Runs a command that fails. Returns its exit code and its output.
    pub fn run_failing(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = self.quiet_command(args);
        RunningProcess(command.stderr(Stdio::piped()).spawn().unwrap()).wait_with_output()
    }

    /// Returns the number of calls to Cal.com that change something.
    pub fn writing_calls(&self) -> u64 {
        let world = self.sandbox.lock();
        world.call_log.call_count(Operation::Confirm)
            + world.call_log.call_count(Operation::Decline)
    }

    /// Returns the number of decisions in the log.
    pub fn decision_count(&self) -> u64 {
        let facts = self.fact_counts().into_iter();
        let decided = facts.filter(|((kind, _), _)| kind == "decided");
        decided.map(|(_, count)| u64::from(count)).sum()
    }

    /// Starts the binary. The shim kills it if the caller wants that.
    pub fn start(&self, args: &[&str], kill: Option<KillAt>) -> RunningProcess {
        if kill.is_none() {
            return RunningProcess(self.quiet_command(args).spawn().unwrap());
        }
        let shim = Shim {
            kill,
            ..Shim::default()
        };
        self.start_under(args, shim)
    }

    /// Starts the binary under a shim that watches the ledger.
    pub fn start_under(&self, args: &[&str], shim: Shim) -> RunningProcess {
        let mut command = self.quiet_command(args);
        let dir = self.path("ledger");
        Shim { dir, ..shim }.apply(&mut command);
        RunningProcess(command.spawn().unwrap())
    }

    /// Requests a lesson at a time that no other request has.
    pub fn request_lesson(&mut self, email: &'static str) {
        let now = clock::now();
        let day = (now + Span::days(7)).format("%Y-%m-%dT09:00:00Z");
        let first: Time = day.to_string().parse().unwrap();
        let n = i64::try_from(self.requested.len()).unwrap();
        let made = now - Span::minutes(1);
        let mut world = self.sandbox.lock();
        let uid = world.request(made, self.event_types.lesson, email, first + Span::hours(n));
        drop(world);
        self.requested.push(RequestedBooking {
            uid,
            email,
            cancelled: false,
        });
    }

    /// Lets the booker cancel the last confirmed booking, which gives the credit back.
    pub fn cancel_last_confirmed(&mut self) {
        let mut confirmed = self.requested.iter_mut().rev();
        let last_confirmed = confirmed.find(|asked| asked.email == WITH_CREDIT && !asked.cancelled);
        if let Some(requested) = last_confirmed {
            let action =
                ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&requested.uid));
            self.binary
                .sandbox
                .lock()
                .act(clock::now(), action)
                .unwrap();
            requested.cancelled = true;
        }
    }

    /// Delays the answers to the next calls, although the calls take effect immediately.
    pub fn delay_answers(&self, calls: &[Operation], ms: u64) {
        for call in calls {
            let stage = Stage::After;
            let rule = FaultRule::on_next(*call, Fault::Slow { stage, ms });
            self.sandbox.lock().add_fault(rule).unwrap();
        }
    }

    /// Makes Cal.com's mail server slow at the next such calls. During that time a confirm has sent
    /// its mail and written nothing, and it continues even if its caller is dead.
    pub fn delay_mails(&self, calls: &[Operation], ms: u64) {
        for call in calls {
            let stage = Stage::Between;
            let rule = FaultRule::on_next(*call, Fault::Slow { stage, ms });
            self.sandbox.lock().add_fault(rule).unwrap();
        }
    }

    /// Returns true if Cal.com has started a call and not finished it.
    pub fn is_call_running(&self) -> bool {
        self.sandbox.lock().running_calls() > 0
    }

    /// Returns true if no request waits for an answer any more.
    pub fn no_call_is_waiting(&self) -> bool {
        let world = self.sandbox.lock();
        let mut statuses = self.requested.iter().map(|asked| world.status(&asked.uid));
        statuses.all(|status| status.unwrap().as_v2() != "pending")
    }

    /// Runs the binary repeatedly until neither maitred nor Cal.com has anything left to do. This
    /// must not take long: a few runs, or as long as a call that was sent may still be running.
    pub fn run_until_idle(&self) {
        let end = clock::now() + Span::from_std(MAX_CALL_DURATION).unwrap();
        let mut runs = 0;
        let mut last = String::new();
        while runs < MAX_FINISHING_RUNS || waits_for_running_calls() && clock::now() < end {
            runs += 1;
            let ended = self.start(&["run", "--once", "--watch"], None).wait();
            let is_done = self.sandbox.lock().running_calls() == 0;
            if ended.success() && is_done && self.no_call_is_waiting() {
                return;
            }
            last = format!(
                "the last run {ended}, nothing under way: {is_done}, all answered: {}",
                self.no_call_is_waiting()
            );
            if !is_done || runs >= MAX_FINISHING_RUNS {
                std::thread::park_timeout(PAUSE_BETWEEN_RUNS);
            }
        }
        let plan = self.run_ok(&["plan"]).out;
        panic!("not done after {runs} undisturbed runs: {last}\n{plan}");
    }

    /// Returns what is wrong: each booking must be decided, mailed and charged once, and the sums
    /// must be right.
    pub fn find_violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let log = self.fact_counts();
        let world = self.sandbox.lock();
        let count = |kind: &str, uid: &str| {
            let key = (kind.to_owned(), uid.to_owned());
            log.get(&key).copied().unwrap_or(0)
        };
        for RequestedBooking {
            uid,
            email: who,
            cancelled,
        } in &self.requested
        {
            let good = *who == WITH_CREDIT;
            let status = world.status(uid).unwrap().as_v2();
            let mail = |kind| world.call_log.mail_count(uid, Recipient::Booker, kind);
            let found = (
                [
                    world.call_log.call_count_for(uid, Operation::Confirm),
                    world.call_log.call_count_for(uid, Operation::Decline),
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
        wrong.extend(self.check_sums());
        wrong
    }

    fn check_sums(&self) -> Option<String> {
        let confirmed = self
            .requested
            .iter()
            .filter(|asked| asked.email == WITH_CREDIT);
        let spent = confirmed.clone().count() as u64;
        let back = confirmed.filter(|asked| asked.cancelled).count() as u64;
        let found = self.balance(WITH_CREDIT);
        let right = (GRANTED_CREDITS - spent + back, 0, spent);
        self.run_ok(&["ledger", "verify"]);
        (found != right).then(|| format!("{WITH_CREDIT} has {found:?}, not {right:?}"))
    }

    /// Reads the log without maitred's code, and counts how often each kind of fact names each
    /// booking.
    fn fact_counts(&self) -> BTreeMap<(String, String), u32> {
        let mut counts = BTreeMap::new();
        let mut files: Vec<PathBuf> = fs::read_dir(self.path("ledger/log"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .collect();
        files.sort();
        for file in files {
            for line in fs::read_to_string(file).unwrap().lines() {
                // A torn line does not count as a line.
                let line: Value = serde_json::from_str(line).unwrap_or_default();
                for fact in line["facts"].as_array().into_iter().flatten() {
                    let (kind, fact) = fact.as_object().unwrap().iter().next().unwrap();
                    if let Some(uid) = booking_of(fact) {
                        *counts.entry((kind.clone(), uid.to_owned())).or_default() += 1;
                    }
                }
            }
        }
        counts
    }

    pub fn requested_count(&self) -> usize {
        self.requested.len()
    }
}

/// Number of runs after which nothing may be left to do, unless a call may still be running.
const MAX_FINISHING_RUNS: u32 = 3;

/// The longest time for which a call may count as running: `RESEND_SETTINGS`, the age of a reading,
/// and the runs that this takes on a busy machine.
const MAX_CALL_DURATION: Duration = Duration::from_secs(40);

/// Pause between runs that wait for a call.
const PAUSE_BETWEEN_RUNS: Duration = Duration::from_millis(250);

/// Returns the booking of a fact, or the request that has the same name.
fn booking_of(fact: &Value) -> Option<&str> {
    let booking = &fact["booking"];
    let uid = booking.as_str().or_else(|| booking["uid"].as_str());
    uid.or_else(|| fact["request"].as_str())
        .or_else(|| fact["id"].as_str())
}

/// A process that a test started.
pub struct RunningProcess(Child);

impl RunningProcess {
    /// Waits until the process ends.
    pub fn wait(&mut self) -> ExitStatus {
        let ended = self.wait_within(PATIENCE, || false);
        ended.expect("it ends before patience does")
    }

    /// Waits until the process ends. Returns the exit code and the output; a pipe holds far more
    /// than this output.
    pub fn wait_with_output(mut self) -> (Option<i32>, String) {
        let code = self.wait().code();
        let mut output = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut output).unwrap();
        (code, output)
    }

    /// Waits until the process ends, the time is over, or `enough` returns true.
    pub fn wait_within(
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
            std::thread::park_timeout(POLL_INTERVAL);
        }
    }

    /// Asks the process to end, as the service manager does.
    pub fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
