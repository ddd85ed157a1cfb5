//! The built binary, as operators meet it: against a sandbox over HTTP, with its own configuration,
//! key and ledger in its own folder.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use maitred::daemon::clock;
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::{MailKind, Operation, Recipient};
use maitred::sandbox::faults::{Fault, FaultRule, Stage};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::fixture::binary::{BinaryFixture, Daemon, to_run_result, wait_until};
use crate::fixture::test_world::{HOST, KEY};

#[test]
fn a_run_confirms_or_declines_or_leaves_requests_and_a_second_run_sends_nothing() {
    for dialect in ["v2", "v1"] {
        let fixture = BinaryFixture::new(dialect);
        fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
        fixture.run_ok(&["credits", "grant", "al@example.com", "2"]);
        let bo = fixture.request_booking(fixture.event_types.lesson, "Bo@Example.COM", "09:00:00Z");
        let al = fixture.request_booking(fixture.event_types.dinner, "al@example.com", "10:00:00Z");
        let open = fixture.request_booking(fixture.event_types.open, "bo@example.com", "11:00:00Z");
        let foreign =
            fixture.request_booking(fixture.event_types.foreign, "ada@example.org", "12:00:00Z");
        let ran = fixture.run_ok(&["run", "--once", "--format", "json"]);
        let view = ran.json();
        assert_eq!(view["schema"], 1);
        assert_eq!(view["pass"]["dry_run"], false);
        let step = |uid: &str| {
            let steps = view["steps"].as_array().unwrap();
            steps
                .iter()
                .find(|step| step["bookings"][0] == uid)
                .cloned()
                .unwrap_or(Value::Null)
        };
        assert_eq!(step(&bo)["decision"], "confirm");
        assert_eq!(step(&bo)["outcome"], "confirmed");
        assert_eq!(step(&bo)["credits"], 1);
        assert_eq!(step(&bo)["account"], "bo@example.com");
        assert_eq!(step(&al)["outcome"], "declined");
        assert_eq!(step(&al)["reasons"][0]["code"], "short-of-credit");
        let text = step(&al)["reasons"][0]["text"].to_string();
        assert!(
            text.contains("balance is 2") && text.contains("costs 3"),
            "{text}"
        );
        assert_eq!(fixture.status(&bo), "accepted");
        let refused = if dialect == "v2" {
            "rejected"
        } else {
            "cancelled"
        };
        assert_eq!(fixture.status(&al), refused);
        assert_eq!(fixture.status(&open), "pending");
        assert_eq!(fixture.status(&foreign), "pending");
        assert_eq!(fixture.balance("bo@example.com"), (3, 0, 1));
        assert_eq!(fixture.balance("al@example.com"), (2, 0, 0));
        let sent = [Operation::Confirm, Operation::Decline, Operation::Cancel]
            .map(|kind| fixture.call_count(kind));
        fixture.run_ok(&["run", "--once"]);
        let again = [Operation::Confirm, Operation::Decline, Operation::Cancel]
            .map(|kind| fixture.call_count(kind));
        assert_eq!(sent, again, "{dialect}");
        let explained = fixture.run_ok(&["explain", &al]);
        for word in ["short-of-credit", "declined", "balance is 2"] {
            assert!(explained.out.contains(word), "{}", explained.out);
        }
        let decisions = fixture.run_ok(&["decisions", "--format", "json"]).json();
        assert_eq!(decisions["decisions"].as_array().unwrap().len(), 2);
        fixture.run_ok(&["ledger", "verify"]);
    }
}

#[test]
fn a_dry_run_and_a_plan_leave_log_and_server_untouched() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let before = fs::read(fixture.log()).unwrap();
    let dry = fixture
        .run_ok(&["run", "--once", "--dry-run", "--format", "json"])
        .json();
    assert_eq!(dry["steps"][0]["outcome"], "planned");
    assert_eq!(dry["pass"]["dry_run"], true);
    let plan = fixture.run_ok(&["plan"]);
    assert!(plan.out.contains("bo@example.com"), "{}", plan.out);
    assert_eq!(fixture.run(&["plan", "--exit-code"]).code, 3);
    assert_eq!(fs::read(fixture.log()).unwrap(), before);
    let world = fixture.sandbox.lock();
    assert!(
        world
            .call_log
            .call_counts()
            .keys()
            .all(|kind| kind.is_read())
    );
    drop(world);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.run(&["plan", "--exit-code"]).code, 0);
}

#[test]
fn a_plan_needs_no_ledger_and_makes_none() {
    let fixture = BinaryFixture::without_ledger("v2");
    let uid = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let plan = fixture.run_ok(&["plan", "--format", "json"]).json();
    assert_eq!(plan["steps"][0]["decision"], "leave");
    assert_eq!(plan["steps"][0]["reasons"][0]["code"], "empty-ledger");
    assert_eq!(fixture.status(&uid), "pending");
    assert!(!fixture.path("ledger").exists());
    let absent = fixture.run(&["account", "list"]);
    assert_eq!(absent.code, 78);
    assert!(absent.err.contains("maitred init"), "{}", absent.err);
}

#[test]
fn a_lost_or_damaged_projection_changes_no_result() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let projection = fixture.path("ledger/projection");
    assert!(projection.is_dir());
    type Damage = (&'static str, fn(&Path));
    let harms: [Damage; 4] = [
        ("deleted", |projection| {
            fs::remove_dir_all(projection).unwrap()
        }),
        ("emptied", |projection| {
            fs::remove_dir_all(projection).unwrap();
            fs::create_dir(projection).unwrap();
        }),
        ("truncated", |projection| {
            for file in list_files(projection) {
                let half = fs::metadata(&file).unwrap().len() / 2;
                let opened = fs::OpenOptions::new().write(true).open(&file).unwrap();
                opened.set_len(half).unwrap();
            }
        }),
        ("noise", |projection| {
            for file in list_files(projection) {
                let length = fs::metadata(&file).unwrap().len();
                let noise: Vec<u8> = (0..length).map(|n| (n * 31 % 251) as u8).collect();
                fs::write(&file, noise).unwrap();
            }
        }),
    ];
    for (name, harm) in harms {
        harm(&projection);
        // A command that only reads rebuilds nothing; a command that writes does.
        let looked = fixture.run_ok(&["account", "show", "bo@example.com"]);
        assert!(
            !looked.err.contains("rebuilt"),
            "{name}: {}",
            looked.all_output()
        );
        let ran = fixture.run_ok(&["account", "set", "bo@example.com", "--tier", name]);
        assert!(ran.err.contains("rebuilt"), "{name}: {}", ran.all_output());
        assert_eq!(fixture.balance("bo@example.com"), (3, 0, 1), "{name}");
    }
}

fn list_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(list_files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_torn_tail_is_cut_and_an_altered_line_is_refused_by_number() {
    let fixture = BinaryFixture::new("v2");
    for n in 0..4 {
        fixture.run_ok(&["credits", "grant", &format!("m{n}@example.com"), "4"]);
    }
    let whole = fs::read(fixture.log()).unwrap();
    fs::write(fixture.log(), &whole[..whole.len() - 10]).unwrap();
    let ran = fixture.run_ok(&["account", "list", "--format", "json"]);
    assert!(ran.err.contains("torn"), "{}", ran.err);
    assert_eq!(ran.json()["accounts"].as_array().unwrap().len(), 3);

    let text = fs::read_to_string(fixture.log()).unwrap();
    let altered = text.replacen("m1@example.com", "m9@example.com", 1);
    assert_ne!(text, altered);
    fs::write(fixture.log(), altered).unwrap();
    let ran = fixture.run(&["account", "list"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("line 3"), "{}", ran.err);
    assert!(ran.err.contains("00000001.jsonl"), "{}", ran.err);
}

#[test]
fn each_failure_has_its_exit_code_and_says_what_to_do() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);

    fs::write(fixture.path("key"), "cal_wrong_key_000000").unwrap();
    let refused = fixture.run(&["run", "--once"]);
    assert_eq!(refused.code, 77, "{}", refused.all_output());
    assert!(refused.err.contains("API key"), "{}", refused.err);
    assert_eq!(fixture.run(&["check", "--live"]).code, 77);
    assert_eq!(fixture.run(&["run"]).code, 77);
    fs::write(fixture.path("key"), KEY).unwrap();

    fixture.configure("v2", "http://127.0.0.1:9", "");
    let unreachable = fixture.run(&["run", "--once"]);
    assert_eq!(unreachable.code, 69, "{}", unreachable.all_output());
    assert_eq!(fixture.run(&["check", "--live"]).code, 69);

    fixture.configure("v2", &fixture.sandbox.base_url(), "cots = 2\n");
    for command in [
        &["run", "--once"][..],
        &["check"],
        &["plan"],
        &["account", "list"],
    ] {
        let wrong = fixture.run(command);
        assert_eq!(wrong.code, 78, "{command:?}: {}", wrong.all_output());
        for word in ["config.toml:25", "cots", "cost"] {
            assert!(
                wrong.all_output().contains(word),
                "{word}: {}",
                wrong.all_output()
            );
        }
    }

    fs::remove_file(fixture.path("key")).unwrap();
    fixture.configure("v2", &fixture.sandbox.base_url(), "");
    let missing = fixture.run(&["run", "--once"]);
    assert_eq!(missing.code, 78);
    assert!(missing.err.contains("MAITRED_API_KEY"), "{}", missing.err);

    assert_eq!(fixture.run(&["nonsense"]).code, 2);
    assert_eq!(
        fixture
            .run(&["credits", "grant", "bo@example.com", "1.5"])
            .code,
        2
    );
    let status = fixture.run(&["status"]);
    assert_eq!(status.code, 69);
    let json = fixture.run(&["status", "--format", "json"]);
    let error: Value = serde_json::from_str(json.err.trim()).unwrap();
    assert!(error.to_string().contains("unreachable"), "{error}");
}

#[test]
fn the_key_is_never_shown_even_when_the_server_repeats_it() {
    for (dialect, key) in [
        ("v2", KEY),
        ("v2", "token-without-prefix-0123456789"),
        ("v1", KEY),
    ] {
        let fixture = BinaryFixture::new(dialect);
        fs::write(fixture.path("key"), key).unwrap();
        fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
        fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
        fixture.request_booking(fixture.event_types.lesson, "who@example.com", "10:00:00Z");
        for kind in [
            Operation::List,
            Operation::Confirm,
            Operation::Decline,
            Operation::Cancel,
            Operation::Me,
        ] {
            let rule = FaultRule::on_next(kind, Fault::EchoKey);
            fixture.sandbox.lock().add_fault(rule).unwrap();
        }
        let mut output = String::new();
        for _ in 0..4 {
            output += &fixture
                .run(&["run", "--once", "--log-level", "trace"])
                .all_output();
        }
        output += &fixture
            .run(&["check", "--live", "--log-level", "trace"])
            .all_output();
        output += &fixture.run(&["decisions", "--format", "json"]).all_output();
        for file in list_files(&fixture.path("ledger")) {
            output += &String::from_utf8_lossy(&fs::read(file).unwrap());
        }
        let bare = key.trim_start_matches("cal_");
        assert!(!output.contains(bare), "{dialect} {key}");
    }
}

#[test]
fn while_the_daemon_runs_commands_go_through_its_socket() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "1"]);
    let daemon = Daemon::start(&fixture);
    let socket = fixture.path("ledger/control.sock");
    let mode = fs::metadata(&socket).unwrap().mode() & 0o777;
    assert_eq!(mode, 0o600);
    fixture.run_ok(&["credits", "grant", "al@example.com", "3"]);
    assert_eq!(fixture.balance("al@example.com"), (3, 0, 0));
    let held = fixture.run(&["run", "--once"]);
    assert_eq!(held.code, 75, "{}", held.all_output());
    assert!(
        held.err.contains(&daemon.child.id().to_string()),
        "{}",
        held.err
    );
    assert_eq!(fixture.run(&["run"]).code, 75);
    let status = fixture.run_ok(&["status", "--format", "json"]).json();
    assert_eq!(status["pid"], daemon.child.id());

    let bo = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    wait_until("the confirmation", || fixture.status(&bo) == "accepted");
    fixture.run_ok(&["pause", "--reason", "test"]);
    let al = fixture.request_booking(fixture.event_types.dinner, "al@example.com", "10:00:00Z");
    let plan = fixture.run_ok(&["plan", "--format", "json"]).json();
    assert_eq!(plan["steps"][0]["outcome"], "planned");
    let pass = fixture.run_ok(&["pass", "--format", "json"]).json();
    assert_eq!(pass["steps"][0]["outcome"], "confirmed");
    assert_eq!(fixture.status(&al), "accepted");
    fixture.run_ok(&["resume"]);
    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0, "{lines:#?}");
    assert!(!socket.exists());
    let all = lines.join("\n");
    assert!(!all.contains("example.com"), "addresses in the log: {all}");
    assert!(all.contains("maitred has ended"), "{all}");
    assert_eq!(fixture.balance("bo@example.com"), (0, 0, 1));
    let reopened = fixture.run_ok(&["account", "list", "--log-level", "info"]);
    assert!(!reopened.err.contains("rebuilt"), "{}", reopened.err);
}

#[test]
fn a_reload_keeps_the_old_configuration_when_the_new_one_is_wrong() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "9"]);
    let daemon = Daemon::start(&fixture);
    fixture.configure("v2", &fixture.sandbox.base_url(), "nonsense = 1\n");
    daemon.signal("-HUP");
    let lines = daemon.wait_for_line("the configuration in force does not change");
    assert!(
        lines.iter().any(|line| line.contains("nonsense")),
        "{lines:#?}"
    );
    let bo = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    wait_until("the confirmation", || fixture.status(&bo) == "accepted");
    let more = "\n[[gate]]\nevent-types = [\"open\"]\ncost = 2\n";
    fixture.configure("v2", &fixture.sandbox.base_url(), more);
    daemon.signal("-HUP");
    daemon.wait_for_line("configuration reloaded");
    let open = fixture.request_booking(fixture.event_types.open, "bo@example.com", "11:00:00Z");
    wait_until("the newly gated confirmation", || {
        fixture.status(&open) == "accepted"
    });
    assert_eq!(daemon.terminate().0, 0);
    assert_eq!(fixture.balance("bo@example.com"), (6, 0, 3));
}

#[test]
fn work_of_a_killed_daemon_is_finished_after_its_restart() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "9"]);
    let uid = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let slow = Fault::Slow {
        stage: Stage::After,
        ms: 2_000,
    };
    let rule = FaultRule::on_next(Operation::Confirm, slow);
    fixture.sandbox.lock().add_fault(rule).unwrap();
    let mut daemon = Daemon::start(&fixture);
    wait_until("the call", || fixture.call_count(Operation::Confirm) == 1);
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&uid), "accepted");
    assert_eq!(fixture.balance("bo@example.com"), (8, 0, 1));
    let world = fixture.sandbox.lock();
    let mails = world
        .call_log
        .mail_count(&uid, Recipient::Booker, MailKind::Confirmed);
    assert_eq!(mails, 1);
    assert_eq!(world.call_log.call_count_for(&uid, Operation::Confirm), 1);
}

#[test]
fn an_import_is_all_or_nothing_and_counts_once() {
    let fixture = BinaryFixture::without_ledger("v2");
    let good =
        "account,credits,expires,reason\nbo@example.com,4,2099-12-31,autumn\nal@example.com,2,,\n";
    fs::write(fixture.path("members.csv"), good).unwrap();
    fs::write(
        fixture.path("bad.csv"),
        "account,credits\nbo@example.com,4\n,3\nal@example.com,x\n",
    )
    .unwrap();
    let bad = fixture.run(&["credits", "import", "bad.csv"]);
    assert_eq!(bad.code, 2);
    for word in ["line 3", "line 4"] {
        assert!(bad.err.contains(word), "{}", bad.err);
    }
    assert!(!fixture.path("ledger").exists());
    fixture.run_ok(&["credits", "import", "members.csv", "--dry-run"]);
    assert_eq!(fixture.run(&["credits", "import", "members.csv"]).code, 78);
    assert!(!fixture.path("ledger").exists(), "only `init` makes one");
    fixture.run_ok(&["init"]);
    fixture.run_ok(&["credits", "import", "members.csv"]);
    fixture.run_ok(&["credits", "import", "members.csv"]);
    assert_eq!(fixture.balance("bo@example.com"), (4, 0, 0));
    assert_eq!(fixture.balance("al@example.com"), (2, 0, 0));
    fixture.run_ok(&["account", "alias", "bo@example.com", "bo@work.example"]);
    assert_eq!(fixture.balance("bo@work.example"), (4, 0, 0));
    let grant = [
        "credits",
        "grant",
        "bo@example.com",
        "2",
        "--reference",
        "r1",
    ];
    fixture.run_ok(&grant);
    fixture.run_ok(&grant);
    assert_eq!(fixture.balance("bo@example.com").0, 6);
    let other = fixture.run(&[
        "credits",
        "grant",
        "bo@example.com",
        "3",
        "--reference",
        "r1",
    ]);
    assert_eq!(other.code, 1);
    let revoked = fixture.run(&["credits", "revoke", "bo@example.com", "7"]);
    assert_eq!(revoked.code, 1);
    assert!(revoked.err.contains('6'), "{}", revoked.err);
    fixture.run_ok(&["credits", "revoke", "bo@example.com", "6"]);
    assert_eq!(fixture.balance("bo@example.com").0, 0);
}

#[test]
fn evaluate_reads_the_webhook_payload_of_the_guide() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let payload = serde_json::json!({
        "triggerEvent": "BOOKING_CREATED",
        "createdAt": "2026-11-20T08:15:30.123Z",
        "payload": {
            "type": "lesson", "title": "Lesson", "description": "",
            "startTime": "2026-12-01T09:00:00Z", "endTime": "2026-12-01T10:00:00Z",
            "organizer": {"id": HOST, "name": "Ada", "email": "ada@example.org",
                          "timeZone": "Europe/Berlin"},
            "responses": {
                "name": {"label": "your_name", "value": "Bo", "isHidden": false},
                "email": {"label": "email_address", "value": "Bo@Example.com", "isHidden": false}
            },
            "attendees": [{"email": "Bo@Example.com", "name": "Bo", "timeZone": "Europe/Paris",
                           "language": {"locale": "en"}}],
            "uid": "bFJeNb2uX8ANpT3JL5EfXw", "eventTypeId": fixture.event_types.lesson, "bookingId": 91,
            "price": 0, "currency": "usd", "length": 60, "status": "ACCEPTED", "metadata": {}
        }
    });
    fs::write(fixture.path("payload.json"), payload.to_string()).unwrap();
    let before = fs::read(fixture.log()).unwrap();
    let view = fixture
        .run_ok(&["evaluate", "payload.json", "--format", "json"])
        .json();
    assert_eq!(view["decision"]["decision"], "confirm", "{view}");
    assert_eq!(view["at"], "2026-11-20T08:15:30.123Z");
    assert_eq!(view["decision"]["account"], "bo@example.com");
    let text = fixture.run_ok(&["evaluate", "payload.json"]).out;
    assert!(text.contains("would be confirmed, for 1 credit"), "{text}");
    assert!(text.contains("these assumptions were made"), "{text}");
    assert_eq!(fs::read(fixture.log()).unwrap(), before);
    let item = fixture.request_booking(fixture.event_types.dinner, "who@example.com", "09:00:00Z");
    let url = format!("{}/v2/bookings/{item}", fixture.sandbox.base_url());
    let runtime = Runtime::new().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let body = runtime.block_on(async {
        let client = reqwest::Client::new();
        let sent = client
            .get(url)
            .header("cal-api-version", "2024-08-13")
            .send();
        sent.await.unwrap().text().await.unwrap()
    });
    fs::write(fixture.path("item.json"), body).unwrap();
    let view = fixture
        .run_ok(&["evaluate", "item.json", "--format", "json"])
        .json();
    assert_eq!(view["decision"]["decision"], "decline", "{view}");
    assert_eq!(fixture.run(&["evaluate", "missing.json"]).code, 2);
    fs::write(fixture.path("garbage.json"), "{").unwrap();
    let garbage = fixture.run(&["evaluate", "garbage.json"]);
    assert_eq!(garbage.code, 2);
    assert!(garbage.err.contains("not JSON"), "{}", garbage.err);
}

#[test]
fn check_reports_all_findings_and_asks_the_calendar() {
    let fixture = BinaryFixture::new("v2");
    let fine = fixture.run_ok(&["check", "--live"]);
    assert!(fine.out.contains("lesson"), "{}", fine.out);
    let priced = fixture.event_types.priced;
    let more = format!("\n[[gate]]\nevent-types = [{priced}, \"nowhere\"]\n");
    fixture.configure("v2", &fixture.sandbox.base_url(), &more);
    let live = fixture.run(&["check", "--live", "--format", "json"]);
    assert_eq!(live.code, 78, "{}", live.all_output());
    let text = live.json().to_string();
    assert!(text.contains("price") && text.contains("nowhere"), "{text}");
    fixture.configure("v1", &fixture.sandbox.base_url(), "");
    let v1 = fixture.run_ok(&["check"]);
    assert!(v1.all_output().contains("mail"), "{}", v1.all_output());
}

#[test]
fn a_new_setup_needs_only_init() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
        command
            .args(args)
            .env_clear()
            .env("MAITRED_CONFIG", &config);
        to_run_result(command.output().unwrap())
    };
    let missing = run(&["check"]);
    assert_eq!(missing.code, 78);
    assert!(missing.err.contains("config.toml"), "{}", missing.err);
    let shipped = include_str!("../../config.toml");
    let here = shipped.replace("/var/lib/maitred", "ledger");
    fs::write(&config, here).unwrap();
    let made = run(&["init"]);
    assert_eq!(made.code, 0, "{}", made.all_output());
    assert!(folder.path().join("ledger/log/00000001.jsonl").exists());
    assert_eq!(run(&["init"]).code, 0);
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    for word in ["Exit codes", "75", "credits", "sandbox"] {
        assert!(help.out.contains(word), "{}", help.out);
    }
}

#[test]
fn the_demo_shows_each_outcome() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
    let demo = to_run_result(command.arg("demo").env_clear().output().unwrap());
    assert_eq!(demo.code, 0, "{}", demo.err);
    for word in [
        "confirmed",
        "declined",
        "unresolved",
        "mailed once",
        "none change anything",
        "The log is intact",
        "short-of-credit",
    ] {
        assert!(demo.out.contains(word), "{word}: {}", demo.out);
    }
}

/// The commands that the demo proposes work for everybody, in an empty directory.
#[test]
fn the_commands_that_the_demo_proposes_work_in_an_empty_directory() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
    let demo = to_run_result(command.arg("demo").env_clear().output().unwrap());
    let (_, next) = demo
        .out
        .split_once("\nNext")
        .expect("the demo says what is next");
    let commands: Vec<Vec<&str>> = next
        .lines()
        .filter_map(|line| line.strip_prefix("  maitred "))
        .map(|words| words.split(' ').collect())
        .collect();
    assert_eq!(commands.len(), 2, "{next}");
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
        command.args(args).env_clear().env("MAITRED_API_KEY", KEY);
        to_run_result(command.current_dir(folder.path()).output().unwrap())
    };
    let made = run(&commands[0]);
    assert_eq!(made.code, 0, "{}", made.all_output());
    assert!(folder.path().join("ledger/log/00000001.jsonl").exists());
    let text = fs::read_to_string(folder.path().join("config.toml")).unwrap();
    assert!(text.contains("\npath = \"ledger\"\n"), "{text}");
    // Without `--live`, the command does not ask Cal.com.
    let offline = commands[1].iter().filter(|word| **word != "--live");
    let offline: Vec<&str> = offline.copied().collect();
    assert_eq!(offline.len() + 1, commands[1].len(), "{next}");
    let checked = run(&offline);
    assert_eq!(checked.code, 0, "{}", checked.all_output());
}

#[test]
fn init_puts_the_ledger_of_a_new_configuration_where_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let run = |store: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
        command.args(["init", "--store", store]).env_clear();
        to_run_result(command.env("MAITRED_CONFIG", &config).output().unwrap())
    };
    let odd_name = "a \"ledger\"";
    for _ in 0..2 {
        assert_eq!(run(odd_name).code, 0);
    }
    assert!(folder.path().join(odd_name).join("log").is_dir());
    let other = run("elsewhere");
    assert_eq!(other.code, 78, "{}", other.all_output());
    assert!(other.err.contains("store.path"), "{}", other.err);
    assert!(!folder.path().join("elsewhere").exists());
}

#[test]
fn the_sandbox_serves_a_scenario_and_is_driven_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = serde_json::json!({
        "users": [{"id": 7, "name": "Eve Host", "email": "eve@example.org",
                   "keys": [{"key": KEY}]}],
        "event-types": [{"id": 5, "owner": 7, "slug": "lesson"}],
        "bookings": [{"request": {"event-type": 5, "email": "bo@example.com", "start": "+48h",
                                  "names": {"uids": ["one"]}}}]
    });
    let path = folder.path().join("scenario.json");
    fs::write(&path, scenario.to_string()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_maitred"))
        .args(["sandbox", "--listen", "127.0.0.1:0", "--scenario"])
        .arg(&path)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    if first.is_empty() {
        panic!("{}", to_run_result(child.wait_with_output().unwrap()).err);
    }
    let base = first
        .split(' ')
        .find(|word| word.starts_with("http"))
        .unwrap();
    let config = folder.path().join("config.toml");
    let text = format!(
        "[calcom]\nbase-url = \"{base}\"\n[store]\npath = \"ledger\"\n\
         [[gate]]\nevent-types = [\"lesson\"]\n"
    );
    fs::write(&config, text).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
        command.args(args).env_clear();
        command
            .env("MAITRED_CONFIG", &config)
            .env("MAITRED_API_KEY", KEY);
        to_run_result(command.output().unwrap())
    };
    assert_eq!(run(&["init"]).code, 0);
    assert_eq!(run(&["credits", "grant", "bo@example.com", "1"]).code, 0);
    assert_eq!(run(&["run", "--once"]).code, 0);
    let runtime = Runtime::new().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let state = runtime.block_on(async {
        let sent = reqwest::get(format!("{base}/_sandbox/state"))
            .await
            .unwrap();
        sent.text().await.unwrap()
    });
    assert!(state.contains("\"accepted\""), "{state}");
    assert!(!state.contains(KEY.trim_start_matches("cal_")), "{state}");
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let wide = run(&["sandbox", "--listen", "0.0.0.0:0"]);
    assert_eq!(wide.code, 2, "{}", wide.all_output());
}

#[test]
fn a_cancelled_booking_is_refunded_by_a_single_watch_and_by_the_daemon() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let first = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let second = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "10:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let open = fixture
        .run_ok(&["charges", "list", "--open", "--format", "json"])
        .json();
    assert_eq!(open["charges"].as_array().unwrap().len(), 2, "{open}");
    let cancel = |uid: &str| {
        let action = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(uid));
        fixture.sandbox.lock().act(clock::now(), action).unwrap();
    };
    cancel(&first);
    fixture.run_ok(&["run", "--once", "--watch"]);
    assert_eq!(fixture.balance("bo@example.com").0, 3);
    let before = fs::read(fixture.log()).unwrap();
    fixture.run_ok(&["run", "--once", "--watch"]);
    assert_eq!(
        fs::read(fixture.log()).unwrap(),
        before,
        "a second watch changes nothing"
    );
    let explained = fixture.run_ok(&["explain", &first]).out;
    assert!(explained.contains("refund"), "{explained}");
    let statement = fixture
        .run_ok(&["account", "statement", "bo@example.com"])
        .out;
    let words: Vec<&str> = statement.split_whitespace().collect();
    let has_reason = words.join(" ").contains("cancelled by the booker");
    assert!(has_reason, "{statement}");

    let daemon = Daemon::start(&fixture);
    cancel(&second);
    wait_until("the refund", || fixture.balance("bo@example.com").0 == 4);
    assert_eq!(daemon.terminate().0, 0);
    fixture.run_ok(&["ledger", "verify"]);
}

#[test]
fn an_operator_settles_a_charge_by_hand() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let confirmed =
        fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let refunded =
        fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "10:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    fixture.run_ok(&["charges", "settle", &confirmed, "keep"]);
    fixture.run_ok(&["charges", "settle", &refunded, "refund"]);
    assert_eq!(fixture.balance("bo@example.com").0, 3);
    let again = fixture.run(&["charges", "settle", &confirmed, "refund"]);
    assert_ne!(again.code, 0, "{}", again.all_output());
    let open = fixture
        .run_ok(&["charges", "list", "--open", "--format", "json"])
        .json();
    assert_eq!(open["charges"].as_array().unwrap().len(), 0, "{open}");
}
