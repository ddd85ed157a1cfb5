//! `credits import` with the built binary: files as spreadsheets write them, and files of more than
//! one part, with the daemon running and without.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon, RunResult, to_run_result, wait_until};

const BO: &str = "bo@example.com";

/// The most rows that are imported in one commit, and the rows of a part when there are several.
const ONE_PART: usize = 50_000;
const ROWS_OF_PART: usize = 10_000;

fn import(fixture: &BinaryFixture, more: &[&str]) -> RunResult {
    fixture.run(&[&["credits", "import", "members.csv"], more].concat())
}

fn import_json(fixture: &BinaryFixture, more: &[&str]) -> Value {
    let output = import(fixture, &[&["--format", "json"], more].concat());
    assert_eq!(output.code, 0, "{}", output.all_output());
    output.json()
}

#[test]
fn a_file_of_a_shop_is_imported_with_what_it_says_about_members() {
    for with_daemon in [false, true] {
        let fixture = BinaryFixture::new("v2");
        let daemon = with_daemon.then(|| Daemon::start(&fixture));
        let text = "sep=;\r\nOrder;E-Mail;Name;Guthaben;G\u{fc}ltig bis;Alias;attribute:seat;Total;\r\n\
                    17;Bo@Example.com;Bo;3,00;31.12.2099;bo@work.example;A 4;9,90;\r\n\
                    18;al@office;Al;1;;;;3,30;\r\n";
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(units).collect();
        fs::write(fixture.path("members.csv"), bytes).unwrap();
        let refused = import(&fixture, &[]);
        assert_eq!(refused.code, 2);
        for expect in [
            "column 1 is called \"Order\"",
            "\"Total\"",
            "--map",
            "--ignore",
        ] {
            assert!(refused.err.contains(expect), "{expect}: {}", refused.err);
        }
        let options = ["--map", "reference=Order", "--ignore", "Total"];
        let dry = import(&fixture, &[&options[..], &["--dry-run"]].concat());
        assert!(
            dry.out.contains("Nothing was written."),
            "{}",
            dry.all_output()
        );
        let done = import(&fixture, &options);
        for expect in [
            "2 rows read, 2 granted, with 4 credits",
            "Columns that were not read: Name, Total.",
            "line 4: \"al@office\" has a domain without a dot",
        ] {
            assert!(done.out.contains(expect), "{expect}: {}", done.all_output());
        }
        let show = ["account", "show", "bo@work.example", "--format", "json"];
        let account = fixture.run_ok(&show).json();
        assert_eq!(account["account"], BO);
        assert_eq!(account["attributes"]["seat"], "A 4");
        assert_eq!(account["lots"][0]["grant"], "17");
        let again = import_json(&fixture, &options);
        assert_eq!(
            (&again["granted"], &again["already_imported"]),
            (&0.into(), &2.into())
        );
        assert_eq!(again["accounts_updated"], 0);
        drop(daemon);
    }
}

/// An alias that leads elsewhere, in the ledger or within the file.
#[test]
fn an_alias_that_is_taken_is_refused_with_its_line() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "cy@example.com", "1"]);
    let rows = "account,credits,aliases\n\
                bo@example.com,1,cy@example.com\n\
                al@example.com,1,x@example.com\n\
                di@example.com,1,x@example.com\n\
                fi@example.com,1,al@example.com\n";
    fs::write(fixture.path("members.csv"), rows).unwrap();
    let refused = import(&fixture, &[]);
    assert_eq!(refused.code, 2, "{}", refused.all_output());
    for expect in [
        "line 2: cy@example.com is the name of another account",
        "line 4: line 3 gives the alias x@example.com to al@example.com",
        "line 5: the alias al@example.com is the name of another account that this file opens",
    ] {
        assert!(refused.err.contains(expect), "{expect}: {}", refused.err);
    }
    assert_eq!(fixture.run(&["account", "show", BO]).code, 1);
}

fn write_many_rows(fixture: &BinaryFixture, rows: usize) -> PathBuf {
    let lines: String = (0..rows).map(|n| format!("m{n}@example.com,1\n")).collect();
    let path = fixture.path("members.csv");
    fs::write(&path, format!("account,credits\n{lines}")).unwrap();
    path
}

fn commits(fixture: &BinaryFixture) -> u64 {
    let view = fixture
        .run_ok(&["ledger", "verify", "--format", "json"])
        .json();
    view["commits"].as_u64().unwrap()
}

fn fact_count(fixture: &BinaryFixture) -> u64 {
    let view = fixture
        .run_ok(&["ledger", "verify", "--format", "json"])
        .json();
    view["facts"].as_u64().unwrap()
}

/// A process that was killed between two parts, and a file that is imported again.
#[test]
fn a_large_import_that_is_killed_is_completed_by_the_same_command() {
    let fixture = BinaryFixture::new("v2");
    let rows = ONE_PART + 1;
    write_many_rows(&fixture, rows);
    // The first pass records whose ledger it is.
    fixture.run_ok(&["run", "--once"]);
    let before = fact_count(&fixture);
    let daemon = Daemon::start(&fixture);
    let mut killed = fixture
        .command(&["credits", "import", "members.csv"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let has_grant = || fixture.run(&["account", "show", "m1@example.com"]).code == 0;
    wait_until("the first part is written", has_grant);
    killed.kill().unwrap();
    killed.wait().unwrap();
    drop(daemon);
    let view = import_json(&fixture, &[]);
    let number = |name: &str| view[name].as_u64().unwrap();
    assert_eq!(number("granted") + number("already_imported"), rows as u64);
    assert!(number("already_imported") >= ROWS_OF_PART as u64, "{view}");
    assert_eq!(number("rows"), rows as u64);
    // Besides the grants, each commit says who made it.
    let facts = fact_count(&fixture) - before;
    assert!(
        (rows as u64..rows as u64 + 100).contains(&facts),
        "a row counts once: {facts}"
    );
    for account in ["m0@example.com", "m9999@example.com", "m50000@example.com"] {
        assert_eq!(fixture.balance(account), (1, 0, 0), "{account}");
    }
    let head = commits(&fixture);
    let again = import(&fixture, &[]);
    assert!(
        again.out.contains("50001 rows had been imported before"),
        "{}",
        again.all_output()
    );
    assert_eq!(commits(&fixture), head, "the second time changes nothing");
}

#[test]
fn an_interrupted_import_says_what_to_do() {
    let fixture = BinaryFixture::new("v2");
    write_many_rows(&fixture, 3 * ONE_PART);
    let _daemon = Daemon::start(&fixture);
    let running = fixture
        .command(&["credits", "import", "members.csv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let has_grant = || fixture.run(&["account", "show", "m1@example.com"]).code == 0;
    wait_until("the first part is written", has_grant);
    let interrupt = Command::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupt.success());
    let output = to_run_result(running.wait_with_output().unwrap());
    assert_eq!(output.code, 1, "{}", output.all_output());
    assert!(
        output.err.contains("run the same command again"),
        "{}",
        output.err
    );
    assert!(
        output
            .err
            .contains("of the 150000 rows of members.csv are imported"),
        "{}",
        output.err
    );
}

#[test]
fn a_large_file_with_one_bad_row_is_not_imported_at_all() {
    let fixture = BinaryFixture::new("v2");
    let path = write_many_rows(&fixture, ONE_PART);
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("bo@example.com,\"1,000\"\nal@example.com,1\n");
    fs::write(&path, text).unwrap();
    let head = commits(&fixture);
    let refused = import(&fixture, &[]);
    assert_eq!(refused.code, 2);
    let expect = "line 50002: column 2 (credits): \"1,000\" has two meanings";
    assert!(refused.err.contains(expect), "{}", refused.err);
    assert_eq!(commits(&fixture), head);
}

#[test]
fn standard_input_is_read_like_a_file() {
    let fixture = BinaryFixture::new("v2");
    let mut child = fixture
        .command(&["credits", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write as _;
        stdin.write_all(b"account,credits\n").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        stdin.write_all(b"bo@example.com,4\n").unwrap();
    });
    writer.join().unwrap();
    let output = to_run_result(child.wait_with_output().unwrap());
    assert_eq!(output.code, 0, "{}", output.all_output());
    assert_eq!(fixture.balance(BO), (4, 0, 0));
}

/// Returns a fixture whose configuration names a folder, and the path of the folder.
fn fixture_with_folder(more: &str) -> (BinaryFixture, PathBuf) {
    let fixture = BinaryFixture::new("v2");
    let config = fs::read_to_string(fixture.path("config.toml")).unwrap();
    let section = format!("[import]\nfolder = \"incoming\"\n{more}\n");
    fixture.write_config(&format!("{section}\n{config}"));
    let folder = fixture.path("incoming");
    fs::create_dir(&folder).unwrap();
    (fixture, folder)
}

/// Puts a file into the folder that was complete some time ago.
fn put(folder: &std::path::Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written - Duration::from_secs(60))
        .unwrap();
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn files_of_the_folder_are_imported_or_set_aside_with_a_report() {
    let (fixture, folder) =
        fixture_with_folder("map = [\"account=Customer\"]\nignore = [\"Total\"]");
    put(
        &folder,
        "good.csv",
        "Customer;Credits;Total\nbo@example.com;3;9,90\n",
    );
    put(
        &folder,
        "bad.csv",
        "Customer,credits\nbo@example.com,1\nal@example.com,\"1,000\"\n",
    );
    put(
        &folder,
        ".hidden.csv",
        "Customer,credits\nbo@example.com,9\n",
    );
    put(&folder, "notes.md", "notes");
    fs::write(
        folder.join("new.csv"),
        "Customer,credits\nbo@example.com,9\n",
    )
    .unwrap();
    std::os::unix::fs::symlink(fixture.path("config.toml"), folder.join("link.csv")).unwrap();
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.balance(BO), (3, 0, 0));
    assert_eq!(names(&folder.join("done")), ["good.csv"]);
    assert_eq!(
        names(&folder.join("bad")),
        ["bad.csv", "bad.csv.report.txt"]
    );
    let left = [
        ".hidden.csv",
        "bad",
        "done",
        "link.csv",
        "new.csv",
        "notes.md",
    ];
    assert_eq!(
        names(&folder),
        left,
        "what is not complete or not meant stays"
    );
    let report = fs::read_to_string(folder.join("bad/bad.csv.report.txt")).unwrap();
    for expect in [
        "nothing of bad.csv was imported",
        "line 3: column 2 (credits): \"1,000\"",
    ] {
        assert!(report.contains(expect), "{report}");
    }
    // The same names once more: the earlier files stay.
    put(&folder, "good.csv", "Customer,credits\nbo@example.com,3\n");
    put(&folder, "bad.csv", "Customer\n");
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.balance(BO), (3, 0, 0), "the rows count once");
    assert_eq!(names(&folder.join("done")), ["good.csv", "good.csv.2"]);
    assert!(names(&folder.join("bad")).contains(&"bad.csv.2.report.txt".to_owned()));
    // A dry run leaves the folder alone.
    put(&folder, "later.csv", "Customer,credits\nal@example.com,3\n");
    fixture.run_ok(&["run", "--once", "--dry-run"]);
    assert!(names(&folder).contains(&"later.csv".to_owned()));
}

#[test]
fn the_daemon_imports_a_file_when_it_is_complete_and_shows_what_is_in_the_way() {
    let (fixture, folder) = fixture_with_folder("");
    let daemon = Daemon::start(&fixture);
    fs::write(folder.join("a.csv"), "account,credits\nbo@example.com,3\n").unwrap();
    wait_until("the file is imported", || {
        names(&folder.join("done")) == ["a.csv"]
    });
    assert_eq!(fixture.balance(BO), (3, 0, 0));
    let history = fixture
        .run_ok(&["account", "statement", BO, "--format", "json"])
        .out;
    assert!(history.contains("import folder"), "{history}");
    // A file in the way of the folder done.
    fs::rename(folder.join("done"), folder.join("old")).unwrap();
    fs::write(folder.join("done"), "in the way").unwrap();
    put(&folder, "b.csv", "account,credits\nal@example.com,2\n");
    wait_until("the problem is shown", || {
        let status = fixture.run_ok(&["status", "--format", "json"]).json();
        let problems = status["problems"].to_string();
        problems.contains("import-folder") && problems.contains("b.csv is imported and cannot be")
    });
    assert_eq!(fixture.balance("al@example.com"), (2, 0, 0));
    fs::remove_file(folder.join("done")).unwrap();
    wait_until("the file is moved", || {
        names(&folder.join("done")) == ["b.csv"]
    });
    assert_eq!(
        fixture.balance("al@example.com"),
        (2, 0, 0),
        "it counts once"
    );
    let (code, _) = daemon.terminate();
    assert_eq!(code, 0);
}

/// The daemon is killed while it imports a large file; the next one completes the import.
#[test]
fn a_file_of_the_folder_is_completed_after_a_kill() {
    let (fixture, folder) = fixture_with_folder("");
    let rows = ONE_PART + 1;
    let path = write_many_rows(&fixture, rows);
    fs::rename(&path, folder.join("members.csv")).unwrap();
    let mut daemon = Daemon::start(&fixture);
    let has_grant = || fixture.run(&["account", "show", "m1@example.com"]).code == 0;
    wait_until("the first part is written", has_grant);
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    drop(daemon);
    let daemon = Daemon::start(&fixture);
    // It takes longer than other tests wait.
    for _ in 0..1_200 {
        if names(&folder.join("done")) == ["members.csv"] {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(names(&folder.join("done")), ["members.csv"]);
    for account in ["m0@example.com", "m9999@example.com", "m50000@example.com"] {
        assert_eq!(fixture.balance(account), (1, 0, 0), "{account}");
    }
    drop(daemon);
}
