//! What an administrator meets at the command line: mistyped names, variables that were left in the
//! shell, questions about a person, files that were cut off, and what the log records about all of
//! these.

use std::fs;

use maitred::daemon::clock;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, FaultTimes, Stage};
use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon, RunResult, to_run_result, wait_until};

const BO: &str = "bo@example.com";

/// Commands log only warnings by default. The daemon also logs what it did.
const INFO_LOG: [(&str, &str); 1] = [("MAITRED_LOG", "info")];

/// Returns a fixture whose configuration has a text replaced.
fn fixture_with_config(from: &str, to: &str) -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    let path = fixture.path("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
    fixture
}

fn list_accounts(fixture: &BinaryFixture, more: &[&str]) -> Vec<String> {
    let words = [&["account", "list", "--format", "json"], more].concat();
    let view = fixture.run_ok(&words).json();
    let accounts = view["accounts"].as_array().unwrap().iter();
    accounts
        .map(|account| account["account"].as_str().unwrap().to_owned())
        .collect()
}

fn run_with_env(fixture: &BinaryFixture, variables: &[(&str, &str)], args: &[&str]) -> RunResult {
    let mut command = fixture.command(args);
    command.envs(variables.iter().copied());
    to_run_result(command.output().unwrap())
}

#[test]
fn an_account_with_nearly_the_name_of_another_is_opened_only_on_request() {
    let fixture = BinaryFixture::new("v2");
    let first = fixture.run_ok(&["credits", "grant", BO, "3"]);
    assert!(
        first.out.contains("did not exist: it is open now"),
        "{}",
        first.out
    );
    let again = fixture.run_ok(&["credits", "grant", BO, "1"]);
    assert!(!again.out.contains("did not exist"), "{}", again.out);
    for slip in ["bo@exmaple.com", "bo"] {
        let refused = fixture.run(&["credits", "grant", slip, "3"]);
        assert_eq!(refused.code, 1, "{}", refused.all_output());
        for word in [BO, "--new"] {
            assert!(refused.err.contains(word), "{word}: {}", refused.err);
        }
    }
    assert_eq!(list_accounts(&fixture, &[]), [BO]);
    let wanted = fixture.run_ok(&["credits", "grant", "bo", "3", "--new", "--format", "json"]);
    assert_eq!(wanted.json()["account_opened"], true);
    assert_eq!(list_accounts(&fixture, &[]), ["bo", BO]);
}

#[test]
fn decisions_accounts_and_entries_are_found_by_booker() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "1"]);
    fixture.run_ok(&["credits", "grant", "al@example.com", "9"]);
    let bos = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let refused = fixture.request_booking(fixture.event_types.dinner, BO, "12:00:00Z");
    let als = fixture.request_booking(fixture.event_types.dinner, "al@example.com", "18:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    // A decline waits until the confirms of its own pass are settled.
    fixture.run_ok(&["run", "--once"]);

    let decided = |more: &[&str]| -> Vec<String> {
        let words = [&["decisions", "--format", "json"], more].concat();
        let view = fixture.run_ok(&words).json();
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
    assert_eq!(decided(&["--booker", BO]), sorted(&[&bos, &refused]));
    assert_eq!(decided(&["--gate", "dinner"]), sorted(&[&refused, &als]));
    assert_eq!(decided(&["--outcome", "declined"]), sorted(&[&refused]));
    let both = ["--booker", BO, "--outcome", "confirmed"];
    assert_eq!(decided(&both), sorted(&[&bos]));

    assert_eq!(list_accounts(&fixture, &["--search", "bo@"]), [BO]);
    assert_eq!(list_accounts(&fixture, &["--search", "nobody"]), [""; 0]);

    let words = ["account", "statement", BO, "--format", "json"];
    let statement = fixture.run_ok(&words).json();
    let entries = statement["entries"].as_array().unwrap();
    let of_booking = |entry: &&Value| entry["booking"] == *bos;
    let entry = entries.iter().find(of_booking).unwrap();
    let title = fixture.sandbox.lock().booking(&bos).unwrap().title.clone();
    assert_eq!(entry["title"], *title);
    let start: Time = entry["start"].as_str().unwrap().parse().unwrap();
    assert!(start > clock::now() + Span::days(6));
}

#[test]
fn an_environment_variable_affects_only_the_command_that_it_names() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "3"]);
    let left = [
        ("MAITRED_DRY_RUN", "1"),
        ("MAITRED_REMOVE", "1"),
        ("MAITRED_CREDITS_IMPORT_DRY_RUN", "1"),
    ];
    let alias = run_with_env(
        &fixture,
        &left,
        &["account", "alias", BO, "bo@work.example"],
    );
    assert_eq!(alias.code, 0, "{}", alias.all_output());
    assert_eq!(fixture.balance("bo@work.example").0, 3);
    let uid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let run = run_with_env(&fixture, &left, &["run", "--once"]);
    assert_eq!((run.code, fixture.status(&uid)), (0, "accepted"));
    let other = fixture.request_booking(fixture.event_types.lesson, BO, "11:00:00Z");
    let own = [("MAITRED_RUN_DRY_RUN", "1")];
    let dry = run_with_env(&fixture, &own, &["run", "--once"]);
    assert_eq!((dry.code, fixture.status(&other)), (0, "pending"));
}

#[test]
fn an_unknown_log_level_is_refused_with_a_list_of_the_known_levels() {
    let fixture = BinaryFixture::new("v2");
    for level in ["warning", "inf", "verbose"] {
        let refused = fixture.run(&["--log-level", level, "run", "--once"]);
        assert_ne!(refused.code, 0, "{level}");
        assert!(refused.err.contains(level), "{}", refused.err);
        assert!(refused.err.contains("warn, info"), "{}", refused.err);
    }
    for level in ["error", "maitred::calcom=error"] {
        fs::remove_file(fixture.path("key")).unwrap_or_default();
        let failed = fixture.run(&["--log-level", level, "run", "--once"]);
        assert_eq!(failed.code, 78, "{}", failed.all_output());
        assert!(failed.err.contains("key"), "{}", failed.err);
    }
}

/// Each line names the user who gave the command, and no member's address.
#[test]
fn every_change_by_an_operator_is_one_line_of_the_log() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "3"]);
    let commands: [(&str, &[&str]); 4] = [
        (
            "account alias",
            &["account", "alias", BO, "bo@work.example"],
        ),
        (
            "account freeze",
            &["account", "freeze", BO, "--reason", "unpaid"],
        ),
        ("account thaw", &["account", "thaw", BO]),
        ("account set", &["account", "set", BO, "--tier", "gold"]),
    ];
    for (name, args) in commands {
        let done = run_with_env(&fixture, &INFO_LOG, args);
        assert_eq!(done.code, 0, "{}", done.all_output());
        let mut lines = done.err.lines();
        let line = lines.find(|line| line.contains("an operator changed the ledger"));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", done.err));
        assert!(line.contains(&format!("command=\"{name}\"")), "{line}");
        assert!(line.contains("uid=") && line.contains("commit="), "{line}");
        assert!(!line.contains("example"), "{line}");
    }
    let result = run_with_env(&fixture, &INFO_LOG, &["account", "show", BO]);
    assert!(!result.err.contains("an operator"), "{}", result.err);

    let daemon = Daemon::start(&fixture);
    fixture.run_ok(&["account", "freeze", BO, "--reason", "unpaid"]);
    daemon.wait_for_line("an operator changed the ledger");
}

#[test]
fn unresolved_items_and_the_end_of_an_outage_are_lines_of_the_log() {
    let fixture = fixture_with_config("cost = 3\n", "cost = 3\nshort-of-credit = \"review\"\n");
    fixture.run_ok(&["credits", "grant", BO, "1"]);
    let uid = fixture.request_booking(fixture.event_types.dinner, BO, "09:00:00Z");
    let first = run_with_env(&fixture, &INFO_LOG, &["run", "--once"]);
    let mut lines = first.err.lines();
    let line = lines.find(|line| line.contains("waits for an operator"));
    let line = line.unwrap_or_else(|| panic!("{}", first.err));
    assert!(
        line.contains(&uid) && line.contains("short-of-credit"),
        "{line}"
    );
    let second = run_with_env(&fixture, &INFO_LOG, &["run", "--once"]);
    assert!(
        !second.err.contains("waits for an operator"),
        "{}",
        second.err
    );

    let daemon = Daemon::start(&fixture);
    let away = Fault::BadGateway {
        stage: Stage::Before,
    };
    let rule = FaultRule::on_next(Operation::List, away).times(FaultTimes::Always);
    fixture.sandbox.lock().add_fault(rule).unwrap();
    let log_lines = daemon.wait_for_line("the next pass tries again");
    let host = fixture.sandbox.base_url();
    let host = host.trim_start_matches("http://").trim_end_matches('/');
    let field = format!("server=\"{host}\"");
    assert!(log_lines.last().unwrap().contains(&field), "{log_lines:#?}");
    fixture.sandbox.lock().fault_rules.clear();
    let log_lines = daemon.wait_for_line("passes work again");
    assert!(log_lines.last().unwrap().contains(&field), "{log_lines:#?}");
}

#[test]
fn a_file_that_was_cut_off_is_not_imported_and_a_row_without_credits_opens_its_account() {
    let fixture = BinaryFixture::new("v2");
    let file = fixture.path("members.csv");
    let whole =
        "account,credits,expires,reason\nal@example.com,2,,\nbo@example.com,0,,\"autumn, term\"\n";
    let cut = whole.rfind("\"\n").unwrap();
    fs::write(&file, &whole[..cut]).unwrap();
    let refused = fixture.run(&["credits", "import", "members.csv"]);
    assert_eq!(refused.code, 2, "{}", refused.all_output());
    for word in ["line 3", "within quotes"] {
        assert!(refused.err.contains(word), "{word}: {}", refused.err);
    }
    assert_eq!(list_accounts(&fixture, &[]), [""; 0]);
    fs::write(&file, whole).unwrap();
    fixture.run_ok(&["credits", "import", "members.csv"]);
    assert_eq!(fixture.balance(BO), (0, 0, 0));
    assert_eq!(fixture.balance("al@example.com"), (2, 0, 0));
}

#[test]
fn dates_are_given_and_shown_in_the_configured_time_zone() {
    let fixture = fixture_with_config(
        "[schedule]\n",
        "[schedule]\ntime-zone = \"Europe/Berlin\"\n",
    );
    let grant = ["credits", "grant", BO, "3", "--expires", "2099-12-31"];
    let plain = fixture.run_ok(&grant).out;
    let output = fixture.run_ok(&["credits", "list", BO]).out;
    assert!(output.contains("CET"), "{plain}{output}");
    let machines = fixture
        .run_ok(&["credits", "list", BO, "--format", "json"])
        .json();
    assert_eq!(machines["grants"][0]["expires"], "2099-12-31T23:00:00.000Z");
    // Three months are calendar months, up to the end of a day in the configured zone.
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
    let expires = fixture.run_ok(&months).json()["expires"].clone();
    let expires: Time = expires.as_str().unwrap().parse().unwrap();
    let local = expires.with_timezone(&chrono_tz::Europe::Berlin);
    assert_eq!(local.time(), chrono::NaiveTime::MIN, "{local}");
}

#[test]
fn explain_names_the_booking_that_a_series_clashes_with() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "9"]);
    fixture.run_ok(&["credits", "grant", "al@example.com", "9"]);
    let made = clock::now() - Span::minutes(1);
    let day = (made + Span::days(7)).format("%Y-%m-%dT09:00:00Z");
    let start: Time = day.to_string().parse().unwrap();
    let week = Span::weeks(1);
    let request = |who, start| {
        let mut world = fixture.sandbox.lock();
        world.request(made, fixture.event_types.lesson, who, start)
    };
    request("al@example.com", start + week);
    fixture.run_ok(&["run", "--once"]);
    let uids = {
        let mut world = fixture.sandbox.lock();
        world.request_series(made, fixture.event_types.lesson, BO, start, 2)
    };
    let taken = fixture.sandbox.lock().booking(&uids[1]).unwrap().clone();
    assert_eq!(taken.start, start + week);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&uids[0]), "rejected");
    let explained = fixture
        .run_ok(&["explain", &uids[0], "--format", "json"])
        .json();
    let text = explained["booker_message"].as_str().unwrap();
    let date = taken.start.format("%Y-%m-%d").to_string();
    assert!(text.contains(&date), "{text}");
    let plain = fixture.run_ok(&["explain", &uids[0]]).out;
    assert!(
        plain.contains(&format!("(booking {})", taken.uid)),
        "{plain}"
    );
}

#[test]
fn a_plan_names_skipped_lookups_and_keeps_to_the_terminal_width() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "3"]);
    fixture.request_booking(fixture.event_types.open, BO, "09:00:00Z");
    fixture.request_booking(fixture.event_types.lesson, "who@example.com", "11:00:00Z");
    let plan = run_with_env(&fixture, &[("COLUMNS", "60")], &["plan"]);
    assert_eq!(plan.code, 0, "{}", plan.all_output());
    assert!(!plan.out.contains("Nothing is waiting"), "{}", plan.out);
    for word in ["who@example.com (no account)", "(account not", "looked up)"] {
        assert!(plan.out.contains(word), "{word}: {}", plan.out);
    }
    // Tables keep to the width. The terminal wraps the sentences around them.
    let rows = plan.out.lines().filter(|line| line.starts_with(' '));
    let widest = rows.map(|line| line.chars().count()).max();
    assert!(widest.unwrap() <= 60, "{}", plan.out);
}

#[test]
fn commands_are_answered_while_idle_connections_stay_open() {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;
    const IDLE_CONNECTIONS: usize = 200;
    let fixture = BinaryFixture::new("v2");
    let _daemon = Daemon::start(&fixture);
    let socket = fixture.path("ledger/control.sock");
    wait_until("the daemon answers", || fixture.run(&["status"]).code == 0);
    // More connections than the daemon keeps open.
    let idle: Vec<UnixStream> = (0..IDLE_CONNECTIONS)
        .filter_map(|_| UnixStream::connect(&socket).ok())
        .collect();
    assert_eq!(idle.len(), IDLE_CONNECTIONS, "{}", socket.display());
    let status = fixture.run(&["status"]);
    assert_eq!(status.code, 0, "{}", status.all_output());
    // The first of them was closed in favour of others, and not because it was silent for long.
    let mut refused = String::new();
    let _ = (&idle[0]).read_to_string(&mut refused);
    assert!(refused.contains("needed this connection"), "{refused}");
}
