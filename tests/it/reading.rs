//! Commands that only read leave no trace: no file, no lock, no projection. They do not keep a
//! daemon or a timer from the store, and root leaves nothing behind that the service could not use.
//! Also tests what an operator can do while the configuration is wrong.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::fixture::binary::{BinaryFixture, Daemon, to_run_result};

/// The id of a user that no machine has.
const UNKNOWN_USER_ID: u32 = 54_321;

/// Every command that only reads.
const READING_COMMANDS: [&[&str]; 15] = [
    &["account", "list"],
    &["account", "show", "bo@example.com"],
    &["account", "statement", "bo@example.com"],
    &["credits", "list", "bo@example.com"],
    &["credits", "export"],
    &["decisions"],
    &["explain", "UID"],
    &["review", "list"],
    &["charges", "list"],
    &["unresolved"],
    &["ledger", "show"],
    &["ledger", "verify"],
    &["ledger", "export"],
    &["plan"],
    &["run", "--once", "--dry-run", "--watch"],
];

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Returns what is in the folder: names, owners, modes, times of the last change, lengths.
fn folder_state(folder: &Path) -> BTreeMap<String, (u32, u32, i64, i64, u64)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let of = fs::symlink_metadata(&path).unwrap();
        if of.is_dir() {
            found.extend(folder_state(&path));
        }
        let is = (of.uid(), of.mode(), of.mtime(), of.mtime_nsec(), of.len());
        found.insert(path.display().to_string(), is);
    }
    found
}

fn change_owner(folder: &Path, uid: u32) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        chown(&path, Some(uid), None).unwrap();
        if path.is_dir() {
            change_owner(&path, uid);
        }
    }
    chown(folder, Some(uid), None).unwrap();
}

/// Returns a fixture with a confirmed booking, and the booking's uid.
fn fixture_with_confirmed_booking() -> (BinaryFixture, String) {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let uid = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once", "--watch"]);
    (fixture, uid)
}

fn with_uid<'a>(args: &[&'a str], uid: &'a str) -> Vec<&'a str> {
    let name = |word: &&'a str| if *word == "UID" { uid } else { word };
    args.iter().map(name).collect()
}

#[test]
fn reading_commands_change_no_file() {
    let (fixture, uid) = fixture_with_confirmed_booking();
    let ledger = fixture.path("ledger");
    // As a clean end leaves the ledger, as a crash leaves it, and with only the log.
    for state in ["closed", "crashed", "bare"] {
        match state {
            "crashed" => fs::remove_file(ledger.join("clean-shutdown")).unwrap(),
            "bare" => {
                fs::remove_dir_all(ledger.join("projection")).unwrap();
                fs::remove_file(ledger.join("lock")).unwrap();
                fs::remove_file(ledger.join("watched")).unwrap();
            }
            _ => {}
        }
        let before = folder_state(&ledger);
        for args in READING_COMMANDS {
            fixture.run_ok(&with_uid(args, &uid));
            assert_eq!(folder_state(&ledger), before, "{state}: {args:?}");
        }
        fixture.run(&["check", "--live"]);
        assert_eq!(folder_state(&ledger), before, "{state}: check --live");
    }
}

#[test]
fn reading_commands_show_the_state_of_the_ledger() {
    let (fixture, uid) = fixture_with_confirmed_booking();
    let looks = |fixture: &BinaryFixture| {
        let out = |args: &[&str]| fixture.run_ok(args).out;
        [
            out(&["account", "statement", "bo@example.com"]),
            out(&["explain", &uid]),
            out(&["decisions", "--format", "json"]),
            out(&["charges", "list", "--format", "json"]),
            out(&["ledger", "export"]),
        ]
    };
    let read = looks(&fixture);
    let daemon = Daemon::start(&fixture);
    assert_eq!(read, looks(&fixture), "the daemon says the same");
    drop(daemon);
}

#[test]
fn a_torn_line_is_reported_and_not_removed() {
    let (fixture, _) = fixture_with_confirmed_booking();
    let whole = fs::read(fixture.log()).unwrap();
    fs::write(fixture.log(), &whole[..whole.len() - 10]).unwrap();
    let ran = fixture.run_ok(&["account", "list"]);
    assert!(ran.err.contains("torn"), "{}", ran.err);
    assert_eq!(fs::read(fixture.log()).unwrap().len(), whole.len() - 10);
}

#[test]
fn files_that_root_creates_can_be_used_by_the_service() {
    if !is_root() {
        return;
    }
    let (fixture, uid) = fixture_with_confirmed_booking();
    let ledger = fixture.path("ledger");
    change_owner(&ledger, UNKNOWN_USER_ID);
    let before = folder_state(&ledger);
    for args in READING_COMMANDS {
        fixture.run_ok(&with_uid(args, &uid));
    }
    assert_eq!(folder_state(&ledger), before);
    for args in [
        &["credits", "grant", "bo@example.com", "1"][..],
        &[
            "account",
            "freeze",
            "bo@example.com",
            "--reason",
            "two words",
        ],
        &["run", "--once"],
        &["run"],
        &["init"],
    ] {
        let ran = fixture.run(args);
        assert_eq!(ran.code, 77, "{args:?}: {}", ran.all_output());
        // sudo does not pass on the variable that names the configuration.
        let config = fixture.path("config.toml");
        let right = format!(
            "sudo -u '#{UNKNOWN_USER_ID}' maitred --config {} {}",
            config.display(),
            args[0]
        );
        assert!(ran.err.contains(&right), "{}", ran.err);
    }
    let quoted = fixture.run(&[
        "account",
        "freeze",
        "bo@example.com",
        "--reason",
        "two words",
    ]);
    assert!(
        quoted.err.contains("--reason 'two words'"),
        "{}",
        quoted.err
    );
    assert_eq!(folder_state(&ledger), before);
}

#[test]
fn a_missing_permission_on_the_store_exits_with_77_which_prevents_a_restart() {
    if !is_root() {
        return;
    }
    let (fixture, _) = fixture_with_confirmed_booking();
    // The other user may read everything except the ledger.
    fs::set_permissions(fixture.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(fixture.path("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let binary = fixture.path("maitred");
    fs::copy(env!("CARGO_BIN_EXE_maitred"), &binary).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    for args in [
        &["run", "--once"][..],
        &["run"],
        &["account", "list"],
        &["credits", "grant", "bo@example.com", "1"],
    ] {
        let mut command = std::process::Command::new(&binary);
        command
            .args(args)
            .current_dir(fixture.folder.path())
            .env_clear()
            .env("MAITRED_CONFIG", fixture.path("config.toml"))
            .uid(UNKNOWN_USER_ID)
            .gid(UNKNOWN_USER_ID);
        let ran = to_run_result(command.output().unwrap());
        assert_eq!(ran.code, 77, "{args:?}: {}", ran.all_output());
        assert!(ran.err.contains("ermission"), "{}", ran.err);
    }
    let unit = include_str!("../../systemd/maitred.service");
    let prevented = unit
        .lines()
        .find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    assert!(
        prevented.unwrap().split(' ').any(|code| code == "77"),
        "{prevented:?}"
    );
}

#[test]
fn a_start_waits_for_a_brief_lock_on_the_store() {
    let (fixture, _) = fixture_with_confirmed_booking();
    let lock = File::open(fixture.path("ledger/lock")).unwrap();
    // Another process holds the lock permanently: the run is refused, and reading continues.
    lock.try_lock().unwrap();
    assert_eq!(fixture.run(&["run", "--once"]).code, 75);
    fixture.run_ok(&["account", "list"]);
    // Another process holds the lock for a moment.
    let child = fixture.command(&["run", "--once"]).spawn().unwrap();
    std::thread::park_timeout(std::time::Duration::from_millis(700));
    lock.unlock().unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn a_daemon_is_reached_while_the_configuration_is_wrong() {
    let (fixture, _) = fixture_with_confirmed_booking();
    let daemon = Daemon::start(&fixture);
    let good = fs::read_to_string(fixture.path("config.toml")).unwrap();
    let wrongs = [
        format!("{good}\ncolour = \"red\"\n"),
        format!("{good}\n[[gate\n"),
        good.replace("cost = 1", "cost = \"much\""),
    ];
    for wrong in &wrongs {
        fs::write(fixture.path("config.toml"), wrong).unwrap();
        assert_eq!(fixture.run(&["account", "list"]).code, 78);
        let commands: [&[&str]; 3] = [&["pause", "--reason", "test"], &["status"], &["resume"]];
        for args in commands {
            let ran = fixture.run_ok(args);
            assert!(ran.out.contains("maitred"), "{}", ran.out);
            assert!(ran.err.contains("cannot be used now"), "{}", ran.err);
        }
    }
    drop(daemon);
    // Without a daemon the configuration must be corrected first.
    assert_eq!(fixture.run(&["status"]).code, 78);
}

#[test]
fn settings_that_need_a_restart_are_refused_by_a_reload() {
    let (fixture, _) = fixture_with_confirmed_booking();
    let daemon = Daemon::start(&fixture);
    let base = fixture.sandbox.base_url();
    let good = fs::read_to_string(fixture.path("config.toml")).unwrap();
    let rows = [
        (
            "store.path",
            good.replace("path = \"ledger\"", "path = \"other\""),
        ),
        ("calcom.base-url", good.replace(&base, "http://127.0.0.1:1")),
        (
            "calcom.dialect",
            good.replace("dialect = \"v2\"", "dialect = \"v1\""),
        ),
        (
            "control.socket",
            format!("{good}\n[control]\nsocket = \"other.sock\"\n"),
        ),
        (
            "page",
            format!("{good}\n[page]\nlisten = \"127.0.0.1:0\"\n"),
        ),
    ];
    let policy = |fixture: &BinaryFixture| {
        fixture.run_ok(&["status", "--format", "json"]).json()["policy"].clone()
    };
    let before = policy(&fixture);
    for (key, text) in rows {
        // The file changes another key, too, and this change is not applied either.
        assert_ne!(text, good, "{key}");
        let text = text.replace("cost = 1", "cost = 2");
        fs::write(fixture.path("config.toml"), text).unwrap();
        daemon.signal("-HUP");
        let lines = daemon.wait_for_line("the configuration in force does not change");
        assert!(lines.last().unwrap().contains(key), "{lines:?}");
        fs::write(fixture.path("config.toml"), &good).unwrap();
        assert_eq!(policy(&fixture), before, "{key}");
    }
    let uid = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "13:00:00Z");
    crate::fixture::binary::wait_until("a pass", || fixture.status(&uid) == "accepted");
    assert!(!fixture.path("other").exists());
}
