//! Replays recorded exchanges with real Cal.com servers against the sandbox, over HTTP, and
//! compares status, rate limit headers, content type and JSON: the same keys and types everywhere,
//! the same values wherever a value does not depend on the clock or on chance.
//!
//! By default the excerpts under `tests/fixtures/sandbox` are replayed. `MAITRED_RECORDINGS` names
//! a folder with the complete recordings (`recordings/`, `recordings-v1/`); then all of those are
//! replayed.

#![expect(
    clippy::print_stdout,
    reason = "a test: what cannot be read fails it, and the replay tells what it compares"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use maitred::sandbox::booking::{SandboxStatus, StoredAnswers};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule};
use maitred::sandbox::new_booking::NewBooking;
use maitred::sandbox::scenario::file;
use maitred::sandbox::server::Sandbox;
use maitred::sandbox::world::World;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FIXTURES: &str = "tests/fixtures/sandbox";

/// Steps that are not replayed, or not compared in full, and why. The start of a step's name
/// selects the step.
const NOT_COMPARED: [(&str, &str, &str); 4] = [
    (
        "v2/seated",
        "create event type",
        "the sandbox makes no event types by HTTP",
    ),
    (
        "v2/same-slot-blocking-type",
        "create event type",
        "the sandbox makes no event types by HTTP; the world has it from the start",
    ),
    (
        "v2/parallel",
        "cancel D",
        "the recorded answer was read again after the other call's write",
    ),
    (
        "v1/cancel",
        "get one after (API v2)",
        "names a booking of another recording",
    ),
];

/// Fields whose value depends on the clock, on chance or on the installation: only their type is
/// compared.
const VOLATILE: [&str; 15] = [
    "timestamp",
    "traceId",
    "createdAt",
    "updatedAt",
    "emailVerified",
    "createdDate",
    "locations",
    "link",
    "bookingUrl",
    "bookingFields",
    "first_uid",
    "body_bytes",
    "videoCallUrl",
    "meetingUrl",
    "location",
];

/// Fields that may be null on one side, because they differ between accounts and versions.
const NULLABLE: [&str; 2] = ["defaultScheduleId", "position"];

struct Exchange {
    step: String,
    request: Value,
    status: u64,
    at: i64,
    rate: Option<[i64; 3]>,
    content_type: Option<String>,
    location: Option<String>,
    body: Option<Value>,
    /// What a recording without bodies records about a list.
    summary: Option<Value>,
}

enum RecordedStep {
    Call(Box<Exchange>),
    Rows {
        query: Option<String>,
        rows: Vec<String>,
    },
    Mails(usize),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_answers_as_the_recorded_servers_did() {
    let mut failures = Vec::new();
    let mut compared = 0;
    for (dialect, folder) in [("v2", "v2"), ("v1", "v1")] {
        for name in scenarios(&Path::new(FIXTURES).join(folder)) {
            let path = Path::new(FIXTURES)
                .join(folder)
                .join(format!("{name}.json"));
            compared += replay(dialect, &name, &path, false, &mut failures).await;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(compared > 250, "only {compared} steps were compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_answers_as_the_complete_recordings_do() {
    let Ok(root) = std::env::var("MAITRED_RECORDINGS") else {
        println!("MAITRED_RECORDINGS is not set: only the excerpts are replayed");
        return;
    };
    let mut failures = Vec::new();
    let mut compared = 0;
    for (dialect, folder) in [("v2", "recordings"), ("v1", "recordings-v1")] {
        let folder = Path::new(&root).join(folder);
        for name in scenarios(&folder) {
            let path = folder.join(format!("{name}.json"));
            compared += replay(dialect, &name, &path, true, &mut failures).await;
        }
    }
    println!("{compared} steps compared, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn scenarios(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the folder of the recordings");
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name != "index")
        .collect();
    names.sort();
    names
}

/// The replay of one scenario.
struct RecordingReplay {
    sandbox: Sandbox,
    scenario: String,
    clock: Arc<AtomicI64>,
    /// Maps the recorded uids of bookings that were made during the replay to the replay's uids;
    /// `ids` does the same for ids.
    uids: HashMap<String, String>,
    ids: HashMap<i64, i64>,
    tags: HashMap<String, String>,
    mails_before: u32,
}

async fn replay(
    dialect: &str,
    name: &str,
    path: &Path,
    reports_partial: bool,
    failures: &mut Vec<String>,
) -> usize {
    let recording: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let scenario = format!("{dialect}/{name}");
    let mut steps: Vec<RecordedStep> = Vec::new();
    let mut names = Vec::new();
    for exchange in recording["exchanges"].as_array().unwrap() {
        if let Some(step) = read_step(exchange) {
            steps.push(step);
            names.push(exchange["step"].as_str().unwrap().to_owned());
        } else if reports_partial {
            println!(
                "{scenario}: {}: out of scope: no request, no rows",
                exchange["step"]
            );
        }
    }
    sort_by_effect(&scenario, &mut steps);
    let first = steps.iter().find_map(|step| match step {
        RecordedStep::Call(call) => Some(call.at),
        RecordedStep::Rows { .. } | RecordedStep::Mails(_) => None,
    });
    let mut replay = RecordingReplay::start(&scenario, first.unwrap_or(0)).await;
    let mut compared = 0;
    for (number, step) in steps.iter().enumerate() {
        let label = match step {
            RecordedStep::Call(call) => call.step.clone(),
            RecordedStep::Rows { .. } | RecordedStep::Mails(_) => names[number].clone(),
        };
        let scope = NOT_COMPARED
            .iter()
            .find(|(one, step, _)| *one == scenario && label.starts_with(step));
        if let Some((_, _, why)) = scope {
            if reports_partial {
                println!("{scenario}: {label}: out of scope: {why}");
            }
            if let (RecordedStep::Call(call), "cancel D") = (step, label.as_str()) {
                replay.send(&call.request).await;
            }
            continue;
        }
        let found = match step {
            RecordedStep::Call(call) => replay.replay_call(call).await,
            RecordedStep::Rows { query, rows } => replay.compare_rows(query.as_deref(), rows),
            RecordedStep::Mails(count) => replay.compare_mails(*count),
        };
        compared += 1;
        if reports_partial {
            let word = match (found.is_empty(), partial_reason(dialect, step)) {
                (false, _) => "DIFFERENT",
                (true, None) => "same",
                (true, Some(part)) => part,
            };
            println!("{scenario}: {label}: {word}");
        }
        failures.extend(
            found
                .iter()
                .map(|one| format!("{scenario}: {label}: {one}")),
        );
    }
    replay.sandbox.stop().await;
    compared
}

/// Reorders calls that ran in parallel: the call whose write came first goes first.
fn sort_by_effect(scenario: &str, steps: &mut [RecordedStep]) {
    let at = |steps: &[RecordedStep], label: &str| {
        steps
            .iter()
            .position(|step| matches!(step, RecordedStep::Call(call) if call.step == label))
    };
    let pairs = [
        ("v2/parallel", "confirm B", "decline B"),
        ("v2/parallel", "confirm D", "cancel D"),
        (
            "v1/parallel",
            "in parallel: PATCH ACCEPTED",
            "in parallel: PATCH REJECTED",
        ),
    ];
    for (one, later, earlier) in pairs {
        if one != scenario {
            continue;
        }
        let both = (at(steps, later), at(steps, earlier));
        if let (Some(later), Some(earlier)) = both {
            steps.swap(later, earlier);
        }
    }
}

/// Reads a step of either form: complete recording or excerpt.
fn read_step(exchange: &Value) -> Option<RecordedStep> {
    if let Some(rows) = exchange["database_rows"].as_array() {
        let rows = rows.iter().map(|row| row.as_str().unwrap().to_owned());
        return Some(RecordedStep::Rows {
            query: exchange["query"].as_str().map(str::to_owned),
            rows: rows.collect(),
        });
    }
    if let Some(mails) = exchange["mails"].as_array() {
        return Some(RecordedStep::Mails(mails.len()));
    }
    let (request, response) = (exchange.get("request")?, &exchange["response"]);
    let header = |name: &str| {
        let headers = response["headers"].as_array()?.iter();
        let mut headers = headers.filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?)));
        headers
            .find(|(one, _)| one.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let number = |name: String| header(&name).and_then(|text| text.parse().ok());
    let suffix = match header("x-ratelimit-limit-default") {
        Some(_) => "-default",
        None => "",
    };
    let rate = match response["rate"].as_array() {
        Some(rate) => Some([0, 1, 2].map(|at| rate[at].as_i64().unwrap())),
        None => number(format!("x-ratelimit-limit{suffix}")).map(|limit| {
            let remaining = number(format!("x-ratelimit-remaining{suffix}")).unwrap();
            [
                limit,
                remaining,
                number(format!("x-ratelimit-reset{suffix}")).unwrap(),
            ]
        }),
    };
    let date = header("date").and_then(|date| DateTime::parse_from_rfc2822(&date).ok());
    let text = |field: &str| response[field].as_str().map(str::to_owned);
    Some(RecordedStep::Call(Box::new(Exchange {
        step: exchange["step"].as_str()?.to_owned(),
        request: request.clone(),
        status: response["status"].as_u64()?,
        at: response["at"]
            .as_i64()
            .or_else(|| date.map(|date| date.timestamp()))?,
        rate,
        content_type: text("type").or_else(|| header("content-type")),
        location: text("location").or_else(|| header("location")),
        body: response
            .get("body_json")
            .filter(|body| !body.is_null())
            .cloned(),
        summary: response.get("items").map(|_| response.clone()),
    })))
}

fn build_world(scenario: &str, now: DateTime<Utc>) -> World {
    let read = |name: &str| -> Value {
        let path = Path::new(FIXTURES).join(name);
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let worlds = read("worlds.json");
    let mut own = worlds[scenario].clone();
    if let Some(like) = own["like"].as_str() {
        own = worlds[like].clone();
    }
    let generated = own["generated"].as_i64();
    let fields = own.as_object_mut().unwrap();
    fields.remove("generated");
    fields.remove("like");
    let mut whole = read("base.json");
    whole.as_object_mut().unwrap().append(fields);
    let mut world = file::parse(&whole.to_string(), now).expect("a world of the fixtures");
    let uids: Vec<String> = world.bookings().iter().map(|one| one.uid.clone()).collect();
    for uid in uids {
        let place = "https://meet.example.test/olga";
        world
            .edit(&uid, |row| row.location = place.to_owned())
            .unwrap();
    }
    for number in 0..generated.unwrap_or(0) {
        let start = now + chrono::TimeDelta::minutes(60 + number);
        let mut ask = NewBooking::new(1, &format!("guest{number}@guest.test"), start);
        ask.names.id = Some(458 + number);
        world.book(now, ask).unwrap();
    }
    world
}

impl RecordingReplay {
    async fn start(scenario: &str, at: i64) -> Self {
        let now = DateTime::from_timestamp(at, 0).unwrap();
        let clock = Arc::new(AtomicI64::new(at));
        let offset = Arc::clone(&clock);
        let world = build_world(scenario, now);
        let clock_fn = Arc::new(move || {
            // Times are recorded in whole seconds: the middle of the second is never far from the
            // real time.
            let millis = offset.load(Ordering::SeqCst) * 1000 + 500;
            DateTime::from_timestamp_millis(millis).unwrap()
        });
        let addr = "127.0.0.1:0".parse().unwrap();
        let sandbox = Sandbox::start(world, clock_fn, addr).await.unwrap();
        RecordingReplay {
            sandbox,
            scenario: scenario.to_owned(),
            clock,
            uids: HashMap::new(),
            ids: HashMap::new(),
            tags: HashMap::new(),
            mails_before: 0,
        }
    }

    /// Repeats what happened between two recorded steps without being recorded itself.
    async fn replay_unrecorded(&mut self, step: &str) {
        let lists = |count: usize, target: &str, key: Option<&str>| {
            let mut headers = json!({"cal-api-version": "2024-08-13"});
            if let Some(key) = key {
                headers["Authorization"] = json!(format!("Bearer {key}"));
            }
            vec![json!({"method": "GET", "target": target, "headers": headers}); count]
        };
        let calls = match (self.scenario.as_str(), step) {
            ("v2/rate-limit-429", "request 119") => lists(
                116,
                "/v2/bookings?status=unconfirmed&take=1",
                Some("cal_owner_ratelimit_0001"),
            ),
            ("v1/rate-limit-429", "other host, request 14") => lists(
                11,
                "/v1/bookings?take=1&page=1&apiKey=cal_rival_default_0001",
                None,
            ),
            _ => Vec::new(),
        };
        for call in calls {
            self.send(&call).await;
        }
        let now = DateTime::from_timestamp(self.clock.load(Ordering::SeqCst), 0).unwrap();
        let mut world = self.sandbox.lock();
        match (self.scenario.as_str(), step) {
            ("v2/etag-304", "list with the old ETag after a confirm") => {
                world.confirm(now, "tuL3qjK3DSbzZ2ycr8zuec", true).unwrap();
            }
            ("v2/server-trouble", step) if step.ends_with("database down") => {
                world.add_fault(database_down_fault()).unwrap();
            }
            ("v1/database-down", _) => world.add_fault(database_down_fault()).unwrap(),
            ("v2/parallel", "confirm A (2)") => {
                world
                    .add_fault(FaultRule::on_next(Operation::Confirm, Fault::Race))
                    .unwrap();
            }
            ("v1/parallel", "in parallel: cancel (2)") => {
                world
                    .add_fault(FaultRule::on_next(Operation::Cancel, Fault::Race))
                    .unwrap();
            }
            ("v1/auth-errors", "list: locked account") => world.set_locked(102, true).unwrap(),
            ("v1/auth-errors", "list: account unlocked again")
            | ("v1/rate-limit-429", "other host, unlocked, still over the limit") => {
                world.set_locked(102, false).unwrap();
            }
            ("v1/patch-errors", "status in the query only") => {
                let uid = world.booking_by_id(422).unwrap().uid.clone();
                world
                    .edit(&uid, |row| row.status = SandboxStatus::Pending)
                    .unwrap();
            }
            ("v1/list-details", "list with an odd row") => {
                let uid = world.booking_by_id(3464).unwrap().uid.clone();
                let odd = StoredAnswers::Malformed(json!(["a", "list"]));
                world.edit(&uid, |row| row.answers = odd).unwrap();
            }
            _ => {}
        }
    }

    /// Sends one recorded request, with the names of the replay instead of the recorded names.
    async fn send(&mut self, request: &Value) -> ReceivedResponse {
        let target = self.with_our_names(request["target"].as_str().unwrap());
        let mut text = format!(
            "{} {target} HTTP/1.1\r\n",
            request["method"].as_str().unwrap()
        );
        text.push_str("Host: sandbox\r\nConnection: close\r\n");
        let headers = request["headers"].as_object().into_iter().flatten();
        for (name, value) in headers {
            let mut value = value.as_str().unwrap().to_owned();
            if name.eq_ignore_ascii_case("if-none-match") {
                value.clone_from(&self.tags[&target]);
            }
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = match &request["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let got = send_request(&self.sandbox, &text).await;
        if let Some(tag) = got.header("etag") {
            self.tags.entry(target).or_insert_with(|| tag.to_owned());
        }
        got
    }

    /// Returns the recorded text with the replay's names.
    fn with_our_names(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (recorded, ours) in &self.uids {
            text = text.replace(recorded, ours);
        }
        text
    }

    async fn replay_call(&mut self, recorded: &Exchange) -> Vec<String> {
        self.clock.store(recorded.at, Ordering::SeqCst);
        self.replay_unrecorded(&recorded.step).await;
        // The mails of two parallel calls were counted together.
        if !recorded.step.ends_with("cancel (2)") {
            self.mails_before = self.sandbox.lock().call_log.mail_total();
        }
        let got = self.send(&recorded.request).await;
        let mut found = Vec::new();
        if u64::from(got.status) != recorded.status {
            found.push(format!(
                "status {} where {} was recorded: {}",
                got.status, recorded.status, got.body
            ));
            return found;
        }
        self.compare_headers(recorded, &got, &mut found);
        self.learn_names(recorded, &got);
        // The v1 recordings contain v2 answers of an older server, which lacks fields and uses
        // other texts.
        let target = recorded.request["target"].as_str().unwrap();
        if self.scenario.starts_with("v1/") && target.starts_with("/v2/") {
            return found;
        }
        if let Some(summary) = &recorded.summary {
            compare_summary(summary, &got, &mut found);
        }
        let Some(body) = &recorded.body else {
            return found;
        };
        let expected: Value =
            serde_json::from_str(&self.with_our_names(&body.to_string())).unwrap();
        let Ok(mut body) = serde_json::from_str::<Value>(&got.body) else {
            found.push(format!("no JSON: {}", got.body));
            return found;
        };
        let mut expected = expected;
        if is_unordered(target) {
            sort_by_id(&mut expected);
            sort_by_id(&mut body);
        }
        self.compare("", &expected, &body, &mut found);
        found
    }

    fn compare_headers(
        &self,
        recorded: &Exchange,
        got: &ReceivedResponse,
        differences: &mut Vec<String>,
    ) {
        let target = recorded.request["target"].as_str().unwrap();
        let suffix = if target.contains("/v2/") {
            "-default"
        } else {
            ""
        };
        let number = |name: &str| {
            let value = got.header(&format!("x-ratelimit-{name}{suffix}"))?;
            value.parse::<i64>().ok()
        };
        let rate = match (number("limit"), number("remaining"), number("reset")) {
            (Some(limit), Some(remaining), Some(reset)) => Some([limit, remaining, reset]),
            _ => None,
        };
        let exact = self.scenario.ends_with("rate-limit-429");
        let same = match (rate, recorded.rate) {
            (None, None) => true,
            (Some(ours), Some(theirs)) if exact => {
                ours == theirs || has_volatile_counts(&recorded.step)
            }
            (Some(ours), Some(theirs)) => ours[0] == theirs[0],
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !same {
            let theirs = recorded.rate;
            differences.push(format!("rate limit {rate:?} where {theirs:?} was recorded"));
        }
        let ours = got.header("content-type");
        if ours != recorded.content_type.as_deref() {
            let theirs = &recorded.content_type;
            differences.push(format!("type {ours:?} where {theirs:?} was recorded"));
        }
        let (ours, theirs) = (got.header("location"), recorded.location.as_deref());
        if ours != theirs {
            differences.push(format!("location {ours:?} where {theirs:?} was recorded"));
        }
        if target.contains("/v2/") && got.header("x-request-id").is_none() {
            differences.push("no X-Request-Id".to_owned());
        }
        if got.header("date").is_none() || got.header("keep-alive") != Some("timeout=5") {
            differences.push("no Date, or another Keep-Alive".to_owned());
        }
    }

    /// Records the names that new bookings have in the recording and in the replay.
    fn learn_names(&mut self, recorded: &Exchange, got: &ReceivedResponse) {
        let target = recorded.request["target"].as_str().unwrap();
        let makes = target == "/v2/bookings" || target.ends_with("/reschedule");
        let ours: Value = serde_json::from_str(&got.body).unwrap_or_default();
        let theirs = recorded.body.as_ref().map(|body| &body["data"]);
        let (Some(theirs), true, 201) = (theirs, makes, got.status) else {
            return;
        };
        let text = |data: &Value| data["uid"].as_str().map(str::to_owned);
        if let (Some(theirs), Some(ours)) = (text(theirs), text(&ours["data"])) {
            self.uids.insert(theirs, ours);
        }
        let number = |data: &Value| data["id"].as_i64();
        if let (Some(theirs), Some(ours)) = (number(theirs), number(&ours["data"])) {
            self.ids.insert(theirs, ours);
        }
    }

    /// Collects the differences between the recorded and the received value, with their paths.
    fn compare(&self, place: &str, expected: &Value, got: &Value, differences: &mut Vec<String>) {
        let name = place.rsplit('.').next().unwrap_or("");
        let name = name.split('[').next().unwrap_or("");
        let counted = name == "id" && (place.contains("attendees[") || place.contains("payment["));
        if NULLABLE.contains(&name) {
            return;
        }
        match (expected, got) {
            _ if std::mem::discriminant(expected) != std::mem::discriminant(got) => {
                differences.push(format!("{place} is {got} where {expected} was recorded"));
            }
            _ if VOLATILE.contains(&name) || counted => {}
            (Value::Object(expected), Value::Object(got)) => {
                for (key, expected) in expected {
                    match got.get(key) {
                        Some(got) => {
                            self.compare(&format!("{place}.{key}"), expected, got, differences)
                        }
                        None => differences.push(format!("{place}.{key} is missing")),
                    }
                }
                for key in got.keys().filter(|key| !expected.contains_key(*key)) {
                    differences.push(format!("{place}.{key} was not recorded"));
                }
            }
            (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
                for (number, (expected, got)) in expected.iter().zip(got).enumerate() {
                    self.compare(&format!("{place}[{number}]"), expected, got, differences);
                }
            }
            (Value::Number(expected), Value::Number(_)) if name == "id" => {
                let expected = expected.as_i64().unwrap();
                let expected = self.ids.get(&expected).copied().unwrap_or(expected);
                if got.as_i64() != Some(expected) {
                    differences.push(format!("{place} is {got} where {expected} was recorded"));
                }
            }
            (expected, got) if expected == got => {}
            (expected, got) => {
                differences.push(format!("{place} is {got} where {expected} was recorded"));
            }
        }
    }

    /// Compares the rows of the database that were recorded after a step.
    fn compare_rows(&self, query: Option<&str>, rows: &[String]) -> Vec<String> {
        let columns: Vec<String> = match query {
            Some(query) => {
                // One query cut the reason to 60 characters.
                let query = query.replace("left(\"cancellationReason\",60)", "cancellationReason");
                let list = query.trim_start_matches("select ").split(" from ").next();
                let list = list.unwrap_or("").split(',');
                list.map(|name| name.trim().trim_matches('"').to_owned())
                    .collect()
            }
            None => ["uid", "status", "rejectionReason", "cancellationReason"]
                .map(str::to_owned)
                .to_vec(),
        };
        let world = self.sandbox.lock();
        let mut found = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row.split('|').collect();
            let cell = |name: &str| {
                let at = columns.iter().position(|one| one == name)?;
                cells.get(at).copied()
            };
            let booking = match cell("uid") {
                Some(uid) => world.booking(&self.with_our_names(uid)),
                None => cell("id").and_then(|id| world.booking_by_id(id.parse().ok()?)),
            };
            let (Some(booking), Some(status)) = (booking, cell("status")) else {
                // A reason with a line break continues in a row of its own.
                let begins = match query {
                    Some(_) => cells[0].parse::<i64>().is_ok(),
                    None => cells.len() > 1,
                };
                if cell("locked").is_none() && begins {
                    found.push(format!("row {row} is not there"));
                }
                continue;
            };
            if booking.status.as_v2() != status {
                found.push(format!("row {row} is {}", booking.status.as_v2()));
            }
            let reasons = [
                ("rejectionReason", &booking.rejection_reason),
                ("cancellationReason", &booking.cancellation_reason),
            ];
            // In one recording the cell of the second reason holds a length.
            let whole = cells.len() > 4 || query.is_some();
            for (name, ours) in reasons.into_iter().filter(|_| whole) {
                let theirs = cell(name).unwrap_or("");
                let ours_shown: String = ours.iter().flat_map(|one| one.lines()).take(1).collect();
                let ours_shown: String = ours_shown.chars().take(60).collect();
                if ours_shown != theirs {
                    found.push(format!("row {row} has {name} {ours:?}"));
                }
            }
        }
        found
    }

    /// Compares how many mails the previous step sent.
    fn compare_mails(&self, recorded: usize) -> Vec<String> {
        let sent = self.sandbox.lock().call_log.mail_total() - self.mails_before;
        if sent as usize == recorded {
            return Vec::new();
        }
        vec![format!("{sent} mails where {recorded} were recorded")]
    }
}

/// Returns true for a v2 answer in the v1 recordings: it comes from an older server, which lacks
/// fields and uses other texts.
fn is_older_v2(scenario: &str, recorded: &Exchange) -> bool {
    let target = recorded.request["target"].as_str().unwrap();
    scenario.starts_with("v1") && target.starts_with("/v2/")
}

/// Returns what is reported about steps that are compared only in part.
fn partial_reason(dialect: &str, step: &RecordedStep) -> Option<&'static str> {
    match step {
        RecordedStep::Call(call) if is_older_v2(dialect, call) => {
            Some("same status and headers; the body, of an older v2, is out of scope")
        }
        RecordedStep::Call(call) if call.body.is_none() && call.summary.is_none() => {
            Some("same status and headers; no JSON was recorded")
        }
        RecordedStep::Call(_) => None,
        RecordedStep::Rows { .. } => {
            Some("same states and reasons; other columns are out of scope")
        }
        RecordedStep::Mails(_) => Some("same number of mails; their texts are out of scope"),
    }
}

fn database_down_fault() -> FaultRule {
    let mut rule = FaultRule::on_next(Operation::Other, Fault::DatabaseDown);
    rule.call = None;
    rule
}

/// Returns true for steps whose counts differ, because the other calls of the same minute were not
/// recorded.
fn has_volatile_counts(step: &str) -> bool {
    step.starts_with("other key") || step.contains("(API v2)")
}

/// Returns true for a v1 list without an order: no order is promised, so none is compared.
fn is_unordered(target: &str) -> bool {
    let list = target.contains("bookings?") && !target.contains("/v2/");
    let paged = target.contains("take=") && target.contains("page=");
    list && !paged && !target.contains("sortBy=")
}

fn sort_by_id(body: &mut Value) {
    if let Some(rows) = body["bookings"].as_array_mut() {
        rows.sort_by_key(|row| row["id"].as_i64());
    }
}

/// Compares what was recorded about a long list: its length and the numbers of its page.
fn compare_summary(summary: &Value, got: &ReceivedResponse, differences: &mut Vec<String>) {
    let body: Value = serde_json::from_str(&got.body).unwrap_or_default();
    let rows = body["data"]
        .as_array()
        .or_else(|| body["bookings"].as_array());
    let count = rows.map(Vec::len);
    if count.map(|count| count as u64) != summary["items"].as_u64() {
        differences.push(format!(
            "{count:?} items where {} were recorded",
            summary["items"]
        ));
    }
    if let Some(pagination) = summary.get("pagination")
        && *pagination != body["pagination"]
    {
        differences.push(format!(
            "{} where {pagination} was recorded",
            body["pagination"]
        ));
    }
    let ends = summary["first_and_last_id"].as_array();
    if let (Some(ends), Some(rows), Some(true)) = (ends, rows, summary["ids_ascending"].as_bool()) {
        let ours = [rows.first(), rows.last()].map(|row| row.unwrap()["id"].clone());
        if ours.as_slice() != ends.as_slice() {
            differences.push(format!("ids {ours:?} where {ends:?} were recorded"));
        }
    }
}

struct ReceivedResponse {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl ReceivedResponse {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Sends one request on its own connection and reads the whole answer.
async fn send_request(sandbox: &Sandbox, request: &str) -> ReceivedResponse {
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    ReceivedResponse {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    }
}

#[test]
fn every_excerpt_has_a_world_and_every_exclusion_a_reason() {
    let worlds = fs::read_to_string(Path::new(FIXTURES).join("worlds.json")).unwrap();
    let worlds: BTreeMap<String, Value> = serde_json::from_str(&worlds).unwrap();
    let worlds_present: BTreeSet<&str> = worlds.keys().map(String::as_str).collect();
    for dialect in ["v2", "v1"] {
        for name in scenarios(&Path::new(FIXTURES).join(dialect)) {
            assert!(
                worlds_present.contains(format!("{dialect}/{name}").as_str()),
                "{name}"
            );
        }
    }
    for (scenario, _, why) in NOT_COMPARED {
        assert!(
            worlds_present.contains(scenario) && !why.is_empty(),
            "{scenario}"
        );
    }
}
