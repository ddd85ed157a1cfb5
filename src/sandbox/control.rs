//! `/_sandbox/…`: lets another process inspect the sandbox and act on it. It is not part of any
//! real server, so these calls are never counted, limited or affected by faults. There is no key:
//! any process that reaches the port may do anything, so the sandbox belongs on a loopback address.
//!
//! | Call | Does |
//! | --- | --- |
//! | `GET /_sandbox/state` | bookings, counters, calls, what is left of script and faults |
//! | `POST /_sandbox/actions` | one action or a list of them, as in a scenario file |
//! | `POST /_sandbox/faults` | one rule or a list of them; `DELETE` clears all |
//! | `POST /_sandbox/script` | one entry or a list of them |
//! | `POST /_sandbox/advance` | `{"seconds": 3600}`: sets the clock forward |

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::action::ThirdPartyAction;
use super::booking::SandboxBooking;
use super::faults::FaultRule;
use super::http_types::{HttpRequest, HttpResponse};
use super::relative_time::format_time;
use super::scenario::file_format::ScriptEntryFile;
use super::world::World;
use crate::domain::time::{Span, Time};

/// The path prefix of the control endpoints.
pub const PREFIX: &str = "/_sandbox/";

/// Answers one call of a control endpoint; an unknown endpoint gets 404.
pub fn handle(world: &mut World, now: Time, request: &HttpRequest) -> HttpResponse {
    let endpoint = request.path.strip_prefix(PREFIX).unwrap_or("");
    let result = match (request.method.as_str(), endpoint) {
        ("GET", "state") => Ok(state_json(world, now)),
        ("POST", "actions") => run_actions(world, now, &request.body),
        ("POST", "faults") => add_faults(world, &request.body),
        ("DELETE", "faults") => {
            world.fault_rules.clear();
            Ok(json!({"rules": 0}))
        }
        ("POST", "script") => add_to_script(world, &request.body),
        ("POST", "advance") => advance_clock(world, now, &request.body),
        _ => return HttpResponse::json(404, &json!({"error": "no such control endpoint"})),
    };
    match result {
        Ok(value) => HttpResponse::json(200, &value),
        Err(error) => HttpResponse::json(400, &json!({ "error": error })),
    }
}

/// A single value, or a list of values.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

fn parse_one_or_many<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, String> {
    let body: OneOrMany = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let values = match body {
        OneOrMany::Many(values) => values,
        OneOrMany::One(value) => vec![value],
    };
    let read = values.into_iter().map(serde_json::from_value);
    read.collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn run_actions(world: &mut World, now: Time, body: &[u8]) -> Result<Value, String> {
    let actions = parse_one_or_many::<ThirdPartyAction>(body)?;
    let new_uids = world.act_all(now, actions);
    let new_uids = new_uids.map_err(|error| error.to_string())?;
    Ok(json!({ "made": new_uids }))
}

fn add_faults(world: &mut World, body: &[u8]) -> Result<Value, String> {
    for rule in parse_one_or_many::<FaultRule>(body)? {
        world.add_fault(rule).map_err(|error| error.to_string())?;
    }
    Ok(json!({ "rules": world.fault_rules.len() }))
}

fn add_to_script(world: &mut World, body: &[u8]) -> Result<Value, String> {
    for entry in parse_one_or_many::<ScriptEntryFile>(body)? {
        world.script.add(entry.on, entry.actions);
    }
    Ok(json!({ "waiting": world.script.pending_count() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceBody {
    seconds: i64,
}

fn advance_clock(world: &mut World, now: Time, body: &[u8]) -> Result<Value, String> {
    let body_value: AdvanceBody =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let span = Span::try_seconds(body_value.seconds).ok_or("seconds is out of range")?;
    world.advance(span);
    Ok(json!({ "now": format_time(now + span) }))
}

/// Returns everything that is visible from outside, except keys.
pub fn state_json(world: &World, now: Time) -> Value {
    let bookings: Vec<Value> = world
        .bookings()
        .iter()
        .map(|one| booking_json(world, one))
        .collect();
    let counts: BTreeMap<String, u64> = world
        .call_log
        .call_counts()
        .iter()
        .map(|(kind, count)| (variant_name(kind), *count))
        .collect();
    json!({
        "now": format_time(now),
        "bookings": bookings,
        "counts": counts,
        "calls": world.call_log.calls(),
        "calls-dropped": world.call_log.calls_dropped,
        "calls-under-way": world.running_calls(),
        "script-waiting": world.script.pending_count(),
        "script-failures": world.script.failures,
        "fault-rules": world.fault_rules.len(),
    })
}

fn booking_json(world: &World, one: &SandboxBooking) -> Value {
    let mails = world.call_log.mails(&one.uid).into_iter().flatten();
    let mails: BTreeMap<String, u32> = mails
        .map(|((to, kind), count)| {
            (
                format!("{} {}", variant_name(to), variant_name(kind)),
                *count,
            )
        })
        .collect();
    json!({
        "uid": one.uid,
        "id": one.id,
        "series": one.series,
        "event-type": one.event_type,
        "host": one.host,
        "booker": one.answers.email(),
        "status": one.status.as_v2(),
        "start": format_time(one.start),
        "end": format_time(one.end),
        "created": format_time(one.created),
        "updated": one.updated.map(format_time),
        "rejection-reason": one.rejection_reason,
        "cancellation-reason": one.cancellation_reason,
        "cancelled-by": one.cancelled_by,
        "from": one.predecessor,
        "to": one.successor,
        "mails": mails,
        "calendar-events": world.call_log.calendar_event_count(&one.uid),
    })
}

/// Returns the word for a variant of one of our own enums in files and answers.
fn variant_name<T: serde::Serialize>(word: &T) -> String {
    let word = serde_json::to_value(word).expect("our own enums are JSON");
    let word = word
        .as_str()
        .expect("enums without fields are written as texts");
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::booking::SandboxStatus;
    use crate::sandbox::event_type::SandboxEventType;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    fn call(world: &mut World, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = HttpRequest::new(method, path).with_body(body.to_string().into_bytes());
        let response = handle(world, now(), &request);
        (response.status, response.value())
    }

    #[test]
    fn another_process_can_read_the_state_and_run_actions() {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_key(12, "cal_secret_of_the_test");
        let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
        let uid = world.request(now(), event_type, "bo@example.com", now() + Span::days(2));
        let rejects = json!({"do": "host-rejects", "booking": uid, "reason": "full"});
        let done = call(&mut world, "POST", "/_sandbox/actions", &rejects);
        assert_eq!(done, (200, json!({"made": []})));
        assert_eq!(world.status(&uid), Some(SandboxStatus::Rejected));
        let rule = json!([{"call": "list", "fault": {"kind": "flood"}}]);
        let done = call(&mut world, "POST", "/_sandbox/faults", &rule);
        assert_eq!(done, (200, json!({"rules": 1})));
        let entry = json!({"on": {"when": "after", "call": "list"}, "actions": [rejects]});
        let done = call(&mut world, "POST", "/_sandbox/script", &entry);
        assert_eq!(done, (200, json!({"waiting": 1})));
        let done = call(
            &mut world,
            "POST",
            "/_sandbox/advance",
            &json!({"seconds": 60}),
        );
        assert_eq!(done, (200, json!({"now": "2026-11-23T08:01:00.000Z"})));
        let (status, state) = call(&mut world, "GET", "/_sandbox/state", &Value::Null);
        assert_eq!(status, 200);
        let booking = &state["bookings"][0];
        assert_eq!(booking["uid"], *uid);
        assert_eq!(booking["status"], "rejected");
        assert_eq!(booking["rejection-reason"], "full");
        assert_eq!(booking["mails"]["booker declined"], 1);
        assert!(!state.to_string().contains("secret_of_the_test"));
        assert_eq!(
            call(&mut world, "DELETE", "/_sandbox/faults", &Value::Null).0,
            200
        );
        assert!(world.fault_rules.is_empty());
    }

    #[test]
    fn invalid_input_is_reported() {
        let mut world = World::new();
        let rows = [
            (
                "POST",
                "/_sandbox/actions",
                json!({"do": "dances"}),
                400,
                "unknown variant `dances`",
            ),
            (
                "POST",
                "/_sandbox/actions",
                json!({"do": "host-accepts", "booking": "u", "loudly": true}),
                400,
                "unknown field `loudly`",
            ),
            (
                "POST",
                "/_sandbox/actions",
                json!({"do": "deletes-booking", "booking": "u"}),
                400,
                "find booking u",
            ),
            (
                "POST",
                "/_sandbox/advance",
                json!({"minutes": 3}),
                400,
                "unknown field `minutes`",
            ),
            (
                "POST",
                "/_sandbox/faults",
                json!({"fault": {"kind": "x"}}),
                400,
                "unknown variant",
            ),
            (
                "GET",
                "/_sandbox/actions",
                Value::Null,
                404,
                "no such control endpoint",
            ),
        ];
        for (method, path, body, status, text) in rows {
            let (got, reply) = call(&mut world, method, path, &body);
            assert_eq!(got, status, "{method} {path} {body}");
            assert!(reply.to_string().contains(text), "{reply} for {body}");
        }
    }
}
