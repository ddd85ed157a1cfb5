//! Exchanges with real servers, put to what judges answers. The excerpts in `tests/fixtures/calcom`
//! are judged one by one; where `MAITRED_RECORDINGS` names a folder with whole recordings (in
//! `recordings` and `recordings-v1`), every exchange in them has to be decoded or to be refused for
//! the reason that its status and shape give.

use std::path::Path;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;

use super::exchange::{Answer, Kind};
use super::port::{CallError, Dialect, Page, Select};
use super::redact::Redactor;
use super::{http, pace, v1, v2};
use crate::domain::booking::{Booking, BookingRef, EventType, Reading};
use crate::domain::id::BookingUid;
use crate::domain::time::Time;

/// One recorded exchange.
struct Recorded<'a> {
    step: &'a str,
    method: &'a str,
    /// The path without query and host.
    path: Vec<&'a str>,
    query: &'a str,
    /// `cal-api-version` as it was sent.
    version: Option<&'a str>,
    key: &'a str,
    body: &'a str,
    answer: Answer,
    headers: HeaderMap,
}

impl<'a> Recorded<'a> {
    /// `None` for a step that is no exchange (database rows, mails), or whose body was not kept.
    fn read(exchange: &'a Value) -> Option<Self> {
        let (request, response) = (exchange.get("request")?, exchange.get("response")?);
        let target = request["target"].as_str()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let sent = |name: &str| {
            let headers = request["headers"].as_object().into_iter().flatten();
            let mut found = headers.filter(|(have, _)| have.eq_ignore_ascii_case(name));
            found.next().and_then(|(_, value)| value.as_str())
        };
        let bearer = sent("authorization").map(|value| value.trim_start_matches("Bearer "));
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
            version: sent("cal-api-version"),
            key: bearer
                .or(in_query)
                .filter(|key| !key.is_empty())
                .unwrap_or("cal_none_given"),
            body,
            answer: http::answer(status, &headers, &url, body.as_bytes().to_vec()),
            headers,
        })
    }

    /// Which of our calls it is like; `None` when it is like none.
    fn kind(&self) -> Option<Kind> {
        Some(match (self.method, self.path.as_slice()) {
            ("GET", ["v1" | "v2", "me"]) => Kind::Me,
            ("GET", ["v1" | "v2", "event-types"]) => Kind::EventTypes,
            ("GET", ["v1" | "v2", "event-types", _]) => Kind::EventType,
            // Shows the one it made.
            ("POST", ["v2", "event-types"]) if self.answer.success() => Kind::EventType,
            ("GET", ["v1" | "v2", "bookings"]) => Kind::List,
            ("GET", ["v1" | "v2", "bookings", _]) => Kind::Get,
            ("POST", ["v2", "bookings", _, "confirm"]) => Kind::Confirm,
            ("POST", ["v2", "bookings", _, "decline"]) => Kind::Decline,
            ("POST", ["v2", "bookings", _, "cancel"]) => Kind::Cancel,
            ("PATCH", ["v1", "bookings", _]) => Kind::Confirm,
            ("DELETE", ["v1", "bookings", _] | ["v1", "bookings", _, "cancel"]) => Kind::Cancel,
            // Odd methods and routes: what matters is how they are refused.
            (_, ["v1" | "v2", ..]) if !self.answer.success() => Kind::Get,
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

/// What the judges of the dialect make of it, in words. A 429 does not come to them.
fn judged(recorded: &Recorded<'_>, dialect: Dialect) -> Option<Result<String, CallError>> {
    let kind = recorded.kind()?;
    let redactor = Redactor::new(&SecretString::from(recorded.key));
    let (answer, redactor) = (&recorded.answer, &redactor);
    if answer.status == 429 {
        return Some(Err(CallError::Limited {
            until: paced(recorded),
        }));
    }
    Some(match dialect {
        Dialect::V2 => judged_v2(recorded, kind, redactor),
        Dialect::V1 => judged_v1(recorded, kind, answer, redactor),
    })
}

fn judged_v2(
    recorded: &Recorded<'_>,
    kind: Kind,
    redactor: &Redactor,
) -> Result<String, CallError> {
    use v2::answers;
    let answer = &recorded.answer;
    let name = recorded.path.get(2).copied().unwrap_or_default();
    let uid = BookingUid::parse(name)
        .or_else(|_| BookingUid::parse("odd"))
        .unwrap();
    match kind {
        Kind::Me => answers::me(answer, redactor).map(|me| format!("{me:?}")),
        Kind::EventTypes => answers::event_types(answer, redactor).map(|types| type_words(&types)),
        Kind::EventType => {
            answers::event_type(answer, redactor).map(|one| type_words(one.as_slice()))
        }
        Kind::List => {
            let select = if recorded.query.contains("UpdatedAt=2") {
                Select::UpdatedSince(Time::UNIX_EPOCH)
            } else {
                Select::Pending
            };
            answers::page(answer, &select, 0, redactor).map(|page| page_words(&page))
        }
        Kind::Get | Kind::Series if recorded.body.contains(r#""data":["#) => {
            answers::series(answer, &uid, redactor).map(|of| rows_words(&of))
        }
        Kind::Get | Kind::Series => answers::reading(answer, &uid, redactor).map(words),
        Kind::Confirm | Kind::Decline | Kind::Cancel => {
            let acted = answers::acted(answer, kind, &uid, redactor);
            acted.map(|reading| reading.map_or("yes".to_owned(), words))
        }
    }
}

fn judged_v1(
    recorded: &Recorded<'_>,
    kind: Kind,
    answer: &Answer,
    redactor: &Redactor,
) -> Result<String, CallError> {
    use v1::answers;
    match kind {
        Kind::Me => answers::me(answer, redactor).map(|me| format!("{me:?}")),
        Kind::EventTypes => answers::event_types(answer, redactor).map(|types| type_words(&types)),
        Kind::EventType => {
            answers::event_type(answer, redactor).map(|one| type_words(one.as_slice()))
        }
        Kind::List => answers::list(answer, 0, redactor).map(|rows| {
            assert_eq!(rows.count, rows.bookings.len() + rows.unreadable.len());
            format!(
                "{}{}",
                rows_words(&rows.bookings),
                rows.unreadable.join("; ")
            )
        }),
        Kind::Get | Kind::Series => {
            let id = recorded.path.get(2).and_then(|id| id.parse().ok());
            let shown: Option<Value> = serde_json::from_str(recorded.body).ok();
            let uid = shown.and_then(|shown| Some(shown["booking"]["uid"].as_str()?.to_owned()));
            let uid = BookingUid::parse(uid.as_deref().unwrap_or("none")).unwrap();
            answers::reading(answer, &BookingRef { uid, id }, redactor).map(words)
        }
        Kind::Confirm => answers::patched(answer, redactor).map(|state| format!("{state:?}")),
        Kind::Decline | Kind::Cancel => {
            answers::cancelled(answer, kind, redactor).map(|()| "yes".to_owned())
        }
    }
}

/// Until when the budget stands still after a recorded 429.
fn paced(recorded: &Recorded<'_>) -> Time {
    let pairs = recorded.headers.iter();
    let texts = pairs.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let now = recorded.answer.server_time.unwrap();
    let limits = pace::limits(texts, now, Some(now));
    assert_eq!(limits.len(), 1, "{}", recorded.step);
    let mut pace = pace::Pace::new(0.5, false);
    pace.refused(&limits, None, now)
}

fn words(reading: Reading) -> String {
    match reading {
        Reading::Is(booking) => booking_words(&booking),
        Reading::Gone => "gone".to_owned(),
    }
}

fn booking_words(booking: &Booking) -> String {
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

fn rows_words(bookings: &[Booking]) -> String {
    let rows = bookings
        .iter()
        .map(|booking| format!("\n    {}", booking_words(booking)));
    format!("{} rows{}", bookings.len(), rows.collect::<String>())
}

fn page_words(page: &Page) -> String {
    let next = page
        .next
        .map(|next| format!("\n    next {next}"))
        .unwrap_or_default();
    format!(
        "{}{}{next}",
        rows_words(&page.bookings),
        page.unreadable.join("; ")
    )
}

fn type_words(types: &[EventType]) -> String {
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

fn outcomes(text: &str, dialect: Dialect) -> String {
    let file: Value = serde_json::from_str(text).unwrap();
    let mut lines = String::new();
    for exchange in file["exchanges"].as_array().unwrap() {
        let recorded = Recorded::read(exchange).unwrap();
        let outcome = match judged(&recorded, dialect).expect(recorded.step) {
            Ok(words) => format!("ok: {words}"),
            Err(error) => format!("{}: {error}", variant(&error)),
        };
        lines.push_str(&format!("{}\n  {outcome}\n", recorded.step));
    }
    lines
}

fn variant(error: &CallError) -> &'static str {
    match error {
        CallError::Credential(_) => "Credential",
        CallError::NotYours(_) => "NotYours",
        CallError::Limited { .. } => "Limited",
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
    insta::assert_snapshot!(outcomes(text, Dialect::V2));
}

#[test]
fn excerpts_of_v1_are_understood() {
    let text = include_str!("../../tests/fixtures/calcom/v1.json");
    insta::assert_snapshot!(outcomes(text, Dialect::V1));
}

/// What status and shape alone say, in a second, simpler reading than the judges'.
fn expected(recorded: &Recorded<'_>, dialect: Dialect, kind: Kind) -> &'static [&'static str] {
    let json = recorded.body.starts_with('{');
    let has = |text: &str| recorded.body.contains(text);
    match (dialect, recorded.answer.status) {
        (Dialect::V2, 200 | 201) => match recorded.version {
            Some("2024-08-13") => &["Ok"],
            _ if kind.writes() || kind == Kind::EventType => &["Ok"],
            _ => &["Contract"],
        },
        (Dialect::V1, 200) => &["Ok"],
        (_, 304) => &["Unknown"],
        (_, 300..400) | (_, 405) => &["Contract"],
        (Dialect::V1, 400) if kind == Kind::Confirm => &["Failed"],
        (_, 400) => &["Refused"],
        (_, 401) if has("LICENSE") => &["Contract"],
        (Dialect::V2, 401) if has("TRPCError") => &["NotYours"],
        (Dialect::V1, 401 | 403) if has(r#"{"status":"error""#) => &["Contract"],
        (Dialect::V1, 403) if has(r#"{"message""#) => match kind {
            Kind::Get | Kind::EventType => &["Ok"],
            _ => &["NotYours"],
        },
        (_, 401 | 403) => &["Credential"],
        (_, 404) if !json || has("Cannot ") => &["Contract"],
        (_, 404) if kind.writes() => &["Refused"],
        (_, 404) => &["Ok"],
        (_, 429) => &["Limited"],
        // Cal.com's own words end a call; a page of something in front of it does not.
        (_, 500 | 501) if kind.writes() && json => &["Failed"],
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
        let (mut judged, mut other) = (0, 0);
        for text in texts(&Path::new(&folder).join(name)) {
            let file: Value = serde_json::from_str(&text).unwrap();
            for exchange in file["exchanges"].as_array().into_iter().flatten() {
                match Recorded::read(exchange) {
                    Some(recorded) if check(&recorded, dialect) => judged += 1,
                    Some(_) | None => other += 1,
                }
            }
        }
        assert!(
            judged > 100,
            "{name}: only {judged} exchanges, and {other} other steps"
        );
        eprint_count(name, judged, other);
    }
}

fn texts(folder: &Path) -> Vec<String> {
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
fn eprint_count(name: &str, judged: usize, other: usize) {
    eprintln!("{name}: {judged} exchanges understood, {other} other steps");
}

/// Whether it is like one of our calls; if so, it has to be understood.
fn check(recorded: &Recorded<'_>, dialect: Dialect) -> bool {
    // Recordings of one dialect hold controls made in the other.
    let dialect = match recorded.path.first() {
        Some(&"v1") => Dialect::V1,
        Some(&"v2") if recorded.headers.contains_key("x-request-id") => Dialect::V2,
        _ => dialect,
    };
    let Some(kind) = recorded.kind() else {
        return false;
    };
    let outcome = judged(recorded, dialect).expect("its kind is known");
    let (got, text) = match &outcome {
        Ok(words) => ("Ok", words.clone()),
        Err(error) => (variant(error), error.to_string()),
    };
    let expect = expected(recorded, dialect, kind);
    let what = format!("{} {}: {got} {text}", recorded.step, recorded.answer.status);
    assert!(expect.contains(&got), "{what}, expected {expect:?}");
    assert!(
        !text.contains("data[") && !text.contains("bookings["),
        "unreadable: {what}"
    );
    if got != "Ok" {
        let secret = recorded.key.trim_start_matches("cal_");
        assert!(!text.contains(secret), "the key: {what}");
    }
    true
}
