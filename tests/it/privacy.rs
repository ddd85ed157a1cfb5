//! What an operator sees of erasures, of exports that move a ledger, of the rehearsal of a restore,
//! of backups that are made by themselves, and of personal data that is kept for a time.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon, wait_until};

const BO: &str = "bo@example.com";

/// Adds a section to the configuration.
fn add_config(fixture: &BinaryFixture, section: &str) {
    let path = fixture.path("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n{section}\n")).unwrap();
}

/// Returns true if a file below the folder has the text.
fn any_file_has(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => any_file_has(&path, text),
            false => fs::read(&path).is_ok_and(|bytes| {
                bytes
                    .windows(text.len())
                    .any(|window| window == text.as_bytes())
            }),
        }
    })
}

fn sums(fixture: &BinaryFixture, account: &str) -> Value {
    let mut view = fixture
        .run_ok(&["account", "show", account, "--format", "json"])
        .json();
    let view = view.as_object_mut().unwrap();
    let names = [
        "available",
        "held",
        "posted",
        "refunded",
        "expired",
        "revoked",
    ];
    names.iter().map(|name| view.remove(*name)).collect()
}

/// Books, confirms and erases; with a daemon or without one.
fn erase_and_check(with_daemon: bool) {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&[
        "credits",
        "grant",
        BO,
        "3",
        "--reference",
        "dues-bo@example.com",
    ]);
    fixture.run_ok(&["account", "alias", BO, "bo@work.example"]);
    fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let before = sums(&fixture, BO);
    let daemon = with_daemon.then(|| Daemon::start(&fixture));
    let words = ["account", "erase", "bo@work.example", "--reason", "left"];
    let refused = fixture.run(&words);
    assert_eq!(refused.code, 2, "{}", refused.all_output());
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    let yes = [&words[..], &["--yes", "--format", "json"]].concat();
    let view = fixture.run_ok(&yes).json();
    let pseudonym = view["pseudonym"].as_str().unwrap().to_owned();
    assert_eq!(view["open_charges"], 1, "{view}");
    assert_eq!(sums(&fixture, &pseudonym), before);
    let unknown = fixture.run(&["account", "show", BO]);
    assert_eq!(unknown.code, 1, "{}", unknown.all_output());
    let again = fixture.run(&yes);
    assert!(
        again.err.contains("nothing in the ledger names"),
        "{}",
        again.err
    );
    let verified = fixture
        .run_ok(&["ledger", "verify", "--format", "json"])
        .json();
    assert_eq!(verified["differences"], serde_json::json!([]));
    assert_eq!(verified["projection_compared"], with_daemon);
    // The daemon continues, and so do the charges of the person.
    fixture.run_ok(&["credits", "grant", "al@example.com", "1"]);
    if let Some(daemon) = daemon {
        let (code, lines) = daemon.terminate();
        assert_eq!(code, 0, "{lines:?}");
    }
    let store = fixture.path("ledger");
    for trace in [BO, "bo@work.example"] {
        assert!(!any_file_has(&store, trace), "{trace}");
    }
    let watched = fixture.run_ok(&["run", "--once", "--watch", "--format", "json"]);
    assert!(!watched.out.contains("unmanaged"), "{}", watched.out);
}

#[test]
fn a_person_is_erased_without_a_daemon() {
    erase_and_check(false);
}

#[test]
fn a_person_is_erased_while_a_daemon_runs() {
    erase_and_check(true);
}

#[test]
fn a_ledger_moves_by_an_export_and_a_backup_is_rehearsed() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "3"]);
    fixture.run_ok(&["credits", "grant", "al@example.com", "4"]);
    fixture.run_ok(&["ledger", "export", "--full", "--out", "full.jsonl"]);
    fixture.run_ok(&["backup", "copy"]);
    let view = fixture
        .run_ok(&["restore", "copy", "--check", "--format", "json"])
        .json();
    assert_eq!(
        (&view["accounts"], &view["available"]),
        (&2.into(), &7.into()),
        "{view}"
    );
    let plain = fixture.run_ok(&["restore", "copy", "--check"]).out;
    assert!(plain.contains("nothing was written"), "{plain}");
    let occupied = fixture.run(&["ledger", "import", "full.jsonl", "--moved"]);
    assert!(
        occupied.err.contains("there is a ledger"),
        "{}",
        occupied.err
    );
    let store = fixture.path("ledger");
    fs::rename(&store, fixture.path("old")).unwrap();
    let imported = fixture.run_ok(&["ledger", "import", "full.jsonl", "--moved"]);
    assert!(
        imported.out.contains("not marked as restored"),
        "{}",
        imported.out
    );
    fixture.run_ok(&["ledger", "export", "--full", "--out", "again.jsonl"]);
    let read = |name: &str| fs::read_to_string(fixture.path(name)).unwrap();
    assert_eq!(read("again.jsonl"), read("full.jsonl"));
    fs::remove_dir_all(&store).unwrap();
    let imported = fixture.run_ok(&["ledger", "import", "full.jsonl"]);
    assert!(imported.out.contains("accept-restore"), "{}", imported.out);
    let shown = fixture
        .run_ok(&["ledger", "show", "--format", "json"])
        .json();
    assert!(shown["restored_at"].is_string(), "{shown}");
}

#[test]
fn backups_are_made_by_a_run_and_by_the_daemon_and_their_failure_shows() {
    let fixture = BinaryFixture::new("v2");
    add_config(&fixture, "[backup]\ndirectory = \"backups\"\nkeep = 2");
    fixture.run_ok(&["run", "--once"]);
    let failed = fixture.run(&["status", "--format", "json"]).json();
    assert_eq!(failed["problems"][0]["code"], "backup-failed", "{failed}");
    let error = failed["backup"]["error"].as_str().unwrap();
    assert!(error.contains("is not there"), "{error}");
    let folder = fixture.path("backups");
    fs::create_dir(&folder).unwrap();
    // A failure is tried again after an hour, or when the record about it is gone.
    fs::remove_file(fixture.path("ledger/care")).unwrap();
    fixture.run_ok(&["run", "--once"]);
    let count = || fs::read_dir(&folder).unwrap().count();
    assert_eq!(count(), 1);
    let status = fixture.run(&["status", "--format", "json"]).json();
    assert!(status["backup"]["last_at"].is_string(), "{status}");
    assert_eq!(status["problems"], Value::Null, "{status}");
    let path = status["backup"]["last_path"].as_str().unwrap().to_owned();
    fixture.run_ok(&["restore", &path, "--check"]);
    // The next is due in a day.
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(count(), 1);
    fs::remove_file(fixture.path("ledger/care")).unwrap();
    fs::remove_dir_all(&path).unwrap();
    let daemon = Daemon::start(&fixture);
    wait_until("the daemon made a backup", || {
        fs::read_dir(&folder).unwrap().any(|entry| {
            !entry
                .unwrap()
                .file_name()
                .to_string_lossy()
                .ends_with("partial")
        })
    });
    wait_until("the status shows the backup", || {
        let status = fixture.run(&["status", "--format", "json"]).json();
        status["backup"]["last_at"].is_string()
    });
    assert_eq!(daemon.terminate().0, 0);
}

#[test]
fn old_personal_data_is_removed_and_the_daemon_continues() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "3"]);
    fixture.request_booking(
        fixture.event_types.lesson,
        "stranger@example.com",
        "09:00:00Z",
    );
    fixture.run_ok(&["run", "--once"]);
    fixture.run_ok(&["run", "--once"]);
    let store = fixture.path("ledger");
    assert!(any_file_has(&store, "stranger@example.com"));
    add_config(&fixture, "[privacy]\nkeep = \"30d\"");
    // Nothing is as old as that yet, so the log stays as it is.
    let before = fs::read_to_string(fixture.log()).unwrap();
    fixture.run_ok(&["run", "--once"]);
    let after = fs::read_to_string(fixture.log()).unwrap();
    assert!(after.starts_with(&before), "{after}");
    let care = fs::read_to_string(store.join("care")).unwrap();
    assert!(care.contains("personal_data_searched"), "{care}");
}
