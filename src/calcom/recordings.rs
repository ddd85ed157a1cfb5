//! Feeds exchanges with real servers to the code that decodes answers. The excerpts in
//! `tests/fixtures/calcom` are checked individually. If `MAITRED_RECORDINGS` names a folder with
//! whole recordings (in `recordings` and `recordings-v1`), every exchange in them must be decoded,
//! or be refused for the reason that its status and shape give.

use std::path::Path;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;

use super::api_call::{ApiAnswer, Endpoint};
use super::port::{BookingFilter, BookingPage, CallError};
use super::redact::Redactor;
use super::{http, rate_budget, v1, v2};
use crate::domain::booking::{Booking, BookingRef, EventType, Fetched};
use crate::domain::dialect::Dialect;
use crate::domain::id::BookingUid;
use crate::domain::time::Time;

/// One recorded exchange.
struct RecordedExchange<'a> {
    step: &'a str,
    method: &'a str,
    /// The path without query and host.
    path: Vec<&'a str>,
    query: &'a str,
    /// The header `cal-api-version` as it was sent.
    version: Option<&'a str>,
    key: &'a str,
    body: &'a str,
    answer: ApiAnswer,
    headers: HeaderMap,
}

impl<'a> RecordedExchange<'a> {
    /// Parses an exchange; `None` for a step that is no exchange (database rows, mails), or whose
    /// body was not kept.
    fn parse(exchange: &'a Value) -> Option<Self> {
        let (request, response) = (exchange.get("request")?, exchange.get("response")?);
        let target = request["target"].as_str()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request_header = |name: &str| {
            let headers = request["headers"].as_object().into_iter().flatten();
            let mut matching = headers.filter(|(have, _)| have.eq_ignore_ascii_case(name));
            matching.next().and_then(|(_, value)| value.as_str())
        };
        let bearer =
            request_header("authorization").map(|value| value.trim_start_matches("Bearer "));
        let in_query = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("apiKey="));
        let body = response["body_raw"].as_str()?;
        let headers = headers(&response["headers"]);
        let url = Url::parse("http://server.test")
            .unwrap()
            .join(target)
            .unwrap();
        let status = u16::try_from(response["status"].as_u64()?).ok()?;
        let path = path.trim_start_matches("/api/").trim_matches('/');
        Some(Self {
            step: exchange["step"].as_str()?,
            method: request["method"].as_str()?,
            path: path.split('/').collect(),
            query,
            version: request_header("cal-api-version"),
            key: bearer
                .or(in_query)
                .filter(|key| !key.is_empty())
                .unwrap_or("cal_none_given"),
            body,
            answer: http::to_api_answer(status, &headers, &url, body.as_bytes().to_vec()),
            headers,
        })
    }

    /// Returns which of the client's calls the exchange is like; `None` if it is like none.
    fn endpoint(&self) -> Option<Endpoint> {
        Some(match (self.method, self.path.as_slice()) {
            ("GET", ["v1" | "v2", "me"]) => Endpoint::Me,
            ("GET", ["v1" | "v2", "event-types"]) => Endpoint::EventTypes,
            ("GET", ["v1" | "v2", "event-types", _]) => Endpoint::EventType,
            // The answer shows the event type that was created.
            ("POST", ["v2", "event-types"]) if self.answer.is_success() => Endpoint::EventType,
            ("GET", ["v1" | "v2", "bookings"]) => Endpoint::List,
            ("GET", ["v1" | "v2", "bookings", _]) => Endpoint::Get,
            ("POST", ["v2", "bookings", _, "confirm"]) => Endpoint::Confirm,
            ("POST", ["v2", "bookings", _, "decline"]) => Endpoint::Decline,
            ("POST", ["v2", "bookings", _, "cancel"]) => Endpoint::Cancel,
            ("PATCH", ["v1", "bookings", _]) => Endpoint::Confirm,
            ("DELETE", ["v1", "bookings", _] | ["v1", "bookings", _, "cancel"]) => Endpoint::Cancel,
            // Odd methods and routes: only how they are refused matters.
            (_, ["v1" | "v2", ..]) if !self.answer.is_success() => Endpoint::Get,
            _ => return None,
        })
    }
}

fn headers(pairs: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in pairs.as_array().unwrap() {
        let name = HeaderName::try_from(pair[0].as_str().unwrap()).unwrap();
        let value = HeaderValue::from_str(pair[1].as_str().unwrap()).unwrap();
        headers.append(name, value);
    }
    headers
}

/// Decodes the exchange as the dialect does, and describes the result in words. A 429 never reaches
/// the dialect.
fn decode_exchange(
    recording: &RecordedExchange<'_>,
    dialect: Dialect,
) -> Option<Result<String, CallError>> {
    let endpoint = recording.endpoint()?;
    let redactor = Redactor::new(&SecretString::from(recording.key));
    let (answer, redactor) = (&recording.answer, &redactor);
    if answer.status == 429 {
        return Some(Err(CallError::RateLimited {
            until: rate_limited_until(recording),
        }));
    }
    Some(match dialect {
        Dialect::V2 => decode_v2(recording, endpoint, redactor),
        Dialect::V1 => decode_v1(recording, endpoint, answer, redactor),
    })
}

fn decode_v2(
    recording: &RecordedExchange<'_>,
    endpoint: Endpoint,
    redactor: &Redactor,
) -> Result<String, CallError> {
    use v2::decode;
    let answer = &recording.answer;
    let name = recording.path.get(2).copied().unwrap_or_default();
    let uid = BookingUid::parse(name)
        .or_else(|_| BookingUid::parse("odd"))
        .unwrap();
    match endpoint {
        Endpoint::Me => decode::decode_current_user(answer, redactor).map(|me| format!("{me:?}")),
        Endpoint::EventTypes => {
            decode::decode_event_types(answer, redactor).map(|types| describe_event_types(&types))
        }
        Endpoint::EventType => decode::decode_event_type(answer, redactor)
            .map(|one| describe_event_types(one.as_slice())),
        Endpoint::List => {
            let filter = if recording.query.contains("UpdatedAt=2") {
                BookingFilter::UpdatedSince(Time::UNIX_EPOCH)
            } else {
                BookingFilter::Pending
            };
            decode::decode_page(answer, &filter, 0, redactor).map(|page| describe_page(&page))
        }
        Endpoint::Get | Endpoint::Series if recording.body.contains(r#""data":["#) => {
            decode::decode_series(answer, &uid, redactor).map(|of| describe_bookings(&of))
        }
        Endpoint::Get | Endpoint::Series => {
            decode::decode_booking(answer, &uid, redactor).map(describe_reading)
        }
        Endpoint::Confirm | Endpoint::Decline | Endpoint::Cancel => {
            let action = decode::decode_action(answer, endpoint, &uid, redactor);
            action.map(|reading| reading.map_or("yes".to_owned(), describe_reading))
        }
    }
}

fn decode_v1(
    recording: &RecordedExchange<'_>,
    endpoint: Endpoint,
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<String, CallError> {
    use v1::decode;
    match endpoint {
        Endpoint::Me => decode::decode_current_user(answer, redactor).map(|me| format!("{me:?}")),
        Endpoint::EventTypes => {
            decode::decode_event_types(answer, redactor).map(|types| describe_event_types(&types))
        }
        Endpoint::EventType => decode::decode_event_type(answer, redactor)
            .map(|one| describe_event_types(one.as_slice())),
        Endpoint::List => decode::decode_list(answer, 0, redactor).map(|rows| {
            assert_eq!(rows.count, rows.bookings.len() + rows.unreadable.len());
            format!(
                "{}{}",
                describe_bookings(&rows.bookings),
                rows.unreadable.join("; ")
            )
        }),
        Endpoint::Get | Endpoint::Series => {
            let id = recording.path.get(2).and_then(|id| id.parse().ok());
            let body: Option<Value> = serde_json::from_str(recording.body).ok();
            let uid = body.and_then(|shown| Some(shown["booking"]["uid"].as_str()?.to_owned()));
            let uid = BookingUid::parse(uid.as_deref().unwrap_or("none")).unwrap();
            decode::decode_booking(answer, &BookingRef { uid, id }, redactor).map(describe_reading)
        }
        Endpoint::Confirm => {
            decode::decode_patch(answer, redactor).map(|state| format!("{state:?}"))
        }
        Endpoint::Decline | Endpoint::Cancel => {
            decode::decode_cancellation(answer, endpoint, redactor).map(|()| "yes".to_owned())
        }
    }
}

/// Returns until when the budget blocks calls after a recorded 429.
fn rate_limited_until(recording: &RecordedExchange<'_>) -> Time {
    let pairs = recording.headers.iter();
    let texts = pairs.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let now = recording.answer.server_time.unwrap();
    let limits = rate_budget::parse_limits(texts, now, Some(now));
    assert_eq!(limits.len(), 1, "{}", recording.step);
    let mut budget = rate_budget::RateBudget::new(0.5, false);
    budget.record_refusal(&limits, None, now)
}

fn describe_reading(reading: Fetched) -> String {
    match reading {
        Fetched::Found(booking) => describe_booking(&booking),
        Fetched::Gone => "gone".to_owned(),
    }
}

fn describe_booking(booking: &Booking) -> String {
    let mut words = format!("{} {:?}", booking.uid, booking.status);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push_str(&format!(" {name}={value}"));
        }
    };
    add("host", booking.host_id().map(|id| id.to_string()));
    add(
        "booker",
        booking
            .booker
            .as_ref()
            .map(|booker| booker.address.to_string()),
    );
    let slug = |of: &crate::domain::booking::EventTypeRef| {
        format!("{}/{}", of.id, of.slug.as_deref().unwrap_or("?"))
    };
    add("type", booking.event_type.as_ref().map(slug));
    add(
        "series",
        booking.series.as_ref().map(|series| series.to_string()),
    );
    add(
        "from",
        booking.rescheduled_from.as_ref().map(|uid| uid.to_string()),
    );
    add(
        "to",
        booking.rescheduled_to.as_ref().map(|uid| uid.to_string()),
    );
    add(
        "guests",
        Some(booking.guests.len())
            .filter(|n| *n > 0)
            .map(|n| n.to_string()),
    );
    add("seated", booking.seated.then(|| "yes".to_owned()));
    words
}

fn describe_bookings(bookings: &[Booking]) -> String {
    let rows = bookings
        .iter()
        .map(|booking| format!("\n    {}", describe_booking(booking)));
    format!("{} rows{}", bookings.len(), rows.collect::<String>())
}

fn describe_page(page: &BookingPage) -> String {
    let next = page
        .next
        .map(|next| format!("\n    next {next}"))
        .unwrap_or_default();
    format!(
        "{}{}{next}",
        describe_bookings(&page.bookings),
        page.unreadable.join("; ")
    )
}

fn describe_event_types(types: &[EventType]) -> String {
    let rows = types.iter().map(|of| {
        format!(
            "\n    {}/{} {} min, price {}, {:?}, seated {}, recurring {}, verifies {:?}",
            of.id,
            of.slug,
            of.length_minutes,
            of.price,
            of.confirmation,
            of.seated,
            of.recurring,
            of.verifies_address
        )
    });
    format!("{} event types{}", types.len(), rows.collect::<String>())
}

fn describe_outcomes(text: &str, dialect: Dialect) -> String {
    let file: Value = serde_json::from_str(text).unwrap();
    let mut lines = String::new();
    for exchange in file["exchanges"].as_array().unwrap() {
        let recording = RecordedExchange::parse(exchange).unwrap();
        let outcome = match decode_exchange(&recording, dialect).expect(recording.step) {
            Ok(words) => format!("ok: {words}"),
            Err(error) => format!("{}: {error}", variant_name(&error)),
        };
        lines.push_str(&format!("{}\n  {outcome}\n", recording.step));
    }
    lines
}

fn variant_name(error: &CallError) -> &'static str {
    match error {
        CallError::Credential(_) => "Credential",
        CallError::NotPermitted(_) => "NotYours",
        CallError::RateLimited { .. } => "Limited",
        CallError::TooLate => "TooLate",
        CallError::Unreachable(_) => "Unreachable",
        CallError::Unknown(_) => "Unknown",
        CallError::Refused(_) => "Refused",
        CallError::Failed(_) => "Failed",
        CallError::TooLarge { .. } => "TooLarge",
        CallError::Contract(_) => "Contract",
    }
}

#[test]
fn excerpts_of_v2_are_understood() {
    let text = include_str!("../../tests/fixtures/calcom/v2.json");
    insta::assert_snapshot!(describe_outcomes(text, Dialect::V2));
}

#[test]
fn excerpts_of_v1_are_understood() {
    let text = include_str!("../../tests/fixtures/calcom/v1.json");
    insta::assert_snapshot!(describe_outcomes(text, Dialect::V1));
}

/// Returns the expected variants from status and shape alone, in a second, simpler reading than the
/// decoder's.
fn expected_variants(
    recording: &RecordedExchange<'_>,
    dialect: Dialect,
    endpoint: Endpoint,
) -> &'static [&'static str] {
    let json = recording.body.starts_with('{');
    let body_has = |text: &str| recording.body.contains(text);
    match (dialect, recording.answer.status) {
        (Dialect::V2, 200 | 201) => match recording.version {
            Some("2024-08-13") => &["Ok"],
            _ if endpoint.is_write() || endpoint == Endpoint::EventType => &["Ok"],
            _ => &["Contract"],
        },
        (Dialect::V1, 200) => &["Ok"],
        (_, 304) => &["Unknown"],
        (_, 300..400) | (_, 405) => &["Contract"],
        (Dialect::V1, 400) if endpoint == Endpoint::Confirm => &["Failed"],
        (_, 400) => &["Refused"],
        (_, 401) if body_has("LICENSE") => &["Contract"],
        (Dialect::V2, 401) if body_has("TRPCError") => &["NotYours"],
        (Dialect::V1, 401 | 403) if body_has(r#"{"status":"error""#) => &["Contract"],
        (Dialect::V1, 403) if body_has(r#"{"message""#) => match endpoint {
            Endpoint::Get | Endpoint::EventType => &["Ok"],
            _ => &["NotYours"],
        },
        (_, 401 | 403) => &["Credential"],
        (_, 404) if !json || body_has("Cannot ") => &["Contract"],
        (_, 404) if endpoint.is_write() => &["Refused"],
        (_, 404) => &["Ok"],
        (_, 429) => &["Limited"],
        // Cal.com's own answer ends a call; a page of something in front of Cal.com does not.
        (_, 500 | 501) if endpoint.is_write() && json => &["Failed"],
        (_, 500..600) => &["Unknown"],
        _ => &[],
    }
}

#[test]
fn whole_recordings_are_understood() {
    let Ok(folder) = std::env::var("MAITRED_RECORDINGS") else {
        return;
    };
    let folders = [("recordings", Dialect::V2), ("recordings-v1", Dialect::V1)];
    for (name, dialect) in folders {
        let (mut decoded, mut other) = (0, 0);
        for text in read_texts(&Path::new(&folder).join(name)) {
            let file: Value = serde_json::from_str(&text).unwrap();
            for exchange in file["exchanges"].as_array().into_iter().flatten() {
                match RecordedExchange::parse(exchange) {
                    Some(recording) if check_exchange(&recording, dialect) => decoded += 1,
                    Some(_) | None => other += 1,
                }
            }
        }
        assert!(
            decoded > 100,
            "{name}: only {decoded} exchanges, and {other} other steps"
        );
        eprint_count(name, decoded, other);
    }
}

fn read_texts(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder of recordings");
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

#[allow(
    clippy::print_stderr,
    reason = "the count is what the run was made for"
)]
fn eprint_count(name: &str, decoded: usize, other: usize) {
    eprintln!("{name}: {decoded} exchanges understood, {other} other steps");
}

/// Returns whether the exchange is like one of the client's calls; if so, it must be decoded as
/// expected.
fn check_exchange(recording: &RecordedExchange<'_>, dialect: Dialect) -> bool {
    // Recordings of one dialect hold control calls that were made in the other.
    let dialect = match recording.path.first() {
        Some(&"v1") => Dialect::V1,
        Some(&"v2") if recording.headers.contains_key("x-request-id") => Dialect::V2,
        _ => dialect,
    };
    let Some(endpoint) = recording.endpoint() else {
        return false;
    };
    let outcome = decode_exchange(recording, dialect).expect("its kind is known");
    let (got, text) = match &outcome {
        Ok(words) => ("Ok", words.clone()),
        Err(error) => (variant_name(error), error.to_string()),
    };
    let expect = expected_variants(recording, dialect, endpoint);
    let what = format!(
        "{} {}: {got} {text}",
        recording.step, recording.answer.status
    );
    assert!(expect.contains(&got), "{what}, expected {expect:?}");
    assert!(
        !text.contains("data[") && !text.contains("bookings["),
        "unreadable: {what}"
    );
    if got != "Ok" {
        let secret = recording.key.trim_start_matches("cal_");
        assert!(!text.contains(secret), "the key: {what}");
    }
    true
}
