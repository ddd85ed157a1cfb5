//! How the binary reaches Cal.com, what it reports when it cannot, and that the work done until
//! then is always reported.

use std::fs;
use std::process::Command;

use crate::fixture::binary::{BinaryFixture, Daemon, RunResult, to_run_result, wait_until};
use maitred::daemon::clock;
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, Stage};

/// No server listens there.
const UNREACHABLE_URL: &str = "http://127.0.0.1:9";

fn run_with_proxy(command: &mut Command, proxy: &str) -> RunResult {
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"] {
        command.env(name, proxy);
    }
    to_run_result(command.output().unwrap())
}

#[test]
fn this_machine_is_reached_without_the_proxy_of_the_shell() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
    let demo = run_with_proxy(command.arg("demo").env_clear(), UNREACHABLE_URL);
    assert_eq!(demo.code, 0, "{}", demo.all_output());
    assert!(demo.out.contains("none change anything"), "{}", demo.out);

    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "3"]);
    fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let run = run_with_proxy(&mut fixture.command(&["run", "--once"]), UNREACHABLE_URL);
    assert_eq!(run.code, 0, "{}", run.all_output());
    assert_eq!(fixture.call_count(Operation::Confirm), 1);
}

#[test]
fn an_unreachable_server_is_named_with_the_route_that_was_tried() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["init"]);
    let run = |base: &str, proxy: &str| {
        fixture.configure("v2", base, "");
        run_with_proxy(&mut fixture.command(&["run", "--once"]), proxy)
    };
    let direct = run("http://127.0.0.1:9", UNREACHABLE_URL);
    assert_eq!(direct.code, 69, "{}", direct.all_output());
    assert!(
        direct.err.contains("127.0.0.1:9 (directly)"),
        "{}",
        direct.err
    );

    let proxied = run("http://cal.invalid", "http://ann:secret@127.0.0.1:9");
    assert_eq!(proxied.code, 69, "{}", proxied.all_output());
    let way = "cal.invalid:80 (by the proxy http://127.0.0.1:9, from HTTP_PROXY)";
    assert!(proxied.err.contains(way), "{}", proxied.err);
    assert!(
        !proxied.all_output().contains("secret"),
        "{}",
        proxied.all_output()
    );

    let wrong = run("http://cal.invalid", "::secret::");
    assert_eq!(wrong.code, 78, "{}", wrong.all_output());
    assert!(wrong.err.contains("HTTP_PROXY"), "{}", wrong.err);
    assert!(
        !wrong.all_output().contains("secret"),
        "{}",
        wrong.all_output()
    );
}

/// Fault B16: two of three requests are confirmed, and then the list fails.
#[test]
fn results_before_a_failure_are_reported_with_its_exit_code() {
    for json in [false, true] {
        let fixture = BinaryFixture::new("v2");
        let path = fixture.path("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("[limits]\n", "[limits]\nrequests-per-pass = 2\n");
        fs::write(&path, text).unwrap();
        fixture.run_ok(&["credits", "grant", "bo@example.com", "3"]);
        let uids: Vec<String> = ["09", "11", "13"]
            .map(|hour| {
                fixture.request_booking(
                    fixture.event_types.lesson,
                    "bo@example.com",
                    &format!("{hour}:00:00Z"),
                )
            })
            .to_vec();
        let away = Fault::BadGateway {
            stage: Stage::Before,
        };
        // The first pass lists the pending and the accepted bookings; in the second pass the list
        // fails.
        let rule = FaultRule::on_next(Operation::List, away).skip_calls(2);
        fixture.sandbox.lock().add_fault(rule).unwrap();
        let args: &[&str] = if json {
            &["run", "--once", "--format", "json"]
        } else {
            &["run", "--once"]
        };
        let run = fixture.run(args);
        assert_eq!(run.code, 69, "{}", run.all_output());
        let confirmed = uids.iter().filter(|uid| fixture.status(uid) == "accepted");
        assert_eq!(confirmed.count(), 2);
        assert!(run.err.contains("502"), "{}", run.err);
        if json {
            let view = run.json();
            assert_eq!(view["steps"].as_array().unwrap().len(), 2, "{view}");
            assert_eq!(view["steps"][0]["outcome"], "confirmed");
            assert_eq!(view["stopped"]["exit"], 69);
            assert_eq!(view["stopped"]["code"], "unreachable");
        } else {
            assert!(run.out.contains("In all: 2 confirmed"), "{}", run.out);
            assert!(run.out.contains("stopped before its end"), "{}", run.out);
        }
    }
}

/// The same for a watch: a charge is refunded, and then a list fails. Each command reports what was
/// done, or would be done, in plain words and in JSON.
#[test]
fn results_of_a_failed_watch_are_reported_by_every_command() {
    let fixture = BinaryFixture::new("v2");
    fixture.configure(
        "v2",
        &fixture.sandbox.base_url(),
        "short-of-credit = \"review\"\n",
    );
    let path = fixture.path("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let seldom = "poll = \"1h\"\nwatch = \"1h\"\naudit = \"1s\"\n";
    let text = text.replace("poll = \"1s\"\nwatch = \"1s\"\n", seldom);
    fs::write(&path, text).unwrap();
    let run: &[&str] = &["run", "--once", "--watch"];
    let paid = |hour: &str| {
        fixture.run_ok(&["credits", "grant", "bo@example.com", "1"]);
        fixture.request_booking(
            fixture.event_types.lesson,
            "bo@example.com",
            &format!("{hour}:00:00Z"),
        )
    };
    let first = paid("09");
    // The dinner waits for an operator, so that the audit's last list is the list of pending
    // bookings.
    fixture.run_ok(&["credits", "grant", "al@example.com", "1"]);
    let waits = fixture.request_booking(fixture.event_types.dinner, "al@example.com", "15:00:00Z");
    fixture.run_ok(run);
    assert_eq!(fixture.status(&first), "accepted");
    assert_eq!(fixture.status(&waits), "pending");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let before = fixture.call_count(Operation::List);
    fixture.run_ok(run);
    let lists = fixture.call_count(Operation::List) - before;

    let cancel = |uid: &str| {
        let action = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(uid));
        fixture.sandbox.lock().act(clock::now(), action).unwrap();
    };
    let fails = |args: &[&str]| {
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        let away = Fault::BadGateway {
            stage: Stage::Before,
        };
        let rule =
            FaultRule::on_next(Operation::List, away).skip_calls(u32::try_from(lists).unwrap() - 1);
        fixture.sandbox.lock().add_fault(rule).unwrap();
        let ran = fixture.run(args);
        fixture.sandbox.lock().fault_rules.clear();
        assert_eq!(ran.code, 69, "{args:?}: {}", ran.all_output());
        assert!(ran.err.contains("502"), "{args:?}: {}", ran.err);
        ran
    };
    let in_json = |ran: &RunResult, what: &str| {
        let view = ran.json();
        assert_eq!(
            view["watch"]["changes"][0]["outcome"], "refunded",
            "{what}: {view}"
        );
        assert_eq!(view["stopped"]["exit"], 69, "{what}: {view}");
    };
    let in_plain = |ran: &RunResult, what: &str| {
        assert!(
            ran.out.contains("stopped before its end"),
            "{what}: {}",
            ran.out
        );
        assert!(ran.out.contains("refunded"), "{what}: {}", ran.out);
    };
    cancel(&first);
    let looks: [&[&str]; 2] = [&["plan"], &["run", "--once", "--dry-run", "--watch"]];
    for look in looks {
        in_plain(&fails(look), "look");
        in_json(&fails(&[look, &["--format", "json"]].concat()), "look");
    }
    in_plain(&fails(run), "run");
    fixture.run_ok(run);
    let second = paid("11");
    fixture.run_ok(run);
    cancel(&second);
    in_json(&fails(&[run, &["--format", "json"]].concat()), "run");
    fixture.run_ok(run);

    let third = paid("13");
    fixture.run_ok(run);
    let daemon = Daemon::start(&fixture);
    wait_until("the first pass and watch", || {
        let status = fixture.run_ok(&["status", "--format", "json"]).json();
        status["watch"]["last_summary"].is_object()
    });
    // Without the pause the daemon's own audits would come first.
    fixture.run_ok(&["pause", "--reason", "test"]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    cancel(&third);
    let asks = ["pass", "--watch", "--format", "json"];
    in_json(&fails(&asks), "daemon");
    assert_eq!(daemon.terminate().0, 0);
}
