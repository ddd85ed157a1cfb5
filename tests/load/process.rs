//! The daemon in a process of its own: the real loop, client, store and schedule, with a clock that
//! is told how late it is and a tick when it is told to. It is spoken to in lines of words and
//! numbers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use maitred::daemon::run::{self, run};
use maitred::daemon::serve::open_store;
use maitred::daemon::wake::{QUEUE, Wake};
use maitred::daemon::{calendar, lookups};
use maitred::domain::time::Time;
use maitred::reconcile::ports::{PassError, Stop};
use maitred::reconcile::report::{Ended, Report};
use maitred::reconcile::watch::Watched;
use maitred::store::handle::StoreHandle;
use maitred::store::port::Store;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::common::{HandClock, time};

/// Names the configuration, in the child, and the time at which its clock begins.
const CONFIG: &str = "MAITRED_TEST_LOAD_CONFIG";
const BEGINS: &str = "MAITRED_TEST_LOAD_BEGINS";

/// Before a line that is an answer: the test harness prints others.
const ANSWER: &str = "> ";

/// The longest that a pass or a watch may take, on a busy machine and without optimization.
const PATIENCE: Duration = Duration::from_secs(300);

/// Passes and watches of one process that may fail.
const MAX_FAILURES: u32 = 5;

/// More of a kind than any load brings.
const ALL: usize = 10_000_000;

/// What was answered.
pub type Numbers = BTreeMap<String, u64>;

/// The process, as its parent sees it.
pub struct Daemon {
    child: Child,
    tell: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
    failures: u32,
}

impl Daemon {
    pub fn start(config: &Path, now: Time) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command
            .args(["as_a_child_process", "--exact", "--nocapture"])
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
            tell,
            says,
            failures: 0,
        };
        daemon.hear();
        daemon
    }

    /// It is so late now, and a second has passed: the pass or watch that is due runs to its end.
    /// `None` when it failed, which few may: a connection that was idle is closed while it is used.
    pub fn tick(&mut self, now: Time) -> Option<Numbers> {
        let told = self.ask(&format!("tick {}", now.to_rfc3339()));
        if told.contains_key("failed") {
            self.failures += 1;
            assert!(self.failures <= MAX_FAILURES, "too many failures");
            return None;
        }
        Some(told)
    }

    /// Memory (KiB), what is open, and the number of the last commit.
    pub fn measure(&mut self) -> Numbers {
        self.ask("measure")
    }

    /// Ends as at TERM, closing the ledger.
    pub fn end(mut self) {
        self.ask("end");
        assert!(self.child.wait().unwrap().success());
    }

    fn ask(&mut self, what: &str) -> Numbers {
        writeln!(self.tell, "{what}").unwrap();
        self.hear()
    }

    fn hear(&mut self) -> Numbers {
        loop {
            let line = self.says.next().expect("it lives").unwrap();
            if let Some(answer) = line.strip_prefix(ANSWER) {
                let words = answer.split_whitespace().map(|word| {
                    let (name, number) = word.split_once('=').unwrap();
                    (name.to_owned(), number.parse().unwrap())
                });
                return words.collect();
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the child does, when this process is one.
pub fn play() {
    let (Ok(config), Ok(begins)) = (std::env::var(CONFIG), std::env::var(BEGINS)) else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    runtime.block_on(live(PathBuf::from(config), time(&begins)));
}

async fn live(config: PathBuf, begins: Time) {
    let mut inside = Inside::start(config, begins).await;
    // The harness has begun a line of its own.
    answer(&format!("\n{ANSWER}up=1"), "");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("tick", now) => answer(ANSWER, &inside.tick(time(now)).await),
            ("measure", _) => answer(ANSWER, &inside.measure().await),
            ("end", _) => {
                inside.end().await;
                return answer(ANSWER, "ended=1");
            }
            (other, _) => panic!("what is {other}?"),
        }
    }
}

fn answer(before: &str, text: &str) {
    let mut out = std::io::stdout();
    out.write_all(format!("{before}{text}\n").as_bytes())
        .unwrap();
    out.flush().unwrap();
}

/// The daemon, as its own process sees it.
struct Inside {
    clock: HandClock,
    store: StoreHandle,
    thread: JoinHandle<Box<dyn Store>>,
    wakes: mpsc::Sender<Wake>,
    /// Passes and watches tell their end here, and it is handed on to the loop.
    ends: mpsc::Receiver<Wake>,
    runs: tokio::task::JoinHandle<()>,
}

impl Inside {
    async fn start(config_path: PathBuf, begins: Time) -> Self {
        let clock = HandClock::at(begins);
        let loaded = maitred::config::load::load(&config_path);
        let config = loaded.unwrap_or_else(|error| panic!("{error}")).config;
        let opened = calendar::open(&config, &clock.clock()).unwrap();
        let store = open_store(&config.store.path, &clock.clock()).await;
        let store = store.unwrap_or_else(|error| panic!("{error}"));
        let (store, thread) = StoreHandle::start(Box::new(store)).unwrap();
        let (wakes, queue) = mpsc::channel(QUEUE);
        let (tells, ends) = mpsc::channel(QUEUE);
        let daemon = run::Daemon {
            lookups: Arc::new(lookups::open(&config).unwrap()),
            config,
            config_path,
            calendar: opened.calendar,
            print: opened.print,
            store: store.clone(),
            clock: clock.clock(),
            wakes: tells,
            stop: Stop::default(),
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
            ends,
            runs,
        }
    }

    async fn tick(&mut self, now: Time) -> String {
        // Both clocks go on by themselves; this one must not run behind.
        self.clock.advance(now - self.clock.now());
        self.wakes.send(Wake::Tick).await.unwrap();
        let end = tokio::time::timeout(PATIENCE, self.ends.recv()).await;
        let end = end.expect("something is due, and ends").unwrap();
        let told = match &end {
            Wake::PassEnded {
                report, stopped, ..
            } => stopped.as_ref().map_or_else(|| passed(report), failed),
            Wake::WatchEnded {
                watched: done,
                stopped,
                ..
            } => stopped.as_ref().map_or_else(|| watched(done), failed),
            other => panic!("{other:?}"),
        };
        self.wakes.send(end).await.unwrap();
        told
    }

    async fn measure(&self) -> String {
        let counted = self.store.with(|store| {
            let intents = store.open_intents(ALL).unwrap().len();
            let notes = store.open_notes(None, ALL).unwrap().len();
            let charges = store.open_charges(None, ALL).unwrap().len();
            let seq = store.head().seq;
            format!("intents={intents} notes={notes} charges={charges} seq={seq}")
        });
        let counted = counted.await;
        let (rss, peak) = (memory("VmRSS:"), memory("VmHWM:"));
        format!("rss={rss} peak={peak} {counted}")
    }

    async fn end(self) {
        let signal = "TERM";
        self.wakes.send(Wake::Shutdown { signal }).await.unwrap();
        self.runs.await.unwrap();
        drop(self.store);
        let mut store = self.thread.join().unwrap();
        store.close().unwrap();
    }
}

/// The loop tries again, ever later.
fn failed(error: &PassError) -> String {
    eprintln!("failed: {error:?}");
    "failed=1".to_owned()
}

fn passed(report: &Report) -> String {
    for problem in &report.problems {
        eprintln!("pass: {}: {}", problem.code, problem.text);
    }
    let count = |ended| report.steps.iter().filter(|s| s.ended == ended).count();
    let ms = (report.finished - report.started).num_milliseconds();
    format!(
        "pass=1 ms={ms} calls={} confirmed={} declined={} unfinished={} more={} problems={}",
        report.calls,
        count(Ended::Confirmed),
        count(Ended::Declined),
        count(Ended::Unresolved) + count(Ended::Failed),
        u8::from(report.more),
        report.problems.len(),
    )
}

fn watched(watched: &Watched) -> String {
    for problem in &watched.problems {
        eprintln!("watch: {}: {}", problem.code, problem.text);
    }
    let ms = (watched.finished - watched.started).num_milliseconds();
    format!(
        "watch=1 ms={ms} calls={} audit={} checked={} changes={} problems={}",
        watched.calls,
        u8::from(watched.audit),
        watched.checked,
        watched.changes.len(),
        watched.problems.len(),
    )
}

/// What the kernel says this process takes, in KiB.
fn memory(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let words = line.unwrap().split_whitespace().next();
    words.unwrap().parse().unwrap()
}
