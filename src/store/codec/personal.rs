//! The field that holds everything that may name a person. It is separate from codes, numbers and
//! the names of bookings, so that it can be removed from a line without touching the rest.

use serde::{Deserialize, Serialize};

use super::text::{RecordError, Text};

/// A text that people wrote or that was made for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonalText<'a> {
    #[serde(borrow)]
    text: Text<'a>,
}

/// Returns the record of a text; `None` if the text is empty.
pub fn to_personal_text(text: &str) -> Option<PersonalText<'_>> {
    (!text.is_empty()).then(|| PersonalText { text: text.into() })
}

/// Returns the text of a record; empty if the record was removed from the line.
pub fn from_personal_text(personal: Option<PersonalText<'_>>) -> Result<String, RecordError> {
    let text = personal.map(|personal| personal.text.into_string());
    Ok(text.transpose()?.unwrap_or_default())
}
