//! Disks that fail. A short run of the ledger takes place on a disk whose n-th call fails, for
//! every n: the disk is full, broken, unreadable or read-only, once or permanently from that call
//! on. The ledger never panics and never reports wrong data: what was acknowledged is there when
//! the disk works again, what was refused is not, nothing more is written after a failed write, and
//! each message names the file and what to do.
//!
//! `MAITRED_DISK_FAULTS=all` tests every n, `=17` tests one; by default a sample is tested, spread
//! over the run.

#![expect(clippy::print_stderr, reason = "the mix is printed")]

mod failing_disk_run;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::crash_fixture::{CrashFixture, WITH_CREDIT};
use crate::shim::DiskFailure;
use failing_disk_run::{FailingDiskRun, InitialState, ROLE, ending_name, run_on_failing_disk};

/// Error numbers of the operating system.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

/// Letters of calls, see `shim.c`: calls that change or open a file, calls that only change it
/// (opening a file to write counts as a change), and calls that only read what was opened.
const CHANGING_AND_OPENING: &str = "coatwsrumd";
const WRITING: &str = "catwsrumd";
const READING: &str = "plek";

/// How often each disk fails by default. There are fewer samples for a disk that only cannot be
/// read and for some runs of the whole binary.
const SAMPLES: u64 = 8;
const FEW_SAMPLES: u64 = 4;

/// One way in which a disk fails.
#[derive(Debug, Clone, Copy)]
struct FailureMode {
    name: &'static str,
    errno: i32,
    call_letters: &'static str,
    is_permanent: bool,
    takes_half: bool,
}

/// On a full disk nothing can be created and nothing can grow. Existing files can be read and
/// removed.
const FAILURE_MODES: [FailureMode; 7] = [
    FailureMode {
        name: "full",
        errno: ENOSPC,
        call_letters: "cwsm",
        is_permanent: true,
        takes_half: false,
    },
    FailureMode {
        name: "full after half a write",
        errno: ENOSPC,
        call_letters: "cwsm",
        is_permanent: true,
        takes_half: true,
    },
    FailureMode {
        name: "broken once",
        errno: EIO,
        call_letters: CHANGING_AND_OPENING,
        is_permanent: false,
        takes_half: false,
    },
    FailureMode {
        name: "broken for good",
        errno: EIO,
        call_letters: CHANGING_AND_OPENING,
        is_permanent: true,
        takes_half: false,
    },
    FailureMode {
        name: "unreadable once",
        errno: EIO,
        call_letters: READING,
        is_permanent: false,
        takes_half: false,
    },
    FailureMode {
        name: "unreadable for good",
        errno: EIO,
        call_letters: READING,
        is_permanent: true,
        takes_half: false,
    },
    FailureMode {
        name: "read-only",
        errno: EROFS,
        call_letters: WRITING,
        is_permanent: true,
        takes_half: false,
    },
];

impl FailureMode {
    fn at_call(self, at: u64) -> DiskFailure {
        DiskFailure {
            at,
            errno: self.errno,
            call_letters: self.call_letters,
            path_contains: None,
            is_permanent: self.is_permanent,
            takes_half: self.takes_half,
        }
    }
}

const INITIAL_STATES: [InitialState; 3] = [
    InitialState::Empty,
    InitialState::ClosedCleanly,
    InitialState::NotClosed,
];

/// Plays the child's role when another test of this program started the program.
#[test]
fn as_a_child_process() {
    if let Some((role, args)) = crate::child_process::child_role() {
        assert_eq!(role, ROLE);
        run_on_failing_disk(Path::new(&args[0]));
    }
}

fn requested_samples() -> Option<String> {
    std::env::var("MAITRED_DISK_FAULTS").ok()
}

fn is_all() -> bool {
    requested_samples().is_some_and(|what| what == "all")
}

fn is_one() -> bool {
    requested_samples().is_some_and(|what| what.parse::<u64>().is_ok())
}

/// Returns a sample of the numbers from 1 to the last, or all of them, or one.
fn sample_calls(last: u64, some: u64) -> Vec<u64> {
    if let Some(one) = requested_samples().and_then(|what| what.parse().ok()) {
        return vec![one];
    }
    let step = if is_all() { 1 } else { (last / some).max(1) };
    (1..=last).step_by(usize::try_from(step).unwrap()).collect()
}

#[test]
fn on_a_failing_disk_the_store_never_panics_and_never_reports_wrong_data() {
    let mut mix: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut failed: BTreeMap<&str, BTreeSet<char>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (begins, disk) in INITIAL_STATES
        .iter()
        .flat_map(|b| FAILURE_MODES.map(|disk| (*b, disk)))
    {
        let well = FailingDiskRun::new(begins, disk.at_call(u64::MAX >> 1));
        assert_eq!(ending_name(&well), "not noticed", "{:#?}", well.lines);
        assert!(well.counted_calls > 20, "{} calls", well.counted_calls);
        assert_eq!(well.failed_letters, "", "nothing fails before it is due");
        let some = if disk.call_letters == READING {
            FEW_SAMPLES
        } else {
            SAMPLES
        };
        for at in sample_calls(well.counted_calls, some) {
            let lived = FailingDiskRun::new(begins, disk.at_call(at));
            *mix.entry((disk.name, ending_name(&lived))).or_default() += 1;
            failed
                .entry(disk.name)
                .or_default()
                .extend(lived.failed_letters.chars());
            if let Err(error) = lived.find_violation(begins, disk.errno) {
                let lines = &lived.lines;
                wrong.push(format!("{begins:?}, {disk:?} at {at}: {error} {lines:#?}"));
            } else if lived.failed_letters.is_empty() && lived.counted_calls > at {
                wrong.push(format!("{begins:?}, {disk:?} at {at}: no call failed"));
            }
        }
    }
    eprintln!("{} lives: {mix:?}, {failed:?}", mix.values().sum::<u64>());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if !is_one() {
        FAILURE_MODES
            .iter()
            .for_each(|disk| check_mix(*disk, &mix, &failed));
    }
}

/// Checks that each failure mode took effect: calls did fail, the ledger noticed often, and, when
/// every call was tested, calls of each kind failed.
fn check_mix(
    disk: FailureMode,
    mix: &BTreeMap<(&str, &str), u64>,
    failed: &BTreeMap<&str, BTreeSet<char>>,
) {
    let what = disk.name;
    let of = mix.iter().filter(|((of, _), _)| *of == what);
    let noticed: u64 = of
        .filter(|((_, ending), _)| *ending != "not noticed")
        .map(|(_, lives)| lives)
        .sum();
    assert!(noticed > 2, "{what}: noticed in {noticed} lives: {mix:?}");
    let letters = &failed[what];
    let wanted: BTreeSet<char> = disk.call_letters.chars().collect();
    let all = if is_all() { wanted.len() } else { 2 };
    assert!(letters.len() >= all, "{what}: {letters:?} of {wanted:?}");
}

/// Runs the binary on such a disk, which fails at a sample of the given number of calls. Either the
/// binary has done its work, or it reports what is wrong and has sent no call that it had not
/// recorded. Returns how many runs failed.
fn runs_on(disk: FailureMode, calls: u64, some: u64, helps: &[&str]) -> usize {
    let mut fixture = CrashFixture::new();
    let mut failed = 0;
    for at in sample_calls(calls, some) {
        fixture.request_lesson(WITH_CREDIT);
        let (calls, decisions) = (fixture.writing_calls(), fixture.decision_count());
        let (code, output) = fixture
            .start_on(disk.at_call(at), &["run", "--once"])
            .wait_with_output();
        let called = fixture.writing_calls() - calls;
        let decided = fixture.decision_count() - decisions;
        assert!(
            called <= decided,
            "{at}: {called} calls, {decided} decisions: {output}"
        );
        match code {
            // The disk fails so late that all work is done: only the projection is not marked as
            // complete.
            Some(0) => {}
            Some(1) => {
                failed += 1;
                assert!(
                    helps.iter().any(|text| output.contains(text)),
                    "{at}: {output}"
                );
                assert!(output.contains("ledger"), "{at}: {output}");
            }
            other => panic!("{at}: {other:?} {output}"),
        }
        fixture.run_until_idle();
        assert_eq!(fixture.find_violations(), [""; 0], "{at}");
    }
    failed
}

#[test]
fn the_binary_on_a_full_disk_reports_it_and_sends_no_call() {
    let failed = runs_on(FAILURE_MODES[0], RUN_CALLS, SAMPLES, &["make room"]);
    assert!(failed > 0 || is_one(), "{failed} runs failed");
}

/// The disk becomes read-only in the middle of the run, as after an error for which the system
/// itself stops all writing. The log then has no specific remedy to name, and its error says what
/// the matter is.
#[test]
fn the_binary_on_a_read_only_file_system_reports_it_and_sends_no_call() {
    let helps = [
        READ_ONLY_REMEDY,
        "see why first): Read-only file system",
        "start maitred again: it reads the log as it is: Read-only file system",
    ];
    let failed = runs_on(FAILURE_MODES[6], RUN_CALLS, FEW_SAMPLES, &helps);
    assert!(failed > 0 || is_one(), "{failed} runs failed");
}

/// A file system that is read-only from the start: each command that needs the ledger names the
/// remedy and ends with the code of a failed operation, and nothing is changed.
#[test]
fn on_a_read_only_file_system_each_command_names_the_remedy() {
    let mut fixture = CrashFixture::new();
    fixture.request_lesson(WITH_CREDIT);
    let commands: [&[&str]; 3] = [
        &["run"],
        &["run", "--once"],
        &[
            "credits",
            "grant",
            WITH_CREDIT,
            "7",
            "--reference",
            "read-only",
        ],
    ];
    for command in commands {
        let (code, output) = fixture
            .start_on(FAILURE_MODES[6].at_call(1), command)
            .wait_with_output();
        assert_eq!(code, Some(1), "{command:?}: {output}");
        assert!(
            output.contains(READ_ONLY_REMEDY) && output.contains("ledger"),
            "{command:?}: {output}"
        );
    }
    // A command that only reads writes nothing, and works.
    let (code, output) = fixture
        .start_on(
            FAILURE_MODES[6].at_call(1),
            &["account", "show", WITH_CREDIT],
        )
        .wait_with_output();
    assert_eq!(code, Some(0), "{output}");
    assert_eq!(
        fixture.writing_calls(),
        0,
        "nothing leaves before it is written down"
    );
    fixture.run_until_idle();
    assert_eq!(fixture.find_violations(), [""; 0]);
}

#[test]
fn the_binary_on_an_unreadable_disk_reports_it_and_sends_no_call() {
    let failed = runs_on(
        FAILURE_MODES[5],
        RUN_READS,
        FEW_SAMPLES,
        &["the disk fails"],
    );
    assert!(failed > 0 || is_one(), "{failed} runs failed");
}

/// A disk that is full for the log alone, from the next commit on.
const LOG_DISK_FULL: DiskFailure = DiskFailure {
    at: 1,
    errno: ENOSPC,
    call_letters: "w",
    path_contains: Some(".jsonl"),
    is_permanent: true,
    takes_half: true,
};

#[test]
fn a_daemon_that_cannot_write_the_log_ends_and_says_so() {
    let mut fixture = CrashFixture::new();
    fixture.request_lesson(WITH_CREDIT);
    let (code, output) = fixture.start_on(LOG_DISK_FULL, &["run"]).wait_with_output();
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("make room") && output.contains("00000001.jsonl"),
        "{output}"
    );
    assert_eq!(
        fixture.writing_calls(),
        0,
        "nothing leaves before it is written down"
    );
    fixture.run_until_idle();
    assert_eq!(fixture.find_violations(), [""; 0]);
}

#[test]
fn an_operator_is_told_of_a_full_disk_and_the_next_write_ends_the_daemon() {
    let mut fixture = CrashFixture::new();
    // The first pass records whose ledger this is. After that an idle daemon writes nothing.
    fixture.run_ok(&["run", "--once"]);
    let daemon = fixture.start_on(LOG_DISK_FULL, &["run"]);
    let grant = ["credits", "grant", WITH_CREDIT, "7", "--reference", "full"];
    fixture.wait_until_answering();
    let (code, output) = fixture.run_failing(&grant);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("make room"), "{output}");
    let (code, output) = fixture.run_failing(&grant);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("start maitred again"), "{output}");
    fixture.request_lesson(WITH_CREDIT);
    let (code, output) = daemon.wait_with_output();
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("start maitred again"), "{output}");
    assert_eq!(
        fixture.writing_calls(),
        0,
        "nothing leaves before it is written down"
    );
    fixture.run_until_idle();
    assert_eq!(fixture.find_violations(), [""; 0]);
}

/// The remedy of a read-only file system.
const READ_ONLY_REMEDY: &str = "mount the file system writable";

/// About how many calls of a full disk's kinds one run makes, and how many calls that read.
const RUN_CALLS: u64 = 40;
const RUN_READS: u64 = 200;
