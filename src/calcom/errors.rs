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

/// What a refusal says. The texts are as they came; they leave only through [`line`].
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
    Some(match answer.status {
        300..400 => CallError::Contract(redirected(answer, redactor)),
        // Time-outs on the server's side: the work may have been done.
        408 | 499 => CallError::Unknown(line()),
        400..500 if said.shape == Shape::Page => CallError::Contract(format!(
            "{}; it came from something in front of Cal.com, or base-url is not that of its API",
            line()
        )),
        405 => CallError::Contract(line()),
        401 | 403 | 404 => return None,
        400..500 => return None,
        // 5xx, and what no server should send.
        _ if kind.writes() => {
            CallError::Unknown(format!("{}; whether it was done is not known", line()))
        }
        _ => CallError::Unknown(line()),
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

/// Why a body with a good status cannot be used.
pub(super) fn not_json(answer: &Answer, error: &serde_json::Error, kind: Kind) -> CallError {
    if answer.page && !kind.writes() {
        return CallError::Contract(format!(
            "{} with a page of HTML; base-url seems to be that of the web app, not of its API",
            answer.status
        ));
    }
    let what = if answer.body.is_empty() {
        "an empty body".to_owned()
    } else {
        // Names the place in the body, never what stands there.
        format!("a body that is not readable as JSON ({error})")
    };
    CallError::Unknown(format!("{} with {what}", answer.status))
}
