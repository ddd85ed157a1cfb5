//! Power cuts. A process keeps a ledger while every one of its writes, syncs and renames is recorded;
//! then the power is cut at any step of that, and of what was not synced chance decides what is left.
//! Every such image must open, verify, and hold all that was acknowledged.
//!
//! `MAITRED_POWER_CUTS=1000` looks at so many images. The seed is printed; `MAITRED_POWER_CUT_SEED`
//! repeats it, as far as sled's own threads write in the same order. An image that failed is kept in
//! the target folder for whoever wants to look.

#![allow(clippy::unwrap_used, reason = "tests panic")]
#![allow(clippy::print_stderr, reason = "the seed and the mix are printed")]

#[path = "common/child.rs"]
mod child;
#[path = "power_cut/control.rs"]
mod control;
#[path = "power_cut/cuts.rs"]
mod cuts;
#[path = "power_cut/disk.rs"]
mod disk;
#[path = "power_cut/kept.rs"]
mod kept;
#[path = "power_cut/ledger.rs"]
mod ledger;
#[path = "common/load.rs"]
mod load;
#[path = "power_cut/recording.rs"]
mod recording;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "common/shim.rs"]
mod shim;
mod store_support;
#[path = "power_cut/trace.rs"]
mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use control::Outcome;
use cuts::{Cut, Doing};
use disk::Disk;
use kept::Keep;
use ledger::{End, How};
use recording::Recording;
use rng::Rng;
use shim::{By, Kill};
use trace::Op;

/// Images looked at when nothing else is asked for.
const IMAGES: u64 = 64;

/// Images of one recording.
const OF_EACH: u64 = 32;

/// Images below which not every part of the ledger's life need have been met.
const ENOUGH: u64 = 60;

/// Of so many cuts one at least is in a rebuild of the fold: each part has its share.
const FEW: u64 = 32;

/// Parts of the ledger's life ([`Doing`]), and ways in which it opens ([`How`]).
const PARTS: usize = 9;
const WAYS: usize = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn images() -> u64 {
    number("MAITRED_POWER_CUTS").unwrap_or(IMAGES)
}

fn seed() -> u64 {
    let seed = number("MAITRED_POWER_CUT_SEED").unwrap_or(2026);
    eprintln!("MAITRED_POWER_CUT_SEED={seed}");
    seed
}

/// What this program is when it was started by a test of its own.
#[test]
fn as_a_child_process() {
    let Some((role, args)) = child::role() else {
        return;
    };
    match role.as_str() {
        ledger::ROLE => ledger::live(&args),
        control::ROLE => control::live(&args),
        control::CHECK => control::check(&args),
        other => panic!("no such role: {other}"),
    }
}

/// Runs the pieces of work, as many at once as there are processors.
fn side_by_side(pieces: u64, work: impl Fn(u64) + Sync) {
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

/// What was met, counted.
#[derive(Default)]
struct Tally {
    images: u64,
    doing: BTreeMap<Doing, u64>,
    how: BTreeMap<How, u64>,
    failed: Vec<String>,
    /// Images that fail are kept.
    keeps: bool,
}

/// One recording: where it began, and all that was recorded.
struct Recorded {
    recording: Recording,
    begins: Disk,
    ops: Vec<Op>,
    /// Commits that had been acknowledged before.
    known: u64,
}

fn recorded(recording: Recording, known: u64, rng: &mut Rng) -> Recorded {
    let begins = Disk::new(&recording.disk());
    for life in ledger::lives(rng) {
        ledger::record(&recording, life);
    }
    let ops = trace::read(&fs::read(recording.trace()).unwrap());
    Recorded {
        recording,
        begins,
        ops,
        known,
    }
}

#[test]
fn the_recorder_misses_nothing() {
    let Recorded {
        recording,
        mut begins,
        ops,
        ..
    } = recorded(Recording::new(), 0, &mut Rng::new(1));
    for op in &ops {
        begins.follow(op);
    }
    let (replayed, real) = (begins.now(), disk::read(&recording.disk()));
    let paths = |tree: &disk::Tree| tree.keys().cloned().collect::<Vec<PathBuf>>();
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
    let ranges = ops.iter().filter(|op| matches!(op, Op::Range)).count();
    assert!(ranges > 0, "sled's own syncs, which are none, are seen");
}

#[test]
fn every_image_holds_all_that_was_acknowledged() {
    let (seed, images) = (seed(), images());
    let tally = Mutex::new(Tally {
        keeps: true,
        ..Tally::default()
    });
    side_by_side(images.div_ceil(OF_EACH), |piece| {
        let mut rng = Rng::new(seed ^ piece << 32);
        let count = OF_EACH.min(images - piece * OF_EACH);
        let (recording, known) = if piece % 2 == 0 {
            (Recording::new(), 0)
        } else {
            after_a_cut(&mut rng)
        };
        let recorded = recorded(recording, known, &mut rng);
        look_at(recorded, count, &mut rng, &tally);
    });
    let tally = tally.into_inner().unwrap();
    eprintln!("{} images: {:?} {:?}", tally.images, tally.doing, tally.how);
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
    if images >= ENOUGH {
        let (doing, how) = (tally.doing.len(), tally.how.len());
        assert_eq!(
            (doing, how),
            (PARTS, WAYS),
            "every part of its life was met"
        );
        let rebuilds = tally.doing[&Doing::Rebuilding];
        assert!(rebuilds * FEW >= images, "{rebuilds} cuts in a rebuild");
    }
}

/// What a process finds, it acts on: so when it has opened the ledger, all of it is durable, though
/// the process before was killed right before a sync, and the machine dies right after.
#[test]
fn what_a_killed_process_left_unsynced_is_durable_once_the_next_has_opened() {
    let life = |end| ledger::Life { commits: 12, end };
    let recording = Recording::new();
    ledger::record(&recording, life(End::Closed));
    let ops = trace::read(&fs::read(recording.trace()).unwrap());
    let syncs = cuts::syncs_of_the_log(&ops);
    assert!(syncs.len() > 15, "{syncs:?}");
    // By default each third, of which the first is a different one for each seed.
    let all = images() > IMAGES;
    let first = usize::try_from(seed() % 3).unwrap();
    let syncs: Vec<u64> = match all {
        true => syncs,
        false => syncs.into_iter().skip(first).step_by(3).collect(),
    };
    let wrong = Mutex::new(Vec::new());
    side_by_side(syncs.len() as u64, |piece| {
        let at = syncs[usize::try_from(piece).unwrap()];
        for more in [0, 2] {
            if let Err(error) = killed_and_cut(at, more) {
                let text = format!("killed before sync {at}, {more} more commits: {error}");
                wrong.lock().unwrap().push(text);
            }
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A process that is killed before that sync; another, which makes some commits more; the power cut.
fn killed_and_cut(at: u64, more: u64) -> Result<(), String> {
    let kill = Kill {
        at,
        by: By::Before,
        kinds: Some("s"),
    };
    let lives = [(12, End::Killed(kill)), (more, End::Gone)];
    let recording = Recording::new();
    let mut disk = Disk::new(&recording.disk());
    for (commits, end) in lives {
        ledger::record(&recording, ledger::Life { commits, end });
    }
    let ops = trace::read(&fs::read(recording.trace()).unwrap());
    ops.iter().for_each(|op| disk.follow(op));
    let known = cuts::acknowledged(&ops).unwrap();
    let mut rng = Rng::new(at);
    for keep in [Keep::Nothing, Keep::Length, Keep::Some] {
        let folder = shim::scratch();
        disk::write(&disk.keeping(Some(keep), &mut rng), folder.path());
        let whole = ledger::log(&recording.disk());
        ledger::check(folder.path(), known, &whole, &mut rng)?;
    }
    Ok(())
}

/// A disk on which the power was cut once already, and the commits that had been acknowledged.
fn after_a_cut(rng: &mut Rng) -> (Recording, u64) {
    let Recorded {
        mut begins, ops, ..
    } = recorded(Recording::new(), 0, rng);
    let cuts = cuts::by_chance(&ops, PARTS, rng);
    let step = rng.pick(&cuts).step;
    for op in &ops[..step] {
        begins.follow(op);
    }
    let recording = Recording::new();
    disk::write(&begins.cut(rng), &recording.disk());
    (recording, cuts::acknowledged(&ops[..step]).unwrap_or(0))
}

/// The same images, had the ledger never synced anything: if those were whole, too, the images would
/// prove nothing.
#[test]
fn without_its_syncs_the_ledger_breaks() {
    let mut rng = Rng::new(seed());
    let mut recorded = recorded(Recording::new(), 0, &mut rng);
    for op in &mut recorded.ops {
        if matches!(op, Op::Sync { .. }) {
            *op = Op::Range;
        }
    }
    let tally = Mutex::new(Tally::default());
    look_at(recorded, OF_EACH, &mut rng, &tally);
    let broken = tally.into_inner().unwrap().failed.len() as u64;
    assert!(broken * 4 > OF_EACH, "only {broken} of {OF_EACH} broke");
}

/// Cuts the power of one recording so many times.
fn look_at(recorded: Recorded, count: u64, rng: &mut Rng, tally: &Mutex<Tally>) {
    let Recorded {
        recording,
        mut begins,
        ops,
        known,
    } = recorded;
    let whole = ledger::log(&recording.disk());
    let cuts = cuts::choose(&ops, usize::try_from(count).unwrap(), rng);
    let mut done = 0;
    for (image, Cut { step, doing, keep }) in cuts.into_iter().enumerate() {
        for op in &ops[done..step] {
            begins.follow(op);
        }
        done = step;
        let tree = match keep {
            None => begins.cut(rng),
            Some(_) => begins.keeping(keep, rng),
        };
        let folder = shim::scratch();
        disk::write(&tree, folder.path());
        let known = cuts::acknowledged(&ops[..step]).unwrap_or(known);
        let checked = catch_unwind(AssertUnwindSafe(|| {
            ledger::check(folder.path(), known, &whole, rng)
        }));
        let checked = checked.unwrap_or_else(|_| Err("it panicked".to_owned()));
        let mut tally = tally.lock().unwrap();
        tally.images += 1;
        *tally.doing.entry(doing).or_default() += 1;
        match checked {
            Ok(how) => *tally.how.entry(how).or_default() += 1,
            Err(wrong) => {
                let kept = if tally.keeps {
                    put_by(&tree, image).display().to_string()
                } else {
                    "not kept".to_owned()
                };
                let text = format!("step {step} ({doing:?}), {kept}: {wrong}");
                tally.failed.push(text);
            }
        }
    }
}

/// Keeps an image that failed.
fn put_by(tree: &disk::Tree, image: usize) -> PathBuf {
    let folder = tempfile::Builder::new()
        .prefix(&format!("power-cut-{image}-"))
        .disable_cleanup(true)
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap();
    disk::write(tree, folder.path());
    folder.path().to_owned()
}

/// How long the control may take over one image before it counts as hung.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Of a hundred images of plain sled, more than this are broken: most. When this fails, the power cuts
/// have lost their bite, whatever the other tests say.
const BROKEN_PERCENT: u64 = 50;

#[test]
fn the_control_in_plain_sled_breaks() {
    let (seed, images) = (seed(), images().div_ceil(2));
    let outcomes = Mutex::new(BTreeMap::<Outcome, u64>::new());
    side_by_side(images.div_ceil(OF_EACH), |piece| {
        let mut rng = Rng::new(seed ^ piece << 32);
        let count = OF_EACH.min(images - piece * OF_EACH);
        let recording = Recording::new();
        let mut disk = Disk::new(&recording.disk());
        control::record(&recording, &mut rng);
        let ops = trace::read(&fs::read(recording.trace()).unwrap());
        let mut done = 0;
        for Cut { step, .. } in cuts::by_chance(&ops, usize::try_from(count).unwrap(), &mut rng) {
            for op in &ops[done..step] {
                disk.follow(op);
            }
            done = step;
            let folder = shim::scratch();
            disk::write(&disk.cut(&mut rng), folder.path());
            let known = cuts::acknowledged(&ops[..step]).unwrap_or(0);
            let args = format!("{} {known}", folder.path().display());
            let code = child::code(
                child::command(control::CHECK, &args, Path::new("/dev/null")),
                PATIENCE,
            );
            let outcome = Outcome::of(code);
            *outcomes.lock().unwrap().entry(outcome).or_default() += 1;
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    eprintln!("{images} images of plain sled: {outcomes:?}");
    let whole = outcomes.get(&Outcome::Whole).copied().unwrap_or(0);
    let broken = images - whole;
    assert!(broken * 100 > images * BROKEN_PERCENT, "{outcomes:?}");
}
