//! `status --check`: the exit code and the line for monitoring, with a daemon and with a timer.

use std::fs;

use crate::fixture::binary::{BinaryFixture, Daemon, RunResult, wait_until};

fn check(fixture: &BinaryFixture, more: &[&str]) -> RunResult {
    // A pass may end between the two commands, so the answers are compared when they agree.
    let ask_twice = |_| {
        let ran = fixture.run(&[&["status", "--check"], more].concat());
        let json = fixture.run(&[&["status", "--check", "--format", "json"], more].concat());
        (json.code == ran.code).then(|| (ran, json.json()))
    };
    let (ran, view) = (0..5).find_map(ask_twice).expect("both forms judge alike");
    assert_eq!(ran.out.lines().count(), 1, "one line: {:?}", ran.out);
    assert_eq!(view["exit"], ran.code);
    assert_eq!(view["healthy"], ran.code == 0);
    ran
}

fn expect(fixture: &BinaryFixture, more: &[&str], code: i32, text: &str) {
    let ran = check(fixture, more);
    assert_eq!(ran.code, code, "{}", ran.all_output());
    assert!(ran.out.contains(text), "{}", ran.out);
}

#[test]
fn with_a_daemon_the_check_says_what_is_wrong() {
    let fixture = BinaryFixture::new("v2");
    expect(&fixture, &[], 69, "no daemon listens on");
    let daemon = Daemon::start(&fixture);
    wait_until("the first pass", || {
        check(&fixture, &[]).out.contains("healthy: Last pass")
    });
    expect(&fixture, &[], 0, "Nothing waits. Nothing needs a person.");
    expect(&fixture, &["--max-age", "1h"], 0, "healthy");

    // A pause is no problem, but it is named.
    fixture.run_ok(&["pause", "--reason", "ill"]);
    expect(&fixture, &[], 0, "healthy: Paused until `maitred resume`.");
    fixture.run_ok(&["resume"]);

    let good = fs::read_to_string(fixture.path("config.toml")).unwrap();
    fixture.write_config(&format!("{good}unknown-booker = \"review\"\n"));
    fixture.run_ok(&["reload"]);
    let review = fixture.request_booking(fixture.event_types.dinner, "di@example.com", "09:00:00Z");
    wait_until("the review", || check(&fixture, &[]).code == 4);
    expect(&fixture, &[], 4, "attention: 1 in review");
    fixture.run_ok(&["review", "decline", &review]);
    wait_until("the decline", || check(&fixture, &[]).code == 0);

    // The daemon continues with the configuration that it has, but a restart would fail.
    fixture.write_config(&format!("{good}colour = 1\n"));
    expect(&fixture, &[], 78, "see `maitred check`");
    fixture.write_config(&good);
    assert_eq!(daemon.terminate().0, 0);
    expect(&fixture, &[], 69, "no daemon listens on");
}

#[test]
fn a_daemon_that_does_not_reach_the_server_is_reported() {
    let fixture = BinaryFixture::new("v2");
    fixture.configure("v2", "http://127.0.0.1:1", "");
    let daemon = Daemon::start(&fixture);
    daemon.wait_for_line("the next pass tries again");
    expect(&fixture, &[], 69, "the last pass failed");
    // A pause says that no passes are expected.
    fixture.run_ok(&["pause", "--reason", "the server moves"]);
    expect(&fixture, &[], 0, "Paused");
    assert_eq!(daemon.terminate().0, 0);
}

#[test]
fn where_a_timer_runs_the_last_run_counts() {
    let fixture = BinaryFixture::new("v2");
    expect(&fixture, &[], 69, "no daemon listens on");
    fixture.run_ok(&["run", "--once"]);
    expect(&fixture, &[], 0, "healthy: Last pass");
    expect(&fixture, &["--max-age", "1h"], 0, "healthy");
    expect(
        &fixture,
        &["--max-age", "0s"],
        69,
        "the last pass is too long ago",
    );
    // The state is printed, and the exit code still says that no daemon runs.
    let status = fixture.run(&["status"]);
    assert_eq!(status.code, 69);
    assert!(status.out.contains("no daemon runs"), "{}", status.out);

    let good = fs::read_to_string(fixture.path("config.toml")).unwrap();
    fixture.write_config(&format!("{good}unknown-booker = \"review\"\n"));
    fixture.request_booking(fixture.event_types.dinner, "di@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    expect(&fixture, &[], 4, "attention: 1 in review");

    // A run that fails counts until the next one.
    fixture.configure("v2", "http://127.0.0.1:1", "");
    assert_eq!(fixture.run(&["run", "--once"]).code, 69);
    expect(&fixture, &[], 69, "the last pass failed");
    let key = fs::read_to_string(fixture.path("key")).unwrap();
    fs::write(fixture.path("key"), "cal_0123456789abcdef0123456789abcdef").unwrap();
    fixture.write_config(&good);
    assert_eq!(fixture.run(&["run", "--once"]).code, 77);
    expect(&fixture, &[], 77, "the last pass failed");
    fs::write(fixture.path("key"), key).unwrap();
    let lock = fs::File::open(fixture.path("ledger/lock")).unwrap();
    lock.try_lock().unwrap();
    assert_eq!(fixture.run(&["run", "--once"]).code, 75);
    expect(&fixture, &[], 75, "the last pass failed");
    drop(lock);
    fixture.write_config(&format!("{good}colour = 1\n"));
    expect(&fixture, &[], 78, "see `maitred check`");
    fixture.write_config(&good);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(check(&fixture, &[]).code, 0);

    // A daemon takes over, and after its end no timer is known.
    let daemon = Daemon::start(&fixture);
    assert_eq!(daemon.terminate().0, 0);
    expect(&fixture, &[], 69, "no daemon listens on");
    assert_eq!(fixture.run(&["status", "--max-age", "1h"]).code, 2);
}
