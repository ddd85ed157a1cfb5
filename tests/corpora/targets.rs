//! What each fuzz target does with its bytes, and what must hold whatever they are. Included by
//! `tests/corpora.rs`, which runs every file of every corpus, and by the targets in
//! `fuzz/fuzz_targets`, so that the two cannot drift apart. A target fails by a panic.

use maitred::calcom::exchange::{Answer, Kind};
use maitred::calcom::port::{CallError, Page, Select};
use maitred::calcom::redact::Redactor;
use maitred::calcom::{file, v1, v2};
use maitred::cli::csv;
use maitred::config::finding::Severity;
use maitred::config::parse;
use maitred::control::protocol::Response;
use maitred::control::server;
use maitred::daemon::answer::route;
use maitred::domain::booking::{Attendee, Booking, BookingRef, Reading, Status};
use maitred::domain::fact::Commit;
use maitred::domain::gate::{Limits, Policy, RefuseWith};
use maitred::domain::id::{Address, BookingUid};
use maitred::domain::time::{Span, Time};
use maitred::store::log::line::{self, Hash};
use maitred::store::marker::Applied;
use maitred::store::memory::{Memory, MemoryStore};
use maitred::store::overlay::Overlay;
use maitred::store::port::Store;
use maitred::store::record::fact;
use maitred::store::record::stamp::Stamp;
use maitred::store::sled::values;
use secrecy::SecretString;

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, fn(&[u8])); 6] = [
    ("wire_v2", wire_v2),
    ("wire_v1", wire_v1),
    ("config", config),
    ("csv_import", csv_import),
    ("control", control),
    ("record", record),
];

/// Runs the target of that name.
///
/// # Panics
/// When something does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("a target of that name").1(bytes);
}

/// The key that no text may show.
const KEY: &str = "cal_live_0123456789abcdef";

/// The longest text of an error: some sentences. The longest that names single rows of a list.
const MAX_ERROR: usize = 4_000;

/// The booking that is asked for.
fn asked() -> BookingRef {
    BookingRef {
        uid: BookingUid::parse("abc").expect("a uid"),
        id: Some(7),
    }
}

fn noon() -> Time {
    Time::from_timestamp(1_795_420_000, 0).expect("an instant")
}

/// What a call and an answer are made of: two digits (which call, which status), and the body.
fn exchange(bytes: &[u8]) -> Option<(u8, Answer)> {
    const STATUS: [u16; 10] = [200, 200, 200, 201, 400, 401, 403, 404, 500, 308];
    let [call, status, body @ ..] = bytes else {
        return None;
    };
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let answer = Answer {
        status: STATUS[usize::from(status.wrapping_sub(b'0')) % STATUS.len()],
        page: first == Some(&b'<'),
        location: None,
        server_time: Some(noon()),
        body: body.to_vec(),
    };
    Some((call.wrapping_sub(b'0') % 10, answer))
}

/// An answer of API v2, to any call.
fn wire_v2(bytes: &[u8]) {
    use v2::answers;
    let Some((call, answer)) = exchange(bytes) else {
        return;
    };
    let redactor = Redactor::new(&SecretString::from(KEY));
    let (uid, page) = (asked().uid, u32::from(call == 4));
    let (from, to) = (noon(), noon() + Span::days(9));
    let select = match call {
        3 => Select::Pending,
        4 => Select::Upcoming { from, to },
        _ => Select::UpdatedSince(from),
    };
    match call {
        0 => {
            said(answers::me(&answer, &redactor));
        }
        1 => {
            said(answers::event_types(&answer, &redactor));
        }
        2 => {
            said(answers::event_type(&answer, &redactor));
        }
        3..=5 => {
            if let Some(read) = said(answers::page(&answer, &select, page, &redactor)) {
                listed(&read, page);
            }
        }
        6 => {
            if let Some(reading) = said(answers::reading(&answer, &uid, &redactor)) {
                shown(&reading);
            }
        }
        7 => {
            for booking in said(answers::series(&answer, &uid, &redactor)).unwrap_or_default() {
                sound(&booking);
                assert_eq!(booking.request().as_str(), uid.as_str(), "of the series");
            }
        }
        _ => {
            let kind = if call == 8 {
                Kind::Confirm
            } else {
                Kind::Decline
            };
            if let Some(Some(reading)) = said(answers::acted(&answer, kind, &uid, &redactor)) {
                shown(&reading);
            }
        }
    }
    from_file(&answer.body);
}

/// An answer of API v1, to any call.
fn wire_v1(bytes: &[u8]) {
    use v1::answers;
    let Some((call, answer)) = exchange(bytes) else {
        return;
    };
    let redactor = Redactor::new(&SecretString::from(KEY));
    match call {
        0 => {
            said(answers::me(&answer, &redactor));
        }
        1 => {
            said(answers::event_types(&answer, &redactor));
        }
        2 => {
            said(answers::event_type(&answer, &redactor));
        }
        3..=5 => {
            if let Some(rows) = said(answers::list(&answer, 128, &redactor)) {
                rows.bookings.iter().for_each(sound);
                rows.unreadable.iter().for_each(|text| readable(text));
                assert!(rows.bookings.len() <= rows.count, "no row is two bookings");
            }
        }
        6 | 7 => {
            if let Some(reading) = said(answers::reading(&answer, &asked(), &redactor)) {
                shown(&reading);
            }
        }
        8 => {
            said(answers::patched(&answer, &redactor));
        }
        _ => {
            said(answers::cancelled(&answer, Kind::Cancel, &redactor));
        }
    }
    from_file(&answer.body);
}

/// The same bytes as a file for `evaluate`.
fn from_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match file::read(text) {
        Ok(read) => sound(&read.booking),
        Err(error) => readable(&error.to_string()),
    }
}

/// The value, if it is one; else its error is fit to be shown.
fn said<T>(result: Result<T, CallError>) -> Option<T> {
    result
        .inspect_err(|error| readable(&error.to_string()))
        .ok()
}

/// Fit to be logged, stored and shown.
pub fn readable(text: &str) {
    assert!(text.len() <= MAX_ERROR, "{} bytes of text", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
    for secret in [KEY, &KEY[4..], &KEY[9..]] {
        assert!(!text.contains(secret), "the key stands in {text:?}");
    }
}

fn listed(read: &Page, page: u32) {
    read.bookings.iter().for_each(sound);
    read.unreadable.iter().for_each(|text| readable(text));
    assert!(read.next.is_none_or(|next| next == page + 1), "in order");
}

fn shown(reading: &Reading) {
    if let Reading::Is(booking) = reading {
        sound(booking);
        assert_eq!(booking.uid, asked().uid, "the one that was asked for");
    }
}

/// What the rest of the house relies on in every booking.
pub fn sound(booking: &Booking) {
    assert_eq!(
        BookingUid::parse(booking.uid.as_str()).as_ref(),
        Ok(&booking.uid)
    );
    assert!(booking.start <= booking.end, "it ends after it begins");
    let updated = booking.updated.iter();
    for at in updated.chain([&booking.start, &booking.end, &booking.created]) {
        assert!(Stamp(*at).text().is_some(), "{at} can be written down");
    }
    if let Status::Other(word) = &booking.status {
        readable(word);
    }
    assert!(
        !(booking.seated && booking.booker.is_some()),
        "who sits on which seat decides who books"
    );
    let people = booking.attendees.iter().filter_map(address);
    let booker = booking.booker.iter().map(|booker| &booker.address);
    let others = [&booking.cancelled_by, &booking.rescheduled_by];
    let all = people.chain(booker).chain(&booking.guests);
    for address in all.chain(others.into_iter().flatten()) {
        assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(address));
    }
}

fn address(attendee: &Attendee) -> Option<&Address> {
    attendee.address.as_ref()
}

/// The text of a configuration.
fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let lines = text.lines().count().max(1);
    let (findings, failed) = match parse::parse(text, "/etc/maitred/config.toml") {
        Ok(loaded) => (loaded.findings, false),
        Err(findings) => (findings.0, true),
    };
    let errors = findings.iter().any(|one| one.severity == Severity::Error);
    assert_eq!(errors, failed, "it fails for an error and only for one");
    for finding in findings {
        let shown = finding.to_string();
        let odd = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(odd), "{shown:?}");
        assert!(!finding.help.is_empty(), "{shown}");
        if let Some(place) = finding.place {
            // The end of a text that ends in a line break is on the line after it.
            assert!((1..=lines + 1).contains(&place.line), "{shown}");
        }
    }
}

/// A file for `credits import`.
fn csv_import(bytes: &[u8]) {
    match csv::parse(bytes) {
        Ok(rows) => {
            assert!((1..=csv::MAX_ROWS).contains(&rows.len()));
            let mut references: Vec<&str> = rows.iter().map(|row| row.reference.as_str()).collect();
            references.sort_unstable();
            references.dedup();
            assert_eq!(references.len(), rows.len(), "each row has its own");
            for row in &rows {
                assert!(row.credits > 0 && !row.account.is_empty(), "{row:?}");
                assert_eq!(row.account, row.account.to_lowercase());
            }
        }
        Err(bad) => {
            assert!(!bad.0.is_empty(), "a reason");
            let told = bad.told(std::path::Path::new("file.csv"));
            let odd = |c: char| c.is_control() && c != '\n';
            assert!(!told.contains(odd), "{told:?}");
        }
    }
}

/// What the ledger holds before the first command: bo has 10 credits and has spent one on `abc`.
const BEGINNING: &str = r#"[
    {"grant":{"reference":"g","account":"bo@example.com","credits":10,"reason":"spring"}},
    {"decided":{"id":"abc","bookings":[{"uid":"abc","id":7}],"title":"Lesson","event_type":77,
        "slug":"lesson","gate":"lesson","host":12,"booker":"bo@example.com",
        "account":"bo@example.com","start":"2026-12-01T09:00:00Z","end":"2026-12-01T10:00:00Z",
        "created":"2026-11-20T08:00:00Z","decision":"confirm","cost":1,"credits":1,
        "call":"confirm","policy":"f","decided":"2026-11-20T08:01:00Z",
        "first":"2026-11-20T08:01:00Z","state":"recorded"}},
    {"hold":{"booking":{"uid":"abc","id":7},"request":"abc","account":"bo@example.com",
        "parts":[{"grant":"g","credits":1}],"event_type":77,"host":12,
        "start":"2026-12-01T09:00:00Z","end":"2026-12-01T10:00:00Z"}},
    {"post":{"booking":"abc"}},
    {"settled":{"request":"abc","outcome":"confirmed"}}]"#;

/// Lines as they come over the control socket, carried out one after the other.
fn control(bytes: &[u8]) {
    /// Commands of one input.
    const MAX_LINES: usize = 16;
    let mut store = MemoryStore::new();
    let facts = fact::read(BEGINNING.as_bytes()).expect("they are facts");
    store.commit(noon(), facts, &[]).expect("that fit together");
    let policy = Policy {
        gates: Vec::new(),
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: Limits {
            requests_per_pass: 250,
            declines_per_pass: 25,
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
        },
        hash: "fuzz".to_owned(),
    };
    for line in bytes.split(|byte| *byte == b'\n').take(MAX_LINES) {
        let response = match server::command(line) {
            Ok(command) => match route::answer(&mut store, &policy, noon(), &command) {
                Ok(answer) => Response::Ok(Box::new(answer)),
                Err(refusal) => Response::Err(refusal),
            },
            Err(refusal) => Response::Err(refusal),
        };
        let text = serde_json::to_vec(&response).expect("a response can be written");
        let read: Response = serde_json::from_slice(&text).expect("and read again");
        assert_eq!(read, response);
        // What a daemon might answer is read by a client.
        let _response: Result<Response, _> = serde_json::from_slice(line);
    }
    for account in store.accounts(None, usize::MAX).expect("it reads") {
        assert!(account.adds_up(), "{account:?}");
    }
    let verified = store.verify().expect("it verifies");
    assert_eq!(verified.differences, Vec::<String>::new());
}

/// A line of the log, its facts, and the rows of the fold.
fn record(bytes: &[u8]) {
    if let Ok(sealed) = line::unseal(bytes) {
        let _header = line::read_header(&sealed);
        let _entry = sealed.entry();
    }
    let _applied = Applied::parse(bytes);
    if let Ok(facts) = fact::read(bytes) {
        let written = fact::write(&facts).expect("what was read can be written");
        assert_eq!(fact::read(&written).expect("and read again"), facts);
        let (text, hash) = line::commit(1, noon(), &written, Hash::NONE).expect("in this age");
        let sealed = line::unseal(&text[..text.len() - 1]).expect("as it was sealed");
        assert_eq!(sealed.hash, hash);
        assert_eq!(sealed.entry().expect("a commit").facts, written);
        let nothing = Memory::default();
        let mut overlay = Overlay::new(&nothing);
        let commit = Commit {
            seq: 1,
            at: noon(),
            facts,
        };
        if overlay.apply(&commit).is_ok() {
            for kept in overlay.changes().accounts {
                assert!(kept.record.adds_up(), "{:?}", kept.record);
            }
        }
    }
    if let Ok(kept) = values::read_account(bytes) {
        let again = values::read_account(&values::account(&kept)).expect("as it was written");
        assert_eq!(again.record, kept.record);
    }
    if let Ok(kept) = values::read_request(bytes) {
        let again = values::read_request(&values::request(&kept)).expect("as it was written");
        assert_eq!(again.record, kept.record);
    }
    if let Ok(kept) = values::read_charge(bytes) {
        let again = values::read_charge(&values::charge(&kept)).expect("as it was written");
        assert_eq!(again.record, kept.record);
    }
    let _given = values::read_given(bytes);
    let _requests = values::read_requests(bytes);
}
