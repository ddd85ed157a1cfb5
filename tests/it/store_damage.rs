//! Damaged and foreign files: everything in a store's directory is damaged in every conceivable
//! way, and the store is opened again. The store opens with everything that was acknowledged, or
//! refuses with a message that names the file and the remedy, and is complete again after the
//! remedy. It never panics and never loses data silently. Cases of `store_open.rs` are not
//! repeated; other tests cover disks that fill up or fail.

#![expect(
    clippy::print_stdout,
    reason = "a test: what goes wrong fails it, and it tells what it exercised"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::store_support::{
    account, at, confirm_intent, confirmed_facts, decided_fact, error_chain, grant_fact,
};
use maitred::control::listener::Listener;
use maitred::daemon::watch_state::WatchState;
use maitred::store::lock::LockError;
use maitred::store::log::line::{self, Hash};
use maitred::store::log_store::LogStore;
use maitred::store::open::{self, CreateIfMissing, OpenedStore};
use maitred::store::open_report::{OpenError, OpenNotice};
use maitred::store::port::{Maintenance, Store};
use maitred::store::store_parts::StoreLimits;

/// Small enough that the commits below need three segments.
const LIMITS: StoreLimits = StoreLimits {
    segment_bytes: 2_500,
    full_check_bytes: 8 * 1024 * 1024,
    max_records: 50,
};

const FIRST: &str = "log/00000001.jsonl";
const LAST: &str = "log/00000003.jsonl";

/// Number of commits in a store, and of facts in them.
const COMMITS: u64 = 6;
const FACTS: u64 = 22;

/// How the store was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CloseState {
    /// Closed: the file `clean-shutdown` records the end of the log.
    Closed,
    /// Killed: the file `clean-shutdown` does not exist.
    Killed,
}

/// The expected result.
#[derive(Debug, Clone, Copy)]
enum Expectation {
    /// The store opens, and everything is there.
    Opens,
    /// The store opens without the last commit, and a notice contains this text.
    OpensWithNotice(&'static str),
    /// The store refuses. The message contains these texts and the path of the file.
    Refuses(&'static [&'static str]),
}

/// A child process that another thread of this test starts holds a copy of the lock until it
/// executes another program.
const LOCK_TRIES: usize = 10_000;

fn open(path: &Path) -> Result<OpenedStore, OpenError> {
    for _ in 0..LOCK_TRIES {
        match open::open_with(path, CreateIfMissing::Yes, at(0), LIMITS, &mut |_| {}) {
            Err(OpenError::Lock(LockError::Held { .. })) => std::thread::yield_now(),
            other => return other,
        }
    }
    open::open_with(path, CreateIfMissing::Yes, at(0), LIMITS, &mut |_| {})
}

/// Creates a store in which the named member has 10 credits, 4 of which are spent.
fn fill(path: &Path, member: &str, closed: CloseState) {
    let mut store = open(path).expect("it is made").store;
    let mut commits = vec![vec![grant_fact("spring", member, 10)]];
    for n in 0..4 {
        commits.push(confirmed_facts(&format!("uid{n}"), member, "spring", at(n)));
    }
    commits.push(vec![decided_fact(confirm_intent("open", &["open"], at(9)))]);
    for commit in commits {
        store.commit(at(1), commit, &[]).expect("it commits");
    }
    if closed == CloseState::Closed {
        store.close().expect("it closes");
    }
}

/// Checks that everything that was acknowledged is there.
fn check_complete(store: &LogStore, commits: u64) {
    let bo = store.account(&account("bo@example.com")).expect("it reads");
    let bo = bo.expect("bo is there");
    assert!(bo.adds_up());
    assert_eq!((bo.available(at(2)), bo.totals.posted), (6, 4));
    assert_eq!(store.head().seq, commits);
    let verified = store.verify(&mut |_| {}).expect("it verifies");
    assert_eq!(verified.differences, [""; 0]);
    if commits == COMMITS {
        assert_eq!(store.open_intents(None, 9).expect("it reads").len(), 1);
        assert_eq!(verified.facts, FACTS);
    }
}

/// Copies everything below, with the modification times, so that nothing looks changed.
fn copy(from: &Path, to: &Path) {
    let meta = fs::symlink_metadata(from).unwrap();
    if !meta.is_dir() {
        fs::copy(from, to).unwrap();
        let file = fs::File::options().write(true).open(to).unwrap();
        file.set_modified(meta.modified().unwrap()).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

fn remove(path: &Path) {
    if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        fs::remove_dir_all(path).unwrap();
    } else if path.symlink_metadata().is_ok() {
        fs::remove_file(path).unwrap();
    }
}

/// Stores in their original state, to be copied and damaged.
struct DamagedStores {
    _folder: tempfile::TempDir,
    root: PathBuf,
    cases: usize,
}

impl DamagedStores {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        fill(&root.join("closed"), "bo@example.com", CloseState::Closed);
        fill(&root.join("killed"), "bo@example.com", CloseState::Killed);
        fill(&root.join("other"), "al@example.com", CloseState::Closed);
        assert!(root.join("closed").join(LAST).exists(), "three segments");
        assert!(!root.join("closed/log/00000004.jsonl").exists());
        Self {
            _folder: folder,
            root,
            cases: 0,
        }
    }

    fn template(&self, closed: CloseState) -> PathBuf {
        self.root.join(match closed {
            CloseState::Closed => "closed",
            CloseState::Killed => "killed",
        })
    }

    /// Returns the path of a store that belongs to another operator.
    fn other_template(&self) -> PathBuf {
        self.root.join("other")
    }

    /// Damages a copy, opens it, and checks the result.
    fn check_damage(
        &mut self,
        closed: CloseState,
        file: &str,
        what: &str,
        harm: impl Fn(&Path),
        then: Expectation,
    ) {
        self.cases += 1;
        let template = self.template(closed);
        let store = self.root.join("store");
        remove(&store);
        copy(&template, &store);
        let path = path_in(&store, file);
        harm(&path);
        let what = format!("{file} {what} ({closed:?})");
        let opened = catch_unwind(AssertUnwindSafe(|| open(&store)));
        let opened = opened.unwrap_or_else(|_| panic!("{what}: a panic"));
        match (then, opened) {
            (Expectation::Opens, Ok(opened)) => check_complete(&opened.store, COMMITS),
            (Expectation::OpensWithNotice(words), Ok(opened)) => {
                check_complete(&opened.store, COMMITS - 1);
                let notices: Vec<String> =
                    opened.notices.iter().map(OpenNotice::to_string).collect();
                let is_told = notices.iter().any(|text| text.contains(words));
                assert!(is_told, "{what}: {words:?} is not in {notices:?}");
            }
            (Expectation::Refuses(words), Err(error)) => {
                let text = error_chain(&error);
                for word in words {
                    assert!(text.contains(word), "{what}: {word:?} is not in {text:?}");
                }
                let place = path.display().to_string();
                let store = store.display().to_string();
                assert!(
                    text.contains(&place) || text.contains(&store),
                    "{what}: {text}"
                );
                self.check_repaired(&template, file, &what);
            }
            (then, Ok(opened)) => panic!("{what}: opened, not {then:?}: {:?}", opened.notices),
            (then, Err(error)) => panic!("{what}: {}, not {then:?}", error_chain(&error)),
        }
    }

    /// Checks that the refusal damaged nothing: with the file restored, everything is there.
    fn check_repaired(&self, template: &Path, file: &str, what: &str) {
        let store = self.root.join("store");
        let broken = path_in(&store, file);
        remove(&broken);
        copy(&path_in(template, file), &broken);
        let opened = open(&store);
        let opened =
            opened.unwrap_or_else(|error| panic!("{what}, mended: {}", error_chain(&error)));
        check_complete(&opened.store, COMMITS);
    }
}

/// Returns the path of the file in this directory, or the directory itself if the name is empty.
fn path_in(store: &Path, file: &str) -> PathBuf {
    if file.is_empty() {
        store.to_owned()
    } else {
        store.join(file)
    }
}

fn write(path: &Path, bytes: &[u8]) {
    remove(path);
    fs::write(path, bytes).unwrap();
}

/// Returns offsets spread over a file of this length, including its first and last bytes.
fn spread_offsets(length: usize, count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).map(|n| n * (length - 1) / (count - 1)).collect();
    places.dedup();
    places
}

fn flip_bit(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1 << (at % 8);
    write(path, &bytes);
}

/// Returns contents that other programs write.
fn foreign_contents() -> Vec<(&'static str, Vec<u8>)> {
    let noise = (0..4096_u64).map(|n| (n.wrapping_mul(2_654_435_761) >> 9) as u8);
    let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\0\x43\0";
    vec![
        ("noise", noise.collect()),
        ("a picture", [jpeg.as_slice(), &[8; 900]].concat()),
        (
            "a database",
            [b"SQLite format 3\0\x10\0".as_slice(), &[0; 1006]].concat(),
        ),
        ("a page", b"<!DOCTYPE html>\n<html></html>\n".to_vec()),
        (
            "other lines",
            b"{\"level\":\"info\"}\n{\"level\":\"warn\"}\n".to_vec(),
        ),
        ("one line", b"x\n".to_vec()),
        ("zeros", vec![0; 512]),
        (
            "text of another kind",
            "\u{feff}\u{fffd}ä"
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect(),
        ),
    ]
}

const BACKUP: &[&str] = &["restore the file from a backup"];

#[test]
fn a_flipped_bit_of_the_log_is_detected_everywhere() {
    let mut stores = DamagedStores::new();
    for left in [CloseState::Closed, CloseState::Killed] {
        for file in [FIRST, "log/00000002.jsonl", LAST] {
            let length = fs::read(stores.template(left).join(file)).unwrap().len();
            for at in spread_offsets(length, 16) {
                // Without its last byte, the newline, the last line looks like a line that a crash
                // left.
                let torn = file == LAST && at + 1 == length;
                let then = match (torn, left) {
                    (false, _) => Expectation::Refuses(BACKUP),
                    (true, CloseState::Closed) => {
                        Expectation::OpensWithNotice("an acknowledged commit is lost")
                    }
                    (true, CloseState::Killed) => {
                        Expectation::OpensWithNotice("which was cut off and kept as")
                    }
                };
                stores.check_damage(
                    left,
                    file,
                    &format!("bit {at}"),
                    |path| flip_bit(path, at),
                    then,
                );
            }
        }
    }
    println!("{} openings", stores.cases);
}

#[test]
fn a_truncated_log_is_refused_or_reported() {
    let mut stores = DamagedStores::new();
    for left in [CloseState::Closed, CloseState::Killed] {
        for file in [FIRST, "log/00000002.jsonl"] {
            let length = fs::read(stores.template(left).join(file)).unwrap().len();
            for keep in spread_offsets(length, 8)
                .into_iter()
                .filter(|keep| *keep < length)
            {
                let cut = |path: &Path| {
                    let bytes = fs::read(path).unwrap();
                    write(path, &bytes[..keep]);
                };
                stores.check_damage(
                    left,
                    file,
                    &format!("cut at {keep}"),
                    cut,
                    Expectation::Refuses(BACKUP),
                );
            }
        }
        let text = fs::read(stores.template(left).join(LAST)).unwrap();
        let ends: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'\n').collect();
        let last = ends[ends.len() - 2] + 1;
        for keep in [last + 1, (last + text.len()) / 2, text.len() - 1] {
            let cut = |path: &Path| write(path, &text[..keep]);
            let then = match left {
                CloseState::Closed => {
                    Expectation::OpensWithNotice("an acknowledged commit is lost")
                }
                CloseState::Killed => Expectation::OpensWithNotice("which was cut off and kept as"),
            };
            stores.check_damage(left, LAST, &format!("cut at {keep}"), cut, then);
        }
        for keep in [0, 10, ends[0]] {
            let cut = |path: &Path| write(path, &text[..keep]);
            stores.check_damage(
                left,
                LAST,
                &format!("cut at {keep}"),
                cut,
                Expectation::Refuses(BACKUP),
            );
        }
    }
    // The marker `clean-shutdown` reveals missing lines at the end, and missing files.
    let text = fs::read(stores.template(CloseState::Closed).join(LAST)).unwrap();
    let header = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let missed: &[&str] = &["commits were removed", "from a backup", "remove the file"];
    let cut = |path: &Path| write(path, &text[..header]);
    stores.check_damage(
        CloseState::Closed,
        LAST,
        "without its commits",
        cut,
        Expectation::Refuses(missed),
    );
    stores.check_damage(
        CloseState::Closed,
        LAST,
        "missing",
        remove,
        Expectation::Refuses(missed),
    );
    println!("{} openings", stores.cases);
}

#[test]
fn foreign_files_in_the_log_directory_are_refused() {
    let mut stores = DamagedStores::new();
    let other = stores.other_template();
    for left in [CloseState::Closed, CloseState::Killed] {
        for file in [FIRST, "log/00000002.jsonl", LAST] {
            for (what, bytes) in foreign_contents() {
                stores.check_damage(
                    left,
                    file,
                    what,
                    |path| write(path, &bytes),
                    Expectation::Refuses(BACKUP),
                );
            }
            let folder = |path: &Path| {
                remove(path);
                fs::create_dir(path).unwrap();
            };
            let then =
                Expectation::Refuses(&["a directory stands where a file belongs", "move it away"]);
            stores.check_damage(left, file, "a directory", folder, then);
            let nowhere = |path: &Path| {
                remove(path);
                symlink("nowhere", path).unwrap();
            };
            let then =
                Expectation::Refuses(&["a link without a target", "restore it from a backup"]);
            stores.check_damage(left, file, "a link without a target", nowhere, then);
            let elsewhere = |path: &Path| {
                let to = path.with_extension("moved");
                fs::rename(path, &to).unwrap();
                symlink(to, path).unwrap();
            };
            stores.check_damage(left, file, "a link", elsewhere, Expectation::Opens);
            if file != FIRST {
                let swap = |path: &Path| copy(&other.join(file), path);
                stores.check_damage(left, file, "another's", swap, Expectation::Refuses(BACKUP));
            }
        }
        // The first segment of another ledger does not fit the second segment of this ledger.
        let swap = |path: &Path| copy(&other.join(FIRST), path);
        stores.check_damage(
            left,
            FIRST,
            "another's",
            swap,
            Expectation::Refuses(&["00000002.jsonl", "does not follow"]),
        );
        let missing =
            Expectation::Refuses(&["segments after it exist", "restore it from a backup"]);
        stores.check_damage(left, FIRST, "missing", remove, missing);
        stores.check_damage(left, "log/00000002.jsonl", "missing", remove, missing);
        let none = Expectation::Refuses(&["but no log", "restore the folder `log` from a backup"]);
        stores.check_damage(left, "log", "missing", remove, none);
        let empty = |path: &Path| {
            remove(path);
            fs::create_dir(path).unwrap();
        };
        stores.check_damage(left, "log", "emptied", empty, none);
        let file = Expectation::Refuses(&["something else stands where a directory belongs"]);
        stores.check_damage(left, "log", "a file", |path| write(path, b"log"), file);
        let elsewhere = |path: &Path| {
            let to = path.with_extension("moved");
            fs::rename(path, &to).unwrap();
            symlink(to, path).unwrap();
        };
        stores.check_damage(left, "log", "a link", elsewhere, Expectation::Opens);
    }
    // The complete log of another ledger: every line is valid, but this is not the log that was
    // closed here.
    let swap = |path: &Path| {
        remove(path);
        copy(&other.join("log"), path);
    };
    let then = Expectation::Refuses(&[
        "is not the log that was closed here",
        "from one backup",
        "remove the file",
    ]);
    stores.check_damage(CloseState::Closed, "log", "another's", swap, then);
    println!("{} openings", stores.cases);
}

/// Data that a newer maitred may write, sealed in the same way: the message says so, and the data
/// is never cut or skipped.
#[test]
fn data_of_a_newer_maitred_is_refused_and_unchanged() {
    let mut stores = DamagedStores::new();
    let newer = |format: &str| {
        let head = format!("{{\"log\":\"maitred\",{format},\"segment\":1,\"first\":1");
        let head = format!("{head},\"created\":\"2026-09-21T14:13:20Z\"");
        line::seal(head.into_bytes(), Hash::NONE).0
    };
    for left in [CloseState::Closed, CloseState::Killed] {
        for format in [
            "\"format\":5",
            "\"format\":5,\"also\":[1]",
            "\"format\":4000000000",
        ] {
            let then = Expectation::Refuses(&["belongs to format", "use a newer one"]);
            stores.check_damage(
                left,
                FIRST,
                format,
                |path| write(path, &newer(format)),
                then,
            );
        }
        for facts in [
            r#"[{"levied":{"account":"bo@example.com"}}]"#,
            r#"[{"opened":{"account":"bo@example.com","colour":"red"}}]"#,
            "{}",
        ] {
            let add = |path: &Path| {
                let mut text = fs::read(path).unwrap();
                let before = text[..text.len() - 1].rsplit(|byte| *byte == b'\n').next();
                let before = line::unseal(before.unwrap()).unwrap();
                let ledger = before.parse_entry().unwrap().ledger.unwrap();
                let before = before.hash;
                let seq = COMMITS + 1;
                text.extend(
                    line::format_commit(ledger, (seq, at(2)), facts.as_bytes(), before)
                        .unwrap()
                        .0,
                );
                write(path, &text);
            };
            let then = Expectation::Refuses(&["a newer maitred", "use that version or a newer"]);
            stores.check_damage(left, LAST, facts, add, then);
        }
    }
    let marker = |path: &Path| {
        let text = line::seal(b"{\"format\":2,\"applied\":6".to_vec(), Hash::NONE).0;
        write(path, &text);
    };
    stores.check_damage(
        CloseState::Closed,
        "clean-shutdown",
        "of a newer format",
        marker,
        Expectation::Opens,
    );
    println!("{} openings", stores.cases);
}

/// The clean-shutdown marker, the lock and the watch hint: whatever they contain, nothing is lost.
#[test]
fn damaged_marker_and_lock_files_lose_nothing() {
    let mut stores = DamagedStores::new();
    let other = stores.other_template();
    for file in ["clean-shutdown", "lock", "watched"] {
        let path = stores.template(CloseState::Closed).join(file);
        if file == "watched" {
            WatchState {
                last_watch: Some(at(5)),
                last_audit: Some(at(5)),
            }
            .save(&stores.template(CloseState::Closed));
        }
        let length = fs::read(&path).unwrap().len();
        for at in spread_offsets(length, 8) {
            stores.check_damage(
                CloseState::Closed,
                file,
                &format!("bit {at}"),
                |path| flip_bit(path, at),
                Expectation::Opens,
            );
            let cut = |path: &Path| {
                let bytes = fs::read(path).unwrap();
                write(path, &bytes[..at]);
            };
            stores.check_damage(
                CloseState::Closed,
                file,
                &format!("cut at {at}"),
                cut,
                Expectation::Opens,
            );
        }
        for (what, bytes) in foreign_contents() {
            for left in [CloseState::Closed, CloseState::Killed] {
                if left == CloseState::Closed || file == "lock" {
                    stores.check_damage(
                        left,
                        file,
                        what,
                        |path| write(path, &bytes),
                        Expectation::Opens,
                    );
                }
            }
        }
        stores.check_damage(
            CloseState::Closed,
            file,
            "missing",
            remove,
            Expectation::Opens,
        );
        let folder = |path: &Path| {
            remove(path);
            fs::create_dir(path).unwrap();
        };
        let then = match file {
            "watched" => Expectation::Opens,
            _ => Expectation::Refuses(&["a directory stands where a file belongs", "move it away"]),
        };
        stores.check_damage(CloseState::Closed, file, "a directory", folder, then);
        let elsewhere = |path: &Path| {
            let to = path.with_extension("moved");
            fs::rename(path, &to).unwrap();
            symlink(to, path).unwrap();
        };
        stores.check_damage(
            CloseState::Closed,
            file,
            "a link",
            elsewhere,
            Expectation::Opens,
        );
        let nowhere = |path: &Path| {
            remove(path);
            symlink("nowhere", path).unwrap();
        };
        stores.check_damage(
            CloseState::Closed,
            file,
            "a link without a target",
            nowhere,
            Expectation::Opens,
        );
    }
    let swap = |path: &Path| copy(&other.join("clean-shutdown"), path);
    let then = Expectation::Refuses(&["is not the log that was closed here", "remove the file"]);
    stores.check_damage(
        CloseState::Closed,
        "clean-shutdown",
        "another's",
        swap,
        then,
    );
    stores.check_damage(
        CloseState::Closed,
        "lock",
        "another's",
        |path| copy(&other.join("lock"), path),
        Expectation::Opens,
    );
    println!("{} openings", stores.cases);
}

/// The projection can always be rebuilt.
#[test]
fn a_damaged_projection_loses_nothing() {
    let mut stores = DamagedStores::new();
    let other = stores.other_template();
    for left in [CloseState::Closed, CloseState::Killed] {
        let projection = stores.template(left).join("projection");
        let mut files: Vec<String> = fs::read_dir(projection)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_file())
            .map(|entry| format!("projection/{}", entry.file_name().to_string_lossy()))
            .collect();
        files.sort();
        assert!(files.len() >= 2, "{files:?}");
        for file in &files {
            let length = fs::read(stores.template(left).join(file)).unwrap().len();
            for at in spread_offsets(length, 5) {
                stores.check_damage(
                    left,
                    file,
                    &format!("bit {at}"),
                    |path| flip_bit(path, at),
                    Expectation::Opens,
                );
            }
            for (what, bytes) in foreign_contents().into_iter().take(3) {
                stores.check_damage(
                    left,
                    file,
                    what,
                    |path| write(path, &bytes),
                    Expectation::Opens,
                );
            }
            let folder = |path: &Path| {
                remove(path);
                fs::create_dir(path).unwrap();
            };
            stores.check_damage(left, file, "a directory", folder, Expectation::Opens);
            let nowhere = |path: &Path| {
                remove(path);
                symlink("nowhere", path).unwrap();
            };
            stores.check_damage(
                left,
                file,
                "a link without a target",
                nowhere,
                Expectation::Opens,
            );
        }
        let swap = |path: &Path| {
            remove(path);
            copy(&other.join("projection"), path);
        };
        stores.check_damage(left, "projection", "another's", swap, Expectation::Opens);
        let nowhere = |path: &Path| {
            remove(path);
            symlink("nowhere", path).unwrap();
        };
        stores.check_damage(
            left,
            "projection",
            "a link without a target",
            nowhere,
            Expectation::Opens,
        );
    }
    println!("{} openings", stores.cases);
}

#[test]
fn an_invalid_store_directory_is_named_with_a_remedy() {
    let mut stores = DamagedStores::new();
    let elsewhere = |path: &Path| {
        let to = path.with_extension("moved");
        remove(&to);
        fs::rename(path, &to).unwrap();
        symlink(to, path).unwrap();
    };
    let file = |path: &Path| write(path, b"a file");
    let nowhere = |path: &Path| {
        remove(path);
        symlink("nowhere", path).unwrap();
    };
    stores.check_damage(
        CloseState::Closed,
        "",
        "a link",
        elsewhere,
        Expectation::Opens,
    );
    let wrong = Expectation::Refuses(&[
        "something else stands where a directory belongs",
        "store.path",
    ]);
    stores.check_damage(CloseState::Closed, "", "a file", file, wrong);
    stores.check_damage(
        CloseState::Closed,
        "",
        "a link without a target",
        nowhere,
        wrong,
    );
}

/// Tests other files in the place of the control socket.
#[tokio::test]
async fn other_files_are_never_taken_for_the_control_socket() {
    type PutFile = fn(&Path);
    let rows: [(&str, PutFile, Option<&str>); 7] = [
        ("nothing", |_| {}, None),
        (
            "a dead socket",
            |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            None,
        ),
        (
            "a file",
            |path| write(path, b"notes"),
            Some("is not a socket is there; move it away"),
        ),
        (
            "noise",
            |path| write(path, &foreign_contents()[0].1),
            Some("is not a socket is there; move it away"),
        ),
        (
            "an empty file",
            |path| write(path, b""),
            Some("is not a socket is there; move it away"),
        ),
        (
            "a directory",
            |path| fs::create_dir(path).unwrap(),
            Some("is not a socket is there; move it away"),
        ),
        (
            "a link without a target",
            |path| symlink("nowhere", path).unwrap(),
            Some("is not a socket is there; move it away"),
        ),
    ];
    for (what, put, refused) in rows {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        put(&path);
        let before = fs::symlink_metadata(&path).map(|meta| meta.ino()).ok();
        match (Listener::bind(&path), refused) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) => {
                let text = error.to_string();
                assert!(text.contains(words), "{what}: {text}");
                assert!(text.contains(&path.display().to_string()), "{what}: {text}");
                let after = fs::symlink_metadata(&path).map(|meta| meta.ino()).ok();
                assert_eq!(after, before, "{what}: it was touched");
            }
            (bound, _) => panic!("{what}: {bound:?}"),
        }
    }
}

/// The hint of when the last watch ran: a damaged hint only ever costs calls.
#[test]
fn a_damaged_watch_hint_never_prevents_a_watch() {
    let defaults = maitred::config::parse::parse("", "config.toml").unwrap();
    let schedule = defaults.config.schedule;
    let now = at(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watched");
    let hint = WatchState {
        last_watch: Some(now),
        last_audit: Some(now),
    };
    hint.save(folder.path());
    let good = fs::read(&file).unwrap();
    let week = now + maitred::domain::time::Span::days(7);
    let due = |what: &str| {
        let loaded = WatchState::load(folder.path());
        assert!(
            loaded.due_watch(&schedule, week).is_some(),
            "{what}: {loaded:?}"
        );
    };
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&file, bytes).unwrap();
            due(&format!("byte {at} bit {bit}"));
        }
        fs::write(&file, &good[..at]).unwrap();
        due(&format!("cut at {at}"));
    }
    for (what, bytes) in foreign_contents() {
        fs::write(&file, bytes).unwrap();
        due(what);
    }
}

/// Tells the child, which runs as a user other than root, which store to open.
const CHILD: &str = "MAITRED_TEST_STORE";

/// The user `nobody`.
const NOBODY: u32 = 65_534;

#[test]
fn missing_permissions_are_named_with_the_user_who_needs_them() {
    if let Ok(path) = std::env::var(CHILD) {
        println!("said: {}", opening_message(Path::new(&path)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let template = folder.path().join("template");
    fill(&template, "bo@example.com", CloseState::Closed);
    // Root may read and write everything, so root starts the child as another user. A user other
    // than root needs no child.
    let root = fs::metadata(&template).unwrap().uid() == 0;
    let program = root.then(|| executable_for_everybody(folder.path()));
    let who = "it must belong to the user that maitred runs as";
    // File, mode, expected message.
    let rows: [(&str, u32, Option<&str>); 15] = [
        ("", 0o700, None),
        ("", 0o000, Some(who)),
        ("", 0o500, Some(who)),
        ("log", 0o000, Some(who)),
        ("log", 0o500, None),
        (FIRST, 0o000, Some(who)),
        (FIRST, 0o400, None),
        (LAST, 0o000, Some(who)),
        (LAST, 0o400, Some(who)),
        ("clean-shutdown", 0o000, Some(who)),
        ("clean-shutdown", 0o400, None),
        ("lock", 0o000, Some(who)),
        ("lock", 0o400, Some(who)),
        ("projection", 0o000, None),
        ("projection", 0o500, None),
    ];
    for (file, mode, refused) in rows {
        let store = folder.path().join("store");
        remove(&store);
        copy(&template, &store);
        if root {
            give_to_nobody(&store);
        }
        let harmed = path_in(&store, file);
        fs::set_permissions(&harmed, Permissions::from_mode(mode)).unwrap();
        let message = match &program {
            Some(program) => opening_message_as_nobody(program, &store),
            None => opening_message(&store),
        };
        let what = format!("{file:?} {mode:o}: {message}");
        match refused {
            None => assert_eq!(message, "whole", "{what}"),
            Some(words) => {
                assert!(message.contains(words), "{what}");
                assert!(message.contains(&store.display().to_string()), "{what}");
            }
        }
        // A file that was only the clean-shutdown marker is gone by now.
        if harmed.symlink_metadata().is_ok() {
            fs::set_permissions(&harmed, Permissions::from_mode(0o700)).unwrap();
        }
        let opened = open(&store).unwrap_or_else(|error| panic!("{what}: {}", error_chain(&error)));
        check_complete(&opened.store, COMMITS);
        drop(opened);
        make_removable(&store);
    }
}

/// Makes the store removable again: a projection that could not be read was moved aside unchanged.
fn make_removable(path: &Path) {
    if path.symlink_metadata().unwrap().is_dir() {
        fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        for entry in fs::read_dir(path).unwrap() {
            make_removable(&entry.unwrap().path());
        }
    }
}

/// Returns `whole` if the store opens, or the error.
fn opening_message(store: &Path) -> String {
    match open(store) {
        Ok(opened) => {
            check_complete(&opened.store, COMMITS);
            "whole".to_owned()
        }
        Err(error) => error_chain(&error),
    }
}

/// Copies this program to a place where every user may start it: the build folder may belong to
/// root alone.
fn executable_for_everybody(folder: &Path) -> PathBuf {
    let program = folder.join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program
}

/// Returns the opening message of a process that runs as the user `nobody`.
fn opening_message_as_nobody(program: &Path, store: &Path) -> String {
    let name = "store_damage::missing_permissions_are_named_with_the_user_who_needs_them";
    let mut child = Command::new(program);
    child
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, store)
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY);
    let done = child.output().unwrap_or_else(|error| {
        panic!("root must be able to start this as another user, or nothing is tested: {error}")
    });
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let all = format!("{out} {}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{store:?}: {all}");
    let message = out.lines().find_map(|line| line.split_once("said: "));
    message.expect(&all).1.to_owned()
}

fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_to_nobody(&entry.unwrap().path());
        }
    }
}
