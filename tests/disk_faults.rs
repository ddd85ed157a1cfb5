//! Disks that fail. A short life of the ledger is lived on a disk whose n-th call fails, for every n:
//! full, broken, unreadable or read-only, once or from there on. It never panics and never lies: what was acknowledged is
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
#[path = "disk_faults/life.rs"]
mod life;
#[path = "common/load.rs"]
mod load;
#[path = "common/shim.rs"]
mod shim;
mod store_support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use house::{House, RICH};
use life::{Begins, Lived, ROLE, ending, live};
use shim::Fail;

/// Errors of the system.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

/// Letters of calls, see `shim.c`: opening and changing, only changing (to open for it is as good), and
/// only reading what was opened.
const ANY: &str = "coatwsrumd";
const WRITING: &str = "catwsrumd";
const READING: &str = "plek";

/// How often each disk fails when not everything is asked for; one that only cannot be read, or a run
/// of the whole binary on one.
const SOME: u64 = 8;
const FEW: u64 = 4;

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
const DISKS: [Disk; 7] = [
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
        kinds: ANY,
        stays: false,
        part: false,
    },
    Disk {
        what: "broken for good",
        errno: EIO,
        kinds: ANY,
        stays: true,
        part: false,
    },
    Disk {
        what: "unreadable once",
        errno: EIO,
        kinds: READING,
        stays: false,
        part: false,
    },
    Disk {
        what: "unreadable for good",
        errno: EIO,
        kinds: READING,
        stays: true,
        part: false,
    },
    Disk {
        what: "read-only",
        errno: EROFS,
        kinds: WRITING,
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

const BEGINNINGS: [Begins; 3] = [Begins::Nothing, Begins::Closed, Begins::NotClosed];

/// What this program is when it was started by a test of its own.
#[test]
fn as_a_child_process() {
    if let Some((role, args)) = child::role() {
        assert_eq!(role, ROLE);
        live(Path::new(&args[0]));
    }
}

fn asked() -> Option<String> {
    std::env::var("MAITRED_DISK_FAULTS").ok()
}

fn is_all() -> bool {
    asked().is_some_and(|what| what == "all")
}

fn is_one() -> bool {
    asked().is_some_and(|what| what.parse::<u64>().is_ok())
}

/// Some of the numbers from 1 to the last, or all of them, or one.
fn numbers(last: u64, some: u64) -> Vec<u64> {
    if let Some(one) = asked().and_then(|what| what.parse().ok()) {
        return vec![one];
    }
    let step = if is_all() { 1 } else { (last / some).max(1) };
    (1..=last).step_by(usize::try_from(step).unwrap()).collect()
}

#[test]
fn on_a_failing_disk_it_never_panics_and_never_lies() {
    let mut mix: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut failed: BTreeMap<&str, BTreeSet<char>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (begins, disk) in BEGINNINGS.iter().flat_map(|b| DISKS.map(|disk| (*b, disk))) {
        let well = Lived::new(begins, disk.fails(u64::MAX >> 1));
        assert_eq!(ending(&well), "not noticed", "{:#?}", well.lines);
        assert!(well.counted > 20, "{} calls", well.counted);
        assert_eq!(well.failed, "", "nothing fails before it is due");
        let some = if disk.kinds == READING { FEW } else { SOME };
        for at in numbers(well.counted, some) {
            let lived = Lived::new(begins, disk.fails(at));
            *mix.entry((disk.what, ending(&lived))).or_default() += 1;
            failed
                .entry(disk.what)
                .or_default()
                .extend(lived.failed.chars());
            if let Err(error) = lived.check(begins, disk.errno) {
                let lines = &lived.lines;
                wrong.push(format!("{begins:?}, {disk:?} at {at}: {error} {lines:#?}"));
            } else if lived.failed.is_empty() && lived.counted > at {
                wrong.push(format!("{begins:?}, {disk:?} at {at}: no call failed"));
            }
        }
    }
    eprintln!("{} lives: {mix:?}, {failed:?}", mix.values().sum::<u64>());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if !is_one() {
        DISKS
            .iter()
            .for_each(|disk| check_mix(*disk, &mix, &failed));
    }
}

/// Whether each way of failing was one: calls did fail, the ledger often saw it, and, when every
/// call was gone through, calls of each kind did.
fn check_mix(
    disk: Disk,
    mix: &BTreeMap<(&str, &str), u64>,
    failed: &BTreeMap<&str, BTreeSet<char>>,
) {
    let what = disk.what;
    let of = mix.iter().filter(|((of, _), _)| *of == what);
    let noticed: u64 = of
        .filter(|((_, ending), _)| *ending != "not noticed")
        .map(|(_, lives)| lives)
        .sum();
    assert!(noticed > 2, "{what}: noticed in {noticed} lives: {mix:?}");
    let letters = &failed[what];
    let wanted: BTreeSet<char> = disk.kinds.chars().collect();
    let all = if is_all() { wanted.len() } else { 2 };
    assert!(letters.len() >= all, "{what}: {letters:?} of {wanted:?}");
}

/// Runs of the binary on such a disk, which fails at some of so many calls: either it has done its
/// work, or it says what is wrong and has called nobody without writing that down. Gives how many
/// failed.
fn runs_on(disk: Disk, calls: u64, some: u64, helps: &[&str]) -> usize {
    let mut house = House::new();
    let mut failed = 0;
    for at in numbers(calls, some) {
        house.ask(RICH);
        let (calls, decisions) = (house.calls(), house.decisions());
        let (code, said) = house.start_on(disk.fails(at), &["run", "--once"]).said();
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
                failed += 1;
                assert!(helps.iter().any(|text| said.contains(text)), "{at}: {said}");
                assert!(said.contains("ledger"), "{at}: {said}");
            }
            other => panic!("{at}: {other:?} {said}"),
        }
        house.finish();
        assert_eq!(house.check(), [""; 0], "{at}");
    }
    failed
}

#[test]
fn the_binary_on_a_full_disk_says_so_and_calls_nobody() {
    let failed = runs_on(DISKS[0], RUN_CALLS, SOME, &["make room"]);
    assert!(failed > 0 || is_one(), "{failed} runs failed");
}

/// From the middle on, as after an error with which the system itself stops all writing, the log has
/// no remedy of its own to name: its error says what is the matter.
#[test]
fn the_binary_on_a_read_only_file_system_says_so_and_calls_nobody() {
    let helps = [
        WRITABLE,
        "see why first): Read-only file system",
        "start maitred again, it reads what is there: Read-only file system",
    ];
    let failed = runs_on(DISKS[6], RUN_CALLS, FEW, &helps);
    assert!(failed > 0 || is_one(), "{failed} runs failed");
}

/// What nobody may write to from the start: whoever wants the ledger is told what to do, with the
/// code of an operation that failed, and nothing is changed.
#[test]
fn on_a_read_only_file_system_each_command_names_the_remedy() {
    let mut house = House::new();
    house.ask(RICH);
    let commands: [&[&str]; 3] = [
        &["run"],
        &["run", "--once"],
        &["credits", "grant", RICH, "7", "--reference", "read-only"],
    ];
    for command in commands {
        let (code, said) = house.start_on(DISKS[6].fails(1), command).said();
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(
            said.contains(WRITABLE) && said.contains("ledger"),
            "{command:?}: {said}"
        );
    }
    // A command that only reads writes nothing, and works.
    let (code, said) = house
        .start_on(DISKS[6].fails(1), &["account", "show", RICH])
        .said();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(house.calls(), 0, "nothing leaves before it is written down");
    house.finish();
    assert_eq!(house.check(), [""; 0]);
}

#[test]
fn the_binary_on_a_disk_that_cannot_be_read_says_so_and_calls_nobody() {
    let failed = runs_on(DISKS[5], RUN_READS, FEW, &["the disk does not work"]);
    assert!(failed > 0 || is_one(), "{failed} runs failed");
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
    // The first pass writes down whose the ledger is; after that an idle daemon writes nothing.
    house.ok(&["run", "--once"]);
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

/// The remedy of a read-only file system.
const WRITABLE: &str = "mount the file system writable";

/// About how many calls of a full disk's kinds one run makes, and how many that read.
const RUN_CALLS: u64 = 40;
const RUN_READS: u64 = 200;
