//! Names of things. Each is checked once, where it enters, so that nothing below has to doubt it:
//! a booking's uid can stand in a path, an address can be compared, an account can be a key. Names are
//! shared, since a plan holds each of them in many places.

use std::fmt;
use std::sync::Arc;

/// The longest name of any kind that is taken, in bytes: no real one comes near, and keys and log
/// lines stay bounded.
pub const MAX_NAME: usize = 320;

/// Why a text is not a usable name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {MAX_NAME} bytes")]
    TooLong,
    #[error("contains a character that is not allowed ({0:?})")]
    Character(char),
    #[error("is not an e-mail address (expected something like name@example.com)")]
    NotAnAddress,
}

/// A booking's uid at Cal.com. Letters, digits, `-`, `_`, `.` and `~` only, so that it is one path
/// segment whatever the server sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingUid(Arc<str>);

impl BookingUid {
    /// # Errors
    /// When the text is empty, too long, or has a character that does not belong into a path.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(text)?;
        if text.chars().all(|c| c == '.') {
            return Err(NameError::Character('.'));
        }
        match text
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || "-_.~".contains(*c)))
        {
            Some(c) => Err(NameError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BookingUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request's name: the uid of its booking, or of its series when it is decided as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// # Errors
    /// As [`BookingUid::parse`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        BookingUid::parse(text).map(|uid| Self(uid.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text as a uid: of the booking, or of the series.
    pub fn uid(&self) -> BookingUid {
        BookingUid(self.0.clone())
    }
}

impl From<&BookingUid> for RequestId {
    fn from(uid: &BookingUid) -> Self {
        Self(uid.0.clone())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An e-mail address as it is compared: trimmed, in lower case. `+tags` and dots are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// # Errors
    /// When it has no `@` with something on both sides, blanks or control characters inside, or is
    /// too long.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim().to_lowercase();
        check_length(&text)?;
        if let Some(c) = text.chars().find(|c| c.is_control() || c.is_whitespace()) {
            return Err(NameError::Character(c));
        }
        match text.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {
                Ok(Self(text.into()))
            }
            Some(_) | None => Err(NameError::NotAnAddress),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the last `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account's name: usually the member's e-mail address, but any label will do (`acme-ltd`).
/// Trimmed and in lower case, as addresses are, so that one compares with the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// # Errors
    /// When the text is empty, too long, or has blanks or control characters inside.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim().to_lowercase();
        check_length(&text)?;
        match text.chars().find(|c| c.is_control() || c.is_whitespace()) {
            Some(c) => Err(NameError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Address> for AccountId {
    fn from(address: &Address) -> Self {
        Self(address.0.clone())
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The operator's name for one grant or one revocation. The same reference twice is the same thing
/// asked twice; with other contents it is an error.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(Arc<str>);

impl Reference {
    /// # Errors
    /// When the text (trimmed) is empty, too long, or has control characters inside.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        check_length(text)?;
        match text.chars().find(|c| c.is_control()) {
            Some(c) => Err(NameError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Cal.com user's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub i64);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event type's number at Cal.com.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTypeId(pub i64);

impl fmt::Display for EventTypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn check_length(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME {
        return Err(NameError::TooLong);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_one_path_segment() {
        for good in ["kV2s9qTtV6zB1dPz7aYw3e", "a", "0b7f-11", "a_b.c~d"] {
            assert_eq!(
                BookingUid::parse(good).map(|u| u.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a%2fb",
            "a b",
            "a\u{0}",
            "ä",
            "a?x",
            &"x".repeat(321),
        ] {
            assert!(BookingUid::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_compare_trimmed_and_without_regard_to_case() {
        let rows = [
            (" Bo@Example.COM ", Ok("bo@example.com")),
            ("bo+tag@example.com", Ok("bo+tag@example.com")),
            ("b.o@example.com", Ok("b.o@example.com")),
            ("ÄNNE@example.com", Ok("änne@example.com")),
            ("unknown", Err(NameError::NotAnAddress)),
            ("@example.com", Err(NameError::NotAnAddress)),
            ("bo@", Err(NameError::NotAnAddress)),
            ("b o@example.com", Err(NameError::Character(' '))),
            ("", Err(NameError::Empty)),
        ];
        for (text, expect) in rows {
            assert_eq!(
                Address::parse(text).map(|a| a.to_string()),
                expect.map(str::to_owned)
            );
        }
    }
}
