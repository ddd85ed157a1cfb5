//! What an answer says when it is not what was asked for: the shapes of `calcom/api.md` 1.5, read
//! leniently, and those failures that mean the same in both dialects. What only one dialect does
//! stands in its `refusal`.

use reqwest::StatusCode;
use serde_json::Value;

use super::exchange::{Answer, Kind};
use super::fields::{Object, text};
use super::json;
use super::port::CallError;
use super::redact::Redactor;

/// Validation errors name the broken fields; so many of them are shown.
const MAX_CONSTRAINTS: usize = 4;

/// Bytes before the rows of a list. Those of both dialects have fewer than a hundred.
const MAX_ENVELOPE: usize = 4096;

/// Which of the known shapes a refusal came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// v2: `{"status":"error","error":{"code","message"}}`.
    Envelope,
    /// v2, raw: `{"statusCode","message"}`.
    Raw,
    /// v1, from a handler or a step before it: `{"message"}`.
    Message,
    /// v1, from the check of the key: `{"error":"…"}`.
    Error,
    /// JSON of some other kind.
    OtherJson,
    /// HTML, from something in front of Cal.com or from its web app.
    Page,
    /// Plain text, or nothing at all.
    Text,
}

/// What a refusal says. The texts are as they came; they leave only through [`fn@line`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) shape: Shape,
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) fn said(answer: &Answer) -> Said {
    let Ok(value) = json::read(&answer.body) else {
        let shape = if answer.page {
            Shape::Page
        } else {
            Shape::Text
        };
        let message = match shape {
            Shape::Page => String::new(),
            _ => String::from_utf8_lossy(&answer.body).into_owned(),
        };
        return plain(shape, message);
    };
    let Some(object) = value.as_object() else {
        return plain(Shape::OtherJson, String::new());
    };
    match object.get("error") {
        Some(Value::Object(error)) => Said {
            shape: Shape::Envelope,
            code: text(error, "code").unwrap_or_default().to_owned(),
            message: explained(error),
        },
        Some(Value::String(error)) if object.get("statusCode").is_none() => {
            plain(Shape::Error, error.clone())
        }
        Some(_) | None => {
            let message = text(object, "message").unwrap_or_default().to_owned();
            let shape = match (object.get("statusCode"), message.is_empty()) {
                (Some(_), _) => Shape::Raw,
                (None, false) => Shape::Message,
                (None, true) => Shape::OtherJson,
            };
            plain(shape, message)
        }
    }
}

fn plain(shape: Shape, message: String) -> Said {
    Said {
        shape,
        code: String::new(),
        message,
    }
}

/// The message, and for validation errors what was wrong with which field: there the message is a
/// fixed text.
fn explained(error: &Object) -> String {
    let message = text(error, "message").unwrap_or_default().to_owned();
    let errors = error
        .get("details")
        .and_then(|details| details.get("errors"));
    let errors = errors.and_then(Value::as_array).into_iter().flatten();
    let constraints = errors.filter_map(|error| error.get("constraints")?.as_object());
    let texts = constraints
        .flat_map(|of| of.values())
        .filter_map(Value::as_str);
    let texts: Vec<&str> = texts.take(MAX_CONSTRAINTS).collect();
    if texts.is_empty() {
        return message;
    }
    format!("{message}: {}", texts.join("; "))
}

/// The refusal on one line, fit to be shown: the status, then what the server said of it.
pub(super) fn line(answer: &Answer, said: &Said, redactor: &Redactor) -> String {
    let status = StatusCode::from_u16(answer.status);
    let words = status.ok().and_then(|status| status.canonical_reason());
    let status = match words {
        Some(words) => format!("{} {words}", answer.status),
        None => answer.status.to_string(),
    };
    let message = match said.shape {
        Shape::Page => "a page of HTML".to_owned(),
        _ => redactor.clean(&said.message),
    };
    if message.is_empty() {
        return status;
    }
    format!("{status}: {message}")
}

/// The failures that mean the same in both dialects. `None`: the dialect has to say.
pub(super) fn common(
    answer: &Answer,
    said: &Said,
    kind: Kind,
    redactor: &Redactor,
) -> Option<CallError> {
    let line = || line(answer, said, redactor);
    // An outage is the business of a server, so its name stands there.
    let unknown = |more: &str| format!("{} answered {}{more}", answer.host, line());
    const WRITES: &str = " (whether it was done is not known)";
    Some(match answer.status {
        // Nothing conditional was asked: a cache between is broken.
        304 => CallError::Unknown(unknown("")),
        300..400 => CallError::Contract(redirected(answer, redactor)),
        // Time-outs on the server's side: the work may have been done.
        408 | 499 => CallError::Unknown(unknown("")),
        400..500 if said.shape == Shape::Page => CallError::Contract(format!(
            "{} (something in front of Cal.com answered, or base-url is not that of its API)",
            line()
        )),
        405 => CallError::Contract(line()),
        401 | 403 | 404 => return None,
        400..500 => return None,
        // Cal.com's own words: its handler is over. What stands in front of a server gives other
        // numbers and no JSON, and says nothing about when the handler ends.
        500 | 501 if kind.writes() && !matches!(said.shape, Shape::Page | Shape::Text) => {
            CallError::Failed(unknown(WRITES))
        }
        // Other 5xx, and what no server should send.
        _ if kind.writes() => CallError::Unknown(unknown(WRITES)),
        _ => CallError::Unknown(unknown("")),
    })
}

fn redirected(answer: &Answer, redactor: &Redactor) -> String {
    let place = answer
        .location
        .as_deref()
        .map(|place| redactor.clean(place));
    let place = place.filter(|place| !place.is_empty());
    format!(
        "{} sends the call elsewhere ({}), and redirects are not followed, as they would carry the \
         key along; set base-url to where the API itself answers",
        answer.status,
        place.as_deref().unwrap_or("it does not say where")
    )
}

/// Whether the body begins as a list of bookings does: an object whose first list holds objects. What
/// begins otherwise is no such list, and its parts would be none either.
pub(super) fn begins_like_rows(body: &[u8]) -> bool {
    let begins = |bytes: &[u8], with| bytes.trim_ascii_start().first() == Some(&with);
    let list = body
        .iter()
        .take(MAX_ENVELOPE)
        .position(|byte| *byte == b'[');
    begins(body, b'{') && list.is_some_and(|at| begins(&body[at + 1..], b'{'))
}

/// Why a body with a good status cannot be used.
pub(super) fn not_json(answer: &Answer, error: &serde_json::Error, kind: Kind) -> CallError {
    if answer.page && !kind.writes() {
        return CallError::Contract(format!(
            "{} with a page of HTML; base-url seems to be that of the web app, not of its API",
            answer.status
        ));
    }
    // The only such error of `json::read`: the values take more memory than is allowed.
    if error.is_data() {
        return CallError::TooLarge {
            why: error.to_string(),
            has_rows: begins_like_rows(&answer.body),
        };
    }
    let what = if answer.body.is_empty() {
        "an empty body".to_owned()
    } else {
        // Names the place in the body, never what stands there.
        format!("a body that is not readable as JSON ({error})")
    };
    CallError::Unknown(format!(
        "{} answered {} with {what}",
        answer.host, answer.status
    ))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::{v1, v2};
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            host: "cal.test:443".to_owned(),
            status,
            page: body.starts_with('<'),
            location: Some("https://other.test/v2/cal_key_0123456789".to_owned()),
            server_time: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn refusals_are_read_in_every_shape() {
        let rows = [
            (
                r#"{"error":{"code":"C","message":"m"}}"#,
                Shape::Envelope,
                "C",
                "m",
            ),
            (
                r#"{"error":{"code":"C","message":"m","details":"text"}}"#,
                Shape::Envelope,
                "C",
                "m",
            ),
            (
                r#"{"error":{"code":5,"message":null}}"#,
                Shape::Envelope,
                "",
                "",
            ),
            (
                r#"{"error":{"message":"m",
                    "details":{"errors":[{"constraints":{"a":"x","b":"y"}},5]}}}"#,
                Shape::Envelope,
                "",
                "m: x; y",
            ),
            (r#"{"statusCode":400,"message":"m"}"#, Shape::Raw, "", "m"),
            (
                r#"{"statusCode":400,"message":"m","error":"Bad Request"}"#,
                Shape::Raw,
                "",
                "m",
            ),
            (
                r#"{"message":"m","data":{"traceId":"t"}}"#,
                Shape::Message,
                "",
                "m",
            ),
            (r#"{"error":"m"}"#, Shape::Error, "", "m"),
            ("{}", Shape::OtherJson, "", ""),
            ("[1]", Shape::OtherJson, "", ""),
            (r#"{"error":7,"message":{}}"#, Shape::OtherJson, "", ""),
            ("<html>bo@example.com</html>", Shape::Page, "", ""),
            ("Invalid JSON", Shape::Text, "", "Invalid JSON"),
            ("", Shape::Text, "", ""),
        ];
        for (body, shape, code, message) in rows {
            let expect = Said {
                shape,
                code: code.to_owned(),
                message: message.to_owned(),
            };
            assert_eq!(said(&answer(400, body)), expect, "{body}");
        }
    }

    /// What each dialect makes of a status and a body, for a read of no booking, a read and a
    /// write.
    #[test]
    fn refusals_are_told_apart_by_what_can_be_done() {
        let envelope = r#"{"status":"error",
            "error":{"code":"ForbiddenException","message":"PermissionsGuard - x"}}"#;
        let handler = r#"{"status":"error","error":{"code":"TRPCError","message":"no"}}"#;
        let guard =
            r#"{"error":{"code":"ForbiddenException","message":"BookingPbacGuard - no access"}}"#;
        let none =
            r#"{"error":{"code":"NotFoundException","message":"Booking with uid=x was not"}}"#;
        let route =
            r#"{"error":{"code":"NotFoundException","message":"Cannot POST /v2/x/confirm"}}"#;
        let (raw, message, error) = (
            r#"{"statusCode":401,"message":"User not a host of this event"}"#,
            r#"{"message":"You are not authorized"}"#,
            r#"{"error":"Your API key is not valid."}"#,
        );
        let page = "<html>blocked</html>";
        let licence = r#"{"message":"Invalid or missing CALCOM_LICENSE_KEY environment variable"}"#;
        type Row<'a> = (u16, &'a str, [&'a str; 3], [&'a str; 3]);
        let same = |word: &'static str| [word; 3];
        let a_bookings = ["Refused", "NotYours", "NotYours"];
        let a_writes = ["Credential", "Credential", "NotYours"];
        let a_patchs = ["Refused", "Refused", "Failed"];
        let fails = ["Unknown", "Unknown", "Failed"];
        let rows: [Row; 34] = [
            // status, body, v2: list, get, confirm; v1: list, get, confirm
            (401, envelope, same("Credential"), same("Contract")),
            (403, envelope, same("Credential"), same("Contract")),
            (401, handler, a_bookings, same("Contract")),
            (403, handler, a_bookings, same("Contract")),
            (403, guard, a_bookings, same("Contract")),
            (401, guard, same("Credential"), same("Contract")),
            (401, raw, a_writes, same("Contract")),
            (403, raw, a_writes, same("Contract")),
            (401, message, same("Credential"), same("Credential")),
            (403, message, same("Credential"), a_bookings),
            (401, error, same("Credential"), same("Credential")),
            (403, error, same("Credential"), same("Credential")),
            (401, licence, same("Contract"), same("Contract")),
            (401, page, same("Contract"), same("Contract")),
            (403, page, same("Contract"), same("Contract")),
            (403, "", same("Credential"), same("Contract")),
            (400, handler, same("Refused"), a_patchs),
            (409, handler, same("Refused"), same("Refused")),
            (404, none, same("Refused"), same("Contract")),
            (404, route, same("Contract"), same("Contract")),
            (404, message, same("Contract"), same("Refused")),
            (404, page, same("Contract"), same("Contract")),
            (405, message, same("Contract"), same("Contract")),
            (408, handler, same("Unknown"), same("Unknown")),
            (499, "", same("Unknown"), same("Unknown")),
            (500, handler, fails, fails),
            (500, message, fails, fails),
            (500, page, same("Unknown"), same("Unknown")),
            (500, "", same("Unknown"), same("Unknown")),
            (503, handler, same("Unknown"), same("Unknown")),
            (502, page, same("Unknown"), same("Unknown")),
            (599, "", same("Unknown"), same("Unknown")),
            (301, "", same("Contract"), same("Contract")),
            (304, "", same("Unknown"), same("Unknown")),
        ];
        let redactor = Redactor::new(&SecretString::from("cal_key_0123456789"));
        let kinds = [Kind::List, Kind::Get, Kind::Confirm];
        for (status, body, in_v2, in_v1) in rows {
            let answer = answer(status, body);
            let got = kinds.map(|kind| v2::refusal::refusal(&answer, kind, &redactor));
            check(&got, in_v2, &format!("v2 {status} {body}"));
            let got = kinds.map(|kind| v1::refusal::refusal(&answer, kind, &redactor));
            check(&got, in_v1, &format!("v1 {status} {body}"));
        }
    }

    fn check(got: &[CallError; 3], expect: [&str; 3], what: &str) {
        for (error, expect) in got.iter().zip(expect) {
            assert!(
                format!("{error:?}").starts_with(expect),
                "{what}: {error:?}, not {expect}"
            );
            assert!(!error.to_string().contains("0123456789"), "{what}: {error}");
        }
    }

    #[test]
    fn only_a_missing_record_is_gone() {
        let none =
            r#"{"error":{"code":"NotFoundException","message":"Booking with uid=x was not"}}"#;
        let route = r#"{"error":{"code":"NotFoundException","message":"Cannot GET /v2/x"}}"#;
        let other = r#"{"error":{"code":"NOT_FOUND","message":"no record"}}"#;
        let (message, error) = (r#"{"message":"no"}"#, r#"{"error":"no"}"#);
        let rows = [
            (404, none, true, false),
            (403, none, false, false),
            (500, none, false, false),
            (404, route, false, false),
            (404, other, false, false),
            (404, message, false, true),
            (403, message, false, true),
            (401, message, false, false),
            (403, error, false, false),
            (404, "<html>", false, false),
            (404, "", false, false),
        ];
        for (status, body, in_v2, in_v1) in rows {
            let answer = answer(status, body);
            assert_eq!(v2::refusal::is_gone(&answer), in_v2, "v2 {status} {body}");
            assert_eq!(v1::refusal::is_gone(&answer), in_v1, "v1 {status} {body}");
        }
    }
}
