//! Every field of every recording is changed in turn: removed, given another type, or given an
//! absurd value. The result of each answer is a booking on which the other code can rely, or a text
//! that names what is wrong. Every field of a pending booking is also changed in a whole pass:
//! whatever the field contains, the other booking is confirmed once, and everything that is written
//! adds up.
//!
//! A usual run makes a part of the changes, always the same part: each field of each recording is
//! changed in at least one way. `MAITRED_MUTATION_SEED=7` selects another part,
//! `MAITRED_MUTATIONS=all` selects all changes. `MAITRED_RECORDINGS` names a folder of complete
//! recordings, in addition to the excerpts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use maitred::calcom::api_call::ApiAnswer;
use maitred::domain::booking::BookingRef;
use maitred::domain::dialect::Dialect;
use maitred::domain::id::BookingUid;
use serde_json::{Value, json};

use super::model_server::{self, confirmable_row};
use super::peer_fixture::{PeerFixture, pass_messages};
use crate::fixture::pass_fixture::step_outcome;
use crate::wire;

/// A usual run makes one of this many changes, in addition to one change of every field. The number
/// is a prime, so that every kind of change meets every kind of field.
const SAMPLE_EVERY: usize = 11;

/// The same with the complete recordings, of which there are ten times as many.
const SAMPLE_EVERY_OF_RECORDINGS: usize = 101;

/// The same for whole passes, which take longer.
const SAMPLE_EVERY_OF_PASSES: usize = 23;

/// Changes that once blocked a whole pass; they are made in every run.
const REGRESSIONS: [(&str, &str); 3] = [
    ("createdAt", "an instant too late"),
    ("start", "an instant too early"),
    ("startTime", "an instant too early"),
];

/// A recorded answer and the call to which it belongs.
struct RecordedAnswer {
    name: String,
    dialect: Dialect,
    call: u8,
    requested: BookingRef,
    status: u16,
    body: Value,
}

#[derive(Default)]
struct MutationCounts {
    answers: usize,
    changes: usize,
    /// Fields of recordings, each counted once for each kind of call.
    fields: usize,
    fully_read: usize,
    /// Texts that do not say which field is wrong.
    without_field_name: Vec<String>,
    /// The texts of complaints, by how they begin.
    messages: BTreeMap<String, usize>,
}

pub fn is_full_run() -> bool {
    std::env::var("MAITRED_MUTATIONS").is_ok_and(|how| how == "all")
}

/// Returns the seed that selects the changes; 0 by default.
fn seed() -> usize {
    let seed = std::env::var("MAITRED_MUTATION_SEED");
    seed.map_or(0, |seed| {
        seed.parse().expect("MAITRED_MUTATION_SEED is a number")
    })
}

/// Returns true if the change is made in this run.
fn is_sampled(number: usize, part: usize, seed: usize) -> bool {
    is_full_run() || number.wrapping_add(seed).is_multiple_of(part)
}

/// Returns the path of a field, with every item of a list counted as the same field.
fn field_path(call: u8, place: &[PathStep]) -> String {
    let names = place.iter().map(|key| match key {
        PathStep::Field(name) => format!(".{name}"),
        PathStep::Item(_) => "[]".to_owned(),
    });
    names.fold(call.to_string(), |path, name| path + &name)
}

#[test]
fn every_field_of_every_recording_is_changed_in_turn() {
    let mut tally = MutationCounts::default();
    let (mut number, seed) = (0, seed());
    let part = match std::env::var_os("MAITRED_RECORDINGS") {
        Some(_) => SAMPLE_EVERY_OF_RECORDINGS,
        None => SAMPLE_EVERY,
    };
    for (dialect, path) in recordings() {
        let file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut met = BTreeSet::new();
        for exchange in file["exchanges"].as_array().into_iter().flatten() {
            let Some(recorded) = read_recording(&name, dialect, exchange) else {
                continue;
            };
            tally.answers += 1;
            let before = find_complaints(&recorded, &recorded.body.to_string(), "as recorded");
            for place in value_paths(&recorded.body) {
                let new = met.insert(self::field_path(recorded.call, &place));
                let changes = changes();
                // One change, in turn, when a field appears for the first time.
                let turn = new.then_some((met.len() + seed) % changes.len());
                for (at, change) in changes.iter().enumerate() {
                    number += 1;
                    if turn == Some(at) || is_sampled(number, part, seed) {
                        apply_change(&recorded, &before, &place, change, &mut tally);
                    }
                }
                tally.fields += usize::from(new);
            }
        }
    }
    let MutationCounts {
        answers,
        changes,
        fields,
        fully_read: good,
        without_field_name: nameless,
        messages: said,
    } = tally;
    println!(
        "{answers} answers, {fields} fields, {number} changes, {changes} made (seed {seed}): {good} \
         read, the others refused:"
    );
    for (how, count) in &said {
        println!("{count:8} {how}");
    }
    assert!(nameless.is_empty(), "{}", nameless.join("\n"));
    assert!(answers > 60, "only {answers} answers");
    assert!(changes > 1_500, "only {changes} changes");
    // A few changes have no effect, because the field already holds that value.
    assert!(
        changes > fields,
        "only {changes} changes of {fields} fields"
    );
    assert!(good > changes / 10 && good < changes, "{good} of {changes}");
    assert!(said.len() > 8, "{said:?}");
}

/// Returns the excerpts, and the complete recordings if they are available.
fn recordings() -> Vec<(Dialect, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/calcom");
    let mut found = vec![
        (Dialect::V2, root.join("v2.json")),
        (Dialect::V1, root.join("v1.json")),
    ];
    let Ok(folder) = std::env::var("MAITRED_RECORDINGS") else {
        return found;
    };
    for (dialect, name) in [(Dialect::V2, "recordings"), (Dialect::V1, "recordings-v1")] {
        let mut files: Vec<PathBuf> = fs::read_dir(Path::new(&folder).join(name))
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.file_name().is_some_and(|name| name != "index.json"))
            .collect();
        files.sort();
        found.extend(files.into_iter().map(|path| (dialect, path)));
    }
    found
}

/// Returns `None` for a step that is not a call of the client, or whose answer is not JSON.
fn read_recording(file: &str, dialect: Dialect, exchange: &Value) -> Option<RecordedAnswer> {
    let (request, response) = (exchange.get("request")?, exchange.get("response")?);
    let target = request["target"].as_str()?;
    let path = target.split('?').next()?;
    let path: Vec<&str> = path
        .trim_start_matches("/api")
        .trim_matches('/')
        .split('/')
        .collect();
    // Recordings of one dialect contain control calls in the other dialect.
    let dialect = match path.first() {
        Some(&"v1") => Dialect::V1,
        Some(&"v2") => Dialect::V2,
        _ => dialect,
    };
    let call = match (request["method"].as_str()?, path.as_slice()) {
        ("GET", [_, "me"]) => wire::ME,
        ("GET", [_, "event-types"]) => wire::EVENT_TYPES,
        ("GET", [_, "event-types", _]) => wire::EVENT_TYPE,
        ("GET", [_, "bookings"]) => wire::LIST,
        ("GET", [_, "bookings", _]) => wire::GET,
        ("POST", [_, "bookings", _, "confirm"]) | ("PATCH", [_, "bookings", _]) => wire::CONFIRM,
        ("POST", [_, "bookings", _, "decline" | "cancel"]) => wire::REFUSE,
        ("DELETE", [_, "bookings", ..]) => wire::REFUSE,
        _ => return None,
    };
    let body = shorten_lists(serde_json::from_str(response["body_raw"].as_str()?).ok()?);
    let bookings = if dialect == Dialect::V2 {
        &body["data"]
    } else {
        &body["booking"]
    };
    let call = if bookings.is_array() && call == wire::GET {
        wire::SERIES
    } else {
        call
    };
    let name = path.get(2).copied().unwrap_or_default();
    let uid = bookings["uid"].as_str().unwrap_or(name);
    Some(RecordedAnswer {
        name: format!("{file}: {}", exchange["step"].as_str()?),
        dialect,
        call,
        requested: BookingRef {
            uid: BookingUid::parse(uid)
                .or_else(|_| BookingUid::parse("odd"))
                .unwrap(),
            id: name.parse().ok(),
        },
        status: u16::try_from(response["status"].as_u64()?).ok()?,
        body,
    })
}

/// Returns what is wrong with the answer, as texts; none if everything is read.
fn find_complaints(recorded: &RecordedAnswer, body: &str, what: &str) -> Vec<String> {
    let answer = ApiAnswer {
        host: "cal.test:443".to_owned(),
        status: recorded.status,
        is_html: false,
        location: None,
        server_time: None,
        body: body.as_bytes().to_vec(),
    };
    let judged = std::panic::catch_unwind(|| match recorded.dialect {
        Dialect::V2 => wire::v2(recorded.call, &recorded.requested, &answer),
        Dialect::V1 => wire::v1(recorded.call, &recorded.requested, &answer),
    });
    wire::from_file(body.as_bytes());
    judged.unwrap_or_else(|_| panic!("{}: {what}: {body:.2000}", recorded.name))
}

/// Makes one change; `before` holds the complaints about the answer as it was recorded.
fn apply_change(
    recorded: &RecordedAnswer,
    before: &[String],
    place: &[PathStep],
    change: &FieldChange,
    tally: &mut MutationCounts,
) {
    let mut body = recorded.body.clone();
    if !change.apply(&mut body, place) {
        return;
    }
    tally.changes += 1;
    let what = format!("{} at {place:?}", change.name);
    let complaints = find_complaints(recorded, &body.to_string(), &what);
    if complaints.is_empty() {
        tally.fully_read += 1;
    }
    for text in complaints.iter().filter(|text| !before.contains(text)) {
        let names = names_the_field(recorded, place, text);
        if !names {
            let what = format!("{}: {what}: {text:?}", recorded.name);
            tally.without_field_name.push(what);
        }
        let how = text.split([':', '(']).next().unwrap_or_default();
        let how: String = how.chars().filter(|c| !c.is_ascii_digit()).collect();
        *tally.messages.entry(how).or_default() += 1;
    }
}

/// Returns true if the text says which field is wrong: by its name, by the name of an enclosing
/// field, or, in a refusal, by its status.
fn names_the_field(recorded: &RecordedAnswer, place: &[PathStep], text: &str) -> bool {
    let field = place.iter().any(|key| match key {
        PathStep::Field(name) => text.contains(name.as_str()),
        PathStep::Item(at) => text.contains(&format!("[{at}]")),
    });
    let whole = text.contains("\"status\": \"success\"") || text.contains("without `");
    let other = ["another booking", "another shape", "names a series"];
    let other = other.iter().any(|words| text.contains(words));
    let refused = recorded.status >= 400 && text.contains(&recorded.status.to_string());
    field || whole || other || refused
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum PathStep {
    Field(String),
    Item(usize),
}

/// Returns the value with its lists cut to the first few items and the last one, which represent
/// the others.
fn shorten_lists(mut value: Value) -> Value {
    const ITEMS: usize = 3;
    match &mut value {
        Value::Array(items) => {
            if items.len() > ITEMS + 1 {
                items.drain(ITEMS..items.len() - 1);
            }
            items
                .iter_mut()
                .for_each(|item| *item = shorten_lists(item.take()));
        }
        Value::Object(fields) => {
            fields
                .values_mut()
                .for_each(|inner| *inner = shorten_lists(inner.take()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

/// Returns every path in a value, including the path of the value itself.
fn value_paths(value: &Value) -> Vec<Vec<PathStep>> {
    let mut found = vec![Vec::new()];
    let mut below = |key: PathStep, inner: &Value| {
        for mut place in value_paths(inner) {
            place.insert(0, key.clone());
            found.push(place);
        }
    };
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                below(PathStep::Field(name.clone()), inner);
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                below(PathStep::Item(at), inner);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// Returns the name of the field at this path; none for an item or the whole value.
fn field_name(place: &[PathStep]) -> &str {
    match place.last() {
        Some(PathStep::Field(name)) => name,
        Some(PathStep::Item(_)) | None => "",
    }
}

/// A change of one field.
struct FieldChange {
    name: &'static str,
    /// `None` removes the field.
    value: Option<Value>,
}

fn changes() -> Vec<FieldChange> {
    let to = |name, value| FieldChange {
        name,
        value: Some(value),
    };
    vec![
        FieldChange {
            name: "removed",
            value: None,
        },
        to("null", Value::Null),
        to("true", json!(true)),
        to("a number", json!(5)),
        to("a fraction", json!(0.5)),
        to("a negative number", json!(-1)),
        to("a huge number", json!(u64::MAX)),
        to("a huge fraction", json!(1e300)),
        to("a text", json!("text")),
        to("an empty text", json!("")),
        to("a very long text", json!("long ".repeat(20_000))),
        to(
            "control characters",
            json!("a\u{0}\u{1b}[31m\r\n\u{202e}b\u{7f}"),
        ),
        to("a path", json!("../../me?x=%2f#y")),
        to("markup", json!("<script>alert('x')</script>")),
        to(
            "an instant too late",
            json!("9999-12-31T23:59:59.999-14:00"),
        ),
        to("an instant too early", json!("0000-01-01T00:00:00+14:00")),
        to("a leap second", json!("2026-12-31T23:59:60Z")),
        to("an empty list", json!([])),
        to("a list", json!([null, 7, "x", {"uid": 5}])),
        to("an empty object", json!({})),
        to(
            "an object",
            json!({"id": {}, "uid": [], "email": 5, "value": null}),
        ),
    ]
}

impl FieldChange {
    /// Applies the change. Returns true if the value differs from before.
    fn apply(&self, body: &mut Value, place: &[PathStep]) -> bool {
        let Some((last, way)) = place.split_last() else {
            return match &self.value {
                Some(value) => std::mem::replace(body, value.clone()) != *value,
                None => false,
            };
        };
        let mut inner = body;
        for key in way {
            inner = match key {
                PathStep::Field(name) => &mut inner[name.as_str()],
                PathStep::Item(at) => &mut inner[*at],
            };
        }
        match (last, &self.value) {
            (PathStep::Field(name), Some(value)) => {
                std::mem::replace(&mut inner[name.as_str()], value.clone()) != *value
            }
            (PathStep::Item(at), Some(value)) => {
                std::mem::replace(&mut inner[*at], value.clone()) != *value
            }
            (PathStep::Field(name), None) => inner.as_object_mut().unwrap().remove(name).is_some(),
            (PathStep::Item(at), None) => {
                inner.as_array_mut().unwrap().remove(*at);
                true
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_booking_does_not_keep_another_from_being_confirmed() {
    let (mut number, mut passes, mut acted) = (0, 0, 0);
    let seed = seed();
    let mut messages = BTreeSet::new();
    for dialect in [Dialect::V2, Dialect::V1] {
        let (start, end) = ("2026-12-02T09:00:00.000Z", "2026-12-02T10:00:00.000Z");
        let row = model_server::row(dialect, "odd", 8, start, end);
        for place in value_paths(&row) {
            for change in changes() {
                number += 1;
                let mut odd = row.clone();
                let is_regression = REGRESSIONS.contains(&(field_name(&place), change.name));
                let chosen = is_regression || is_sampled(number, SAMPLE_EVERY_OF_PASSES, seed);
                if !chosen || !change.apply(&mut odd, &place) {
                    continue;
                }
                passes += 1;
                let what = format!("{dialect:?}: {} at {place:?}", change.name);
                // The changed booking was requested first.
                let rows = vec![odd, confirmable_row(dialect)];
                let peer = model_server::serve(dialect, rows, |_, _| None);
                let fixture = PeerFixture::new(&peer.address, dialect).await;
                let result = fixture.pass().await;
                messages.extend(pass_messages(&result));
                pass_messages(&result)
                    .iter()
                    .for_each(|text| wire::assert_readable(text));
                let report = result.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(
                    step_outcome(&report, "good"),
                    "confirmed",
                    "{what}: {report:?}"
                );
                let mut targets: Vec<String> = peer
                    .write_calls()
                    .into_iter()
                    .map(|asked| asked.target)
                    .collect();
                acted += targets.len() - 1;
                targets.sort();
                targets.dedup();
                assert_eq!(
                    targets.len(),
                    peer.write_calls().len(),
                    "{what}: sent twice"
                );
                let (available, held, posted) = fixture.balance().await;
                assert_eq!(available + held + posted, 100, "{what}");
                assert!(
                    posted <= targets.len() as u64,
                    "{what}: spent without a call"
                );
            }
        }
    }
    println!("{passes} of {number} passes; the odd one was answered in {acted}; said:");
    for text in &messages {
        println!("  {text}");
    }
    assert!(passes > 60, "only {passes}");
    assert!(acted > passes / 4 && acted < passes, "{acted} of {passes}");
}
