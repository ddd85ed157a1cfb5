//! What a refusal of v2 means (`calcom/api.md` 1.3, 1.5), told by status and shape. A text decides
//! only where the server gives nothing else, and is matched as narrowly as can be.

use crate::calcom::errors::{Said, Shape, common, line, said};
use crate::calcom::exchange::{Answer, Kind};
use crate::calcom::port::CallError;
use crate::calcom::redact::Redactor;

/// What to do when the server took another version than the one asked for.
pub(in crate::calcom) const OLDER: &str = "the server took another cal-api-version than \
    2024-08-13, as it does without a word when the header is missing or unknown to it; look for a \
    proxy that drops the header cal-api-version, or for a server older than August 2024";

/// Every error that Cal.com's shared web handlers throw has this code, whatever its status.
const HANDLER: &str = "TRPCError";

/// Nest's own code for what was not found: a record, or a route.
const NOT_FOUND: &str = "NotFoundException";

pub(in crate::calcom) fn refusal(answer: &Answer, kind: Kind, redactor: &Redactor) -> CallError {
    let said = said(answer);
    if let Some(error) = common(answer, &said, kind, redactor) {
        return error;
    }
    let line = line(answer, &said, redactor);
    match answer.status {
        401 | 403 if said.message.contains("CALCOM_LICENSE_KEY") => CallError::Contract(format!(
            "{line} (the server lacks its own licence key; the API key may be good)"
        )),
        401 | 403 if about_the_booking(answer.status, &said, kind) => {
            if kind.of_a_booking() {
                CallError::NotYours(line)
            } else {
                CallError::Refused(line)
            }
        }
        401 | 403 => CallError::Credential(format!("{} answered {line}", answer.host)),
        404 if no_route(&said) => {
            let why = if kind.writes() {
                OLDER
            } else {
                "base-url is not that of Cal.com's API v2"
            };
            CallError::Contract(format!("{line} ({why})"))
        }
        404 if said.shape == Shape::Envelope => CallError::Refused(line),
        404 => CallError::Contract(format!("{line} (base-url is not that of Cal.com's API v2)")),
        _ => CallError::Refused(line),
    }
}

/// Whether it says that the server has no such record. A route that it does not know gives the same
/// status and code; then nothing is known of the booking.
pub(in crate::calcom) fn is_gone(answer: &Answer) -> bool {
    let said = said(answer);
    answer.status == 404
        && said.shape == Shape::Envelope
        && said.code == NOT_FOUND
        && !no_route(&said)
}

/// Whether it says that there is such a record, but not for this key.
pub(in crate::calcom) fn is_hidden(answer: &Answer) -> bool {
    answer.status == 403 && said(answer).shape == Shape::Envelope
}

/// A 401 or 403 that is about this booking, and says nothing of the key.
fn about_the_booking(status: u16, said: &Said, kind: Kind) -> bool {
    match said.shape {
        Shape::Envelope if said.code == HANDLER => true,
        // A guard in front of single bookings; same code as for a bad credential, own name.
        Shape::Envelope => status == 403 && said.message.starts_with("BookingPbacGuard"),
        // Thrown by the handlers of writes ("User not a host of this event"); the guards, which
        // look at the key, answer in the envelope.
        Shape::Raw => kind.writes(),
        Shape::Message | Shape::Error | Shape::OtherJson | Shape::Page | Shape::Text => false,
    }
}

/// Nest has no other mark for a missing route than this text ("Cannot POST /v2/bookings/…").
fn no_route(said: &Said) -> bool {
    let rest = said.message.strip_prefix("Cannot ");
    let path = rest.and_then(|rest| rest.split_once(' '));
    path.is_some_and(|(method, path)| {
        method.chars().all(|c| c.is_ascii_uppercase()) && path.starts_with('/')
    })
}
