//! Reads texts: borrows them from the line if they hold no escapes, checks their length, and
//! converts them to the domain's names.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::decision::{Credits, MAX_CREDITS, ReasonCode};
use crate::domain::id::{AccountId, Address, BookingUid, NameError, Reference, RequestId};
use crate::domain::unresolved::UnresolvedCode;

/// The longest single text that is kept, in bytes. Texts from people and servers are cut far below
/// this limit by the code that makes the fact; here it only bounds what one line can hold.
pub const MAX_TEXT: usize = 64 * 1024;

/// A borrowed text. serde would always copy a plain `Cow`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Text<'a> {
    fn from(text: &'a String) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

/// Why something that was read, or is to be written, is not a record of this version.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A text cannot be used as a name.
    #[error("{text:?} is not a usable name")]
    Name {
        /// The text.
        text: String,
        /// Why the text is no name.
        #[source]
        source: NameError,
    },
    /// A text is too long; the payload is its length in bytes.
    #[error("a text of {0} bytes is longer than {MAX_TEXT}")]
    TooLong(usize),
    /// A code is not known; the payload is the code.
    #[error("the reason code {0:?} is not known to this version")]
    Code(String),
    /// A part has too many credits; the payload is their number.
    #[error("{0} credits in one part are more than {MAX_CREDITS}")]
    Credits(Credits),
    /// A share is above 100; the payload is the share.
    #[error("{0} percent are more than 100")]
    Percent(u8),
    /// A span is out of range; the payload is its length in milliseconds.
    #[error("{0} ms are no span that a configuration can name")]
    Span(i64),
    /// A field, whose name is the payload, contradicts other fields.
    #[error("its field `{0}` does not fit the others")]
    FieldMismatch(&'static str),
    /// A field, whose name is the payload, is missing.
    #[error("its field `{0}` is missing")]
    MissingField(&'static str),
    /// The text is not JSON, or has an unknown shape.
    #[error("it is not a record that this version knows")]
    Shape(#[from] serde_json::Error),
}

impl Text<'_> {
    /// Returns the text, unless it is too long.
    pub fn into_string(self) -> Result<String, RecordError> {
        if self.0.len() > MAX_TEXT {
            return Err(RecordError::TooLong(self.0.len()));
        }
        Ok(self.0.into_owned())
    }

    /// Returns the text as the id of an account.
    pub fn to_account_id(&self) -> Result<AccountId, RecordError> {
        self.parse_name(AccountId::parse)
    }

    /// Returns the text as an e-mail address.
    pub fn to_address(&self) -> Result<Address, RecordError> {
        self.parse_name(Address::parse)
    }

    /// Returns the text as the uid of a booking.
    pub fn to_booking_uid(&self) -> Result<BookingUid, RecordError> {
        self.parse_name(BookingUid::parse)
    }

    /// Returns the text as the id of a request.
    pub fn to_request_id(&self) -> Result<RequestId, RecordError> {
        self.parse_name(RequestId::parse)
    }

    /// Returns the text as the name of a grant or lot.
    pub fn to_reference(&self) -> Result<Reference, RecordError> {
        self.parse_name(Reference::parse)
    }

    /// Returns the text as the code of a reason.
    pub fn to_reason_code(&self) -> Result<ReasonCode, RecordError> {
        ReasonCode::parse(&self.0).ok_or_else(|| RecordError::Code(self.0.clone().into_owned()))
    }

    /// Returns the text as the code of an item of the unresolved list.
    pub fn to_unresolved_code(&self) -> Result<UnresolvedCode, RecordError> {
        let code = UnresolvedCode::parse(&self.0);
        code.ok_or_else(|| RecordError::Code(self.0.clone().into_owned()))
    }

    fn parse_name<T>(&self, parse: fn(&str) -> Result<T, NameError>) -> Result<T, RecordError> {
        parse(&self.0).map_err(|source| RecordError::Name {
            text: self.0.chars().take(80).collect(),
            source,
        })
    }
}

/// Converts an optional text to a string.
pub fn optional_string(text: Option<Text<'_>>) -> Result<Option<String>, RecordError> {
    text.map(Text::into_string).transpose()
}

/// Returns the credits of one part if they are within the limit. No lot ever holds more than one
/// grant may give, so sums of parts stay within the type, whatever a line contains.
pub fn check_credits(credits: Credits) -> Result<Credits, RecordError> {
    if credits > MAX_CREDITS {
        return Err(RecordError::Credits(credits));
    }
    Ok(credits)
}

/// Returns true if a flag is left out, which means false. Takes a reference, as serde passes it.
pub fn is_false(flag: &bool) -> bool {
    !flag
}

/// Returns true if an amount of credits is left out, which means zero.
pub fn is_zero_credits(credits: &Credits) -> bool {
    *credits == 0
}

/// Returns true if a count is left out, which means zero.
pub fn is_zero(count: &u32) -> bool {
    *count == 0
}
