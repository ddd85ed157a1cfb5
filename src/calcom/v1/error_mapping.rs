//! Maps a refusal of v1 to an error (`calcom/v1.md`), by status and by the property that holds the
//! text: `error` comes from the check of the key, `message` from a handler.

use crate::calcom::api_call::{ApiAnswer, Endpoint};
use crate::calcom::error_body::{ErrorBody, ErrorShape, format_refusal, parse_error_body};
use crate::calcom::errors::map_common_error;
use crate::calcom::port::CallError;
use crate::calcom::redact::Redactor;

const NOT_V1: &str = "base-url is not that of Cal.com's API v1, which newer servers no longer have";

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
        // Sent with a good key and without one; only the text distinguishes this case from "No
        // apiKey provided".
        401 if body.message.contains("CALCOM_LICENSE_KEY") => CallError::Contract(format!(
            "{line} (the server lacks its own licence key; the API key may be good)"
        )),
        401 if matches!(body.shape, ErrorShape::Error | ErrorShape::Message) => {
            CallError::Credential(format!("{} answered {line}", answer.host))
        }
        403 if body.shape == ErrorShape::Error => CallError::Credential(format!(
            "{} answered {line} (the account may be locked; an administrator has to unlock it)",
            answer.host
        )),
        403 if body.shape == ErrorShape::Message => {
            if endpoint.is_about_one_booking() {
                CallError::NotPermitted(line)
            } else {
                CallError::Refused(line)
            }
        }
        // v2 answers on the same host, and so does anything in front of the server.
        401 | 403 => CallError::Contract(format!("{line} ({NOT_V1})")),
        404 if body.shape == ErrorShape::Message => CallError::Refused(line),
        404 => CallError::Contract(format!("{line} ({NOT_V1})")),
        // To a PATCH: "a row that does not fit the schema: 400, but the change was written".
        400 if endpoint == Endpoint::Confirm => CallError::Failed(line),
        _ => CallError::Refused(line),
    }
}

/// Returns whether the answer says that there is no such record that this key may see: 403 for most
/// keys, 404 for those of administrators.
pub(in crate::calcom) fn is_gone(answer: &ApiAnswer) -> bool {
    let body: ErrorBody = parse_error_body(answer);
    matches!(answer.status, 403 | 404) && body.shape == ErrorShape::Message
}
