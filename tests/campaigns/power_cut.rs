//! Power cuts. Every write, sync and rename of a process that keeps a ledger is recorded. Then the
//! power is cut at any of these steps, and chance decides what is left of the data that was not
//! synced. Every such image must open, verify, and hold everything that was acknowledged.
//!
//! `MAITRED_POWER_CUTS=1000` sets the number of images. The seed is printed;
//! `MAITRED_POWER_CUT_SEED` repeats it, as far as sled's own threads write in the same order. A
//! failed image is kept in the target folder for inspection.

#![expect(clippy::print_stderr, reason = "the seed and the mix are printed")]

mod crash_image;
mod ledger;
mod plain_sled;
mod power_cuts;
mod recording;
mod simulated_disk;
mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::child_process;
use crate::rng::Rng;
use crate::shim::{KillAt, KillPoint};
use crash_image::KeepPolicy;
use ledger::{OpenPath, RunEnd};
use plain_sled::ImageOutcome;
use power_cuts::{LedgerPhase, PowerCut};
use recording::Recording;
use simulated_disk::SimulatedDisk;
use trace::TraceOp;

/// The test that plays the child's role.
const CHILD_TEST: &str = "power_cut::as_a_child_process";

/// Images that are checked by default.
const IMAGES: u64 = 64;

/// Images of one recording.
const IMAGES_PER_RECORDING: u64 = 32;

/// With fewer images than this, not every part of the ledger's life needs to be covered.
const MIN_IMAGES_FOR_COVERAGE: u64 = 60;

/// For each such number of cuts, at least one is in a rebuild of the projection: each part of the
/// life has its share.
const REBUILD_SHARE: u64 = 32;

/// Number of parts of the ledger's life ([`LedgerPhase`]), and of ways in which it opens
/// ([`OpenPath`]).
const PHASES: usize = 9;
const OPEN_PATHS: usize = 4;

fn env_number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn image_count() -> u64 {
    env_number("MAITRED_POWER_CUTS").unwrap_or(IMAGES)
}

fn seed() -> u64 {
    let seed = env_number("MAITRED_POWER_CUT_SEED").unwrap_or(2026);
    eprintln!("MAITRED_POWER_CUT_SEED={seed}");
    seed
}

/// Plays the child's role when another test of this program started the program.
#[test]
fn as_a_child_process() {
    let Some((role, args)) = child_process::child_role() else {
        return;
    };
    match role.as_str() {
        ledger::ROLE => ledger::run_ledger(&args),
        plain_sled::ROLE => plain_sled::run_bank(&args),
        plain_sled::CHECK => plain_sled::check_image(&args),
        other => panic!("no such role: {other}"),
    }
}

/// Runs the pieces of work, as many at the same time as there are processors.
fn run_in_parallel(pieces: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let piece = next.fetch_add(1, Ordering::Relaxed);
                    if piece >= pieces {
                        return;
                    }
                    work(piece);
                }
            });
        }
    });
}

/// Counts what the images covered.
#[derive(Default)]
struct ImageCounts {
    images: u64,
    phases: BTreeMap<LedgerPhase, u64>,
    open_paths: BTreeMap<OpenPath, u64>,
    failed: Vec<String>,
    /// Whether failed images are kept.
    keeps_failed: bool,
}

/// One recording: the disk at its start, and all recorded steps.
struct RecordedTrace {
    recording: Recording,
    initial_disk: SimulatedDisk,
    ops: Vec<TraceOp>,
    /// Commits that had been acknowledged before the recording.
    acknowledged_before: u64,
}

fn record_trace(recording: Recording, acknowledged_before: u64, rng: &mut Rng) -> RecordedTrace {
    let begins = SimulatedDisk::new(&recording.disk());
    for life in ledger::plan_runs(rng) {
        ledger::record_run(&recording, life);
    }
    let ops = trace::parse_trace(&fs::read(recording.trace()).unwrap());
    RecordedTrace {
        recording,
        initial_disk: begins,
        ops,
        acknowledged_before,
    }
}

#[test]
fn the_recorder_records_every_write() {
    let RecordedTrace {
        recording,
        initial_disk: mut begins,
        ops,
        ..
    } = record_trace(Recording::new(), 0, &mut Rng::new(1));
    for op in &ops {
        begins.apply(op);
    }
    let (replayed, real) = (
        begins.current_tree(),
        simulated_disk::read_tree(&recording.disk()),
    );
    let paths = |tree: &simulated_disk::FileTree| tree.keys().cloned().collect::<Vec<PathBuf>>();
    assert_eq!(paths(&replayed), paths(&real));
    assert!(replayed.len() > 10, "{:?}", paths(&real));
    for (path, real) in real {
        match (&replayed[&path], real) {
            (None, None) => {}
            (Some(replayed), Some(real)) => {
                assert!(replayed.bytes == real.bytes, "{path:?} has other bytes");
                assert_eq!(replayed.time, real.time, "{path:?}");
            }
            (_, _) => panic!("{path:?} is a file or a directory"),
        }
    }
    let ranges = ops.iter().filter(|op| matches!(op, TraceOp::Range)).count();
    assert!(ranges > 0, "sled's own syncs, which are none, are seen");
}

#[test]
fn every_crash_image_contains_all_acknowledged_commits() {
    let (seed, images) = (seed(), image_count());
    let tally = Mutex::new(ImageCounts {
        keeps_failed: true,
        ..ImageCounts::default()
    });
    run_in_parallel(images.div_ceil(IMAGES_PER_RECORDING), |piece| {
        let mut rng = Rng::new(seed ^ piece << 32);
        let count = IMAGES_PER_RECORDING.min(images - piece * IMAGES_PER_RECORDING);
        let (recording, acknowledged) = if piece % 2 == 0 {
            (Recording::new(), 0)
        } else {
            recording_after_cut(&mut rng)
        };
        let recorded = record_trace(recording, acknowledged, &mut rng);
        check_images(recorded, count, &mut rng, &tally);
    });
    let tally = tally.into_inner().unwrap();
    eprintln!(
        "{} images: {:?} {:?}",
        tally.images, tally.phases, tally.open_paths
    );
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
    if images >= MIN_IMAGES_FOR_COVERAGE {
        let (doing, how) = (tally.phases.len(), tally.open_paths.len());
        assert_eq!(
            (doing, how),
            (PHASES, OPEN_PATHS),
            "every part of its life was met"
        );
        let rebuilds = tally.phases[&LedgerPhase::RebuildingProjection];
        assert!(
            rebuilds * REBUILD_SHARE >= images,
            "{rebuilds} cuts in a rebuild"
        );
    }
}

/// A process acts on the data that it finds. So when it has opened the ledger, all of that data is
/// durable, even if the process before was killed right before a sync and the machine dies right
/// after.
#[test]
fn writes_left_unsynced_by_a_killed_process_are_durable_after_the_next_open() {
    let life = |end| ledger::LedgerRun { commits: 12, end };
    let recording = Recording::new();
    ledger::record_run(&recording, life(RunEnd::Closed));
    let ops = trace::parse_trace(&fs::read(recording.trace()).unwrap());
    let syncs = power_cuts::log_syncs(&ops);
    assert!(syncs.len() > 15, "{syncs:?}");
    // By default every third sync; the seed decides which one is the first.
    let all = image_count() > IMAGES;
    let first = usize::try_from(seed() % 3).unwrap();
    let syncs: Vec<u64> = match all {
        true => syncs,
        false => syncs.into_iter().skip(first).step_by(3).collect(),
    };
    let wrong = Mutex::new(Vec::new());
    run_in_parallel(syncs.len() as u64, |piece| {
        let at = syncs[usize::try_from(piece).unwrap()];
        for more in [0, 2] {
            if let Err(error) = check_kill_then_cut(at, more) {
                let text = format!("killed before sync {at}, {more} more commits: {error}");
                wrong.lock().unwrap().push(text);
            }
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Runs a process that is killed before that sync, then another that makes some more commits; then
/// cuts the power.
fn check_kill_then_cut(at: u64, more: u64) -> Result<(), String> {
    let kill = KillAt {
        at,
        point: KillPoint::Before,
        call_letters: Some("s"),
    };
    let lives = [(12, RunEnd::Killed(kill)), (more, RunEnd::Exited)];
    let recording = Recording::new();
    let mut disk = SimulatedDisk::new(&recording.disk());
    for (commits, end) in lives {
        ledger::record_run(&recording, ledger::LedgerRun { commits, end });
    }
    let ops = trace::parse_trace(&fs::read(recording.trace()).unwrap());
    ops.iter().for_each(|op| disk.apply(op));
    let acknowledged = power_cuts::acknowledged_commits(&ops).unwrap();
    let mut rng = Rng::new(at);
    for keep in [
        KeepPolicy::Nothing,
        KeepPolicy::LengthOnly,
        KeepPolicy::AnyChanges,
    ] {
        let folder = crate::shim::scratch_folder();
        simulated_disk::write_tree(&disk.cut_power_with(Some(keep), &mut rng), folder.path());
        let whole = ledger::log_bytes(&recording.disk());
        ledger::check_image(folder.path(), acknowledged, &whole, &mut rng)?;
    }
    Ok(())
}

/// Returns a recording on a disk that had a power cut before, and the number of commits that had
/// been acknowledged.
fn recording_after_cut(rng: &mut Rng) -> (Recording, u64) {
    let RecordedTrace {
        initial_disk: mut begins,
        ops,
        ..
    } = record_trace(Recording::new(), 0, rng);
    let cuts = power_cuts::random_cuts(&ops, PHASES, rng);
    let step = rng.pick(&cuts).step;
    for op in &ops[..step] {
        begins.apply(op);
    }
    let recording = Recording::new();
    simulated_disk::write_tree(&begins.cut_power(rng), &recording.disk());
    (
        recording,
        power_cuts::acknowledged_commits(&ops[..step]).unwrap_or(0),
    )
}

/// Tests the same images as if the ledger had never synced anything. If those images were intact,
/// too, the images would prove nothing.
#[test]
fn crash_images_of_a_ledger_without_syncs_are_broken() {
    let mut rng = Rng::new(seed());
    let mut recorded = record_trace(Recording::new(), 0, &mut rng);
    for op in &mut recorded.ops {
        if matches!(op, TraceOp::Sync { .. }) {
            *op = TraceOp::Range;
        }
    }
    let tally = Mutex::new(ImageCounts::default());
    check_images(recorded, IMAGES_PER_RECORDING, &mut rng, &tally);
    let broken = tally.into_inner().unwrap().failed.len() as u64;
    assert!(
        broken * 4 > IMAGES_PER_RECORDING,
        "only {broken} of {IMAGES_PER_RECORDING} broke"
    );
}

/// Cuts the power of one recording this many times.
fn check_images(recorded: RecordedTrace, count: u64, rng: &mut Rng, tally: &Mutex<ImageCounts>) {
    let RecordedTrace {
        recording,
        initial_disk: mut begins,
        ops,
        acknowledged_before: known,
    } = recorded;
    let whole = ledger::log_bytes(&recording.disk());
    let cuts = power_cuts::choose_cuts(&ops, usize::try_from(count).unwrap(), rng);
    let mut done = 0;
    for (
        image,
        PowerCut {
            step,
            phase: doing,
            keep,
        },
    ) in cuts.into_iter().enumerate()
    {
        for op in &ops[done..step] {
            begins.apply(op);
        }
        done = step;
        let tree = match keep {
            None => begins.cut_power(rng),
            Some(_) => begins.cut_power_with(keep, rng),
        };
        let folder = crate::shim::scratch_folder();
        simulated_disk::write_tree(&tree, folder.path());
        let acknowledged = power_cuts::acknowledged_commits(&ops[..step]).unwrap_or(known);
        let checked = catch_unwind(AssertUnwindSafe(|| {
            ledger::check_image(folder.path(), acknowledged, &whole, rng)
        }));
        let checked = checked.unwrap_or_else(|_| Err("it panicked".to_owned()));
        let mut tally = tally.lock().unwrap();
        tally.images += 1;
        *tally.phases.entry(doing).or_default() += 1;
        match checked {
            Ok(how) => *tally.open_paths.entry(how).or_default() += 1,
            Err(wrong) => {
                let saved = if tally.keeps_failed {
                    save_image(&tree, image).display().to_string()
                } else {
                    "not kept".to_owned()
                };
                let text = format!("step {step} ({doing:?}), {saved}: {wrong}");
                tally.failed.push(text);
            }
        }
    }
}

/// Saves an image that failed.
fn save_image(tree: &simulated_disk::FileTree, image: usize) -> PathBuf {
    let folder = tempfile::Builder::new()
        .prefix(&format!("power-cut-{image}-"))
        .disable_cleanup(true)
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap();
    simulated_disk::write_tree(tree, folder.path());
    folder.path().to_owned()
}

/// How long the control may take for one image before it counts as hung.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// More than this percentage of the images of plain sled must be broken. If this fails, the power
/// cuts no longer find faults, whatever the other tests report.
const MIN_BROKEN_PERCENT: u64 = 50;

#[test]
fn crash_images_of_plain_sled_are_broken() {
    let (seed, images) = (seed(), image_count().div_ceil(2));
    let outcomes = Mutex::new(BTreeMap::<ImageOutcome, u64>::new());
    run_in_parallel(images.div_ceil(IMAGES_PER_RECORDING), |piece| {
        let mut rng = Rng::new(seed ^ piece << 32);
        let count = IMAGES_PER_RECORDING.min(images - piece * IMAGES_PER_RECORDING);
        let recording = Recording::new();
        let mut disk = SimulatedDisk::new(&recording.disk());
        plain_sled::record_bank(&recording, &mut rng);
        let ops = trace::parse_trace(&fs::read(recording.trace()).unwrap());
        let mut done = 0;
        for PowerCut { step, .. } in
            power_cuts::random_cuts(&ops, usize::try_from(count).unwrap(), &mut rng)
        {
            for op in &ops[done..step] {
                disk.apply(op);
            }
            done = step;
            let folder = crate::shim::scratch_folder();
            simulated_disk::write_tree(&disk.cut_power(&mut rng), folder.path());
            let acknowledged = power_cuts::acknowledged_commits(&ops[..step]).unwrap_or(0);
            let args = format!("{} {acknowledged}", folder.path().display());
            let code = child_process::exit_code_within(
                child_process::command(
                    CHILD_TEST,
                    plain_sled::CHECK,
                    &args,
                    Path::new("/dev/null"),
                ),
                PATIENCE,
            );
            let outcome = ImageOutcome::from_exit_code(code);
            *outcomes.lock().unwrap().entry(outcome).or_default() += 1;
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    eprintln!("{images} images of plain sled: {outcomes:?}");
    let whole = outcomes.get(&ImageOutcome::Intact).copied().unwrap_or(0);
    let broken = images - whole;
    assert!(broken * 100 > images * MIN_BROKEN_PERCENT, "{outcomes:?}");
}
