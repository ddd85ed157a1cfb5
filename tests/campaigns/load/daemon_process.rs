//! The daemon in its own process: the real loop, client, store and timetable, with a clock and wakes
//! that the test controls. The test and the process exchange lines of words and numbers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use maitred::daemon::calendar;
use maitred::daemon::metrics::registry::Metrics;
use maitred::daemon::outbox::opened::OpenedNotifications;
use maitred::daemon::outbox::service::{Outbox, OutboxPlace};
use maitred::daemon::process::open_store;
use maitred::daemon::run::{self, run};
use maitred::daemon::timetable::{DueTimes, ScheduledJob};
use maitred::daemon::wake::{WAKE_QUEUE_LENGTH, Wake};
use maitred::domain::time::{Span, Time};
use maitred::lookup::client::LookupClient;
use maitred::reconcile::context::{PassError, StopSignal};
use maitred::reconcile::report::{PassReport, StepOutcome};
use maitred::reconcile::watch::WatchReport;
use maitred::source::client::SourceClient;
use maitred::store::port::Maintenance;
use maitred::store::store_thread::StoreHandle;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::fixture::clock::{ManualClock, parse_time};

/// Tell the child its configuration and the time at which its clock starts.
const CONFIG: &str = "MAITRED_TEST_LOAD_CONFIG";
const BEGINS: &str = "MAITRED_TEST_LOAD_BEGINS";

/// Marks a line as an answer: the test harness prints other lines.
const ANSWER_PREFIX: &str = "> ";

/// The longest that a pass or a watch may take, on a busy machine and without optimization.
const PATIENCE: Duration = Duration::from_secs(300);

/// Passes and watches of one process that may fail.
const MAX_FAILURES: u32 = 5;

/// More than any load produces.
const NO_LIMIT: usize = 10_000_000;

/// The numbers in an answer.
pub type Measurements = BTreeMap<String, u64>;

/// The process, as its parent sees it.
pub struct DaemonProcess {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    failures: u32,
}

impl DaemonProcess {
    pub fn start(config: &Path, now: Time) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command
            .args(["load::as_a_child_process", "--exact", "--nocapture"])
            .env(CONFIG, config)
            .env(BEGINS, now.to_rfc3339())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let tell = child.stdin.take().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut daemon = Self {
            child,
            stdin: tell,
            stdout: says,
            failures: 0,
        };
        daemon.read_answer();
        daemon
    }

    /// Sets the time and wakes the loop, as the scheduler does: the pass or watch that is due runs to
    /// its end. Returns `None` if it failed, which only a few may: an idle connection may be closed
    /// while it is used.
    pub fn tick(&mut self, now: Time) -> Option<Measurements> {
        let answer = self.send_command(&format!("tick {}", now.to_rfc3339()));
        if answer.contains_key("failed") {
            self.failures += 1;
            assert!(self.failures <= MAX_FAILURES, "too many failures");
            return None;
        }
        Some(answer)
    }

    /// Returns the memory (KiB), the open items, and the number of the last commit.
    pub fn measure(&mut self) -> Measurements {
        self.send_command("measure")
    }

    /// Ends the process as TERM does, which closes the ledger.
    pub fn end(mut self) {
        self.send_command("end");
        assert!(self.child.wait().unwrap().success());
    }

    fn send_command(&mut self, what: &str) -> Measurements {
        writeln!(self.stdin, "{what}").unwrap();
        self.read_answer()
    }

    fn read_answer(&mut self) -> Measurements {
        loop {
            let line = self.stdout.next().expect("it lives").unwrap();
            if let Some(answer) = line.strip_prefix(ANSWER_PREFIX) {
                let words = answer.split_whitespace().map(|word| {
                    let (name, number) = word.split_once('=').unwrap();
                    (name.to_owned(), number.parse().unwrap())
                });
                return words.collect();
            }
        }
    }
}

impl Drop for DaemonProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the child's part, if this process is a child.
pub fn run_child() {
    let (Ok(config), Ok(begins)) = (std::env::var(CONFIG), std::env::var(BEGINS)) else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    runtime.block_on(run_daemon(PathBuf::from(config), parse_time(&begins)));
}

async fn run_daemon(config: PathBuf, begins: Time) {
    let mut inside = DaemonInChild::start(config, begins).await;
    // The harness has started a line of its own.
    print_answer(&format!("\n{ANSWER_PREFIX}up=1"), "");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("tick", now) => print_answer(ANSWER_PREFIX, &inside.tick(parse_time(now)).await),
            ("measure", _) => print_answer(ANSWER_PREFIX, &inside.measure().await),
            ("end", _) => {
                inside.end().await;
                return print_answer(ANSWER_PREFIX, "ended=1");
            }
            (other, _) => panic!("what is {other}?"),
        }
    }
}

fn print_answer(before: &str, text: &str) {
    let mut out = std::io::stdout();
    out.write_all(format!("{before}{text}\n").as_bytes())
        .unwrap();
    out.flush().unwrap();
}

/// The daemon, as its own process sees it.
struct DaemonInChild {
    clock: ManualClock,
    store: StoreHandle,
    thread: JoinHandle<Box<dyn Maintenance>>,
    wakes: mpsc::Sender<Wake>,
    /// Passes and watches report their end here, and the report is passed on to the loop.
    finished_wakes: mpsc::Receiver<Wake>,
    loop_task: tokio::task::JoinHandle<()>,
}

impl DaemonInChild {
    async fn start(config_path: PathBuf, begins: Time) -> Self {
        let clock = ManualClock::starting_at(begins);
        let loaded = maitred::config::load::load(&config_path);
        let config = loaded.unwrap_or_else(|error| panic!("{error}")).config;
        let opened = calendar::open(&config, &clock.clock(), None).unwrap();
        let store = open_store(&config.store, &clock.clock()).await;
        let store = store.unwrap_or_else(|error| panic!("{error}"));
        let (store, thread) = StoreHandle::start(store).unwrap();
        let (wakes, queue) = mpsc::channel(WAKE_QUEUE_LENGTH);
        let (tells, ends) = mpsc::channel(WAKE_QUEUE_LENGTH);
        let notifications = OpenedNotifications::open(&config).unwrap();
        let place = OutboxPlace::new(&config).unwrap_or_else(|error| panic!("{error}"));
        let outbox = Outbox::start(place, notifications, &store, &clock.clock());
        let daemon = run::Daemon {
            outbox: Arc::new(outbox),
            import_service: None,
            metrics: Metrics::new(None, begins),
            lookups: Arc::new(LookupClient::open(&config.lookups).unwrap()),
            sources: Arc::new(SourceClient::open(&config.sources).unwrap()),
            config,
            config_path,
            calendar: opened.calendar,
            key_fingerprint: opened.key_fingerprint,
            store: store.clone(),
            pauses: Default::default(),
            clock: clock.clock(),
            wakes: tells,
            // The test says what comes when.
            due_times: watch::channel(DueTimes::default()).0,
            page: None,
            stop: StopSignal::default(),
        };
        let runs = tokio::spawn(async move {
            let ended = run(daemon, queue).await;
            ended.unwrap_or_else(|error| panic!("{error}"));
        });
        Self {
            clock,
            store,
            thread,
            wakes,
            finished_wakes: ends,
            loop_task: runs,
        }
    }

    async fn tick(&mut self, now: Time) -> String {
        // Both clocks continue by themselves; this one must not fall behind.
        let by = self.clock.now() - now;
        self.clock.advance(-by);
        let wake = match by > Span::minutes(1) {
            true => Wake::ClockSetBack { by },
            false => Wake::Due(ScheduledJob::Poll),
        };
        self.wakes.send(wake).await.unwrap();
        let end = tokio::time::timeout(PATIENCE, self.finished_wakes.recv()).await;
        let end = end.expect("something is due, and ends").unwrap();
        let text = match &end {
            Wake::PassEnded {
                report, stopped, ..
            } => stopped
                .as_ref()
                .map_or_else(|| pass_text(report), failure_text),
            Wake::WatchEnded {
                watch_report: done,
                stopped,
                ..
            } => stopped
                .as_ref()
                .map_or_else(|| watch_text(done), failure_text),
            other => panic!("{other:?}"),
        };
        self.wakes.send(end).await.unwrap();
        text
    }

    async fn measure(&self) -> String {
        let counted = self.store.with(|store| {
            let intents = store.open_intents(None, NO_LIMIT).unwrap().len();
            let notes = store.open_notes(None, NO_LIMIT).unwrap().len();
            let charges = store.open_charges(None, NO_LIMIT).unwrap().len();
            let seq = store.head().seq;
            format!("intents={intents} notes={notes} charges={charges} seq={seq}")
        });
        let counted = counted.await;
        let (rss, peak) = (memory_kib("VmRSS:"), memory_kib("VmHWM:"));
        format!("rss={rss} peak={peak} {counted}")
    }

    async fn end(self) {
        let signal = "TERM";
        self.wakes.send(Wake::Shutdown { signal }).await.unwrap();
        self.loop_task.await.unwrap();
        drop(self.store);
        let mut store = self.thread.join().unwrap();
        store.close().unwrap();
    }
}

/// Reports a failure; the loop tries again, with increasing pauses.
fn failure_text(error: &PassError) -> String {
    eprintln!("failed: {error:?}");
    "failed=1".to_owned()
}

fn pass_text(report: &PassReport) -> String {
    for problem in &report.problems {
        eprintln!("pass: {}: {}", problem.code, problem.text);
    }
    let count = |ended| report.steps.iter().filter(|s| s.outcome == ended).count();
    let ms = (report.finished - report.started).num_milliseconds();
    format!(
        "pass=1 ms={ms} calls={} confirmed={} declined={} unfinished={} more={} problems={}",
        report.calls,
        count(StepOutcome::Confirmed),
        count(StepOutcome::Declined),
        count(StepOutcome::Unresolved) + count(StepOutcome::Failed),
        u8::from(report.more),
        report.problems.len(),
    )
}

fn watch_text(watched: &WatchReport) -> String {
    for problem in &watched.problems {
        eprintln!("watch: {}: {}", problem.code, problem.text);
    }
    let ms = (watched.finished - watched.started).num_milliseconds();
    format!(
        "watch=1 ms={ms} calls={} audit={} checked={} changes={} problems={}",
        watched.calls,
        u8::from(watched.audit),
        watched.checked_charges,
        watched.changes.len(),
        watched.problems.len(),
    )
}

/// Returns a memory value that the kernel reports for this process, in KiB.
fn memory_kib(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let words = line.unwrap().split_whitespace().next();
    words.unwrap().parse().unwrap()
}
