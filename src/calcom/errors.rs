//! Maps those failures that mean the same in both dialects. What only one dialect does is in its
//! `error_mapping`.

use super::api_call::{ApiAnswer, Endpoint};
use super::error_body::{ErrorBody, ErrorShape, format_refusal};
use super::port::CallError;
use super::redact::Redactor;

/// The most bytes before the rows of a list. The lists of both dialects have fewer than a hundred.
const MAX_ENVELOPE: usize = 4096;

/// Maps the failures that mean the same in both dialects. `None`: the dialect has to decide.
pub(super) fn map_common_error(
    answer: &ApiAnswer,
    body: &ErrorBody,
    endpoint: Endpoint,
    redactor: &Redactor,
) -> Option<CallError> {
    let line = || format_refusal(answer, body, redactor);
    // An outage concerns a server, so the text names the server.
    let describe_answer = |more: &str| format!("{} answered {}{more}", answer.host, line());
    const WRITE_OUTCOME_UNKNOWN: &str = " (it is unknown whether the call took effect)";
    Some(match answer.status {
        // No conditional request was sent, so a cache in between is broken.
        304 => CallError::Unknown(describe_answer("")),
        300..400 => CallError::Contract(describe_redirect(answer, redactor)),
        // Time-outs on the server's side: the work may have been done.
        408 | 499 => CallError::Unknown(describe_answer("")),
        400..500 if body.shape == ErrorShape::Html => CallError::Contract(format!(
            "{} (something in front of Cal.com answered, or base-url is not that of its API)",
            line()
        )),
        405 => CallError::Contract(line()),
        401 | 403 | 404 => return None,
        400..500 => return None,
        // Cal.com's own answer, so its handler has ended. A proxy in front of the server gives
        // other status codes and no JSON, which say nothing about when the handler ends.
        500 | 501
            if endpoint.is_write()
                && !matches!(body.shape, ErrorShape::Html | ErrorShape::Text) =>
        {
            CallError::Failed(describe_answer(WRITE_OUTCOME_UNKNOWN))
        }
        // Other 5xx, and statuses that no server should send.
        _ if endpoint.is_write() => CallError::Unknown(describe_answer(WRITE_OUTCOME_UNKNOWN)),
        _ => CallError::Unknown(describe_answer("")),
    })
}

fn describe_redirect(answer: &ApiAnswer, redactor: &Redactor) -> String {
    let place = answer
        .location
        .as_deref()
        .map(|place| redactor.redact(place));
    let place = place.filter(|place| !place.is_empty());
    format!(
        "{} sends the call elsewhere ({}), and redirects are not followed, as they would carry the \
         key along; set base-url to where the API itself answers",
        answer.status,
        place.as_deref().unwrap_or("it does not say where")
    )
}

/// Returns whether the body begins like a list of bookings: an object whose first list holds
/// objects. A body that begins otherwise is no such list, and its parts would be none either.
pub(super) fn begins_like_rows(body: &[u8]) -> bool {
    let begins = |bytes: &[u8], with| bytes.trim_ascii_start().first() == Some(&with);
    let list = body
        .iter()
        .take(MAX_ENVELOPE)
        .position(|byte| *byte == b'[');
    begins(body, b'{') && list.is_some_and(|at| begins(&body[at + 1..], b'{'))
}

/// Returns the error for a body that cannot be used although the status is a success.
pub(super) fn map_unreadable_body(
    answer: &ApiAnswer,
    error: &serde_json::Error,
    endpoint: Endpoint,
) -> CallError {
    if answer.is_html && !endpoint.is_write() {
        return CallError::Contract(format!(
            "{} with a page of HTML; base-url seems to be that of the web app, not of its API",
            answer.status
        ));
    }
    // `bounded_json::parse` gives only one error of this category: the values take more memory than
    // is allowed.
    if error.is_data() {
        return CallError::TooLarge {
            why: error.to_string(),
            has_rows: begins_like_rows(&answer.body),
        };
    }
    let what = if answer.body.is_empty() {
        "an empty body".to_owned()
    } else {
        // Names the position in the body, never the text at that position.
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

    fn answer(status: u16, body: &str) -> ApiAnswer {
        ApiAnswer {
            host: "cal.test:443".to_owned(),
            status,
            is_html: body.starts_with('<'),
            location: Some("https://other.test/v2/cal_key_0123456789".to_owned()),
            server_time: None,
            body: body.as_bytes().to_vec(),
        }
    }

    /// Checks how each dialect classifies a status and a body, for a listing, a read of one booking
    /// and a write.
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
        type RefusalCase<'a> = (u16, &'a str, [&'a str; 3], [&'a str; 3]);
        let same = |word: &'static str| [word; 3];
        let for_one_booking = ["Refused", "NotPermitted", "NotPermitted"];
        let for_writes = ["Credential", "Credential", "NotPermitted"];
        let for_patch = ["Refused", "Refused", "Failed"];
        let failed_write = ["Unknown", "Unknown", "Failed"];
        let rows: [RefusalCase; 34] = [
            // status, body, v2: list, get, confirm; v1: list, get, confirm
            (401, envelope, same("Credential"), same("Contract")),
            (403, envelope, same("Credential"), same("Contract")),
            (401, handler, for_one_booking, same("Contract")),
            (403, handler, for_one_booking, same("Contract")),
            (403, guard, for_one_booking, same("Contract")),
            (401, guard, same("Credential"), same("Contract")),
            (401, raw, for_writes, same("Contract")),
            (403, raw, for_writes, same("Contract")),
            (401, message, same("Credential"), same("Credential")),
            (403, message, same("Credential"), for_one_booking),
            (401, error, same("Credential"), same("Credential")),
            (403, error, same("Credential"), same("Credential")),
            (401, licence, same("Contract"), same("Contract")),
            (401, page, same("Contract"), same("Contract")),
            (403, page, same("Contract"), same("Contract")),
            (403, "", same("Credential"), same("Contract")),
            (400, handler, same("Refused"), for_patch),
            (409, handler, same("Refused"), same("Refused")),
            (404, none, same("Refused"), same("Contract")),
            (404, route, same("Contract"), same("Contract")),
            (404, message, same("Contract"), same("Refused")),
            (404, page, same("Contract"), same("Contract")),
            (405, message, same("Contract"), same("Contract")),
            (408, handler, same("Unknown"), same("Unknown")),
            (499, "", same("Unknown"), same("Unknown")),
            (500, handler, failed_write, failed_write),
            (500, message, failed_write, failed_write),
            (500, page, same("Unknown"), same("Unknown")),
            (500, "", same("Unknown"), same("Unknown")),
            (503, handler, same("Unknown"), same("Unknown")),
            (502, page, same("Unknown"), same("Unknown")),
            (599, "", same("Unknown"), same("Unknown")),
            (301, "", same("Contract"), same("Contract")),
            (304, "", same("Unknown"), same("Unknown")),
        ];
        let redactor = Redactor::new(&SecretString::from("cal_key_0123456789"));
        let endpoints = [Endpoint::List, Endpoint::Get, Endpoint::Confirm];
        for (status, body, in_v2, in_v1) in rows {
            let answer = answer(status, body);
            let got = endpoints.map(|kind| v2::error_mapping::map_error(&answer, kind, &redactor));
            check(&got, in_v2, &format!("v2 {status} {body}"));
            let got = endpoints.map(|kind| v1::error_mapping::map_error(&answer, kind, &redactor));
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
            assert_eq!(
                v2::error_mapping::is_gone(&answer),
                in_v2,
                "v2 {status} {body}"
            );
            assert_eq!(
                v1::error_mapping::is_gone(&answer),
                in_v1,
                "v1 {status} {body}"
            );
        }
    }
}
