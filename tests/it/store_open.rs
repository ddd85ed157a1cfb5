//! Opening the store after everything that can happen to it between two runs.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::fixture::store_support::{
    account, at, confirm_intent, confirmed_facts, error_chain, grant_fact, open, open_small,
    open_with_notice, open_without_notice,
};
use crate::fixture::store_support::{decided_fact, request_id};
use maitred::domain::fact::{CreditFact, Fact};
use maitred::domain::id::AccountId;
use maitred::domain::progress::{Progress, WorkStep};
use maitred::store::lock::LockError;
use maitred::store::log_store::LogStore;
use maitred::store::open::{self, CreateIfMissing};
use maitred::store::open_report::{OpenError, OpenNotice};
use maitred::store::port::{CommitSource, HistorySubject, Maintenance, Store};

/// Creates a store with a few commits: bo has 10 credits, 3 of which are spent.
fn fill(path: &Path) -> LogStore {
    let (mut store, notice) = open_with_notice(path);
    assert_eq!(notice, OpenNotice::Created(path.to_owned()));
    for commit in sample_commits() {
        store.commit(at(1), commit, &[]).expect("it commits");
    }
    store
}

fn sample_commits() -> Vec<Vec<maitred::domain::fact::Fact>> {
    let mut commits = vec![vec![grant_fact("spring", "bo@example.com", 10)]];
    for n in 0..3 {
        commits.push(confirmed_facts(
            &format!("uid{n}"),
            "bo@example.com",
            "spring",
            at(n),
        ));
    }
    commits.push(vec![decided_fact(confirm_intent("open", &["open"], at(9)))]);
    commits
}

fn bo() -> AccountId {
    account("bo@example.com")
}

fn check(store: &LogStore) {
    let account = store
        .account(&bo())
        .expect("it reads")
        .expect("it is there");
    assert!(account.adds_up());
    assert_eq!((account.available(at(2)), account.totals.posted), (7, 3));
    assert_eq!(store.head().seq, 5);
    let open = store.open_intents(None, 10).expect("it reads");
    assert_eq!(
        open.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(),
        ["open"]
    );
    assert_eq!(store.open_charges(None, 10).expect("it reads").len(), 3);
    let verified = store.verify(&mut |_| {}).expect("it verifies");
    assert_eq!(verified.differences, [""; 0]);
    assert_eq!((verified.commits, verified.facts), (5, 17));
}

fn directory() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a/store");
    (dir, path)
}

#[test]
fn opening_reports_how_much_of_the_log_is_checked_and_applied() {
    let (_dir, path) = directory();
    let mut store = open(&path).unwrap().store;
    for commit in 0..5 {
        let long_grant = |number: u32| {
            let mut fact = grant_fact(&format!("{commit}-{number}"), "bo@example.com", 1);
            if let Fact::Credit(CreditFact::Grant { reason, .. }) = &mut fact {
                *reason = "x".repeat(10_000);
            }
            fact
        };
        let facts = (0..50).map(long_grant).collect();
        store.commit(at(0), facts, &[]).unwrap();
    }
    drop(store);
    fs::remove_dir_all(path.join("projection")).unwrap();
    let mut reports = Vec::new();
    let report = &mut |progress| reports.push(progress);
    open::open(&path, CreateIfMissing::No, at(0), report).unwrap();
    for step in [WorkStep::CheckLog, WorkStep::RebuildProjection] {
        let of_step = reports.iter().filter(|report| report.step == step);
        let done: Vec<u64> = of_step.map(|report| report.done).collect();
        assert!(
            !done.is_empty() && done.is_sorted(),
            "{step:?}: {reports:?}"
        );
    }
    let is_within = |report: &Progress| report.total.is_some_and(|total| report.done <= total);
    assert!(reports.iter().all(is_within), "{reports:?}");
}

#[test]
fn a_cleanly_closed_store_opens_unchanged() {
    let (_dir, path) = directory();
    let mut store = fill(&path);
    check(&store);
    store.close().expect("it closes");
    drop(store);
    for _ in 0..3 {
        let mut store = open_without_notice(&path);
        check(&store);
        store.close().expect("it closes");
    }
}

#[test]
fn a_store_opened_and_closed_often_verifies_and_finds_every_line() {
    const OPENINGS: u64 = 6;
    const COMMITS: u64 = 3;
    // So many that some lines begin more than one mark distance after the last mark.
    const MEMBERS: u64 = 60;
    let (_dir, path) = directory();
    for opening in 0..OPENINGS {
        let mut store = open(&path).expect("it opens").store;
        for n in 0..COMMITS {
            let to = |m| grant_fact(&format!("{opening}.{n}.{m}"), &format!("member{m}"), 1);
            let facts = (0..MEMBERS).map(to).collect();
            store.commit(at(1), facts, &[]).expect("it commits");
        }
        store.close().expect("it closes");
    }
    let store = open_without_notice(&path);
    let verified = store.verify(&mut |_| {}).expect("it verifies");
    assert_eq!(verified.differences, [""; 0]);
    let member = HistorySubject::Account(account("member0"));
    let history = store.history(&member, None, usize::MAX).expect("it reads");
    let seqs: Vec<u64> = history.iter().map(|written| written.seq).collect();
    assert_eq!(seqs, (1..=OPENINGS * COMMITS).rev().collect::<Vec<_>>());
}

#[test]
fn an_empty_store_opens_unchanged() {
    let (_dir, path) = directory();
    let mut store = open_with_notice(&path).0;
    assert!(store.is_empty().expect("it reads"));
    store.close().expect("it closes");
    drop(store);
    let mut store = open_without_notice(&path);
    assert_eq!(store.head().seq, 0);
    store
        .commit(at(1), vec![grant_fact("g", "bo", 1)], &[])
        .expect("it commits");
}

#[test]
fn a_store_that_was_not_closed_is_rebuilt() {
    let (_dir, path) = directory();
    drop(fill(&path));
    let (store, notice) = open_with_notice(&path);
    let OpenNotice::ProjectionRebuilt {
        moved_to: moved,
        commits,
        facts,
        ..
    } = notice
    else {
        panic!("{notice}");
    };
    assert_eq!(moved, Some(path.join("projection.doubtful-1")));
    assert_eq!((commits, facts), (5, 17));
    check(&store);
}

#[test]
fn only_the_owner_can_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, path) = directory();
    let mut store = fill(&path);
    store.close().expect("it closes");
    for (name, mode) in [
        ("", 0o700),
        ("log", 0o700),
        ("projection", 0o700),
        ("lock", 0o600),
        ("clean-shutdown", 0o600),
        ("log/00000001.jsonl", 0o600),
    ] {
        let meta = fs::metadata(path.join(name)).expect(name);
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn any_damage_to_the_projection_rebuilds_it() {
    type Damage = (&'static str, fn(&Path));
    let harms: [Damage; 9] = [
        ("deleted", |projection| {
            fs::remove_dir_all(projection).expect("removed")
        }),
        ("emptied", |projection| {
            fs::remove_dir_all(projection).expect("removed");
            fs::create_dir(projection).expect("made");
        }),
        ("a file in its place", |projection| {
            fs::remove_dir_all(projection).expect("removed");
            fs::write(projection, "not a folder").expect("written");
        }),
        ("db emptied", |projection| {
            fs::write(projection.join("db"), "").expect("written")
        }),
        ("db deleted", |projection| {
            fs::remove_file(projection.join("db")).expect("removed")
        }),
        ("conf deleted", |projection| {
            fs::remove_file(projection.join("conf")).expect("removed")
        }),
        ("db cut in half", |projection| {
            let db = fs::read(projection.join("db")).expect("read");
            fs::write(projection.join("db"), &db[..db.len() / 2]).expect("written");
        }),
        ("db one byte changed", |projection| {
            let mut db = fs::read(projection.join("db")).expect("read");
            let at = db.iter().position(|b| *b == b'b').expect("bo is in there");
            db[at] ^= 1;
            fs::write(projection.join("db"), db).expect("written");
        }),
        ("noise in all files", |projection| {
            for entry in fs::read_dir(projection).expect("read") {
                let path = entry.expect("read").path();
                if path.is_file() {
                    let length = fs::metadata(&path).expect("read").len();
                    let noise = (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8);
                    fs::write(&path, noise.collect::<Vec<_>>()).expect("written");
                }
            }
        }),
    ];
    let (_dir, path) = directory();
    let mut store = fill(&path);
    for (harm, run) in harms {
        store.close().expect("it closes");
        drop(store);
        run(&path.join("projection"));
        let (opened, notice) = open_with_notice(&path);
        assert!(
            matches!(notice, OpenNotice::ProjectionRebuilt { .. }),
            "{harm}: {notice}"
        );
        store = opened;
        check(&store);
    }
    let doubtful = fs::read_dir(&path).expect("read").filter(|entry| {
        let name = entry.as_ref().expect("read").file_name();
        name.to_string_lossy().starts_with("projection.doubtful-")
    });
    assert_eq!(doubtful.count(), 2, "only the latest are kept");
}

#[test]
fn a_store_damaged_while_open_reports_it_or_is_rebuilt_and_never_gives_wrong_data() {
    let (_dir, path) = directory();
    let store = fill(&path);
    fs::write(path.join("projection/db"), "").expect("written");
    drop(store);
    let (store, _) = open_with_notice(&path);
    check(&store);
}

#[test]
fn a_damaged_marker_causes_a_rebuild() {
    for damage in ["", "noise", "{\"format\":1}\n"] {
        let (_dir, path) = directory();
        let mut store = fill(&path);
        store.close().expect("it closes");
        drop(store);
        fs::write(path.join("clean-shutdown"), damage).expect("written");
        let (store, notice) = open_with_notice(&path);
        assert!(
            matches!(notice, OpenNotice::ProjectionRebuilt { .. }),
            "{damage}: {notice}"
        );
        check(&store);
    }
}

#[test]
fn a_projection_that_is_behind_is_caught_up() {
    let (_dir, path) = directory();
    let mut store = fill(&path);
    store.close().expect("it closes");
    drop(store);
    let log = path.join("log/00000001.jsonl");
    let short = fs::read(&log).expect("read");
    let mut store = open_without_notice(&path);
    store
        .commit(at(2), vec![grant_fact("more", "bo@example.com", 5)], &[])
        .expect("it commits");
    drop(store);
    let long = fs::read(&log).expect("read");
    // First the projection is closed after five commits again, then the sixth line comes back.
    fs::write(&log, short).expect("written");
    let mut store = open_with_notice(&path).0;
    check(&store);
    store.close().expect("it closes");
    drop(store);
    fs::write(&log, long).expect("written");
    let (store, notice) = open_with_notice(&path);
    assert_eq!(notice, OpenNotice::ProjectionCaughtUp { commits: 1 });
    assert_eq!(
        store
            .account(&bo())
            .expect("reads")
            .expect("there")
            .available(at(2)),
        12
    );
    assert_eq!(
        store.verify(&mut |_| {}).expect("verifies").differences,
        [""; 0]
    );
}

#[test]
fn commits_that_are_missing_from_the_log_are_detected() {
    let (_dir, path) = directory();
    let mut store = fill(&path);
    store.close().expect("it closes");
    drop(store);
    let log = path.join("log/00000001.jsonl");
    let text = fs::read_to_string(&log).expect("read");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&log, lines[..4].join("\n") + "\n").expect("written");
    let error = open(&path).map(|_| ()).expect_err("commits are missing");
    assert!(
        matches!(
            error,
            OpenError::LogTooShort {
                end: 3,
                closed_after: 5,
                ..
            }
        ),
        "{error}"
    );
    // The remedy that the message names.
    fs::remove_file(path.join("clean-shutdown")).expect("removed");
    let (store, _) = open_with_notice(&path);
    assert_eq!(store.head().seq, 3);
}

#[test]
fn a_store_is_open_in_one_process_at_a_time() {
    let (_dir, path) = directory();
    let store = fill(&path);
    let error = open(&path).map(|_| ()).expect_err("it is held");
    let OpenError::Lock(LockError::Held { pid, since, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!((*pid, *since), (Some(std::process::id()), Some(at(0))));
    let expect = format!(
        "open the store at {}: it is held by process {} since 2026-09-21T14:13:20Z",
        path.display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expect);
    drop(store);
    assert!(open(&path).is_ok(), "it was let go");
}

#[test]
fn no_store_is_created_in_a_read_only_place() {
    let (dir, path) = directory();
    let refused = |path: &Path| {
        let opened = open::open(path, CreateIfMissing::No, at(0), &mut |_| {});
        opened.map(|_| ()).expect_err("there is none")
    };
    assert!(matches!(refused(&path), OpenError::NoStore(_)));
    assert!(!path.exists());
    assert!(matches!(refused(dir.path()), OpenError::NoStore(_)));
    assert_eq!(
        fs::read_dir(dir.path()).expect("read").count(),
        0,
        "not even a lock"
    );
}

#[test]
fn a_directory_with_anything_else_in_it_is_not_made_a_store() {
    for (name, found) in [
        ("projection/db", "`projection`"),
        ("projection.doubtful-1/db", "`projection.doubtful-1`"),
        ("clean-shutdown", "`clean-shutdown`"),
        ("notes.txt", "`notes.txt`"),
        ("control.sock", "`control.sock`"),
        (".4711x/s", "`.4711x`"),
        ("./..data", "`..data`"),
        ("log/torn-7", "`log/torn-7`"),
    ] {
        let (_dir, path) = directory();
        let file = path.join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        fs::write(&file, "").expect("written");
        let error = open(&path).map(|_| ()).expect_err(name);
        let OpenError::NoLog { found: named, .. } = &error else {
            panic!("{name}: {error}");
        };
        assert_eq!(named, found);
        assert!(
            error
                .to_string()
                .contains("restore the folder `log` from a backup")
        );
    }
}

#[test]
fn files_of_the_control_socket_do_not_count_as_a_ledger() {
    let (_dir, path) = directory();
    // As a running daemon leaves them; the directory exists only for a moment.
    fs::create_dir_all(path.join(".4711")).expect("made");
    let _socket = UnixListener::bind(path.join("control.sock")).expect("bound");
    let refused = open::open(&path, CreateIfMissing::No, at(0), &mut |_| {});
    let error = refused.map(|_| ()).expect_err("there is none");
    assert!(matches!(error, OpenError::NoStore(_)), "{error}");
    let (store, notice) = open_with_notice(&path);
    assert_eq!(notice, OpenNotice::Created(path.clone()));
    drop(store);
    assert!(path.join(".4711").exists() && path.join("control.sock").exists());
}

#[test]
fn an_interrupted_first_start_is_repeated() {
    let (_dir, path) = directory();
    fs::create_dir_all(path.join("log")).expect("made");
    fs::create_dir_all(path.join("lost+found")).expect("made");
    fs::write(path.join("log/00000001.jsonl.new"), "{").expect("written");
    fs::write(path.join("lock"), "").expect("written");
    let (store, notice) = open_with_notice(&path);
    assert_eq!(notice, OpenNotice::Created(path.clone()));
    assert_eq!(store.head().seq, 0);
}

#[test]
fn many_segments_are_one_log() {
    let (_dir, path) = directory();
    let mut store = open_small(&path).expect("it opens").store;
    for commit in sample_commits() {
        store.commit(at(1), commit, &[]).expect("it commits");
    }
    check(&store);
    store.close().expect("it closes");
    drop(store);
    assert!(path.join("log/00000002.jsonl").exists());
    let opened = open_small(&path).expect("it opens");
    assert_eq!(opened.notices, []);
    let mut store = opened.store;
    check(&store);
    // A page of commits may begin in one segment and end in another.
    let last = store.head().seq;
    for after in 0..last {
        for limit in [1, 2, 100] {
            let page = store.commits(after, limit).expect("they are read");
            let read: Vec<u64> = page.iter().map(|commit| commit.seq).collect();
            let end = last.min(after + limit as u64);
            assert_eq!(read, (after + 1..=end).collect::<Vec<_>>());
        }
    }
    store
        .commit(at(3), vec![grant_fact("late", "al", 1)], &[])
        .expect("it commits");
    drop(store);
    let opened = open_small(&path).expect("it opens");
    assert_eq!(opened.notices.len(), 1);
    drop(opened);

    fs::rename(path.join("log/00000001.jsonl"), path.join("first")).expect("moved");
    let error = open(&path).map(|_| ()).expect_err("a segment is missing");
    assert!(
        error_chain(&error).contains("00000001.jsonl: segments after it exist"),
        "{error}"
    );
}

#[test]
fn more_commits_than_between_two_flushes_survive_a_kill() {
    let (_dir, path) = directory();
    let mut store = open_with_notice(&path).0;
    for n in 0..40_u64 {
        let fact = grant_fact(&format!("g{n}"), "bo@example.com", n + 1);
        store.commit(at(1), vec![fact], &[]).expect("it commits");
    }
    drop(store);
    let (store, _) = open_with_notice(&path);
    let account = store.account(&bo()).expect("reads").expect("there");
    assert_eq!(account.available(at(2)), 820);
    assert_eq!(store.head().seq, 40);
}

#[test]
fn a_path_that_is_no_directory_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    fs::write(&path, "").expect("written");
    let error = open(&path).map(|_| ()).expect_err("it is a file");
    assert!(
        error_chain(&error).contains(&path.display().to_string()),
        "{}",
        error_chain(&error)
    );
}

#[test]
fn a_request_is_found_after_the_store_is_reopened() {
    let (_dir, path) = directory();
    let mut store = fill(&path);
    store.close().expect("it closes");
    drop(store);
    let store = open_without_notice(&path);
    let request = store
        .request(&request_id("uid1"))
        .expect("reads")
        .expect("there");
    assert_eq!(request.decided_at, at(1));
}
