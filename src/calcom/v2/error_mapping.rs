//! Maps a refusal of v2 to an error (`calcom/api.md` 1.3, 1.5), by status and shape. A text decides
//! only where the server gives nothing else, and is matched as narrowly as possible.

use crate::calcom::api_call::{ApiAnswer, Endpoint};
use crate::calcom::error_body::{ErrorBody, ErrorShape, format_refusal, parse_error_body};
use crate::calcom::errors::map_common_error;
use crate::calcom::port::CallError;
use crate::calcom::redact::Redactor;

/// What to do if the server used another version than the one asked for.
pub(in crate::calcom) const VERSION_MISMATCH: &str = "the server took another cal-api-version than \
    2024-08-13, as it does without a word when the header is missing or unknown to it; look for a \
    proxy that drops the header cal-api-version, or for a server older than August 2024";

/// Every error that Cal.com's shared web handlers throw has this code, whatever its status.
const HANDLER_CODE: &str = "TRPCError";

/// Nest's own code for something that was not found: a record, or a route.
const NOT_FOUND_CODE: &str = "NotFoundException";

pub(in crate::calcom) fn map_error(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    redactor: &Redactor,
) -> CallError {
    let body = parse_error_body(answer);
    if let Some(error) = map_common_error(answer, &body, endpoint, redactor) {
        return error;
    }
    let line = format_refusal(answer, &body, redactor);
    match answer.status {
        401 | 403 if body.message.contains("CALCOM_LICENSE_KEY") => CallError::Contract(format!(
            "{line} (the server lacks its own licence key; the API key may be good)"
        )),
        401 | 403 if is_about_the_booking(answer.status, &body, endpoint) => {
            if endpoint.is_about_one_booking() {
                CallError::NotPermitted(line)
            } else {
                CallError::Refused(line)
            }
        }
        401 | 403 => CallError::Credential(format!("{} answered {line}", answer.host)),
        404 if is_missing_route(&body) => {
            let why = if endpoint.is_write() {
                VERSION_MISMATCH
            } else {
                "base-url is not that of Cal.com's API v2"
            };
            CallError::Contract(format!("{line} ({why})"))
        }
        404 if body.shape == ErrorShape::Envelope => CallError::Refused(line),
        404 => CallError::Contract(format!("{line} (base-url is not that of Cal.com's API v2)")),
        _ => CallError::Refused(line),
    }
}

/// Returns whether the answer says that the server has no such record. A route that the server does
/// not know gives the same status and code; such an answer says nothing about the booking.
pub(in crate::calcom) fn is_gone(answer: &ApiAnswer) -> bool {
    let body = parse_error_body(answer);
    answer.status == 404
        && body.shape == ErrorShape::Envelope
        && body.code == NOT_FOUND_CODE
        && !is_missing_route(&body)
}

/// Returns whether the answer says that there is such a record, but not for this key.
pub(in crate::calcom) fn is_hidden(answer: &ApiAnswer) -> bool {
    answer.status == 403 && parse_error_body(answer).shape == ErrorShape::Envelope
}

/// Returns whether a 401 or 403 is about this booking and says nothing about the key.
fn is_about_the_booking(status: u16, body: &ErrorBody, endpoint: Endpoint) -> bool {
    match body.shape {
        ErrorShape::Envelope if body.code == HANDLER_CODE => true,
        // The guard of single bookings: it uses the code of a bad credential, but its own name.
        ErrorShape::Envelope => status == 403 && body.message.starts_with("BookingPbacGuard"),
        // Thrown by the handlers of writes ("User not a host of this event"); the guards, which
        // check the key, answer in the envelope.
        ErrorShape::Raw => endpoint.is_write(),
        ErrorShape::Message
        | ErrorShape::Error
        | ErrorShape::OtherJson
        | ErrorShape::Html
        | ErrorShape::Text => false,
    }
}

/// Returns whether the route is missing. Nest marks that by no more than this text ("Cannot POST
/// /v2/bookings/…").
fn is_missing_route(body: &ErrorBody) -> bool {
    let rest = body.message.strip_prefix("Cannot ");
    let path = rest.and_then(|rest| rest.split_once(' '));
    path.is_some_and(|(method, path)| {
        method.chars().all(|c| c.is_ascii_uppercase()) && path.starts_with('/')
    })
}
