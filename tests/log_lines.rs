//! What an operator reads in the log: one line for each thing that happened, with who did it.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod house;

use std::fs;

use house::{Daemon, House, until};
use maitred::sandbox::faults::{Fault, Rule, Stage, Times};
use maitred::sandbox::journal::Operation;

const BO: &str = "bo@example.com";

/// Gates that review and wait; `open` is in none.
const GATES: &str = "unknown-booker = \"review\"\nshort-of-credit = \"wait\"\n";

fn line<'a>(lines: &'a [String], text: &str) -> &'a str {
    let found = lines.iter().find(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("{text:?} is not in {lines:#?}"))
}

#[test]
fn what_is_left_and_what_operators_do_is_logged_once() {
    let house = House::new("v2");
    house.configure("v2", &house.sandbox.base_url(), GATES);
    house.ok(&["credits", "grant", BO, "1", "--new"]);
    let daemon = Daemon::start(&house);
    let uid = rustix::process::getuid().as_raw();

    let paid = house.ask(house.lesson, BO, "09:00:00Z");
    let lines = daemon.says("confirmed");
    assert!(
        line(&lines, "confirmed").contains(" credits=1 "),
        "{lines:#?}"
    );
    // What was not charged has no credits in its line.
    let unknown = house.ask(house.lesson, "di@example.com", "10:00:00Z");
    let lines = daemon.says("declined");
    let declined = line(&lines, "declined");
    assert!(declined.contains(&unknown), "{declined}");
    assert!(!declined.contains("credits="), "{declined}");
    let short = house.ask(house.dinner, BO, "11:00:00Z");
    let lines = daemon.says("waits");
    assert!(line(&lines, "waits").contains(&short), "{lines:#?}");
    let review = house.ask(house.dinner, "di@example.com", "13:00:00Z");
    let lines = daemon.says("waits for an operator");
    assert!(line(&lines, "waits for an operator").contains(&review));
    for hour in ["15:00:00Z", "16:00:00Z"] {
        house.ask(house.open, BO, hour);
    }
    let lines = daemon.says("no gate names the event type");
    let ungated = line(&lines, "no gate names");
    assert!(ungated.contains("slug=\"open\""), "{ungated}");

    let commands: [(&[&str], &str); 4] = [
        (
            &["account", "freeze", BO, "--reason", "late"],
            "account-freeze",
        ),
        (
            &["account", "alias", BO, "bo@work.example"],
            "account-alias",
        ),
        (&["charges", "settle", &paid, "refund"], "charge-settle"),
        (&["account", "thaw", BO], "account-thaw"),
    ];
    for (args, name) in commands {
        house.ok(args);
        let lines = daemon.says("an operator changed the ledger");
        let line = line(&lines, "an operator changed the ledger");
        assert!(line.contains(&format!("uid={uid}")), "{line}");
        assert!(line.contains(name), "{line}");
        assert!(!line.contains('@'), "no address in the log: {line}");
    }
    let (code, lines) = daemon.end(Operation   assert_eq!(code, 0);
    let again = lines.iter().filter(|line| line.contains("no gate names"));
    assert_eq!(again.count(), 0, "{lines:#?}");
}

#[test]
fn an_outage_naOperationthe_server_and_its_end_is_told() {
    let house = House::new("v2");
    let daemon = Daemon::start(&house);
    until("a pass", || house.count(Kind::List) > 0);
    let down = Fault::BadGateway {
        stage: Stage::Before,
    };
    let rule = Rule::next(Kind::List, down).times(Times::Count(2));
    house.sandbox.lock().add_fault(rule).unwrap();
    let url = house.sandbox.base_url();
    let server = url.trim_start_matches("http://");
    let lines = daemon.says("looks again");
    let failed = line(&lines, "looks again");
    assert!(
        failed.contains(&format!("{server} answered 502")),
        "{failed}"
    );
    let lines = daemon.says("passes work again");
    let over = line(&lines, "passes work again");
    assert!(over.contains(server), "{over}");
    let (code, _) = daemon.end();
    assert_eq!(code, 0);
}

/// Passes are far apart here, so that the fault strikes a watch. After it the next watch is a minute
/// away, unless an operator asks for one.
#[test]
fn an_outage_of_watches_names_the_server_and_its_end_is_told() {
    let house = House::new("v2");
    let config = fs::read_to_string(house.path("config.toml")).unwrap();
    let config = config.replace("poll = \"1s\"", "poll = \"1h\"");
    fs::write(house.path("config.toml"), config).unwrap();
    let daemon = Daemon::start(&house);
    until("a pass", || house.count(Kind::List) > 0);
    let down = Fault::BadGateway {
        stage: Stage::Before,
    };
    let rule = Rule::next(Kind::List, down).times(Times::Count(1));
    house.sandbox.lock().add_fault(rule).unwrap();
    let url = house.sandbox.base_url();
    let server = url.trim_start_matches("http://");
    let lines = daemon.says("the watch is tried again in a minute");
    let failed = line(&lines, "the watch is tried again");
    let problem = format!("{server} answered 502");
    assert!(failed.contains(&problem), "{failed}");
    house.ok(&["pass", "--watch"]);
    let lines = daemon.says("watches work again");
    let over = line(&lines, "watches work again");
    assert!(over.contains(server) && over.contains("502"), "{over}");
    let (code, lines) = daemon.end();
    assert_eq!(code, 0);
    let told = lines.iter().filter(|line| line.contains("work again"));
    assert_eq!(told.count(), 0, "told once: {lines:#?}");
}

/// Without a daemon the command itself leaves the line.
#[test]
fn commands_without_a_daemon_log_who_changed_the_ledger() {
    let house = House::new("v2");
    let uid = rustix::process::getuid().as_raw();
    let granted = house.ok(&["credits", "grant", BO, "1", "--new"]);
    let backup = house.path("backup");
    house.ok(&["backup", backup.to_str().unwrap()]);
    fs::rename(house.path("ledger"), house.path("lost")).unwrap();
    let restored = house.ok(&["restore", backup.to_str().unwrap()]);
    for (ran, name) in [(&granted, "grant"), (&restored, "restore")] {
        let line = ran.err.lines().next().unwrap_or_default();
        for word in [
            "an operator changed the ledger",
            name,
            &format!("uid={uid}"),
        ] {
            assert!(line.contains(word), "{word}: {:?}", ran.err);
        }
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        assert!(!line.contains('@'), "no address in the log: {line}");
    }
    // What changes nothing says nothing.
    assert_eq!(house.ok(&["account", "list"]).err, "");
}

/// D9: texts hold instants in UTC; people read them in the configured zone, JSON has them as they are.
#[test]
fn instants_within_texts_are_shown_in_the_configured_zone() {
    let house = House::new("v2");
    let text = fs::read_to_string(house.path("config.toml")).unwrap();
    let text = text.replace("[schedule]", "[schedule]\ntime-zone = \"Asia/Tokyo\"");
    fs::write(house.path("config.toml"), text).unwrap();
    house.ok(&["credits", "grant", BO, "1", "--new"]);
    let uid = house.ask(house.lesson, BO, "09:00:00Z");
    house.ok(&["run", "--once"]);
    let refused = house.run(&["review", "confirm", &uid]);
    assert_eq!(refused.code, 1, "{}", refused.all());
    assert!(refused.err.contains(" JST"), "{}", refused.err);
    let machine = house.run(&["review", "confirm", &uid, "--format", "json"]);
    assert!(machine.err.contains("Z; what comes"), "{}", machine.err);
}
