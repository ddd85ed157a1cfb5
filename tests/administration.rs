//! What an administrator meets at the command line: names with a slip, variables that were left in the
//! shell, questions about a person, files that were cut off, and what the log says of all that.

#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::fs;

use maitred::daemon::clock;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::faults::{Fault, Rule, Stage, Times};
use maitred::sandbox::journal::Operation;
use serde_json::Value;

use house::{Daemon, House, Ran, ran, until};

mod house;

const BO: &str = "bo@example.com";

/// Commands log warnings only, unless they are told otherwise; the daemon logs what it did.
const LOGGED: [(&str, &str); 1] = [("MAITRED_LOG", "info")];

/// A house whose configuration has a text replaced.
fn configured(from: &str, to: &str) -> House {
    let house = House::new("v2");
    let path = house.path("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
    house
}

fn accounts(house: &House, more: &[&str]) -> Vec<String> {
    let words = [&["account", "list", "--format", "json"], more].concat();
    let view = house.ok(&words).json();
    let accounts = view["accounts"].as_array().unwrap().iter();
    accounts
        .map(|account| account["account"].as_str().unwrap().to_owned())
        .collect()
}

fn with(house: &House, variables: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = house.command(args);
    command.envs(variables.iter().copied());
    ran(command.output().unwrap())
}

#[test]
fn an_account_with_nearly_the_name_of_another_is_opened_only_on_request() {
    let house = House::new("v2");
    let first = house.ok(&["credits", "grant", BO, "3"]);
    assert!(first.out.contains("There was no account"), "{}", first.out);
    let again = house.ok(&["credits", "grant", BO, "1"]);
    assert!(!again.out.contains("There was no account"), "{}", again.out);
    for slip in ["bo@exmaple.com", "bo"] {
        let refused = house.run(&["credits", "grant", slip, "3"]);
        assert_eq!(refused.code, 1, "{}", refused.all());
        for word in [BO, "--new"] {
            assert!(refused.err.contains(word), "{word}: {}", refused.err);
        }
    }
    assert_eq!(accounts(&house, &[]), [BO]);
    let wanted = house.ok(&["credits", "grant", "bo", "3", "--new", "--format", "json"]);
    assert_eq!(wanted.json()["opened"], true);
    assert_eq!(accounts(&house, &[]), ["bo", BO]);
}

#[test]
fn decisions_accounts_and_entries_are_found_by_person() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", BO, "1"]);
    house.ok(&["credits", "grant", "al@example.com", "9"]);
    let bos = house.ask(house.lesson, BO, "09:00:00Z");
    let refused = house.ask(house.dinner, BO, "12:00:00Z");
    let als = house.ask(house.dinner, "al@example.com", "18:00:00Z");
    house.ok(&["run", "--once"]);
    // A decline waits until the confirms of its own pass are settled.
    house.ok(&["run", "--once"]);

    let decided = |more: &[&str]| -> Vec<String> {
        let words = [&["decisions", "--format", "json"], more].concat();
        let view = house.ok(&words).json();
        let decisions = view["decisions"].as_array().unwrap().iter();
        let mut uids: Vec<String> = decisions
            .map(|one| one["request"].as_str().unwrap().to_owned())
            .collect();
        uids.sort();
        uids
    };
    let sorted = |uids: &[&String]| {
        let mut uids: Vec<String> = uids.iter().map(|uid| (*uid).clone()).collect();
        uids.sort();
        uids
    };
    assert_eq!(decided(&[]), sorted(&[&bos, &refused, &als]));
    assert_eq!(decided(&["--who", BO]), sorted(&[&bos, &refused]));
    assert_eq!(decided(&["--gate", "dinner"]), sorted(&[&refused, &als]));
    assert_eq!(decided(&["--outcome", "declined"]), sorted(&[&refused]));
    let both = ["--who", BO, "--outcome", "confirmed"];
    assert_eq!(decided(&both), sorted(&[&bos]));

    assert_eq!(accounts(&house, &["--search", "bo@"]), [BO]);
    assert_eq!(accounts(&house, &["--search", "nobody"]), [""; 0]);

    let words = ["account", "statement", BO, "--format", "json"];
    let statement = house.ok(&words).json();
    let entries = statement["entries"].as_array().unwrap();
    let of_booking = |entry: &&Value| entry["booking"] == *bos;
    let entry = entries.iter().find(of_booking).unwrap();
    let title = house.sandbox.lock().booking(&bos).unwrap().title.clone();
    assert_eq!(entry["title"], *title);
    let start: Time = entry["start"].as_str().unwrap().parse().unwrap();
    assert!(start > clock::now() + Span::days(6));
}

#[test]
fn a_variable_acts_on_the_command_that_it_names_and_on_no_other() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", BO, "3"]);
    let left = [
        ("MAITRED_DRY_RUN", "1"),
        ("MAITRED_REMOVE", "1"),
        ("MAITRED_CREDITS_IMPORT_DRY_RUN", "1"),
    ];
    let alias = with(&house, &left, &["account", "alias", BO, "bo@work.example"]);
    assert_eq!(alias.code, 0, "{}", alias.all());
    assert_eq!(house.balance("bo@work.example").0, 3);
    let uid = house.ask(house.lesson, BO, "09:00:00Z");
    let run = with(&house, &left, &["run", "--once"]);
    assert_eq!((run.code, house.status(&uid)), (0, "accepted"));
    let other = house.ask(house.lesson, BO, "11:00:00Z");
    let own = [("MAITRED_RUN_DRY_RUN", "1")];
    let dry = with(&house, &own, &["run", "--once"]);
    assert_eq!((dry.code, house.status(&other)), (0, "pending"));
}

#[test]
fn a_word_that_is_no_level_is_refused_with_those_that_are() {
    let house = House::new("v2");
    for level in ["warning", "inf", "verbose"] {
        let refused = house.run(&["--log-level", level, "run", "--once"]);
        assert_ne!(refused.code, 0, "{level}");
        assert!(refused.err.contains(level), "{}", refused.err);
        assert!(refused.err.contains("warn, info"), "{}", refused.err);
    }
    for level in ["error", "maitred::calcom=error"] {
        fs::remove_file(house.path("key")).unwrap_or_default();
        let failed = house.run(&["--log-level", level, "run", "--once"]);
        assert_eq!(failed.code, 78, "{}", failed.all());
        assert!(failed.err.contains("key"), "{}", failed.err);
    }
}

/// Each line has the user who gave the command, and no member's address.
#[test]
fn every_change_by_an_operator_is_one_line_of_the_log() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", BO, "3"]);
    let commands: [(&str, &[&str]); 4] = [
        (
            "account-alias",
            &["account", "alias", BO, "bo@work.example"],
        ),
        (
            "account-freeze",
            &["account", "freeze", BO, "--reason", "unpaid"],
        ),
        ("account-thaw", &["account", "thaw", BO]),
        ("account-set", &["account", "set", BO, "--tier", "gold"]),
    ];
    for (name, args) in commands {
        let done = with(&house, &LOGGED, args);
        assert_eq!(done.code, 0, "{}", done.all());
        let mut lines = done.err.lines();
        let line = lines.find(|line| line.contains("an operator changed the ledger"));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", done.err));
        assert!(line.contains(&format!("command=\"{name}\"")), "{line}");
        assert!(line.contains("uid=") && line.contains("commit="), "{line}");
        assert!(!line.contains("example"), "{line}");
    }
    let seen = with(&house, &LOGGED, &["account", "show", BO]);
    assert!(!seen.err.contains("an operator"), "{}", seen.err);

    let daemon = Daemon::start(&house);
    house.ok(&["account", "freeze", BO, "--reason", "unpaid"]);
    daemon.says("an operator changed the ledger");
}

#[test]
fn what_is_left_for_a_person_and_the_end_of_an_outage_are_lines_of_the_log() {
    let house = configured("cost = 3\n", "cost = 3\nshort-of-credit = \"review\"\n");
    house.ok(&["credits", "grant", BO, "1"]);
    let uid = house.ask(house.dinner, BO, "09:00:00Z");
    let first = with(&house, &LOGGED, &["run", "--once"]);
    let mut lines = first.err.lines();
    let line = lines.find(|line| line.contains("waits for an operator"));
    let line = line.unwrap_or_else(|| panic!("{}", first.err));
    assert!(
        line.contains(&uid) && line.contains("short-of-credit"),
        "{line}"
    );
    let second = with(&house, &LOGGED, &["run", "--once"]);
    assert!(
        !second.err.contains("waits for an operator"),
        "{}",
        second.err
    );

    let daemon = Daemon::start(&house);
    let away = Fault::BadGateway {
        stage: Stage::Before,
    };
    let rule = Rule::next(Operation::List, away).times(Times::Always);
    house.sandbox.lock().add_fault(rule).unwrap();
    let heard = daemon.says("the next pass looks again");
    let host = house.sandbox.base_url();
    let host = host.trim_start_matches("http://").trim_end_matches('/');
    assert!(heard.last().unwrap().contains(host), "{heard:#?}");
    house.sandbox.lock().faults.clear();
    daemon.says("passes work again");
}

#[test]
fn a_file_that_was_cut_off_is_not_imported_and_a_row_without_credits_opens_its_account() {
    let house = House::new("v2");
    let file = house.path("members.csv");
    let whole =
        "account,credits,expires,reason\nal@example.com,2,,\nbo@example.com,0,,\"autumn, term\"\n";
    let cut = whole.rfind("\"\n").unwrap();
    fs::write(&file, &whole[..cut]).unwrap();
    let refused = house.run(&["credits", "import", "members.csv"]);
    assert_eq!(refused.code, 2, "{}", refused.all());
    for word in ["line 3", "within quotes"] {
        assert!(refused.err.contains(word), "{word}: {}", refused.err);
    }
    assert_eq!(accounts(&house, &[]), [""; 0]);
    fs::write(&file, whole).unwrap();
    house.ok(&["credits", "import", "members.csv"]);
    assert_eq!(house.balance(BO), (0, 0, 0));
    assert_eq!(house.balance("al@example.com"), (2, 0, 0));
}

#[test]
fn dates_are_given_and_shown_in_the_configured_time_zone() {
    let house = configured(
        "[schedule]\n",
        "[schedule]\ntime-zone = \"Europe/Berlin\"\n",
    );
    let grant = ["credits", "grant", BO, "3", "--expires", "2099-12-31"];
    let plain = house.ok(&grant).out;
    let shown = house.ok(&["credits", "list", BO]).out;
    assert!(shown.contains("CET"), "{plain}{shown}");
    let machines = house
        .ok(&["credits", "list", BO, "--format", "json"])
        .json();
    assert_eq!(machines["grants"][0]["expires"], "2099-12-31T23:00:00.000Z");
    // Three months are months of the calendar, to the end of a day of the house.
    let months = [
        "credits",
        "grant",
        BO,
        "1",
        "--expires",
        "3months",
        "--format",
        "json",
    ];
    let expires = house.ok(&months).json()["expires"].clone();
    let expires: Time = expires.as_str().unwrap().parse().unwrap();
    let local = expires.with_timezone(&chrono_tz::Europe::Berlin);
    assert_eq!(local.time(), chrono::NaiveTime::MIN, "{local}");
}

#[test]
fn explain_names_the_booking_of_a_series_that_stood_in_the_way() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", BO, "9"]);
    house.ok(&["credits", "grant", "al@example.com", "9"]);
    let made = clock::now() - Span::minutes(1);
    let day = (made + Span::days(7)).format("%Y-%m-%dT09:00:00Z");
    let start: Time = day.to_string().parse().unwrap();
    let week = Span::weeks(1);
    let request = |who, start| {
        let mut world = house.sandbox.lock();
        world.request(made, house.lesson, who, start)
    };
    request("al@example.com", start + week);
    house.ok(&["run", "--once"]);
    let uids = {
        let mut world = house.sandbox.lock();
        world.request_series(made, house.lesson, BO, start, 2)
    };
    let taken = house.sandbox.lock().booking(&uids[1]).unwrap().clone();
    assert_eq!(taken.start, start + week);
    house.ok(&["run", "--once"]);
    assert_eq!(house.status(&uids[0]), "rejected");
    let explained = house.ok(&["explain", &uids[0], "--format", "json"]).json();
    let told = explained["told"].as_str().unwrap();
    let date = taken.start.format("%Y-%m-%d").to_string();
    assert!(told.contains(&date), "{told}");
    let plain = house.ok(&["explain", &uids[0]]).out;
    assert!(
        plain.contains(&format!("(booking {})", taken.uid)),
        "{plain}"
    );
}

#[test]
fn a_plan_says_what_it_did_not_look_up_and_keeps_to_the_width() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", BO, "3"]);
    house.ask(house.open, BO, "09:00:00Z");
    house.ask(house.lesson, "who@example.com", "11:00:00Z");
    let plan = with(&house, &[("COLUMNS", "60")], &["plan"]);
    assert_eq!(plan.code, 0, "{}", plan.all());
    assert!(!plan.out.contains("Nothing is waiting"), "{}", plan.out);
    for word in ["who@example.com (no account)", "(account not", "looked up)"] {
        assert!(plan.out.contains(word), "{word}: {}", plan.out);
    }
    // Tables keep to it; the sentences around them are left to the terminal.
    let rows = plan.out.lines().filter(|line| line.starts_with(' '));
    let widest = rows.map(|line| line.chars().count()).max();
    assert!(widest.unwrap() <= 60, "{}", plan.out);
}

#[test]
fn commands_are_answered_beside_connections_that_only_stay_open() {
    use std::os::unix::net::UnixStream;
    let house = House::new("v2");
    let _daemon = Daemon::start(&house);
    let socket = house.path("ledger/control.sock");
    until("the daemon answers", || house.run(&["status"]).code == 0);
    let idle: Vec<UnixStream> = (0..16)
        .filter_map(|_| UnixStream::connect(&socket).ok())
        .collect();
    assert_eq!(idle.len(), 16, "{}", socket.display());
    let status = house.run(&["status"]);
    assert_eq!(status.code, 0, "{}", status.all());
}
