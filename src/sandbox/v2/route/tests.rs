//! Calls of v2 that were not recorded from real servers.

use super::*;
use serde_json::json;

use crate::domain::time::{Span, Time};
use crate::sandbox::booking::SandboxStatus;
use crate::sandbox::event_type::SandboxEventType;
use crate::sandbox::handler::handle;

fn now() -> Time {
    chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
}

/// Returns a world with a host with a single booking, a series and a seated booking, all
/// pending, and their uids.
fn world() -> (World, String, String, String) {
    let mut world = World::new();
    world.add_user(12, "Ada Host", "ada@example.org");
    world.add_key(12, "cal_ada");
    world.add_user(13, "Rex Other", "rex@example.net");
    world.add_key(13, "cal_rex");
    let lesson = world.add_event_type(SandboxEventType::new(12, "lesson"));
    let mut event_type = SandboxEventType::new(12, "circle");
    event_type.occurrences = Some(3);
    let circle = world.add_event_type(event_type);
    let mut event_type = SandboxEventType::new(12, "table");
    event_type.seats = Some(4);
    let table = world.add_event_type(event_type);
    let start = now() + Span::days(2);
    let single = world.request(now(), lesson, "bo@example.com", start);
    let uids = world.request_series(now(), circle, "bo@example.com", start, 3);
    let series = world.booking(&uids[0]).unwrap().series.clone().unwrap();
    let seated = world.request(now(), table, "bo@example.com", start);
    (world, single, series, seated)
}

fn call(world: &mut World, method: &str, path: &str, key: &str, body: &Value) -> HttpResponse {
    call_with_version(world, method, path, key, BOOKINGS_VERSION, body)
}

fn call_with_version(
    world: &mut World,
    method: &str,
    path: &str,
    key: &str,
    version: &str,
    body: &Value,
) -> HttpResponse {
    let mut request = HttpRequest::new(method, path).with_header("cal-api-version", version);
    if !key.is_empty() {
        request = request.with_header("Authorization", &format!("Bearer {key}"));
    }
    if !body.is_null() {
        request = request.with_header("Content-Type", "application/json");
        request = request.with_body(body.to_string().into_bytes());
    }
    handle(world, now(), &request).response
}

#[test]
fn calls_that_were_not_recorded_answer_as_described() {
    let (mut world, single, series, _) = world();
    let path = |what: &str| format!("/v2/bookings/{single}/{what}");
    let of_series = format!("/v2/bookings/{series}/cancel");
    let reason = json!({"cancellationReason": "ill"});
    let host = json!({"host": true});
    let no_body = Value::Null;
    let nowhere = "/v2/bookings/none/mark-absent".to_owned();
    // method, path, key, body, status, part of the answer
    let rows = [
        (
            "GET",
            "/v2/me".to_owned(),
            "cal_ada",
            &no_body,
            200,
            "ada@example.org",
        ),
        (
            "GET",
            "/v2/me".to_owned(),
            "",
            &no_body,
            401,
            "ApiAuthStrategy",
        ),
        (
            "GET",
            "/v2/me".to_owned(),
            "token",
            &no_body,
            401,
            "Invalid Access Token",
        ),
        (
            "POST",
            path("mark-absent"),
            "",
            &host,
            403,
            "PermissionsGuard",
        ),
        (
            "POST",
            path("mark-absent"),
            "cal_ada",
            &host,
            400,
            "after their scheduled start",
        ),
        ("POST", nowhere, "cal_ada", &host, 404, "not found."),
        (
            "POST",
            path("mark-absent"),
            "cal_rex",
            &host,
            400,
            "after their scheduled start",
        ),
        (
            "POST",
            path("cancel"),
            "cal_ada",
            &no_body,
            400,
            "reason is required",
        ),
        (
            "POST",
            path("cancel"),
            "",
            &json!({"why": 1}),
            400,
            "why property is wrong",
        ),
        (
            "POST",
            path("reschedule"),
            "",
            &json!({"start": "soon"}),
            400,
            "ISO 8601",
        ),
        (
            "POST",
            of_series.clone(),
            "cal_ada",
            &reason,
            200,
            "\"cancelled\"",
        ),
        (
            "POST",
            of_series,
            "cal_ada",
            &reason,
            400,
            "cancelled already",
        ),
    ];
    for (method, path, key, body, status, part) in rows {
        let got = call(&mut world, method, &path, key, body);
        let text = String::from_utf8(got.body).unwrap();
        assert_eq!(got.status, status, "{method} {path}: {text}");
        assert!(text.contains(part), "{method} {path}: {text}");
    }
    let off = world
        .series(&series)
        .iter()
        .all(|one| one.status == SandboxStatus::Cancelled);
    assert!(off, "what remained of the series");
}

#[test]
fn seated_bookings_hide_their_attendees_from_strangers() {
    let (mut world, _, _, seated) = world();
    let path = format!("/v2/bookings/{seated}");
    for (key, visible_attendees) in [("", 0), ("cal_rex", 0), ("cal_ada", 1)] {
        let got = call(&mut world, "GET", &path, key, &Value::Null).value();
        let attendees = got["data"]["attendees"].as_array().unwrap().len();
        assert_eq!(attendees, visible_attendees, "with `{key}`");
        assert!(got["data"].get("bookingFieldsResponses").is_none());
    }
    let list = call(&mut world, "GET", "/v2/bookings", "cal_ada", &Value::Null).value();
    let rows = list["data"].as_array().unwrap();
    let row = rows.iter().find(|row| row["uid"] == *seated).unwrap();
    assert!(row["attendees"][0]["seatUid"].is_string());
}

#[test]
fn event_types_want_their_own_version() {
    let (mut world, ..) = world();
    let path = "/v2/event-types";
    let get = |world: &mut World, path: &str, key: &str, version: &str| {
        call_with_version(world, "GET", path, key, version, &Value::Null)
    };
    let all = get(&mut world, path, "cal_ada", EVENT_TYPES_VERSION).value();
    assert_eq!(all["data"].as_array().unwrap().len(), 3);
    assert_eq!(all["data"][0]["confirmationPolicy"]["type"], "always");
    let none = get(&mut world, path, "cal_rex", EVENT_TYPES_VERSION).value();
    assert_eq!(none["data"], json!([]));
    assert_eq!(
        get(&mut world, path, "cal_ada", BOOKINGS_VERSION).status,
        404
    );
    let one = get(
        &mut world,
        "/v2/event-types/2",
        "cal_ada",
        EVENT_TYPES_VERSION,
    )
    .value();
    assert_eq!(one["data"]["recurrence"]["occurrences"], 3);
    let missing = get(
        &mut world,
        "/v2/event-types/9",
        "cal_ada",
        EVENT_TYPES_VERSION,
    );
    assert_eq!(missing.status, 404);
}

#[test]
fn a_series_is_made_as_a_list() {
    let (mut world, ..) = world();
    let body = json!({"start": "2026-12-20T10:00:00Z", "eventTypeId": 2,
        "recurrenceCount": 2, "attendee": {"name": "Al", "email": "al@example.com"}});
    let made = call(&mut world, "POST", "/v2/bookings", "", &body);
    assert_eq!(made.status, 201);
    let rows = made.value()["data"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0]["recurringBookingUid"],
        rows[1]["recurringBookingUid"]
    );
    assert_eq!(rows[1]["start"], "2026-12-27T10:00:00.000Z");
}
