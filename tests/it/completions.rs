//! Completions, as a shell asks for them.

use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::fixture::binary::{BinaryFixture, Daemon, to_run_result};

/// Returns the completions of the last word, as Bash gets them. Nothing else may be printed.
fn complete(fixture: &BinaryFixture, words: &[&str]) -> Vec<String> {
    let mut command = fixture.command(&["--", "maitred"]);
    command.args(words).env("MAITRED_COMPLETE", "bash");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let ran = to_run_result(command.output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
    ran.out.lines().map(str::to_owned).collect()
}

fn with_members() -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    for account in ["ann@example.com", "anton@example.com", "bo@example.com"] {
        fixture.run_ok(&["credits", "grant", account, "3"]);
    }
    fixture
}

const MEMBERS_WITH_AN: [&str; 2] = ["ann@example.com", "anton@example.com"];

#[test]
fn members_are_completed_with_and_without_a_daemon() {
    let fixture = with_members();
    for words in [
        ["account", "show", "an"],
        ["credits", "grant", "an"],
        ["decisions", "--booker", "an"],
    ] {
        assert_eq!(complete(&fixture, &words), MEMBERS_WITH_AN, "{words:?}");
    }
    let daemon = Daemon::start(&fixture);
    assert_eq!(
        complete(&fixture, &["account", "show", "an"]),
        MEMBERS_WITH_AN
    );
    assert_eq!(complete(&fixture, &["account", "show", "x"]), [""; 0]);
    assert_eq!(daemon.terminate().0, 0);
}

/// A daemon without a socket holds the ledger: the log is read all the same.
#[test]
fn a_ledger_that_is_held_is_read_and_stays_held() {
    let fixture = with_members();
    let base = fixture.sandbox.base_url();
    fixture.configure("v2", &base, "\n[control]\nsocket = \"\"\n");
    let daemon = Daemon::start(&fixture);
    assert_eq!(
        complete(&fixture, &["account", "show", "an"]),
        MEMBERS_WITH_AN
    );
    let refused = fixture.run(&["credits", "grant", "ann@example.com", "1"]);
    assert_eq!(refused.code, 75, "{}", refused.all_output());
    assert_eq!(daemon.terminate().0, 0);
}

#[test]
fn bookings_gates_levels_and_files_are_completed() {
    let fixture = with_members();
    let lesson = fixture.event_types.lesson;
    let uid = fixture.request_booking(lesson, "stranger@example.com", "10:00:00Z");
    fixture.run(&["run", "--once"]);
    let start = &uid[..uid.len() - 2];
    assert_eq!(complete(&fixture, &["explain", start]), [uid.as_str()]);
    let base = fixture.sandbox.base_url();
    fixture.configure("v2", &base, "name = \"dinners\"\n");
    assert_eq!(
        complete(&fixture, &["resume", "--gate", "din"]),
        ["dinners"]
    );
    assert_eq!(complete(&fixture, &["--log-level", "de"]), ["debug"]);
    assert_eq!(complete(&fixture, &["plan", "--format", "j"]), ["json"]);
    assert_eq!(
        complete(&fixture, &["evaluate", "config.t"]),
        ["config.toml"]
    );
    assert_eq!(
        complete(&fixture, &["charges", "settle", "x", "ref"]),
        ["refund"]
    );
    assert_eq!(complete(&fixture, &["unresolved", "resolve", "x"]), [""; 0]);
}

#[test]
fn without_a_configuration_or_a_ledger_there_is_nothing_and_no_error() {
    let fixture = BinaryFixture::without_ledger("v2");
    assert_eq!(complete(&fixture, &["account", "show", "a"]), [""; 0]);
    fixture.write_config("nonsense [");
    assert_eq!(complete(&fixture, &["account", "show", "a"]), [""; 0]);
    assert_eq!(complete(&fixture, &["resume", "--gate", "a"]), [""; 0]);
    // What the program itself knows is completed all the same.
    assert_eq!(complete(&fixture, &["account", "sho"]), ["show"]);
    // A shell that is not known.
    let mut command = fixture.command(&["--", "maitred", "account"]);
    let ran = to_run_result(command.env("MAITRED_COMPLETE", "tcsh").output().unwrap());
    assert_eq!((ran.code, ran.all_output().as_str()), (0, ""));
}

/// The daemon keeps running with its earlier configuration, and is asked.
#[test]
fn with_a_wrong_configuration_the_daemon_is_asked() {
    let fixture = with_members();
    let daemon = Daemon::start(&fixture);
    let text = std::fs::read_to_string(fixture.path("config.toml")).unwrap();
    fixture.write_config(&format!("{text}nonsense = 1\n"));
    assert_eq!(
        complete(&fixture, &["account", "show", "an"]),
        MEMBERS_WITH_AN
    );
    assert_eq!(daemon.terminate().0, 0);
}

/// A daemon that never answers: the completion gives up long before the daemon sees any limit of its
/// own.
#[test]
fn a_daemon_that_does_not_answer_is_not_waited_for() {
    const PATIENCE: Duration = Duration::from_secs(8);
    let fixture = with_members();
    let listener = UnixListener::bind(fixture.path("ledger/control.sock")).unwrap();
    let daemon = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = Vec::new();
        // The client closes the connection when it ends.
        client.read_to_end(&mut request).map(|_| request.len())
    });
    assert_eq!(complete(&fixture, &["account", "show", "an"]), [""; 0]);
    let read = daemon.join().unwrap();
    assert!(read.is_ok_and(|length| length > 0), "the client waits");
}

/// Completes a line in Bash, with the words as Bash splits them, and returns what Bash would insert.
fn complete_in_bash(
    fixture: &BinaryFixture,
    line: &str,
    words: &[&str],
    part: &str,
) -> Vec<String> {
    let script = fixture.path("completions.bash");
    let printed = fixture.run_ok(&["completions", "bash"]).out;
    std::fs::write(&script, printed).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_maitred")).parent().unwrap();
    let ask = "source \"$1\"; COMP_LINE=$2 COMP_POINT=${#2} part=$3; shift 3; COMP_WORDS=(\"$@\"); \
               COMP_CWORD=$(($# - 1)); \"$(complete -p maitred | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\" \
               maitred \"$part\" \"\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", ask, "bash"])
        .arg(&script)
        .args([line, part])
        .args(words);
    bash.current_dir(fixture.folder.path()).env_clear();
    bash.env("PATH", format!("{}:/usr/bin:/bin", program.display()));
    bash.env("MAITRED_CONFIG", fixture.path("config.toml"));
    let ran = to_run_result(bash.output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line}");
    let lines = ran.out.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// Bash splits an address at `@`, and replaces only the part behind it.
#[test]
fn bash_completes_an_address() {
    let fixture = with_members();
    let account = ["maitred", "account", "show"];
    let rows: [(&str, &[&str], &str, &[&str]); 5] = [
        ("maitred account show an", &["an"], "an", &MEMBERS_WITH_AN),
        (
            "maitred account show ann@",
            &["ann", "@"],
            "",
            &["example.com"],
        ),
        (
            "maitred account show ann@ex",
            &["ann", "@", "ex"],
            "ex",
            &["example.com"],
        ),
        (
            "maitred account show \"ann@ex",
            &["\"ann@ex"],
            "ann@ex",
            &["ann@example.com"],
        ),
        ("maitred account show x@", &["x", "@"], "", &[]),
    ];
    for (line, rest, part, expect) in rows {
        let words = [account.as_slice(), rest].concat();
        assert_eq!(
            complete_in_bash(&fixture, line, &words, part),
            expect,
            "{line}"
        );
    }
    let words = ["maitred", "plan", "--format", "=", "j"];
    let line = "maitred plan --format=j";
    assert_eq!(complete_in_bash(&fixture, line, &words, "j"), ["json"]);
    let words = ["maitred", "acc"];
    assert_eq!(
        complete_in_bash(&fixture, "maitred acc", &words, "acc"),
        ["account"]
    );
}
