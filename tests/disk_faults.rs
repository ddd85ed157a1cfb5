//! Disks that fail. A short life of the ledger is lived on a disk whose n-th call fails, for every n:
//! full, or broken, once or from there on. It never panics and never lies: what was acknowledged is
//! there when the disk is well again, what was refused is not, after a failed write nothing more is
//! written, and each message names the file and what to do.
//!
//! `MAITRED_DISK_FAULTS=all` goes through every n, `=17` looks at one; by default some, spread over the
//! life.

#![allow(clippy::unwrap_used, reason = "tests panic")]
#![allow(clippy::print_stderr, reason = "the mix is printed")]

#[path = "common/child.rs"]
mod child;
#[path = "common/house.rs"]
mod house;
#[path = "common/load.rs"]
mod load;
#[path = "common/shim.rs"]
mod shim;
mod store_support;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use child::Notes;
use house::{House, RICH};
use maitred::store::open::{self, Create, Limits, OpenError, Opened};
use maitred::store::port::{CommitError, Store};
use shim::{Fail, Shim, scratch};
use store_support::{at, chain};

const ROLE: &str = "ledger";

/// Errors of the system.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// So small that the life begins some segments.
const SEGMENT: u64 = 8_000;

/// Commits of the life, and those that were there before.
const COMMITS: u64 = 8;
const BEFORE: u64 = 5;

/// How often each disk fails when not everything is asked for.
const SOME: u64 = 8;

/// How long one life may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way of failing.
#[derive(Debug, Clone, Copy)]
struct Disk {
    what: &'static str,
    errno: i32,
    kinds: &'static str,
    stays: bool,
    part: bool,
}

/// On a full disk nothing is made and nothing grows; what is there can be read, and removed.
const DISKS: [Disk; 4] = [
    Disk {
        what: "full",
        errno: ENOSPC,
        kinds: "cwsm",
        stays: true,
        part: false,
    },
    Disk {
        what: "full after half a write",
        errno: ENOSPC,
        kinds: "cwsm",
        stays: true,
        part: true,
    },
    Disk {
        what: "broken once",
        errno: EIO,
        kinds: "cotwsrumd",
        stays: false,
        part: false,
    },
    Disk {
        what: "broken for good",
        errno: EIO,
        kinds: "cotwsrumd",
        stays: true,
        part: false,
    },
];

impl Disk {
    fn fails(self, at: u64) -> Fail {
        Fail {
            at,
            errno: self.errno,
            kinds: self.kinds,
            only: None,
            stays: self.stays,
            part: self.part,
        }
    }
}

/// What stands there when the life begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    Nothing,
    Closed,
    /// So that the fold has to be made anew.
    NotClosed,
}

const BEGINNINGS: [Begins; 3] = [Begins::Nothing, Begins::Closed, Begins::NotClosed];

fn open(path: &Path) -> Result<Opened, OpenError> {
    let limits = Limits {
        segment: SEGMENT,
        check: 0,
    };
    open::open_with(path, Create::Yes, at(0), limits, &mut |_| {})
}

fn commit(store: &mut dyn Store) -> Result<u64, CommitError> {
    let n = store.head().seq;
    let made = store.commit(load::when(n), load::commit(n), &[])?;
    Ok(made.seq)
}

/// What this program is when it was started by a test of its own.
#[test]
fn as_a_child_process() {
    if let Some((role, args)) = child::role() {
        assert_eq!(role, ROLE);
        live(Path::new(&args[0]));
    }
}

/// The life on the failing disk. Each thing that happens is a line.
fn live(path: &Path) -> ! {
    let notes = Mutex::new(Notes::new());
    let say = |text: String| {
        // One line, whatever a message holds.
        let text = text.replace('\n', " ");
        notes.lock().unwrap().say(&text);
    };
    let lived = catch_unwind(AssertUnwindSafe(|| match open(path) {
        Err(error) => say(format!("not opened: {}", chain(&error))),
        Ok(opened) => commit_all(opened.store, &say),
    }));
    say(match lived {
        Ok(()) => "done".to_owned(),
        Err(_) => "panicked".to_owned(),
    });
    std::process::exit(0);
}

fn commit_all(mut store: impl Store, say: &dyn Fn(String)) {
    say(format!("there are {}", store.head().seq));
    for _ in 0..COMMITS {
        match commit(&mut store) {
            Ok(seq) => say(format!("there are {seq}")),
            Err(CommitError::Indeterminate(error)) => say(format!("perhaps: {}", chain(&error))),
            Err(error) => say(format!("refused: {}", chain(&error))),
        }
    }
    match store.close() {
        Ok(()) => say("closed".to_owned()),
        Err(error) => say(format!("not closed: {}", chain(&error))),
    }
}

/// A life, and what it said.
struct Lived {
    folder: tempfile::TempDir,
    lines: Vec<String>,
    counted: u64,
}

impl Lived {
    fn store(&self) -> PathBuf {
        self.folder.path().join("house/ledger")
    }

    fn new(begins: Begins, fail: Fail) -> Self {
        let folder = scratch();
        let path = folder.path().join("house/ledger");
        if begins != Begins::Nothing {
            let mut store = open(&path).unwrap().store;
            for _ in 0..BEFORE {
                commit(&mut store).unwrap();
            }
            if begins == Begins::Closed {
                store.close().unwrap();
            }
        }
        let (notes, count) = (folder.path().join("notes"), folder.path().join("count"));
        let args = path.display().to_string();
        let mut command = child::command(ROLE, &args, &notes);
        let shim = Shim {
            dir: folder.path().join("house"),
            count: Some(count.clone()),
            fail: Some(fail),
            ..Shim::default()
        };
        shim.apply(&mut command);
        let code = child::code(command, PATIENCE);
        let said = fs::read_to_string(notes).unwrap_or_default();
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        if code != Some(0) {
            lines.push(format!("it ended with {code:?}"));
        }
        let counted = fs::read_to_string(count).unwrap_or_default();
        Self {
            folder,
            lines,
            counted: counted.parse().unwrap_or(0),
        }
    }

    fn starting(&self, with: &str) -> impl Iterator<Item = &str> {
        let with = with.to_owned();
        self.lines
            .iter()
            .filter_map(move |line| line.strip_prefix(&with))
    }

    /// Commits that were acknowledged, or found by an opening that went well.
    fn acknowledged(&self, begins: Begins) -> u64 {
        let last = self.starting("there are ").last();
        let before = if begins == Begins::Nothing { 0 } else { BEFORE };
        last.map_or(before, |seq| seq.parse().unwrap())
    }

    /// What is wrong with it.
    fn check(&self, begins: Begins, disk: Disk) -> Result<(), String> {
        if self.lines.last().map(String::as_str) != Some("done") {
            return Err("it did not end in order".to_owned());
        }
        let acknowledged = self.acknowledged(begins);
        let perhaps = self.starting("perhaps: ").count() as u64;
        // A fold that is not closed is made anew, and sled may say nothing but that it panicked.
        let messages = ["not opened: ", "perhaps: ", "refused: "];
        for message in messages.iter().flat_map(|kind| self.starting(kind)) {
            self.check_message(message, disk)?;
        }
        let first_bad = self
            .lines
            .iter()
            .position(|line| line.starts_with("perhaps: ") || line.starts_with("refused: "));
        if let Some(first) = first_bad {
            let rest = &self.lines[first + 1..];
            let refused = rest.iter().filter(|line| line.starts_with("refused: "));
            let not_closed = rest.iter().any(|line| line.starts_with("not closed: "));
            if refused.count() + 2 != rest.len() || !not_closed {
                return Err("it went on after a failure".to_owned());
            }
        }
        let opened = open(&self.store()).map_err(|error| {
            format!("it does not open on a disk that is well: {}", chain(&error))
        })?;
        let mut store = opened.store;
        let found = store.head().seq;
        if found != acknowledged && found != acknowledged + perhaps {
            return Err(format!("{acknowledged} acknowledged, {found} there"));
        }
        load::check(&store, found)?;
        commit(&mut store).map_err(|error| chain(&error))?;
        load::check(&store, found + 1)
    }

    /// A message names a file, and what to do; or it says that an earlier one did.
    fn check_message(&self, message: &str, disk: Disk) -> Result<(), String> {
        let again = [
            "an earlier write failed; start maitred again",
            "; start maitred again: it is",
        ];
        let is_later = again.iter().any(|text| message.contains(text));
        let names = message.contains(&*self.folder.path().to_string_lossy());
        let words = match disk.errno {
            ENOSPC => ["make room", "make room"],
            _ => ["the disk does not work", "see why first"],
        };
        let helps = words.iter().any(|word| message.contains(word));
        let says = is_later || (names && helps);
        says.then_some(())
            .ok_or_else(|| format!("the message does not help: {message}"))
    }
}

/// How it ended, in a word.
fn ending(lived: &Lived) -> &'static str {
    let has = |kind| lived.starting(kind).next().is_some();
    if has("not opened: ") {
        "not opened"
    } else if has("perhaps: ") {
        "a commit indeterminate"
    } else if has("refused: ") {
        "a commit refused"
    } else if has("not closed: ") {
        "not closed"
    } else {
        "not noticed"
    }
}

/// Some of the numbers from 1 to the last, or all of them, or one.
fn numbers(last: u64) -> Vec<u64> {
    if let Some(one) = std::env::var("MAITRED_DISK_FAULTS")
        .ok()
        .and_then(|what| what.parse().ok())
    {
        return vec![one];
    }
    let all = std::env::var("MAITRED_DISK_FAULTS").is_ok_and(|what| what == "all");
    let step = if all { 1 } else { (last / SOME).max(1) };
    (1..=last).step_by(usize::try_from(step).unwrap()).collect()
}

#[test]
fn on_a_failing_disk_it_never_panics_and_never_lies() {
    let mut mix: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (begins, disk) in BEGINNINGS.iter().flat_map(|b| DISKS.map(|disk| (*b, disk))) {
        let well = Lived::new(begins, disk.fails(u64::MAX >> 1));
        assert_eq!(ending(&well), "not noticed", "{:#?}", well.lines);
        assert!(well.counted > 20, "{} calls", well.counted);
        for at in numbers(well.counted) {
            let lived = Lived::new(begins, disk.fails(at));
            *mix.entry((disk.what, ending(&lived))).or_default() += 1;
            if let Err(error) = lived.check(begins, disk) {
                let lines = &lived.lines;
                wrong.push(format!("{begins:?}, {disk:?} at {at}: {error} {lines:#?}"));
            }
        }
    }
    eprintln!("{} lives: {mix:#?}", mix.values().sum::<u64>());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs of the binary on a full disk.
#[test]
fn the_binary_on_a_full_disk_says_so_and_calls_nobody() {
    let mut house = House::new();
    let full = DISKS[0];
    let mut seen = 0;
    for at in numbers(RUN_CALLS) {
        house.ask(RICH);
        let (calls, decisions) = (house.calls(), house.decisions());
        let (code, said) = house.start_on(full.fails(at), &["run", "--once"]).said();
        let called = house.calls() - calls;
        let decided = house.decisions() - decisions;
        assert!(
            called <= decided,
            "{at}: {called} calls, {decided} decisions: {said}"
        );
        match code {
            // It fails so late that all is done: only the fold is not marked as whole.
            Some(0) => {}
            Some(1) => {
                seen += 1;
                assert!(said.contains("make room"), "{at}: {said}");
                assert!(said.contains("ledger"), "{at}: {said}");
            }
            other => panic!("{at}: {other:?} {said}"),
        }
        house.finish();
        assert_eq!(house.check(), [""; 0], "{at}");
    }
    assert!(seen > 2, "{seen} runs failed");
}

/// A full disk under the log alone, from the next commit on.
const NO_ROOM: Fail = Fail {
    at: 1,
    errno: ENOSPC,
    kinds: "w",
    only: Some(".jsonl"),
    stays: true,
    part: true,
};

#[test]
fn a_daemon_that_cannot_write_the_log_ends_and_says_so() {
    let mut house = House::new();
    house.ask(RICH);
    let (code, said) = house.start_on(NO_ROOM, &["run"]).said();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("make room") && said.contains("00000001.jsonl"),
        "{said}"
    );
    assert_eq!(house.calls(), 0, "nothing leaves before it is written down");
    house.finish();
    assert_eq!(house.check(), [""; 0]);
}

#[test]
fn an_operator_is_told_of_a_full_disk_and_the_next_need_ends_the_daemon() {
    let mut house = House::new();
    let daemon = house.start_on(NO_ROOM, &["run"]);
    let grant = ["credits", "grant", RICH, "7", "--reference", "full"];
    house.answers();
    let (code, said) = house.refused(&grant);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("make room"), "{said}");
    let (code, said) = house.refused(&grant);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("start maitred again"), "{said}");
    house.ask(RICH);
    let (code, said) = daemon.said();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("start maitred again"), "{said}");
    assert_eq!(house.calls(), 0, "nothing leaves before it is written down");
    house.finish();
    assert_eq!(house.check(), [""; 0]);
}

/// About how many calls of a full disk's kinds one run makes.
const RUN_CALLS: u64 = 40;
