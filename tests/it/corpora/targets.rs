//! What each fuzz target does with its bytes, and what must be true for any bytes.
//! `tests/it/corpora.rs` includes this file and runs every file of every corpus, and so do the targets
//! in `fuzz/fuzz_targets`, so that the two cannot drift apart. A target fails by a panic.

mod expression;
mod wire;

use std::collections::BTreeSet;

use maitred::calcom::api_call::ApiAnswer;
use maitred::config::diagnostic::Severity;
use maitred::config::parse;
use maitred::control::api::answer::{HttpRefusal, read_refusal, read_result, write_answer};
use maitred::control::api::request::{CommandRequest, JSON, RequestParts, read_command};
use maitred::control::api::route::{ROUTES, Route};
use maitred::control::protocol::{Command, MAX_RESPONSE, SocketResponse};
use maitred::daemon::commands::dispatch;
use maitred::domain::booking::BookingRef;
use maitred::domain::criteria::global_policy::GlobalPolicy;
use maitred::domain::fact::Commit;
use maitred::domain::gate::{DeclineLimit, PassLimits, Policy, RefuseWith};
use maitred::domain::id::BookingUid;
use maitred::domain::time::{Span, Time};
use maitred::spreadsheet::rows::{ReadOptions, RowReader};
use maitred::store::clean_shutdown_marker::AppliedCommit;
use maitred::store::codec::fact;
use maitred::store::log::line::{self, Hash, LedgerId, OLDEST_FORMAT};
use maitred::store::memory::MemoryStore;
use maitred::store::memory_records::MemoryRecords;
use maitred::store::port::{Maintenance, Store};
use maitred::store::sled::values;
use maitred::store::write_set::WriteSet;

/// A function that tests the bytes of one input.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("wire_v2", wire_v2),
    ("wire_v1", wire_v1),
    ("config", config),
    ("csv_import", csv_import),
    ("control", control),
    ("record", record),
    ("expression", expression::expression),
];

/// Runs the target of this name.
///
/// # Panics
/// If a check fails.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("a target of that name").1(bytes);
}

/// Returns the booking that the call requests.
fn requested_booking() -> BookingRef {
    BookingRef {
        uid: BookingUid::parse("abc").expect("a uid"),
        id: Some(7),
    }
}

fn noon() -> Time {
    Time::from_timestamp(1_795_420_000, 0).expect("an instant")
}

/// Splits an input into two digits (the call and the status) and the body.
fn parse_exchange(bytes: &[u8]) -> Option<(u8, ApiAnswer)> {
    const STATUS: [u16; 10] = [200, 200, 200, 201, 400, 401, 403, 404, 500, 308];
    let [call, status, body @ ..] = bytes else {
        return None;
    };
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let answer = ApiAnswer {
        host: "cal.test:443".to_owned(),
        status: STATUS[usize::from(status.wrapping_sub(b'0')) % STATUS.len()],
        is_html: first == Some(&b'<'),
        location: None,
        server_time: Some(noon()),
        body: body.to_vec(),
    };
    Some((call.wrapping_sub(b'0') % 10, answer))
}

/// Tests an answer of API v2 to any call.
fn wire_v2(bytes: &[u8]) {
    if let Some((call, answer)) = parse_exchange(bytes) {
        wire::v2(call, &requested_booking(), &answer);
        wire::from_file(&answer.body);
    }
}

/// Tests an answer of API v1 to any call.
fn wire_v1(bytes: &[u8]) {
    if let Some((call, answer)) = parse_exchange(bytes) {
        wire::v1(call, &requested_booking(), &answer);
        wire::from_file(&answer.body);
    }
}

/// Tests the text of a configuration.
fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let lines = text.lines().count().max(1);
    let (findings, failed) = match parse::parse(text, "/etc/maitred/config.toml") {
        Ok(loaded) => (loaded.warnings, false),
        Err(findings) => (findings.0, true),
    };
    let errors = findings.iter().any(|one| one.severity == Severity::Error);
    assert_eq!(errors, failed, "it fails for an error and only for one");
    for finding in findings {
        let rendered = finding.to_string();
        let odd = |c: char| c.is_control() && c != '\n';
        assert!(!rendered.contains(odd), "{rendered:?}");
        assert!(!finding.help.is_empty(), "{rendered}");
        if let Some(place) = finding.position {
            // The end of a text that ends in a line break is on the line after it.
            assert!((1..=lines + 1).contains(&place.line), "{rendered}");
        }
    }
}

/// Tests a file for `credits import`.
fn csv_import(bytes: &[u8]) {
    let mut reader = match RowReader::open(bytes, &ReadOptions::default()) {
        Ok(reader) => reader,
        Err(bad) => {
            assert!(!bad.is_empty(), "a reason");
            return assert_printable(&bad.describe("file.csv"));
        }
    };
    let has_references = reader.has_references();
    let mut references = BTreeSet::new();
    let mut last_line = 1;
    while let Ok(Some(row)) = reader.read_row() {
        assert!(row.line > last_line, "{row:?}");
        last_line = row.line;
        row.problems.iter().for_each(|text| assert_printable(text));
        let Some(read) = row.row else {
            assert!(!row.problems.is_empty(), "a reason");
            continue;
        };
        // A row without credits opens the account.
        assert!(!read.account.is_empty(), "{read:?}");
        assert_eq!(read.account, read.account.to_lowercase());
        let is_new = references.insert(read.reference);
        assert!(is_new || has_references, "each row has its own");
    }
}

fn assert_printable(text: &str) {
    let odd = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(odd), "{text:?}");
}

/// The ledger before the first command: bo has 10 credits and has spent one on `abc`.
const INITIAL_LEDGER: &str = r#"[
    {"grant":{"reference":"g","account":"bo@example.com","credits":10,
        "personal":{"text":"spring"}}},
    {"decided":{"id":"abc","bookings":[{"uid":"abc","id":7}],"event_type":77,
        "slug":"lesson","gate":"lesson","host":12,"account":"bo@example.com","start":"2026-12-01T09:00:00Z","end":"2026-12-01T10:00:00Z",
        "created":"2026-11-20T08:00:00Z","decision":"confirm","cost":1,"credits":1,
        "call":"confirm","policy":"f","decided":"2026-11-20T08:01:00Z",
        "first":"2026-11-20T08:01:00Z","state":"recorded",
        "personal":{"title":"Lesson","booker":"bo@example.com"}}},
    {"hold":{"booking":{"uid":"abc","id":7},"request":"abc","account":"bo@example.com",
        "parts":[{"grant":"g","credits":1}],"event_type":77,"host":12,
        "start":"2026-12-01T09:00:00Z","end":"2026-12-01T10:00:00Z"}},
    {"post":{"booking":"abc"}},
    {"settled":{"request":"abc","outcome":"confirmed"}}]"#;

/// Reads a line of the form `METHOD PATH?QUERY BODY`; returns `None` for a path or a method that no
/// route has.
fn read_request(line: &[u8]) -> Option<(&'static Route, Result<Command, HttpRefusal>)> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let mut text = || str::from_utf8(parts.next()?).ok();
    let (method, target) = (text()?, text()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let route = Route::of_path(path).filter(|route| route.method().as_str() == method)?;
    let request = RequestParts {
        query: Some(query),
        content_type: Some(JSON),
        body: parts.next().unwrap_or_default(),
    };
    Some((route, read_command(route, request)))
}

/// Tests requests to the control socket, carried out one after the other.
fn control(bytes: &[u8]) {
    /// The maximum number of requests in one input.
    const MAX_LINES: usize = 16;
    let mut store = MemoryStore::new();
    let facts = fact::read(INITIAL_LEDGER.as_bytes()).expect("they are facts");
    store.commit(noon(), facts, &[]).expect("that fit together");
    let policy = Policy {
        gates: Vec::new(),
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: PassLimits {
            requests_per_pass: 250,
            declines: DeclineLimit {
                at_most: 25,
                per: Span::minutes(15),
            },
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
            resend_after: Span::minutes(15),
        },
        global: GlobalPolicy::default(),
        hash: "fuzz".to_owned(),
    };
    for line in bytes.split(|byte| *byte == b'\n').take(MAX_LINES) {
        // A client can read anything that a daemon might answer.
        let _refusal = read_refusal(line);
        for route in ROUTES {
            let _result = read_result(route, line);
        }
        let Some((route, Ok(command))) = read_request(line) else {
            continue;
        };
        let again = CommandRequest::new(&command);
        let (path, query) = again.target.split_once('?').unwrap_or((&again.target, ""));
        let again = format!("{} {path}?{query} {}", again.method(), again.body);
        let again = read_request(again.as_bytes()).map(|(route, read)| (route.path, read));
        assert_eq!(again, Some((route.path, Ok(command.clone()))));
        let response = match dispatch::run_command(&mut store, &policy, noon(), &command) {
            Ok(answer) => SocketResponse::Ok(Box::new(answer)),
            Err(refusal) => SocketResponse::Err(refusal),
        };
        let read = match write_answer(route, response.clone(), MAX_RESPONSE) {
            Ok(body) => SocketResponse::Ok(Box::new(read_result(route, &body).expect("a result"))),
            Err(refusal) => {
                SocketResponse::Err(read_refusal(&refusal.to_body()).expect("a refusal"))
            }
        };
        assert_eq!(read, response);
    }
    for account in store.accounts(None, usize::MAX).expect("it reads") {
        assert!(account.adds_up(), "{account:?}");
    }
    let verified = store.verify().expect("it verifies");
    assert_eq!(verified.differences, Vec::<String>::new());
}

/// Tests a line of the log, its facts, and the rows of the projection.
fn record(bytes: &[u8]) {
    if let Ok(sealed) = line::unseal(bytes) {
        let _header = line::read_header(&sealed);
        let _entry = sealed.parse_entry();
    }
    let _applied = AppliedCommit::parse(bytes);
    if let Ok(facts) = fact::read_format(OLDEST_FORMAT, bytes) {
        let written = fact::write(&facts).expect("what was read can be written");
        assert_eq!(fact::read(&written).expect("and read again"), facts);
    }
    if let Ok(facts) = fact::read(bytes) {
        let written = fact::write(&facts).expect("what was read can be written");
        assert_eq!(fact::read(&written).expect("and read again"), facts);
        let (text, hash) = line::format_commit(LedgerId::NONE, (1, noon()), &written, Hash::NONE)
            .expect("in this age");
        let sealed = line::unseal(&text[..text.len() - 1]).expect("as it was sealed");
        assert_eq!(sealed.hash, hash);
        assert_eq!(sealed.parse_entry().expect("a commit").facts, written);
        let nothing = MemoryRecords::default();
        let mut overlay = WriteSet::new(&nothing);
        let commit = Commit {
            seq: 1,
            at: noon(),
            facts,
        };
        if overlay.apply(&commit).is_ok() {
            for account in overlay.into_changes().accounts {
                assert!(account.record.adds_up(), "{:?}", account.record);
            }
        }
    }
    if let Ok(account) = values::decode_account(bytes) {
        let again =
            values::decode_account(&values::encode_account(&account)).expect("as it was written");
        assert_eq!(again.record, account.record);
    }
    if let Ok(request) = values::decode_request(bytes) {
        let again =
            values::decode_request(&values::encode_request(&request)).expect("as it was written");
        assert_eq!(again.record, request.record);
    }
    if let Ok(charge) = values::decode_charge(bytes) {
        let again =
            values::decode_charge(&values::encode_charge(&charge)).expect("as it was written");
        assert_eq!(again.record, charge.record);
    }
    let _given = values::decode_grant_record(bytes);
    let _requests = values::decode_request_ids(bytes);
}
