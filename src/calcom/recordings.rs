//! Feeds exchanges with real servers to the code that decodes answers. The excerpts in
//! `tests/fixtures/calcom` are checked individually. If `MAITRED_RECORDINGS` names a folder with
//! whole recordings (in `recordings` and `recordings-v1`), every exchange in them must be decoded,
//! or be refused for the reason that its status and shape give.

mod description;
mod exchange;

use std::path::Path;

use secrecy::SecretString;
use serde_json::Value;

use super::api_call::{ApiAnswer, Endpoint};
use super::port::{BookingFilter, CallError};
use super::redact::Redactor;
use super::{rate_budget, stated_limits, v1, v2};
use crate::domain::booking::BookingRef;
use crate::domain::dialect::Dialect;
use crate::domain::id::BookingUid;
use crate::domain::time::Time;
use description::{describe_bookings, describe_event_types, describe_page, describe_reading};
use exchange::RecordedExchange;

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
    use v2::{decode, decode_list};
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
            decode_list::decode_page(answer, &filter, 0, redactor).map(|page| describe_page(&page))
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
    let limits = stated_limits::parse_limits(texts, now, Some(now));
    assert_eq!(limits.len(), 1, "{}", recording.step);
    let mut budget = rate_budget::RateBudget::new(0.5, false);
    budget.record_refusal(&limits, None, now)
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

#[expect(
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
