//! The metrics file of the built binary: written by the daemon and by single runs, and no reason to
//! stop.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::samples;
use crate::fixture::binary::{BinaryFixture, Daemon, to_run_result, wait_until};

const BO: &str = "bo@example.com";
const SUCCESSES: &str = "maitred_passes_total{outcome=\"success\"}";
const CONFIRMED: &str = "maitred_outcomes_total{outcome=\"confirmed\"}";

fn fixture_with_metrics(file: &str) -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    configure_metrics(&fixture, file);
    fixture
}

fn configure_metrics(fixture: &BinaryFixture, file: &str) {
    let more = format!("[metrics]\nfile = \"{file}\"\n");
    fixture.configure("v2", &fixture.sandbox.base_url(), &more);
}

/// Returns a value of the file; `None` while there is no file.
fn read_value(path: &Path, series: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    samples(&text).get(series).copied()
}

#[test]
fn the_daemon_writes_the_file_for_other_users_and_at_its_end() {
    let fixture = fixture_with_metrics("maitred.prom");
    fixture.run_ok(&["credits", "grant", BO, "4"]);
    let path = fixture.path("maitred.prom");
    let daemon = Daemon::start(&fixture);
    wait_until("a pass", || {
        read_value(&path, SUCCESSES).is_some_and(|passes| passes >= 1.0)
    });
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let uid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    wait_until("the confirmation", || {
        read_value(&path, CONFIRMED) == Some(1.0)
    });
    assert_eq!(fixture.status(&uid), "accepted");
    // A pause is in the file at once, although no pass follows.
    let paused = || read_value(&path, "maitred_paused");
    assert_eq!(paused(), Some(0.0));
    fixture.run_ok(&["pause", "--reason", "test"]);
    wait_until("the pause", || paused() == Some(1.0));
    // A command of an operator counts at the next export, at the latest at the end.
    fixture.run_ok(&["credits", "grant", BO, "3"]);
    let (code, _) = daemon.terminate();
    assert_eq!(code, 0);
    let granted = read_value(&path, "maitred_credits_total{kind=\"granted\"}");
    assert_eq!(
        granted,
        Some(3.0),
        "what was granted before the start is not counted"
    );
    let text = fs::read_to_string(&path).unwrap();
    for word in ["@", "lesson", &uid] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert!(!fixture.path("maitred.prom.new").exists());
}

#[test]
fn single_runs_add_to_the_file_and_a_dry_run_writes_none() {
    let fixture = fixture_with_metrics("maitred.prom");
    let path = fixture.path("maitred.prom");
    fixture.run_ok(&["credits", "grant", BO, "4"]);
    fixture.run_ok(&["run", "--once", "--dry-run"]);
    fixture.run_ok(&["plan"]);
    assert!(!path.exists());
    for (passes, hour) in [(1.0, "09:00:00Z"), (2.0, "11:00:00Z")] {
        fixture.request_booking(fixture.event_types.lesson, BO, hour);
        fixture.run_ok(&["run", "--once"]);
        assert_eq!(read_value(&path, SUCCESSES), Some(passes));
        assert_eq!(read_value(&path, CONFIRMED), Some(passes));
    }
    // A run that fails adds a failure, and leaves the time of the last success.
    let success = "maitred_last_success_timestamp_seconds";
    let last = read_value(&path, success).unwrap();
    assert!(last > 1_700_000_000.0, "{last}");
    fs::write(fixture.path("key"), "cal_wrong_key").unwrap();
    assert_eq!(fixture.run(&["run", "--once"]).code, 77);
    let refused = "maitred_passes_total{outcome=\"credential\"}";
    assert_eq!(read_value(&path, refused), Some(1.0));
    assert_eq!(read_value(&path, success), Some(last));
    assert_eq!(read_value(&path, SUCCESSES), Some(2.0));
    let calls = "maitred_calls_total{endpoint=\"me\",outcome=\"not-authorized\"}";
    assert_eq!(read_value(&path, calls), Some(1.0));
}

#[test]
fn a_file_that_cannot_be_written_is_reported_once_and_stops_nothing() {
    let fixture = fixture_with_metrics("missing/maitred.prom");
    fixture.run_ok(&["credits", "grant", BO, "4"]);
    let checked = fixture.run_ok(&["check"]);
    assert!(
        checked.out.contains("warning  metrics: the folder"),
        "{}",
        checked.out
    );
    assert!(checked.out.contains("missing"), "{}", checked.out);
    let path = fixture.path("missing/maitred.prom");
    let folder = path.parent().unwrap();
    fs::create_dir(folder).unwrap();
    let daemon = Daemon::start(&fixture);
    wait_until("the file", || read_value(&path, SUCCESSES).is_some());
    // The daemon may write into the folder at the same moment.
    wait_until("the removal", || fs::remove_dir_all(folder).is_ok());
    let uid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    wait_until("the confirmation", || fixture.status(&uid) == "accepted");
    let problems = || {
        let status = fixture.run_ok(&["status", "--format", "json"]).json();
        status["problems"].clone()
    };
    wait_until("the problem", || !problems().is_null());
    assert_eq!(problems()[0]["code"], "metrics-file");
    let text = problems()[0]["text"].to_string();
    assert!(
        text.contains("create its folder, or change metrics.file"),
        "{text}"
    );
    assert!(fixture.run_ok(&["status"]).out.contains("metrics-file"));

    // The folder appears again, and the next pass writes the file.
    fs::create_dir(folder).unwrap();
    wait_until("the file", || read_value(&path, SUCCESSES).is_some());
    wait_until("the end of the problem", || problems().is_null());

    // A reload names another file.
    configure_metrics(&fixture, "other.prom");
    daemon.signal("-HUP");
    let other = fixture.path("other.prom");
    wait_until("the other file", || read_value(&other, SUCCESSES).is_some());
    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0);
    let count = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert_eq!(count("the metrics cannot be written to"), 1, "{lines:#?}");
    assert_eq!(count("the metrics are written again"), 1, "{lines:#?}");
}

#[test]
fn a_run_whose_file_cannot_be_written_succeeds() {
    let fixture = fixture_with_metrics("missing/maitred.prom");
    let ran = to_run_result(fixture.command(&["run", "--once"]).output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.all_output());
    assert!(
        ran.err.contains("the metrics cannot be written to"),
        "{}",
        ran.err
    );
}

#[test]
fn the_name_of_the_file_is_checked() {
    let fixture = fixture_with_metrics("metrics.txt");
    let checked = fixture.run_ok(&["check"]);
    assert!(
        checked.out.contains("node_exporter does not read"),
        "{}",
        checked.out
    );
}
