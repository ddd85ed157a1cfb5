//! `maitred check --live` as operators meet it: the built binary against a sandbox, with everything
//! that can be wrong on either side.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use maitred::daemon::clock;
use maitred::domain::time::{Clock, Span};
use maitred::sandbox::event_type::{ConfirmationRule, SandboxEventType};
use maitred::store::open::{CreateIfMissing, open};
use serde_json::Value;

use crate::fixture::binary::BinaryFixture;
use crate::fixture::test_world::{HOST, WorldBuilder};

struct DoctorFixture {
    binary: BinaryFixture,
}

impl Deref for DoctorFixture {
    type Target = BinaryFixture;

    fn deref(&self) -> &BinaryFixture {
        &self.binary
    }
}

impl DoctorFixture {
    /// Returns a fixture with these event types and a server whose clock is ahead by this span.
    fn new(kinds: Vec<SandboxEventType>, ahead: Span) -> Self {
        let server: Clock = Arc::new(move || clock::now() + ahead);
        let world = WorldBuilder::new(server).event_types(kinds);
        let binary = BinaryFixture::in_world(world, tempfile::tempdir().unwrap());
        Self { binary }
    }

    /// Returns the exit code, and each finding as `level subject: text`.
    fn run_check(&self, gates: &str) -> (i32, Vec<String>) {
        let text = format!(
            "[calcom]\nbase-url = '{}'\napi-key-file = 'key'\n[store]\npath = 'ledger'\n{gates}",
            self.sandbox.base_url()
        );
        self.write_config(&text);
        let checked = self.run(&["check", "--live", "--format", "json"]);
        let view = checked.json();
        let findings = view["results"].as_array().unwrap().iter();
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let lines = findings.map(|finding| {
            let level = text(finding, "level");
            // Every finding except `ok` says what to do.
            assert_eq!(level == "ok", text(finding, "help").is_empty(), "{finding}");
            format!(
                "{level} {}: {}",
                text(finding, "subject"),
                text(finding, "text")
            )
        });
        (checked.code, lines.collect())
    }
}

/// Checks that exactly one finding starts with `head` and contains `text`.
#[track_caller]
fn assert_one_finding(found: &[String], head: &str, text: &str) {
    let count = { found.iter() }.filter(|line| line.starts_with(head) && line.contains(text));
    assert_eq!(count.count(), 1, "{head} … {text}: {found:#?}");
}

fn lesson() -> SandboxEventType {
    SandboxEventType::new(HOST, "lesson")
}

const GATE: &str = "[[gate]]\nevent-types = ['lesson']\n";

#[test]
fn a_correct_setup_has_no_findings() {
    let fixture = DoctorFixture::new(vec![lesson()], Span::zero());
    let (code, found) = fixture.run_check(GATE);
    assert_eq!(code, 0, "{found:#?}");
    assert_one_finding(&found, "warning store: ", "there is no ledger in");
    fixture.init();
    let (code, found) = fixture.run_check(GATE);
    assert_eq!(code, 0, "{found:#?}");
    let rows = [
        ("ok configuration: ", "gates lesson"),
        ("ok store: ", "can be opened (0 commits)"),
        ("ok socket: ", "no daemon listens on"),
        ("ok key: ", "found in the file"),
        ("ok key: ", "it acts as"),
        ("ok dialect: ", "understands v2"),
        ("ok bookings: ", "(0 waiting)"),
        ("ok clock: ", "agree"),
        (
            "ok event type lesson (gate lesson): ",
            "asks for confirmation (Cal.com does not show to an API key",
        ),
        // The sandbox's bookers do not prove their addresses.
        (
            "warning event type lesson (gate lesson): ",
            "need not verify their e-mail address",
        ),
    ];
    for (head, text) in rows {
        assert_one_finding(&found, head, text);
    }
    // The test does not know how much of this disk is free.
    assert!(
        found.iter().any(|line| line.contains(" disk: ")),
        "{found:#?}"
    );
}

#[test]
fn a_wrong_clock_is_found() {
    let rows = [
        (20, 0, "warning clock: "),
        (-20, 0, "warning clock: "),
        (120, 1, "error clock: "),
    ];
    for (seconds, expect, head) in rows {
        let fixture = DoctorFixture::new(vec![lesson()], Span::seconds(seconds));
        fixture.init();
        let (code, found) = fixture.run_check(GATE);
        assert_eq!(code, expect, "{found:#?}");
        let way = if seconds > 0 {
            "s ahead of"
        } else {
            "s behind"
        };
        assert_one_finding(&found, head, way);
    }
}

#[test]
fn unsuitable_event_types_are_found() {
    let with = |slug: &str, change: &dyn Fn(&mut SandboxEventType)| {
        let mut kind = SandboxEventType::new(HOST, slug);
        change(&mut kind);
        kind
    };
    let kinds = vec![
        with("free-for-all", &|kind| {
            kind.confirmation = ConfirmationRule::Never
        }),
        with("late", &|kind| {
            kind.confirmation = ConfirmationRule::ShortNotice(Span::hours(2))
        }),
        with("seats", &|kind| kind.seats = Some(5)),
        with("priced", &|kind| kind.price = 500),
        with("series", &|kind| kind.occurrences = Some(4)),
        with("pin", &|_| {}),
    ];
    let fixture = DoctorFixture::new(kinds, Span::zero());
    fixture.init();
    let gates = "[[gate]]\nname = 'all'\n\
                 event-types = ['free-for-all', 'late', 'seats', 'priced', 'series', 'nowhere']\n\
                 [[gate]]\nevent-types = ['pin']\npin = 'member-pin'\n";
    let (code, found) = fixture.run_check(gates);
    assert_eq!(code, 78, "{found:#?}");
    let rows = [
        (
            "error event type free-for-all (gate all): ",
            "does not ask for confirmation",
        ),
        (
            "warning event type late (gate all): ",
            "only at short notice",
        ),
        ("error event type seats (gate all): ", "it has seats"),
        ("error event type priced (gate all): ", "it has a price"),
        ("ok event type series (gate all): ", "it makes series"),
        (
            "error event type nowhere (gate all): ",
            "does not show it to this key",
        ),
        (
            "error event type pin (gate pin): ",
            "no booking question member-pin",
        ),
    ];
    for (head, text) in rows {
        assert_one_finding(&found, head, text);
    }
}

#[test]
fn local_problems_are_found() {
    let fixture = DoctorFixture::new(vec![lesson()], Span::zero());
    fixture.init();
    let store = fixture.path("ledger");
    let _held = open(&store, CreateIfMissing::No, clock::now(), &mut |_| {}).unwrap();
    let socket = fixture.path("open.sock");
    let _listening = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(fixture.path("token"), "secret").unwrap();
    fs::set_permissions(fixture.path("token"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(fixture.path("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let more = format!(
        "[control]\nsocket = '{}'\n\
         [[lookup]]\nname = 'gone'\ncommand = ['/nowhere/at/all']\n\
         [[lookup]]\nname = 'shell'\ncommand = ['/bin/sh', '-c', 'true']\n\
         [[lookup]]\nname = 'web'\nurl = 'https://members.example.com/{{address}}'\n\
         credential-file = 'token'\n\
         [[rule]]\nname = 'known'\nrequire = 'lookup.gone && lookup.shell && lookup.web'\n{GATE}",
        socket.display()
    );
    let (code, found) = fixture.run_check(&more);
    assert_eq!(code, 78, "{found:#?}");
    let process = format!("is in use (process {})", std::process::id());
    let rows = [
        ("ok store: ", process.as_str()),
        ("warning socket: ", "has mode 777"),
        ("error lookup gone: ", "No such file"),
        ("ok lookup shell: ", "can be run"),
        (
            "warning lookup web: ",
            "other users than its owner can read",
        ),
        ("warning ", "everybody on this machine can read the API key"),
    ];
    for (head, text) in rows {
        assert_one_finding(&found, head, text);
    }
}

#[test]
fn a_refused_key_and_an_unreachable_server_are_found() {
    let fixture = DoctorFixture::new(vec![lesson()], Span::zero());
    fixture.init();
    fs::write(fixture.path("key"), "cal_another_key_0123456789abcdef").unwrap();
    let (code, found) = fixture.run_check(GATE);
    assert_eq!(code, 77, "{found:#?}");
    assert_one_finding(&found, "error key: ", "refused the API key");
    assert_one_finding(&found, "ok store: ", "can be opened");
}
