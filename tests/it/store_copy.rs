//! Backups of the log: made while the store continues to write, checked, restored into an empty
//! place, and refused otherwise.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use maitred::domain::progress::WorkStep;
use maitred::domain::time::Time;
use maitred::store::backup::{self, CopyError, LogCopy, export};
use maitred::store::log_store::LogStore;
use maitred::store::port::{Head, Store};
use tempfile::TempDir;

use crate::fixture::store_support::{account, at, error_chain, grant_fact, open, open_small};

/// Returns a store with this many grants, in segments of a few lines each.
fn store_with(grants: u64) -> (TempDir, LogStore) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_small(dir.path()).unwrap().store;
    for number in 0..grants {
        grant_credits(&mut store, number);
    }
    (dir, store)
}

fn grant_credits(store: &mut LogStore, number: u64) {
    let fact = grant_fact(&format!("g{number}"), "bo@example.com", 1);
    store.commit(at(0), vec![fact], &[]).unwrap();
}

fn back_up(store: &Path, head: &Head, to: &Path) -> Result<LogCopy, CopyError> {
    backup::back_up(store, head, to, &mut |_| {})
}

fn restore(from: &Path, store: &Path, now: Time) -> Result<LogCopy, CopyError> {
    backup::restore(from, store, now, &mut |_| {})
}

fn total_credits(path: &Path) -> u64 {
    let store = open(path).unwrap().store;
    let account = store.account(&account("bo@example.com")).unwrap();
    account.map_or(0, |account| account.available(at(0)))
}

fn file_names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_backup_reports_how_much_is_copied() {
    let (dir, store) = store_with(40);
    let to = tempfile::tempdir().unwrap();
    let mut reports = Vec::new();
    let head = store.head();
    let copied = backup::back_up(dir.path(), &head, to.path(), &mut |progress| {
        reports.push(progress);
    });
    let copied = copied.unwrap();
    assert!(
        copied.files > 1 && reports.len() as u32 == copied.files,
        "{reports:?}"
    );
    assert!(
        reports
            .iter()
            .all(|report| report.step == WorkStep::CopyLog)
    );
    assert!(reports.windows(2).all(|pair| pair[0].done < pair[1].done));
    assert_eq!(reports.last().unwrap().percent(), Some(100));
}

#[test]
fn a_backup_ends_with_the_named_commit_even_if_the_log_grew() {
    for grants in [0, 1, 40] {
        let (dir, mut store) = store_with(grants);
        let head = store.head();
        let to = tempfile::tempdir().unwrap();
        let to = to.path().join("a/b");
        for number in 0..20 {
            grant_credits(&mut store, 1_000 + number);
        }
        // An incomplete line, as if a commit were being written during the backup.
        let segments = file_names(&dir.path().join("log"));
        let last = dir.path().join("log").join(segments.last().unwrap());
        let whole = fs::read(&last).unwrap();
        let mut file = OpenOptions::new().append(true).open(&last).unwrap();
        file.write_all(b"{\"seq\":").unwrap();
        let copied = back_up(dir.path(), &head, &to).unwrap();
        assert_eq!(copied.head, head, "{grants}");
        assert!(grants < 40 || copied.files > 1, "there are some segments");
        fs::write(&last, whole).unwrap();

        assert_eq!(file_names(&to), ["log"]);
        let back = tempfile::tempdir().unwrap();
        let restored = restore(&to, back.path(), at(0)).unwrap();
        // The mark of the restore is not part of the backup.
        assert_eq!(
            (restored.head, restored.files),
            (copied.head.clone(), copied.files)
        );
        assert_eq!(total_credits(back.path()), grants);
        grant_credits(&mut open(back.path()).unwrap().store, 7_777);
        assert_eq!(total_credits(back.path()), grants + 1);
    }
}

#[test]
fn a_backup_is_written_only_into_an_empty_place() {
    let (dir, store) = store_with(3);
    let head = store.head();
    let full = tempfile::tempdir().unwrap();
    fs::write(full.path().join("notes.txt"), "mine").unwrap();
    let error = back_up(dir.path(), &head, full.path()).unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty { .. }), "{error}");
    assert!(error.to_string().contains("`notes.txt`"), "{error}");
    assert_eq!(file_names(full.path()), ["notes.txt"]);
    let inside = dir.path().join("deep/backup");
    let before = file_names(dir.path());
    let error = back_up(dir.path(), &head, &inside).unwrap_err();
    assert!(matches!(error, CopyError::InsideStore(_)), "{error}");
    assert_eq!(file_names(dir.path()), before);
}

#[test]
fn a_damaged_log_gives_no_backup_and_no_restore() {
    let (dir, store) = store_with(3);
    let head = store.head();
    let to = tempfile::tempdir().unwrap();
    back_up(dir.path(), &head, to.path()).unwrap();
    drop(store);
    let alter = |dir: &Path| {
        let path = dir.join("log/00000001.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("spring", "sprint", 1)).unwrap();
    };
    alter(dir.path());
    let again = tempfile::tempdir().unwrap();
    let error = back_up(dir.path(), &head, again.path()).unwrap_err();
    assert!(matches!(error, CopyError::Copy(_)), "{error}");
    assert_eq!(file_names(again.path()), [""; 0], "what was begun is gone");

    alter(to.path());
    let back = tempfile::tempdir().unwrap();
    let error = restore(to.path(), &back.path().join("ledger"), at(0)).unwrap_err();
    assert!(
        error_chain(&error).contains("the line was altered"),
        "{error}"
    );
    assert_eq!(file_names(back.path()), [""; 0], "nothing was put in place");
}

#[test]
fn a_log_whose_end_is_missing_is_not_accepted_as_complete() {
    let (dir, store) = store_with(3);
    let mut head = store.head();
    head.seq += 1;
    let to = tempfile::tempdir().unwrap();
    let error = back_up(dir.path(), &head, to.path()).unwrap_err();
    let expect = CopyError::Incomplete {
        expected: 4,
        found: 3,
    };
    assert_eq!(error.to_string(), expect.to_string());
    assert_eq!(file_names(to.path()), [""; 0]);
}

#[test]
fn a_restore_is_refused_where_a_ledger_exists() {
    let (dir, store) = store_with(3);
    let to = tempfile::tempdir().unwrap();
    back_up(dir.path(), &store.head(), to.path()).unwrap();
    let occupied = restore(to.path(), dir.path(), at(0)).unwrap_err();
    assert!(matches!(occupied, CopyError::Occupied(_)), "{occupied}");
    let other = tempfile::tempdir().unwrap();
    fs::create_dir(other.path().join("projection")).unwrap();
    let error = restore(to.path(), other.path(), at(0)).unwrap_err();
    assert!(matches!(error, CopyError::StoreDirectory(_)), "{error}");
    assert_eq!(file_names(other.path()), ["projection"]);
    let nothing = tempfile::tempdir().unwrap();
    let error = restore(nothing.path(), &nothing.path().join("x"), at(0)).unwrap_err();
    assert!(matches!(error, CopyError::NoBackup(_)), "{error}");
}

#[test]
fn a_copy_that_a_crash_cut_off_is_restored_up_to_its_last_whole_line() {
    let (dir, store) = store_with(2);
    let to = tempfile::tempdir().unwrap();
    back_up(dir.path(), &store.head(), to.path()).unwrap();
    let path = to.path().join("log/00000001.jsonl");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let back = tempfile::tempdir().unwrap();
    let restored = restore(to.path(), back.path(), at(0)).unwrap();
    assert_eq!(restored.head.seq, 1);
    assert_eq!(total_credits(back.path()), 1);
}

#[test]
fn an_export_has_the_lines_of_the_commits_unchanged() {
    let (dir, mut store) = store_with(40);
    let head = store.head();
    grant_credits(&mut store, 1_000);
    let mut out = Vec::new();
    assert_eq!(export(dir.path(), &head, &mut out).unwrap(), 40);
    let out = String::from_utf8(out).unwrap();
    let mut expect = String::new();
    for name in file_names(&dir.path().join("log")) {
        let text = fs::read_to_string(dir.path().join("log").join(name)).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("{\"format\""));
        expect.extend(lines.map(|line| format!("{line}\n")));
    }
    let expect: Vec<&str> = expect.lines().take(40).collect();
    assert_eq!(out.lines().collect::<Vec<_>>(), expect);
}
