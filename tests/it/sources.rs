//! Sources: who is a member is decided by another system. An account opens before the request is
//! decided, strangers read what strangers read without a source, and a source without an answer neither
//! confirms nor declines.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use maitred::domain::account::Account;
use maitred::domain::decision::ReasonCode;
use maitred::domain::id::AccountId;
use maitred::domain::member_source::{
    BalanceMeaning, HttpSource, Leavers, MemberSource, MemberSourceKind, RecordFields,
};
use maitred::domain::time::Span;
use maitred::sandbox::new_booking::NewBooking;
use maitred::source::client::SourceClient;
use tempfile::TempDir;

use crate::fixture::clock::parse_time;
use crate::fixture::http_server::{Peer, ReceivedCall, Reply};
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::DIALECTS;

const BO: &str = "bo@example.com";

/// Long enough for a loaded machine to start a shell.
const LONG_TIMEOUT: Duration = Duration::from_secs(20);

/// A limit for systems that never answer.
const SHORT_TIMEOUT: Duration = Duration::from_millis(300);

pub(crate) fn source(kind: MemberSourceKind) -> MemberSource {
    MemberSource {
        name: "club".to_owned(),
        kind,
        fields: RecordFields {
            attributes: [("level".to_owned(), "level".to_owned())].into(),
            ..RecordFields::default()
        },
        answers: Vec::new(),
        balance: Some(BalanceMeaning::Given),
        leavers: Leavers::Freeze,
        max_change: 20,
        sync: true,
        timeout: LONG_TIMEOUT,
        cached_for: Duration::ZERO,
        at_once: 2,
    }
}

fn shell(folder: &TempDir, script: &str) -> MemberSource {
    let path = folder.path().join("club.sh");
    fs::write(&path, script).unwrap();
    source(MemberSourceKind::Command {
        program: PathBuf::from("/bin/sh"),
        args: vec![path.display().to_string()],
    })
}

fn endpoint(base: &str) -> MemberSource {
    source(MemberSourceKind::Http(HttpSource {
        url: Some(format!("{base}/members/{{address}}")),
        ..HttpSource::default()
    }))
}

/// Decides one request of Bo's. Returns the decision with its first reason, and the problems.
pub(crate) async fn decide(fixture: &mut PassFixture, source: &MemberSource) -> (String, String) {
    fixture.sources = SourceClient::open(std::slice::from_ref(source)).unwrap();
    let lesson = fixture.event_types.lesson;
    let uid = fixture.request(lesson, BO, "2026-12-01T09:00:00Z");
    let report = fixture.pass().await;
    let problems: Vec<String> = report
        .problems
        .iter()
        .map(|problem| format!("{}: {}", problem.code, problem.text))
        .collect();
    let problems = problems.join("\n");
    assert!(
        !problems.contains('@') && !problems.contains("%40"),
        "{problems}"
    );
    (decision(fixture, &uid).await, problems)
}

async fn decision(fixture: &PassFixture, uid: &str) -> String {
    let record = fixture.stored_request(uid).await.unwrap();
    let code = record.reasons[0].code;
    format!("{} {}", record.decision.as_str(), ReasonCode::as_str(code))
}

pub(crate) async fn account(fixture: &PassFixture, name: &str) -> Option<Account> {
    let id = AccountId::parse(name).unwrap();
    fixture
        .store
        .with(move |store| store.account(&id))
        .await
        .unwrap()
}

/// Returns a fixture in which the ledger is not empty, so that strangers are declined.
pub(crate) async fn club_fixture() -> PassFixture {
    let fixture = PassFixture::new(DIALECTS[0]).await;
    fixture.grant("somebody@example.com", 1).await;
    fixture
}

const CONFIRMED: &str = "confirm enough";
const UNKNOWN: &str = "decline unknown-booker";
const UNANSWERED: &str = "leave source-failed";

#[tokio::test]
async fn a_command_says_who_is_a_member() {
    let folder = tempfile::tempdir().unwrap();
    let member = r#"{"address":"bo@example.com","tier":"gold","tags":["a"],"level":3,"balance":4}"#;
    let far = "head -c 70000 /dev/zero | tr '\\0' x";
    // script, time limit, decision, problem
    let rows = [
        (
            format!("cat > {}/asked; echo '{member}'", folder.path().display()),
            LONG_TIMEOUT,
            CONFIRMED,
            "",
        ),
        ("echo null".to_owned(), LONG_TIMEOUT, UNKNOWN, ""),
        (
            "exit 3".to_owned(),
            LONG_TIMEOUT,
            UNANSWERED,
            "ended with exit status: 3",
        ),
        (
            "echo gold".to_owned(),
            LONG_TIMEOUT,
            UNANSWERED,
            "not one JSON value",
        ),
        (
            "echo '{\"balance\":-2}'".to_owned(),
            LONG_TIMEOUT,
            UNANSWERED,
            "`balance` is not a whole",
        ),
        (far.to_owned(), LONG_TIMEOUT, UNANSWERED, "more than 64 KiB"),
        (
            "sleep 60".to_owned(),
            SHORT_TIMEOUT,
            UNANSWERED,
            "within 300ms",
        ),
        // A member number of another person does not make the booker that person.
        (
            "echo '{\"address\":\"al@example.com\"}'".to_owned(),
            LONG_TIMEOUT,
            UNANSWERED,
            "another address",
        ),
    ];
    for (script, timeout, expect, problem) in rows {
        let mut fixture = club_fixture().await;
        let mut source = shell(&folder, &script);
        source.timeout = timeout;
        let (got, problems) = decide(&mut fixture, &source).await;
        assert_eq!(got, expect, "{script}: {problems}");
        assert!(problems.contains(problem), "{script}: {problems}");
        let bo = account(&fixture, BO).await;
        assert_eq!(bo.is_some(), expect == CONFIRMED, "{script}");
        if let Some(bo) = bo {
            assert_eq!(bo.tier.as_deref(), Some("gold"));
            let expect: BTreeMap<String, String> = [("level", "3"), ("source", "club")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into();
            assert_eq!(bo.attributes, expect);
            assert_eq!(fixture.balance(BO).await, (3, 0, 1));
        }
    }
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    let expect = "{\"schema\":1,\"source\":\"club\",\"ask\":\"member\",\"address\":\"bo@example.com\",\
                  \"answers\":{}}\n";
    assert_eq!(asked, expect);
}

fn respond(head: &str, body: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n{body}").into_bytes())
}

#[tokio::test]
async fn an_endpoint_says_who_is_a_member() {
    let member = r#"{"address":"bo@example.com","balance":4}"#;
    let stall = Reply::Stall(b"HTTP/1.1 200 OK\r\n\r\n".to_vec());
    let flood = Reply::Flood {
        head: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        chunk: vec![b' '; 4096],
        total: 1 << 30,
    };
    let rows = [
        ("a member", respond("200 OK", member), CONFIRMED, ""),
        (
            "a list with one",
            respond("200 OK", &format!("[{member}]")),
            CONFIRMED,
            "",
        ),
        ("an empty list", respond("200 OK", "[]"), UNKNOWN, ""),
        ("null", respond("200 OK", "null"), UNKNOWN, ""),
        ("404", respond("404 Not Found", "<html>"), UNKNOWN, ""),
        ("410", respond("410 Gone", ""), UNKNOWN, ""),
        (
            "500",
            respond("500 Oh", member),
            UNANSWERED,
            "it answered 500",
        ),
        (
            "302",
            respond("302 Found\r\nlocation: /x", member),
            UNANSWERED,
            "it answered 302",
        ),
        (
            "304 without a question",
            respond("304 No", ""),
            UNANSWERED,
            "it answered 304",
        ),
        (
            "a page",
            respond("200 OK", "<html>bo@example.com"),
            UNANSWERED,
            "one JSON value",
        ),
        (
            "a text",
            respond("200 OK", "\"gold\""),
            UNANSWERED,
            "is no member",
        ),
        (
            "two",
            respond("200 OK", "[{},{}]"),
            UNANSWERED,
            "2 members for one booker",
        ),
        ("stalls", stall, UNANSWERED, "within 300ms"),
        ("floods", flood, UNANSWERED, "more than 64 KiB"),
    ];
    for (name, reply, expect, problem) in rows {
        let server = Peer::start(move |_| reply.clone());
        let mut fixture = club_fixture().await;
        let mut source = endpoint(&server.address);
        if name == "stalls" {
            source.timeout = SHORT_TIMEOUT;
        }
        let (got, problems) = decide(&mut fixture, &source).await;
        assert_eq!(got, expect, "{name}: {problems}");
        assert!(problems.contains(problem), "{name}: {problems}");
        assert_eq!(server.calls().len(), 1, "{name}");
    }
    // No server listens there.
    let mut fixture = club_fixture().await;
    let address = Peer::start(|_| respond("200 OK", "null")).address.clone();
    let (got, problems) = decide(&mut fixture, &endpoint(&address)).await;
    assert_eq!(got, UNANSWERED, "{problems}");
    let uid = fixture.sandbox.lock().bookings()[0].uid.clone();
    let record = fixture.stored_request(&uid).await.unwrap();
    let text = &record.reasons[0].text;
    assert!(
        text.starts_with("the source club did not say whether"),
        "{text}"
    );
    // The source is there again: the same request is decided.
    let server = Peer::start(|_| respond("200 OK", r#"{"balance":1}"#));
    fixture.sources = SourceClient::open(&[endpoint(&server.address)]).unwrap();
    fixture.pass().await;
    assert_eq!(decision(&fixture, &uid).await, CONFIRMED);
}

#[tokio::test]
async fn a_post_carries_body_headers_credential_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("token");
    fs::write(&credential, "top-secret-0123\n").unwrap();
    let server = Peer::start(|_| {
        respond(
            "200 OK",
            r#"{"data":{"rows":[{"mail":"bo@example.com","credits":"2"}]}}"#,
        )
    });
    let mut source = source(MemberSourceKind::Http(HttpSource {
        url: Some(format!("{}/find?n={{answer.number}}", server.address)),
        body: Some(r#"{"mail": "{address}", "number": "{answer.number}"}"#.to_owned()),
        member_at: Some("/data/rows".to_owned()),
        headers: vec![("x-club".to_owned(), "north".to_owned())],
        credential_file: Some(credential.into()),
        ..HttpSource::default()
    }));
    source.fields.address = "mail".to_owned();
    source.fields.balance = "credits".to_owned();
    source.answers = vec!["number".to_owned()];
    let mut fixture = club_fixture().await;
    fixture.sources = SourceClient::open(std::slice::from_ref(&source)).unwrap();
    let lesson = fixture.event_types.lesson;
    fixture.clock.advance(Span::seconds(1));
    let made = fixture.clock.now() - Span::minutes(1);
    let mut booking = NewBooking::new(lesson, BO, parse_time("2026-12-01T09:00:00Z"));
    let number = serde_json::json!("4\"7/1");
    booking.answers.insert("number".to_owned(), number);
    let uid = fixture
        .sandbox
        .lock()
        .book(made, booking)
        .unwrap()
        .remove(0);
    let report = fixture.pass().await;
    assert_eq!(
        decision(&fixture, &uid).await,
        CONFIRMED,
        "{:?}",
        report.problems
    );
    let call = server.calls().remove(0);
    assert_eq!(
        (call.method.as_str(), call.target.as_str()),
        ("POST", "/find?n=4%227%2F1")
    );
    let text = call.text.to_lowercase();
    for expect in [
        "\r\nx-club: north\r\n",
        "\r\nauthorization: bearer top-secret-0123\r\n",
        "\r\ncontent-type: application/json\r\n",
        "\r\n\r\n{\"mail\": \"bo@example.com\", \"number\": \"4\\\"7/1\"}",
    ] {
        assert!(text.contains(expect), "{expect}: {text}");
    }
}

/// The answer about a stranger is asked for again with its validator, and kept while it is valid.
#[tokio::test]
async fn answers_are_reused_and_validated() {
    let known: Arc<Mutex<bool>> = Arc::default();
    let validated = Arc::new(AtomicUsize::new(0));
    let (shown, counted) = (Arc::clone(&known), Arc::clone(&validated));
    let server = Peer::start(move |call: &ReceivedCall| {
        let is_member = *shown.lock().unwrap();
        let tag = if is_member { "\"2\"" } else { "\"1\"" };
        if call
            .text
            .to_lowercase()
            .contains(&format!("if-none-match: {tag}"))
        {
            counted.fetch_add(1, Ordering::Relaxed);
            return respond("304 Not Modified", "");
        }
        let body = if is_member {
            r#"{"balance":9}"#
        } else {
            "null"
        };
        respond(&format!("200 OK\r\netag: {tag}"), body)
    });
    let mut fixture = club_fixture().await;
    fixture.policy.gates[0].unknown_booker =
        maitred::domain::criteria::on_violation::OnViolation::Review;
    let mut source = endpoint(&server.address);
    source.cached_for = Duration::from_secs(60);
    let (got, _) = decide(&mut fixture, &source).await;
    assert_eq!(got, "review unknown-booker");
    // minutes later, whether the booker is a member now, calls so far, decision
    let rows = [
        (0, false, 1, "review unknown-booker"),
        (2, false, 2, "review unknown-booker"),
        (0, true, 2, "review unknown-booker"),
        (2, true, 3, CONFIRMED),
        (2, true, 3, CONFIRMED),
    ];
    let uid = fixture.sandbox.lock().bookings()[0].uid.clone();
    for (later, is_member, calls, expect) in rows {
        *known.lock().unwrap() = is_member;
        fixture.clock.advance(Span::minutes(later));
        fixture.pass().await;
        assert_eq!(server.calls().len(), calls, "{later} {is_member}");
        assert_eq!(decision(&fixture, &uid).await, expect);
    }
    assert_eq!(validated.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn files_say_who_is_a_member() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("members");
    fs::create_dir(&path).unwrap();
    let write = |name: &str, text: &str| fs::write(path.join(name), text).unwrap();
    // files, decision, problem
    type Row = (
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );
    let rows: [Row; 9] = [
        (
            &[("a.csv", "address,balance\nbo@example.com,3\n")],
            CONFIRMED,
            "",
        ),
        (
            &[(
                "a.csv",
                "\u{feff}address;balance;phone\nal@example.com;1;0\nBO@Example.com ; 3;1\n",
            )],
            CONFIRMED,
            "",
        ),
        (
            &[
                ("a.csv", "address\nal@example.com\n"),
                ("b.csv", "address\tbalance\nbo@example.com\t3\n"),
            ],
            CONFIRMED,
            "",
        ),
        (
            &[(
                "a.csv",
                "address,aliases,balance\nal@example.com,bo@example.com b2@example.com,3\n",
            )],
            CONFIRMED,
            "",
        ),
        (
            &[
                ("a.csv", "address\nal@example.com\n"),
                ("notes.txt", "bo@example.com"),
            ],
            UNKNOWN,
            "",
        ),
        (
            &[("a.csv", "mail\nbo@example.com\n")],
            UNANSWERED,
            "has no column `address`",
        ),
        (
            &[("a.csv", "address,balance\nal@example.com\n")],
            UNANSWERED,
            "line 2 has another number",
        ),
        (
            &[("a.csv", "address,balance\nbo@example.com,x\n")],
            UNANSWERED,
            "a.csv line 2: its `balance`",
        ),
        (&[], UNANSWERED, "no file whose name ends in .csv"),
    ];
    for (files, expect, problem) in rows {
        for old in fs::read_dir(&path).unwrap() {
            fs::remove_file(old.unwrap().path()).unwrap();
        }
        for (name, text) in files {
            write(name, text);
        }
        let mut fixture = club_fixture().await;
        let source = source(MemberSourceKind::Csv { path: path.clone() });
        let (got, problems) = decide(&mut fixture, &source).await;
        assert_eq!(got, expect, "{files:?}: {problems}");
        assert!(problems.contains(problem), "{files:?}: {problems}");
    }
    let source = source(MemberSourceKind::Csv {
        path: folder.path().join("none.csv"),
    });
    let mut fixture = club_fixture().await;
    let (got, problems) = decide(&mut fixture, &source).await;
    assert_eq!(got, UNANSWERED);
    assert!(problems.contains("No such file"), "{problems}");
}

#[tokio::test]
async fn a_dry_run_opens_nothing_and_shows_what_would_be_confirmed() {
    let server = Peer::start(|_| respond("200 OK", r#"{"balance":4}"#));
    let mut fixture = club_fixture().await;
    fixture.sources = SourceClient::open(&[endpoint(&server.address)]).unwrap();
    let lesson = fixture.event_types.lesson;
    fixture.request(lesson, BO, "2026-12-01T09:00:00Z");
    let before = fixture.store.read(|store| store.head()).await;
    let report = fixture.try_pass(true).await.unwrap();
    assert_eq!(report.steps[0].request.decision.as_str(), "confirm");
    assert_eq!(fixture.store.read(|store| store.head()).await, before);
    assert_eq!(account(&fixture, BO).await, None);
}

/// Of several sources, the first that knows the booker decides, and one that knows no member and does
/// not answer keeps strangers from being declined.
#[tokio::test]
async fn several_sources_are_asked_in_order() {
    let member = Peer::start(|_| respond("200 OK", r#"{"balance":4,"tier":"one"}"#));
    let stranger = Peer::start(|_| respond("404 No", ""));
    let broken = Peer::start(|_| respond("500 No", ""));
    let named = |name: &str, peer: &Peer| MemberSource {
        name: name.to_owned(),
        ..endpoint(&peer.address)
    };
    // the sources, the decision, the source of the account
    let rows = [
        (vec![&stranger, &member], CONFIRMED, Some("s1")),
        (vec![&broken, &member], CONFIRMED, Some("s1")),
        (vec![&member, &broken], CONFIRMED, Some("s0")),
        (vec![&stranger, &broken], UNANSWERED, None),
        (vec![&broken, &stranger], UNANSWERED, None),
        (vec![&stranger, &stranger], UNKNOWN, None),
    ];
    for (peers, expect, manager) in rows {
        let peers = peers.iter().enumerate();
        let sources: Vec<MemberSource> = peers
            .map(|(at, peer)| named(&format!("s{at}"), peer))
            .collect();
        let mut fixture = club_fixture().await;
        fixture.sources = SourceClient::open(&sources).unwrap();
        let lesson = fixture.event_types.lesson;
        let uid = fixture.request(lesson, BO, "2026-12-01T09:00:00Z");
        fixture.pass().await;
        assert_eq!(decision(&fixture, &uid).await, expect);
        let bo = account(&fixture, BO).await;
        let found = bo.as_ref().and_then(|bo| bo.attributes.get("source"));
        assert_eq!(found.map(String::as_str), manager);
    }
}

/// Members of the ledger are not asked about, whatever the source says about them.
#[tokio::test]
async fn a_booker_with_an_account_is_not_asked_about() {
    let server = Peer::start(|_| respond("404 No", ""));
    let mut fixture = club_fixture().await;
    fixture.grant(BO, 2).await;
    let (got, _) = decide(&mut fixture, &endpoint(&server.address)).await;
    assert_eq!((got.as_str(), server.calls().len()), (CONFIRMED, 0));
}
