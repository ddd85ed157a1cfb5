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
#[path = "disk_faults/life.rs"]
mod life;
#[path = "common/load.rs"]
mod load;
#[path = "common/shim.rs"]
mod shim;
mod store_support;

use std::collections::BTreeMap;
use std::path::Path;

use house::{House, RICH};
use life::{Begins, Lived, ROLE, ending, live};
use shim::Fail;

/// Errors of the system.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// How often each disk fails when not everything is asked for.
const SOME: u64 = 8;

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

const BEGINNINGS: [Begins; 3] = [Begins::Nothing, Begins::Closed, Begins::NotClosed];

/// What this program is when it was started by a test of its own.
#[test]
fn as_a_child_process() {
    if let Some((role, args)) = child::role() {
        assert_eq!(role, ROLE);
        live(Path::new(&args[0]));
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
            if let Err(error) = lived.check(begins, disk.errno) {
                let lines = &lived.lines;
                wrong.push(format!("{begins:?}, {disk:?} at {at}: {error} {lines:#?}"));
            }
        }
    }
    eprintln!("{} lives: {mix:?}", mix.values().sum::<u64>());
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
