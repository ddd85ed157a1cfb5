//! Reads the body of a refusal leniently, in the shapes of `calcom/api.md` 1.5, and formats the part
//! that may be shown.

use reqwest::StatusCode;
use serde_json::Value;

use super::api_call::ApiAnswer;
use super::bounded_json;
use super::lenient_row::Row;
use super::redact::Redactor;

/// The most violated constraints of a validation error that are shown.
const MAX_CONSTRAINTS: usize = 4;

/// The known shapes of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorShape {
    /// v2: `{"status":"error","error":{"code","message"}}`.
    Envelope,
    /// v2, raw: `{"statusCode","message"}`.
    Raw,
    /// v1, from a handler or a step before it: `{"message"}`.
    Message,
    /// v1, from the check of the key: `{"error":"…"}`.
    Error,
    /// JSON of another shape.
    OtherJson,
    /// HTML, from something in front of Cal.com or from its web app.
    Html,
    /// Plain text, or an empty body.
    Text,
}

/// The content of a refusal. The texts are as the server sent them; they are shown only through
/// [`format_refusal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorBody {
    pub(super) shape: ErrorShape,
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) fn parse_error_body(answer: &ApiAnswer) -> ErrorBody {
    let Ok(value) = bounded_json::parse(&answer.body) else {
        let shape = if answer.is_html {
            ErrorShape::Html
        } else {
            ErrorShape::Text
        };
        let message = match shape {
            ErrorShape::Html => String::new(),
            _ => String::from_utf8_lossy(&answer.body).into_owned(),
        };
        return without_code(shape, message);
    };
    let row = Row::from(&value);
    match row.get("error") {
        Some(Value::Object(error)) => ErrorBody {
            shape: ErrorShape::Envelope,
            code: Row::from(error).string("code").unwrap_or_default(),
            message: format_validation_message(error.into()),
        },
        Some(Value::String(error)) if row.get("statusCode").is_none() => {
            without_code(ErrorShape::Error, error.clone())
        }
        Some(_) | None => {
            let message = row.string("message").unwrap_or_default();
            let shape = match (row.get("statusCode"), message.is_empty()) {
                (Some(_), _) => ErrorShape::Raw,
                (None, false) => ErrorShape::Message,
                (None, true) => ErrorShape::OtherJson,
            };
            without_code(shape, message)
        }
    }
}

fn without_code(shape: ErrorShape, message: String) -> ErrorBody {
    ErrorBody {
        shape,
        code: String::new(),
        message,
    }
}

/// Returns the message. The message of a validation error is a fixed text, so the violated
/// constraints are appended.
fn format_validation_message(error: Row<'_>) -> String {
    let message = error.string("message").unwrap_or_default();
    let errors = error.object("details").objects("errors");
    let constraints = errors.flat_map(|error| error.object("constraints").fields());
    let texts = constraints.filter_map(|(_, text)| text.as_str());
    let texts: Vec<&str> = texts.take(MAX_CONSTRAINTS).collect();
    if texts.is_empty() {
        return message;
    }
    format!("{message}: {}", texts.join("; "))
}

/// Returns the refusal on one line that may be shown: the status, then the server's message.
pub(super) fn format_refusal(answer: &ApiAnswer, body: &ErrorBody, redactor: &Redactor) -> String {
    let status = StatusCode::from_u16(answer.status);
    let words = status.ok().and_then(|status| status.canonical_reason());
    let status = match words {
        Some(words) => format!("{} {words}", answer.status),
        None => answer.status.to_string(),
    };
    let message = match body.shape {
        ErrorShape::Html => "a page of HTML".to_owned(),
        _ => redactor.redact(&body.message),
    };
    if message.is_empty() {
        return status;
    }
    format!("{status}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> ApiAnswer {
        ApiAnswer {
            host: "cal.test:443".to_owned(),
            status,
            is_html: body.starts_with('<'),
            location: None,
            server_time: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn refusals_are_read_in_every_shape() {
        let rows = [
            (
                r#"{"error":{"code":"C","message":"m"}}"#,
                ErrorShape::Envelope,
                "C",
                "m",
            ),
            (
                r#"{"error":{"code":"C","message":"m","details":"text"}}"#,
                ErrorShape::Envelope,
                "C",
                "m",
            ),
            (
                r#"{"error":{"code":5,"message":null}}"#,
                ErrorShape::Envelope,
                "",
                "",
            ),
            (
                r#"{"error":{"message":"m",
                    "details":{"errors":[{"constraints":{"a":"x","b":"y"}},5]}}}"#,
                ErrorShape::Envelope,
                "",
                "m: x; y",
            ),
            (
                r#"{"statusCode":400,"message":"m"}"#,
                ErrorShape::Raw,
                "",
                "m",
            ),
            (
                r#"{"statusCode":400,"message":"m","error":"Bad Request"}"#,
                ErrorShape::Raw,
                "",
                "m",
            ),
            (
                r#"{"message":"m","data":{"traceId":"t"}}"#,
                ErrorShape::Message,
                "",
                "m",
            ),
            (r#"{"error":"m"}"#, ErrorShape::Error, "", "m"),
            ("{}", ErrorShape::OtherJson, "", ""),
            ("[1]", ErrorShape::OtherJson, "", ""),
            (r#"{"error":7,"message":{}}"#, ErrorShape::OtherJson, "", ""),
            ("<html>bo@example.com</html>", ErrorShape::Html, "", ""),
            ("Invalid JSON", ErrorShape::Text, "", "Invalid JSON"),
            ("", ErrorShape::Text, "", ""),
        ];
        for (body, shape, code, message) in rows {
            let expect = ErrorBody {
                shape,
                code: code.to_owned(),
                message: message.to_owned(),
            };
            assert_eq!(parse_error_body(&answer(400, body)), expect, "{body}");
        }
    }
}
