//! What an operator reads in the log: one line for each event, with the person who caused it.

use std::fs;

use crate::fixture::binary::{BinaryFixture, Daemon, to_run_result, wait_until};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, FaultTimes, Stage};

const BO: &str = "bo@example.com";

/// Gates that review and wait. The event type `open` belongs to no gate.
const GATES: &str = "unknown-booker = \"review\"\nshort-of-credit = \"wait\"\n";

fn find_line<'a>(lines: &'a [String], text: &str) -> &'a str {
    let found = lines.iter().find(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("{text:?} is not in {lines:#?}"))
}

#[test]
fn notes_and_operator_commands_are_logged_once() {
    let fixture = BinaryFixture::new("v2");
    fixture.configure("v2", &fixture.sandbox.base_url(), GATES);
    fixture.run_ok(&["credits", "grant", BO, "1", "--new"]);
    let daemon = Daemon::start(&fixture);
    let uid = rustix::process::getuid().as_raw();

    let paid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let lines = daemon.wait_for_line("confirmed");
    assert!(
        find_line(&lines, "confirmed").contains(" credits=1 "),
        "{lines:#?}"
    );
    // The line of a request that was not charged has no credits.
    let unknown =
        fixture.request_booking(fixture.event_types.lesson, "di@example.com", "10:00:00Z");
    let lines = daemon.wait_for_line("declined");
    let declined = find_line(&lines, "declined");
    assert!(declined.contains(&unknown), "{declined}");
    assert!(!declined.contains("credits="), "{declined}");
    let short = fixture.request_booking(fixture.event_types.dinner, BO, "11:00:00Z");
    let lines = daemon.wait_for_line("waits");
    assert!(find_line(&lines, "waits").contains(&short), "{lines:#?}");
    let review = fixture.request_booking(fixture.event_types.dinner, "di@example.com", "13:00:00Z");
    let lines = daemon.wait_for_line("waits for an operator");
    assert!(find_line(&lines, "waits for an operator").contains(&review));
    for hour in ["15:00:00Z", "16:00:00Z"] {
        fixture.request_booking(fixture.event_types.open, BO, hour);
    }
    let lines = daemon.wait_for_line("no gate names the event type");
    let ungated = find_line(&lines, "no gate names");
    assert!(ungated.contains("slug=\"open\""), "{ungated}");

    let commands: [(&[&str], &str); 4] = [
        (
            &["account", "freeze", BO, "--reason", "late"],
            "account freeze",
        ),
        (
            &["account", "alias", BO, "bo@work.example"],
            "account alias",
        ),
        (
            &["charges", "settle", &paid, "refund"],
            "charges settle refund",
        ),
        (&["account", "thaw", BO], "account thaw"),
    ];
    for (args, name) in commands {
        fixture.run_ok(args);
        let lines = daemon.wait_for_line("an operator changed the ledger");
        let line = find_line(&lines, "an operator changed the ledger");
        assert!(line.contains(&format!("uid={uid}")), "{line}");
        assert!(line.contains("interface=\"socket\""), "{line}");
        assert!(line.contains(&format!("command=\"{name}\"")), "{line}");
        assert!(!line.contains('@'), "no address in the log: {line}");
    }
    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0);
    let again = lines.iter().filter(|line| line.contains("no gate names"));
    assert_eq!(again.count(), 0, "{lines:#?}");
}

#[test]
fn the_start_and_end_of_an_outage_are_logged_with_the_server() {
    let fixture = BinaryFixture::new("v2");
    let daemon = Daemon::start(&fixture);
    wait_until("a pass", || fixture.call_count(Operation::List) > 0);
    let down = Fault::BadGateway {
        stage: Stage::Before,
    };
    let rule = FaultRule::on_next(Operation::List, down).times(FaultTimes::Count(2));
    fixture.sandbox.lock().add_fault(rule).unwrap();
    let url = fixture.sandbox.base_url();
    let server = url.trim_start_matches("http://");
    let lines = daemon.wait_for_line("tries again");
    let failed = find_line(&lines, "tries again");
    assert!(
        failed.contains(&format!("{server} answered 502")),
        "{failed}"
    );
    let lines = daemon.wait_for_line("passes work again");
    let over = find_line(&lines, "passes work again");
    assert!(over.contains(server), "{over}");
    let (code, _) = daemon.terminate();
    assert_eq!(code, 0);
}

/// Passes are far apart here, so that the fault hits a watch. After the fault the next watch is a
/// minute away, unless an operator asks for a watch.
#[test]
fn the_start_and_end_of_an_outage_of_watches_are_logged_with_the_server() {
    let fixture = BinaryFixture::new("v2");
    let config = fs::read_to_string(fixture.path("config.toml")).unwrap();
    let config = config.replace("poll = \"1s\"", "poll = \"1h\"");
    fs::write(fixture.path("config.toml"), config).unwrap();
    let daemon = Daemon::start(&fixture);
    wait_until("a pass", || fixture.call_count(Operation::List) > 0);
    let down = Fault::BadGateway {
        stage: Stage::Before,
    };
    let rule = FaultRule::on_next(Operation::List, down).times(FaultTimes::Count(1));
    fixture.sandbox.lock().add_fault(rule).unwrap();
    let url = fixture.sandbox.base_url();
    let server = url.trim_start_matches("http://");
    let lines = daemon.wait_for_line("the watch is tried again in a minute");
    let failed = find_line(&lines, "the watch is tried again");
    let problem = format!("{server} answered 502");
    assert!(failed.contains(&problem), "{failed}");
    fixture.run_ok(&["pass", "--watch"]);
    let lines = daemon.wait_for_line("watches work again");
    let over = find_line(&lines, "watches work again");
    assert!(over.contains(server) && over.contains("502"), "{over}");
    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0);
    let told = lines.iter().filter(|line| line.contains("work again"));
    assert_eq!(told.count(), 0, "told once: {lines:#?}");
}

/// Without a daemon the command itself writes the line.
#[test]
fn commands_without_a_daemon_log_who_changed_the_ledger() {
    let fixture = BinaryFixture::new("v2");
    let uid = rustix::process::getuid().as_raw();
    let granted = fixture.run_ok(&["credits", "grant", BO, "1", "--new"]);
    let backup = fixture.path("backup");
    fixture.run_ok(&["backup", backup.to_str().unwrap()]);
    fs::rename(fixture.path("ledger"), fixture.path("lost")).unwrap();
    let restored = fixture.run_ok(&["restore", backup.to_str().unwrap()]);
    for (ran, name) in [
        (&granted, "command=\"credits grant\""),
        (&restored, "command=\"restore\""),
    ] {
        let line = ran.err.lines().next().unwrap_or_default();
        for word in [
            "an operator changed the ledger",
            name,
            &format!("uid={uid}"),
            "interface=\"command\"",
        ] {
            assert!(line.contains(word), "{word}: {:?}", ran.err);
        }
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        assert!(!line.contains('@'), "no address in the log: {line}");
    }
    // A command that changes nothing logs nothing.
    assert_eq!(fixture.run_ok(&["account", "list"]).err, "");
}

/// D9: texts hold instants in UTC. People read them in the configured zone; JSON keeps them
/// unchanged.
#[test]
fn instants_within_texts_are_shown_in_the_configured_zone() {
    let fixture = BinaryFixture::new("v2");
    let text = fs::read_to_string(fixture.path("config.toml")).unwrap();
    let text = text.replace("[schedule]", "[schedule]\ntime-zone = \"Asia/Tokyo\"");
    fs::write(fixture.path("config.toml"), text).unwrap();
    fixture.run_ok(&["credits", "grant", BO, "1", "--new"]);
    let uid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let refused = fixture.run(&["review", "confirm", &uid]);
    assert_eq!(refused.code, 1, "{}", refused.all_output());
    assert!(refused.err.contains(" JST"), "{}", refused.err);
    let machine = fixture.run(&["review", "confirm", &uid, "--format", "json"]);
    assert!(
        machine.err.contains("Z; make further changes"),
        "{}",
        machine.err
    );
}

#[test]
fn a_log_that_is_no_terminal_has_colours_only_if_the_environment_says_so() {
    let fixture = BinaryFixture::new("v2");
    let rows: [(&[(&str, &str)], bool); 5] = [
        (&[], false),
        (&[("TERM", "xterm-256color")], false),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")], true),
    ];
    for (variables, expect) in rows {
        let mut command = fixture.command(&["run", "--once", "--log-level", "debug"]);
        let ran = to_run_result(command.envs(variables.iter().copied()).output().unwrap());
        assert!(ran.err.contains("DEBUG"), "{}", ran.all_output());
        assert_eq!(
            ran.err.contains("\u{1b}["),
            expect,
            "{variables:?}: {}",
            ran.err
        );
    }
}
