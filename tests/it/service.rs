//! What the daemon tells a service manager, over a notify socket of the test's own, and what the
//! journal gets.

use std::fs;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::fixture::binary::{BinaryFixture, Daemon, to_run_result, wait_until};
use maitred::daemon::clock;
use maitred::domain::time::Span;

/// How long a message may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time-out of the watchdog in microseconds. A quarter lies between two signs of life.
const WATCHDOG_USEC: &str = "400000";

/// The socket of a service manager.
struct ServiceManager {
    socket: UnixDatagram,
    path: String,
}

impl ServiceManager {
    fn listen(fixture: &BinaryFixture) -> Self {
        let path = fixture.path("notify.sock").display().to_string();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path }
    }

    fn start(&self, fixture: &BinaryFixture, more: &[(&str, &str)]) -> Daemon {
        let own = [("NOTIFY_SOCKET", self.path.as_str())];
        Daemon::start_with_env(fixture, &[&own, more].concat())
    }

    fn receive(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a message comes");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Returns the messages up to the first that begins with this text. Signs of life and states
    /// come in between.
    fn wait_for(&self, begins: &str) -> Vec<String> {
        let end = clock::now() + Span::from_std(PATIENCE).unwrap();
        let mut messages = Vec::new();
        while clock::now() < end {
            let message = self.receive();
            let found = message.starts_with(begins);
            messages.push(message);
            if found {
                return messages;
            }
        }
        panic!("{begins:?} did not come: {messages:#?}");
    }

    /// Waits for the next message that is neither a sign of life nor a state.
    fn next_change(&self) -> String {
        loop {
            let message = self.receive();
            if !message.starts_with("WATCHDOG=") && !message.starts_with("STATUS=") {
                return message;
            }
        }
    }
}

fn config_text(fixture: &BinaryFixture) -> String {
    fs::read_to_string(fixture.path("config.toml")).unwrap()
}

#[test]
fn the_service_manager_hears_of_start_reload_life_and_stop() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "1", "--new"]);
    let manager = ServiceManager::listen(&fixture);
    let daemon = manager.start(&fixture, &[("WATCHDOG_USEC", WATCHDOG_USEC)]);
    assert_eq!(manager.next_change(), "READY=1\n");
    // When the daemon is ready, it answers commands.
    fixture.run_ok(&["status"]);
    let state = manager.wait_for("STATUS=Last pass ").pop().unwrap();
    assert!(
        state.ends_with("Nothing waits. Nothing needs a person.\n"),
        "{state}"
    );
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1\n");
    }

    let good = config_text(&fixture);
    fixture.write_config(&good.replace("cost = 3", "cost = 2"));
    let reloaded = fixture.run_ok(&["reload"]);
    assert!(reloaded.out.contains("1 changed key"), "{}", reloaded.out);
    assert!(reloaded.out.contains("gate[1].cost"), "{}", reloaded.out);
    let begins = manager.next_change();
    let since = begins.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(
        since.is_some_and(|at| at.trim().parse::<u64>().is_ok()),
        "{begins}"
    );
    assert_eq!(manager.next_change(), "READY=1\n");
    let again = fixture.run_ok(&["reload"]);
    assert!(
        again.out.contains("no key changed its value"),
        "{}",
        again.out
    );

    // SIGHUP uses the same code.
    manager.next_change();
    assert_eq!(manager.next_change(), "READY=1\n");
    fixture.write_config(&good);
    daemon.signal("-HUP");
    assert!(manager.next_change().starts_with("RELOADING=1\n"));
    assert_eq!(manager.next_change(), "READY=1\n");

    // A person in review is in the state; the name is not.
    fixture.write_config(&format!("{good}unknown-booker = \"review\"\n"));
    fixture.run_ok(&["reload"]);
    fixture.request_booking(fixture.event_types.dinner, "di@example.com", "09:00:00Z");
    let states = manager.wait_for("STATUS=");
    drop(states);
    wait_until("the state with the review", || {
        let state = manager.wait_for("STATUS=").pop().unwrap();
        assert!(!state.contains("example.com"), "{state}");
        state.contains("Needs a person: 1 in review.")
    });

    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0, "{lines:#?}");
    manager.wait_for("STOPPING=1\n");
}

#[test]
fn a_refused_reload_says_what_check_says_and_the_daemon_goes_on() {
    let fixture = BinaryFixture::new("v2");
    let manager = ServiceManager::listen(&fixture);
    let daemon = manager.start(&fixture, &[]);
    assert_eq!(manager.next_change(), "READY=1\n");
    let policy = || fixture.run_ok(&["status", "--format", "json"]).json()["policy"].clone();
    let before = policy();
    let good = config_text(&fixture);
    let base = fixture.sandbox.base_url();
    let wrongs = [
        (
            good.replace("cost = 1", "cost = \"much\"") + "colour = 1\n",
            true,
        ),
        (format!("{good}[[gate\n"), true),
        (good.replace(&base, "http://127.0.0.1:1"), false),
        (
            good.replace("api-key-file = \"key\"", "api-key-file = \"none\""),
            false,
        ),
    ];
    for (wrong, is_file_wrong) in &wrongs {
        fixture.write_config(wrong);
        let refused = fixture.run(&["reload"]);
        assert_eq!(refused.code, 78, "{}", refused.all_output());
        assert!(
            refused.out.contains("The daemon continues"),
            "{}",
            refused.out
        );
        let check = fixture.run(&["check"]);
        if *is_file_wrong {
            assert_eq!(check.code, 78);
            assert!(
                refused.out.starts_with(&check.out),
                "{}\n{}",
                refused.out,
                check.out
            );
        }
        assert!(manager.next_change().starts_with("RELOADING=1\n"));
        assert_eq!(manager.next_change(), "READY=1\n");
        let json = fixture.run(&["reload", "--format", "json"]);
        assert_eq!((json.code, &json.json()["accepted"]), (78, &false.into()));
        manager.next_change();
        manager.next_change();
        fixture.write_config(&good);
        assert_eq!(policy(), before);
    }
    let lines = daemon.wait_for_line("the configuration is wrong");
    assert!(lines.last().unwrap().contains("gate[0].cost"), "{lines:#?}");
    assert_eq!(daemon.terminate().0, 0);
    // Without a daemon there is nothing to reload.
    assert_eq!(fixture.run(&["reload"]).code, 69);
}

#[test]
fn a_watchdog_of_another_process_gets_no_signs_of_life() {
    let fixture = BinaryFixture::new("v2");
    let manager = ServiceManager::listen(&fixture);
    let variables = [("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let daemon = manager.start(&fixture, &variables);
    assert_eq!(manager.next_change(), "READY=1\n");
    for _ in 0..2 {
        fixture.run_ok(&["reload"]);
        assert!(
            manager
                .receive_without_states()
                .starts_with("RELOADING=1\n")
        );
        assert_eq!(manager.receive_without_states(), "READY=1\n");
    }
    assert_eq!(daemon.terminate().0, 0);
}

impl ServiceManager {
    /// Waits for the next message that is not a state.
    fn receive_without_states(&self) -> String {
        loop {
            let message = self.receive();
            if !message.starts_with("STATUS=") {
                return message;
            }
        }
    }
}

#[test]
fn a_lookup_command_does_not_reach_the_service_manager() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "1", "--new"]);
    let seen = fixture.path("environment");
    let more = format!(
        "[[gate.rule]]\nname = \"asked\"\nrequire = \"lookup.crm == true\"\n\n[[lookup]]\n\
         name = \"crm\"\ncommand = [\"/bin/sh\", \"-c\", \"env > '{}'; echo true\"]\n",
        seen.display()
    );
    let good = config_text(&fixture);
    fixture.write_config(&format!("{good}{more}"));
    let manager = ServiceManager::listen(&fixture);
    let journal = [("JOURNAL_STREAM", "1:2"), ("WATCHDOG_USEC", WATCHDOG_USEC)];
    let daemon = manager.start(&fixture, &journal);
    let dinner = fixture.request_booking(fixture.event_types.dinner, "bo@example.com", "09:00:00Z");
    wait_until("the lookup", || seen.exists());
    wait_until("its end", || {
        fixture
            .run(&["explain", &dinner])
            .out
            .contains("short-of-credit")
    });
    let environment = fs::read_to_string(&seen).unwrap();
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"] {
        assert!(!environment.contains(name), "{environment}");
    }
    assert_eq!(daemon.terminate().0, 0);
}

/// Runs the daemon with standard error in a file that `JOURNAL_STREAM` names, until its first pass.
fn run_with_journal(fixture: &BinaryFixture, format: &str) -> Vec<String> {
    let path = fixture.path("journal");
    let file = fs::File::create(&path).unwrap();
    let at = file.metadata().unwrap();
    let mut child = fixture
        .command(&["run", "--log-format", format])
        .env("JOURNAL_STREAM", format!("{}:{}", at.dev(), at.ino()))
        .stderr(Stdio::from(file))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("a warning in the journal", || {
        fs::read_to_string(&path)
            .unwrap()
            .contains("the next pass tries again")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn lines_for_the_journal_have_a_priority_and_no_time() {
    let fixture = BinaryFixture::new("v2");
    // Nothing listens there, so each pass fails with a warning.
    fixture.configure("v2", "http://127.0.0.1:1", "");
    let year = clock::now().format("%Y-").to_string();
    for format in ["plain", "json"] {
        let lines = run_with_journal(&fixture, format);
        let find = |text: &str| lines.iter().find(|line| line.contains(text)).unwrap();
        assert!(find("maitred is up").starts_with("<6>"), "{lines:#?}");
        assert!(
            find("the next pass tries again").starts_with("<4>"),
            "{lines:#?}"
        );
        for line in &lines {
            assert!(line.starts_with('<'), "{line}");
            assert!(!line.contains(&year), "no time of its own: {line}");
            let own = line.contains("Uninitialized") || line.contains("tokio_cron");
            assert!(!own, "noise of the scheduler: {line}");
        }
    }
    // A failure to start is an error in the journal, too.
    fs::remove_file(fixture.path("key")).unwrap();
    let path = fixture.path("journal");
    let file = fs::File::create(&path).unwrap();
    let at = file.metadata().unwrap();
    let mut command = fixture.command(&["run"]);
    command.env("JOURNAL_STREAM", format!("{}:{}", at.dev(), at.ino()));
    command.stderr(Stdio::from(file));
    assert_eq!(to_run_result(command.output().unwrap()).code, 78);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("<3>maitred: "), "{text}");
}

/// Standard error is a socket, as systemd makes it, and there is no journal that takes entries.
#[test]
fn without_the_socket_of_the_journal_lines_have_a_priority() {
    if Path::new("/run/systemd/journal/socket").exists() {
        // Then the entry goes to the journal of this machine, where the test cannot read it.
        return;
    }
    let fixture = BinaryFixture::new("v2");
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let file = fs::File::from(OwnedFd::from(theirs));
    let at = file.metadata().unwrap();
    let mut command = fixture.command(&["credits", "grant", "ann@example.com", "3"]);
    command.env("JOURNAL_STREAM", format!("{}:{}", at.dev(), at.ino()));
    command.stderr(Stdio::from(file)).stdout(Stdio::null());
    assert!(command.status().unwrap().success());
    drop(command);
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("<6>"), "{text}");
    assert!(text.contains("command=\"credits grant\""), "{text}");
}

#[test]
fn the_log_elsewhere_keeps_its_times_and_has_no_priorities() {
    let fixture = BinaryFixture::new("v2");
    let daemon = Daemon::start_with_env(&fixture, &[("JOURNAL_STREAM", "1:2")]);
    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0);
    let year = clock::now().format("%Y-").to_string();
    let ended = lines.iter().find(|line| line.contains("maitred has ended"));
    assert!(ended.unwrap().starts_with(&year), "{lines:#?}");
    assert!(
        lines.iter().all(|line| !line.contains("Uninitialized")),
        "{lines:#?}"
    );
}
