//! What a refusal of v1 means (`calcom/v1.md`), told by status and by which property holds the
//! text: `error` comes from the check of the key, `message` from a handler.

use crate::calcom::errors::{Said, Shape, common, line, said};
use crate::calcom::exchange::{Answer, Kind};
use crate::calcom::port::CallError;
use crate::calcom::redact::Redactor;

const NOT_V1: &str = "base-url is not that of Cal.com's API v1, which newer servers no longer have";

pub(in crate::calcom) fn refusal(answer: &Answer, kind: Kind, redactor: &Redactor) -> CallError {
    let said = said(answer);
    if let Some(error) = common(answer, &said, kind, redactor) {
        return error;
    }
    let line = line(answer, &said, redactor);
    match answer.status {
        // With a good key and with none; nothing but the text tells it from "No apiKey provided".
        401 if said.message.contains("CALCOM_LICENSE_KEY") => CallError::Contract(format!(
            "{line} (the server lacks its own licence key; the API key may be good)"
        )),
        401 if matches!(said.shape, Shape::Error | Shape::Message) => {
            CallError::Credential(format!("{} answered {line}", answer.host))
        }
        403 if said.shape == Shape::Error => CallError::Credential(format!(
            "{} answered {line} (the account may be locked; an administrator has to unlock it)",
            answer.host
        )),
        403 if said.shape == Shape::Message => {
            if kind.of_a_booking() {
                CallError::NotYours(line)
            } else {
                CallError::Refused(line)
            }
        }
        // v2 answers on the same host, and so does whatever stands in front.
        401 | 403 => CallError::Contract(format!("{line} ({NOT_V1})")),
        404 if said.shape == Shape::Message => CallError::Refused(line),
        404 => CallError::Contract(format!("{line} ({NOT_V1})")),
        // To a PATCH: "a row that does not fit the schema: 400, but the change was written".
        400 if kind == Kind::Confirm => CallError::Failed(line),
        _ => CallError::Refused(line),
    }
}

/// Whether it says that there is no such record that this key may see: 403 for most, 404 for
/// administrators.
pub(in crate::calcom) fn is_gone(answer: &Answer) -> bool {
    let said: Said = said(answer);
    matches!(answer.status, 403 | 404) && said.shape == Shape::Message
}
