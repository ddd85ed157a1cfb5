//! `/_sandbox/…`: how another process looks into the sandbox and makes things happen in it. Not
//! part of any real server, hence never counted, limited or struck by faults. There is no key:
//! whoever reaches the port may do anything, so the sandbox belongs on a loopback address.
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

use super::actions::Action;
use super::call::{Request, Response};
use super::faults::Rule;
use super::model::Booking;
use super::moment::text;
use super::scenario::file::ScriptEntry;
use super::world::World;
use crate::domain::time::{Span, Time};

/// Where the control endpoints live.
pub const PREFIX: &str = "/_sandbox/";

pub fn answer(world: &mut World, now: Time, request: &Request) -> Response {
    let asked = request.path.strip_prefix(PREFIX).unwrap_or("");
    let done = match (request.method.as_str(), asked) {
        ("GET", "state") => Ok(state(world, now)),
        ("POST", "actions") => actions(world, now, &request.body),
        ("POST", "faults") => faults(world, &request.body),
        ("DELETE", "faults") => {
            world.faults.clear();
            Ok(json!({"rules": 0}))
        }
        ("POST", "script") => script(world, &request.body),
        ("POST", "advance") => advance(world, now, &request.body),
        _ => return Response::json(404, &json!({"error": "no such control endpoint"})),
    };
    match done {
        Ok(value) => Response::json(200, &value),
        Err(error) => Response::json(400, &json!({ "error": error })),
    }
}

/// One of something, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More(Vec<Value>),
    One(Value),
}

fn each<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, String> {
    let body: OneOrMore = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let values = match body {
        OneOrMore::More(values) => values,
        OneOrMore::One(value) => vec![value],
    };
    let read = values.into_iter().map(serde_json::from_value);
    read.collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn actions(world: &mut World, now: Time, body: &[u8]) -> Result<Value, String> {
    let actions = each::<Action>(body)?;
    let made = world.act_all(now, actions);
    let made = made.map_err(|error| error.to_string())?;
    Ok(json!({ "made": made }))
}

fn faults(world: &mut World, body: &[u8]) -> Result<Value, String> {
    for rule in each::<Rule>(body)? {
        world.add_fault(rule).map_err(|error| error.to_string())?;
    }
    Ok(json!({ "rules": world.faults.len() }))
}

fn script(world: &mut World, body: &[u8]) -> Result<Value, String> {
    for entry in each::<ScriptEntry>(body)? {
        world.script.add(entry.on, entry.actions);
    }
    Ok(json!({ "waiting": world.script.waiting() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

fn advance(world: &mut World, now: Time, body: &[u8]) -> Result<Value, String> {
    let by: Advance = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let span = Span::try_seconds(by.seconds).ok_or("seconds is out of range")?;
    world.advance(span);
    Ok(json!({ "now": text(now + span) }))
}

/// Everything that can be seen from outside, keys excepted.
pub fn state(world: &World, now: Time) -> Value {
    let bookings: Vec<Value> = world
        .bookings()
        .iter()
        .map(|one| booking(world, one))
        .collect();
    let counts: BTreeMap<String, u64> = world
        .journal
        .counts()
        .iter()
        .map(|(kind, count)| (name(kind), *count))
        .collect();
    json!({
        "now": text(now),
        "bookings": bookings,
        "counts": counts,
        "calls": world.journal.calls(),
        "calls-dropped": world.journal.calls_dropped,
        "calls-under-way": world.underway(),
        "script-waiting": world.script.waiting(),
        "script-failures": world.script.failures,
        "fault-rules": world.faults.len(),
    })
}

fn booking(world: &World, one: &Booking) -> Value {
    let mails = world.journal.mails(&one.uid).into_iter().flatten();
    let mails: BTreeMap<String, u32> = mails
        .map(|((to, kind), count)| (format!("{} {}", name(to), name(kind)), *count))
        .collect();
    json!({
        "uid": one.uid,
        "id": one.id,
        "series": one.series,
        "event-type": one.event_type,
        "host": one.host,
        "booker": one.answers.email(),
        "status": one.status.lower(),
        "start": text(one.start),
        "end": text(one.end),
        "created": text(one.created),
        "updated": one.updated.map(text),
        "rejection-reason": one.rejection_reason,
        "cancellation-reason": one.cancellation_reason,
        "cancelled-by": one.cancelled_by,
        "from": one.from,
        "to": one.to,
        "mails": mails,
        "calendar-events": world.journal.calendar_events(&one.uid),
    })
}

/// The word that stands for one of our own enums in files and answers.
fn name<T: serde::Serialize>(word: &T) -> String {
    match serde_json::to_value(word) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => unreachable!("enums without fields are written as texts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::model::{EventType, Status};

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    fn call(world: &mut World, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::new(method, path).body(body.to_string().into_bytes());
        let response = answer(world, now(), &request);
        (response.status, response.value())
    }

    #[test]
    fn another_process_can_look_and_act() {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_key(12, "cal_secret_of_the_test");
        let of = world.add_event_type(EventType::new(12, "lesson"));
        let uid = world.request(now(), of, "bo@example.com", now() + Span::days(2));
        let rejects = json!({"do": "host-rejects", "booking": uid, "reason": "full"});
        let done = call(&mut world, "POST", "/_sandbox/actions", &rejects);
        assert_eq!(done, (200, json!({"made": []})));
        assert_eq!(world.status(&uid), Some(Status::Rejected));
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
        assert!(world.faults.is_empty());
    }

    #[test]
    fn what_cannot_be_is_said() {
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
            let (got, said) = call(&mut world, method, path, &body);
            assert_eq!(got, status, "{method} {path} {body}");
            assert!(said.to_string().contains(text), "{said} for {body}");
        }
    }
}
