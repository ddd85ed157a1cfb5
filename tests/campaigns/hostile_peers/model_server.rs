//! A small model of Cal.com with two pending bookings, for passes in which a hostile server answers
//! one call. It knows what a pass requests, in which order, and keeps the bookings' statuses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use maitred::domain::dialect::Dialect;
use serde_json::{Value, json};

use crate::fixture::http_server::{Peer, ReceivedCall, Reply, json_response as json_answer};

/// The purpose of a call in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassCall {
    Me,
    /// The first list of pending bookings.
    Pending,
    EventTypes,
    Accepted,
    /// Any later reading, individual or in a list, right before a call or after it.
    ReadBooking,
    Write,
}

/// The booking that a pass confirms, in both dialects.
pub const CONFIRMABLE: (&str, i64) = ("good", 7);

/// The rows, the written status of each booking, and whether the list was read.
struct ModelRows {
    rows: Vec<Value>,
    written_status: BTreeMap<String, &'static str>,
    has_listed: bool,
}

pub fn v2_row(uid: &str, id: i64, start: &str, end: &str) -> Value {
    json!({
        "id": id, "uid": uid, "title": "Lesson between Ada Host and Bo", "description": "none",
        "hosts": [{"id": 12, "name": "Ada Host", "email": "ada@example.org", "username": "ada",
                   "timeZone": "Europe/Berlin"}],
        "status": "pending", "cancellationReason": "", "cancelledByEmail": "",
        "rescheduledByEmail": "", "start": start, "end": end, "duration": 60, "eventTypeId": 77,
        "eventType": {"id": 77, "slug": "lesson"}, "meetingUrl": "integrations:daily",
        "location": "integrations:daily", "absentHost": false,
        "createdAt": format!("2026-11-20T08:00:{id:02}.000Z"), "updatedAt": null, "rating": null,
        "icsUid": "", "attendees": [{"name": "Bo", "email": "bo@example.com",
            "displayEmail": "bo@example.com", "timeZone": "Europe/Paris", "language": "en",
            "absent": false}],
        "guests": ["cy@example.com"],
        "bookingFieldsResponses": {"name": "Bo", "email": "bo@example.com",
            "guests": ["cy@example.com"], "level": {"a": [1, null]}},
        "metadata": {"ticket": "42"},
    })
}

pub fn v1_row(uid: &str, id: i64, start: &str, end: &str) -> Value {
    json!({
        "id": id, "userId": 12, "description": "none", "eventTypeId": 77, "uid": uid,
        "title": "Lesson between Ada Host and Bo", "startTime": start, "endTime": end,
        "attendees": [{"id": id, "email": "bo@example.com", "name": "Bo",
                       "timeZone": "Europe/Paris", "locale": "en"}],
        "user": {"email": "ada@example.org", "name": "Ada Host", "timeZone": "Europe/Berlin",
                 "locale": "en"},
        "payment": [], "metadata": {"videoCallUrl": "https://meet.example.org/ada"},
        "status": "PENDING", "responses": {"name": "Bo", "email": "bo@example.com",
            "guests": ["cy@example.com"]},
        "fromReschedule": null, "cancelledBy": null, "rescheduledBy": null,
        "createdAt": format!("2026-11-20T08:00:{id:02}.000Z"),
        "eventType": {"title": "Lesson", "slug": "lesson", "team": null},
    })
}

pub fn row(dialect: Dialect, uid: &str, id: i64, start: &str, end: &str) -> Value {
    match dialect {
        Dialect::V2 => v2_row(uid, id, start, end),
        Dialect::V1 => v1_row(uid, id, start, end),
    }
}

/// Returns the row of the booking that a pass confirms.
pub fn confirmable_row(dialect: Dialect) -> Value {
    let (uid, id) = CONFIRMABLE;
    row(
        dialect,
        uid,
        id,
        "2026-12-01T09:00:00.000Z",
        "2026-12-01T10:00:00.000Z",
    )
}

/// Serves these rows. `override_reply` may answer a call instead.
pub fn serve(
    dialect: Dialect,
    rows: Vec<Value>,
    override_reply: impl Fn(PassCall, &ReceivedCall) -> Option<Reply> + Send + Sync + 'static,
) -> Peer {
    let world = Arc::new(Mutex::new(ModelRows {
        rows,
        written_status: BTreeMap::new(),
        has_listed: false,
    }));
    Peer::start(move |asked| {
        assert_plain_path(asked);
        let mut world = world.lock().unwrap();
        let step = world.classify(asked);
        match override_reply(step, asked) {
            Some(reply) => reply,
            None => Reply::Bytes(world.answer(dialect, step, asked)),
        }
    })
}

/// Checks that the client's paths consist of plain segments, whatever a server sends.
fn assert_plain_path(call: &ReceivedCall) {
    assert!(has_plain_path(call), "{}", call.target);
}

/// Returns true if the path consists of plain segments.
pub fn has_plain_path(call: &ReceivedCall) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    let mut segments = call.path().trim_start_matches('/').split('/');
    segments
        .all(|part| !part.is_empty() && part.chars().all(plain) && part.chars().any(|c| c != '.'))
}

/// Answers with these rows unchanged, in every list and individually; for a series with all rows
/// that belong to it.
pub fn render_rows(dialect: Dialect, rows: &[Value], call: &ReceivedCall) -> Vec<u8> {
    let mut world = ModelRows {
        rows: rows.to_vec(),
        written_status: BTreeMap::new(),
        has_listed: true,
    };
    let (plain, target) = (call.path().to_owned(), call.target.as_str());
    let waits = target.contains("status=unconfirmed");
    if plain.ends_with("/bookings") && !waits {
        let body = match dialect {
            Dialect::V2 => json!({"status": "success", "data": rows}),
            Dialect::V1 => json!({"bookings": rows}),
        };
        return json_answer("200 OK", &body.to_string());
    }
    let step = match plain.split('/').nth(2) {
        Some("me") => PassCall::Me,
        Some("event-types") => PassCall::EventTypes,
        _ => PassCall::ReadBooking,
    };
    world.answer(dialect, step, call)
}

impl ModelRows {
    fn classify(&mut self, call: &ReceivedCall) -> PassCall {
        let parts: Vec<&str> = call.path().trim_start_matches('/').split('/').collect();
        let upcoming = call.target.contains("dateTo") || call.target.contains("status=upcoming");
        match parts.as_slice() {
            [_, "me"] => PassCall::Me,
            [_, "event-types", ..] => PassCall::EventTypes,
            [_, "bookings"] if upcoming => PassCall::Accepted,
            [_, "bookings"] if self.has_listed => PassCall::ReadBooking,
            [_, "bookings"] => {
                self.has_listed = true;
                PassCall::Pending
            }
            _ if call.is_write() => PassCall::Write,
            _ => PassCall::ReadBooking,
        }
    }

    fn answer(&mut self, dialect: Dialect, step: PassCall, call: &ReceivedCall) -> Vec<u8> {
        let (body, good) = match step {
            PassCall::Me => (json!({"id": 12, "email": "ada@example.org"}), "user"),
            PassCall::EventTypes => (
                json!([{"id": 77, "slug": "lesson", "title": "Lesson", "lengthInMinutes": 60,
                        "length": 60, "price": 0, "requiresConfirmation": true,
                        "confirmationPolicy": {"type": "always"}}]),
                "event_types",
            ),
            PassCall::Accepted => (json!([]), "bookings"),
            // v1 has no filter, and v2 lists pending bookings.
            PassCall::Pending => (self.render(dialect), "bookings"),
            PassCall::ReadBooking if call.path().ends_with("/bookings") => {
                (self.render(dialect), "bookings")
            }
            PassCall::Write | PassCall::ReadBooking => {
                let name = call.path().split('/').nth(3).unwrap_or_default();
                if step == PassCall::Write {
                    self.apply_write(call, name);
                }
                match self.find_row(name) {
                    Some(row) if dialect == Dialect::V1 && call.method == "DELETE" => {
                        let body = json!({"success": true, "bookingId": row["id"]});
                        return json_answer("200 OK", &body.to_string());
                    }
                    Some(row) => (row, "booking"),
                    None => return not_found_body(dialect),
                }
            }
        };
        let body = match dialect {
            Dialect::V2 => json!({"status": "success", "data": body}),
            Dialect::V1 => json!({good: body}),
        };
        json_answer("200 OK", &body.to_string())
    }

    fn apply_write(&mut self, call: &ReceivedCall, name: &str) {
        let status = match (call.method.as_str(), call.path().rsplit('/').next()) {
            ("PATCH", _) | ("POST", Some("confirm")) => "accepted",
            ("POST", Some("decline")) => "rejected",
            _ => "cancelled",
        };
        self.written_status.insert(name.to_owned(), status);
    }

    /// Returns the current row; a booking of a series is answered together with the others.
    fn current_row(&self, row: &Value) -> Value {
        let mut row = row.clone();
        let names = [&row["uid"], &row["id"]].map(|name| match name {
            Value::String(name) => name.clone(),
            name => name.to_string(),
        });
        let status = names.iter().find_map(|name| self.written_status.get(name));
        if let Some(status) = status {
            let capitals = row["startTime"].is_string();
            row["status"] = if capitals {
                json!(status.to_uppercase())
            } else {
                json!(status)
            };
        }
        row
    }

    fn find_row(&self, name: &str) -> Option<Value> {
        let number = name.parse::<i64>().ok();
        let of_series = |row: &&Value| row["recurringBookingUid"].as_str() == Some(name);
        let series: Vec<Value> = self
            .rows
            .iter()
            .filter(of_series)
            .map(|row| self.current_row(row))
            .collect();
        if !series.is_empty() {
            return Some(json!(series));
        }
        let named = |row: &&Value| {
            row["uid"].as_str() == Some(name) || (number.is_some() && row["id"].as_i64() == number)
        };
        self.rows
            .iter()
            .find(named)
            .map(|row| self.current_row(row))
    }

    fn render(&self, dialect: Dialect) -> Value {
        let rows = self.rows.iter().map(|row| self.current_row(row));
        let waits = |row: &Value| {
            dialect == Dialect::V1
                || !matches!(
                    row["status"].as_str(),
                    Some("accepted" | "rejected" | "cancelled")
                )
        };
        rows.filter(waits).collect()
    }
}

fn not_found_body(dialect: Dialect) -> Vec<u8> {
    match dialect {
        Dialect::V2 => json_answer(
            "404 Not Found",
            r#"{"status":"error","error":{"code":"NotFoundException","message":"no booking"}}"#,
        ),
        Dialect::V1 => json_answer("403 Forbidden", r#"{"message":"You are not authorized"}"#),
    }
}
