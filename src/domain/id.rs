//! Names and ids. Each is checked once, where it enters, so that the code that uses it need not
//! check it again: a booking's uid is safe in a path, an address can be compared, an account id can
//! be a key. The texts are shared, because a plan holds each of them in many places.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The longest accepted name of any kind, in bytes. Real names are much shorter, and the limit
/// bounds the size of keys and log lines.
pub const MAX_NAME: usize = 320;

/// The domain that Cal.com appends to the number of a booker who gave only a telephone number.
const TELEPHONE_DOMAIN: &str = "sms.cal.com";

/// The length of the part after the `+` in the address of a platform's managed user.
const MANAGED_SUFFIX: usize = 25;

/// Why a text is not a usable name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has no characters.
    #[error("is empty")]
    Empty,
    /// The text has more than `MAX_NAME` bytes.
    #[error("is longer than {MAX_NAME} bytes")]
    TooLong,
    /// The first character that is not allowed.
    #[error("contains a character that is not allowed ({0:?})")]
    Character(char),
    /// The text has no `@`, or nothing before or after it.
    #[error("is not an e-mail address (expected something like name@example.com)")]
    NotAnAddress,
}

/// A booking's uid at Cal.com. It has only letters, digits, `-`, `_`, `.` and `~`, so that it is
/// always a single path segment, whatever the server sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingUid(Arc<str>);

impl BookingUid {
    /// # Errors
    /// Returns an error when the text is empty, too long, or has a character that is not allowed in
    /// a path segment.
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

    /// Returns the uid as Cal.com sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BookingUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request's id: the uid of its booking, or of its series when the series is decided as one
/// request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// # Errors
    /// Returns an error under the same conditions as [`BookingUid::parse`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        BookingUid::parse(text).map(|uid| Self(uid.0))
    }

    /// Returns the uid of the series or booking as Cal.com sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the same text as a uid of the booking or of the series.
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

/// An e-mail address in the normal form in which addresses are compared and stored: trimmed, in
/// lower case, composed (NFC), with the domain in A-labels (`xn--…`), the only form that Cal.com
/// accepts. `+tags` and dots are kept. [`decode_domains`] returns the form for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// # Errors
    /// Returns an error when the text has no `@` with something on both sides, has blanks or
    /// control characters inside, or is too long.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = normalize(text);
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

    /// Returns the address in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part after the last `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Returns the address without the suffix that Cal.com's platform gives to its managed users:
    /// `+` and 25 letters or digits. Cal.com shows such a user under the address without the
    /// suffix. Returns `None` when there is no such suffix.
    pub fn without_managed_suffix(&self) -> Option<Self> {
        let (local, domain) = self.0.rsplit_once('@')?;
        let (name, suffix) = local.rsplit_once('+')?;
        let managed = suffix.len() == MANAGED_SUFFIX
            && suffix.bytes().all(|b| b.is_ascii_alphanumeric())
            && !name.is_empty();
        managed.then(|| Self(format!("{name}@{domain}").into()))
    }

    /// Returns true if the address represents a telephone number. Cal.com makes such an address for
    /// a booker who gave no e-mail address.
    pub fn is_telephone(&self) -> bool {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or_default();
        let digits = local.strip_prefix('+').unwrap_or(local);
        domain == TELEPHONE_DOMAIN
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account's id: usually the member's e-mail address, but any label is valid (`acme-ltd`).
/// Account ids have the same normal form as addresses, so that the two can be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// # Errors
    /// Returns an error when the text is empty, too long, or has blanks or control characters
    /// inside.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = normalize(text);
        check_length(&text)?;
        match text.chars().find(|c| c.is_control() || c.is_whitespace()) {
            Some(c) => Err(NameError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// Returns the id in its normal form.
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

/// The operator's name for one grant or one revocation. Repeating a command with the same reference
/// changes nothing; the same reference with other contents is an error.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(Arc<str>);

impl Reference {
    /// # Errors
    /// Returns an error when the text (trimmed) is empty, too long, or has control characters
    /// inside.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        check_length(text)?;
        match text.chars().find(|c| c.is_control()) {
            Some(c) => Err(NameError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// Returns the reference as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The numeric id of a Cal.com user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub i64);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The numeric id of an event type at Cal.com.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTypeId(pub i64);

impl fmt::Display for EventTypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns a name in the form in which names are compared. A name that has no such form, or whose
/// form is too long, is only trimmed and converted to lower case.
fn normalize(text: &str) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let lowercase = text.trim().to_lowercase();
    let composed = nfc.normalize(&lowercase).to_lowercase();
    let composed = nfc.normalize(&composed);
    let normalized = match composed.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain_to_ascii(domain)),
        None => composed.into_owned(),
    };
    if normalized.len() > MAX_NAME {
        lowercase
    } else {
        normalized
    }
}

/// Returns a domain in A-labels and in lower case. A text that is not a domain name, such as an
/// address in brackets, is only converted to lower case.
pub fn domain_to_ascii(domain: &str) -> String {
    let is_domain_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let ascii = idna::domain_to_ascii(domain).ok();
    let ascii = ascii.filter(|ascii| !ascii.is_empty() && ascii.bytes().all(is_domain_byte));
    ascii.unwrap_or_else(|| domain.to_lowercase())
}

/// Returns the text with every domain decoded for people: `xn--exmple-cua.com` becomes
/// `exämple.com`.
pub fn decode_domains(text: &str) -> Cow<'_, str> {
    if !text.contains(A_LABEL) {
        return Cow::Borrowed(text);
    }
    let in_domain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut output = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(in_domain) {
        let word = &rest[at..];
        let end = word.find(|c| !in_domain(c)).unwrap_or(word.len());
        output.push_str(&rest[..at]);
        let (unicode, decoded) = idna::domain_to_unicode(&word[..end]);
        let is_label = |label: &str| label.starts_with(A_LABEL);
        let use_unicode = word[..end].split('.').any(is_label) && decoded.is_ok();
        output.push_str(if use_unicode { &unicode } else { &word[..end] });
        rest = &word[end..];
    }
    output.push_str(rest);
    Cow::Owned(output)
}

/// The prefix of a domain label that encodes characters beyond ASCII.
const A_LABEL: &str = "xn--";

/// Returns true if a name may have been stored in several forms before there was one normal form:
/// it has characters beyond ASCII, or a domain that encodes some.
pub fn may_have_legacy_form(name: &str) -> bool {
    !name.is_ascii() || name.contains(A_LABEL)
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

/// An event type as named in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventTypeKey {
    /// The last part of the event type's public page. Event types of several users may have the
    /// same slug.
    Slug(String),
    /// The number of the event type at Cal.com.
    Id(EventTypeId),
}

/// A host as named in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKey {
    /// The number of the user at Cal.com.
    Id(HostId),
    /// The address of the user.
    Address(Address),
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

    #[test]
    fn all_spellings_of_an_address_are_equal() {
        let rows: [(&[&str], &str); 6] = [
            (
                &[
                    "info@exämple.com",
                    "Info@EXÄMPLE.com",
                    "info@xn--exmple-cua.com",
                    "info@XN--EXMPLE-CUA.COM",
                    "info@exa\u{308}mple.com",
                ],
                "info@xn--exmple-cua.com",
            ),
            (
                &[
                    "jos\u{e9}@example.com",
                    "jose\u{301}@example.com",
                    " JOSÉ@Example.com ",
                ],
                "jos\u{e9}@example.com",
            ),
            (&["a@straße.de", "A@xn--strae-oqa.de"], "a@xn--strae-oqa.de"),
            (&["bo@[127.0.0.1]"], "bo@[127.0.0.1]"),
            (&["bo@under_score.example"], "bo@under_score.example"),
            // If the mapping would turn the domain into an address of its own, the text stays as it
            // was typed.
            (
                &["x@victim\u{ff20}example.com"],
                "x@victim\u{ff20}example.com",
            ),
        ];
        for (spellings, expect) in rows {
            for text in spellings {
                let address = Address::parse(text).map(|of| of.to_string());
                assert_eq!(address.as_deref(), Ok(expect), "{text}");
                let account = AccountId::parse(text).map(|of| of.to_string());
                assert_eq!(account.as_deref(), Ok(expect), "{text}");
            }
        }
        assert_eq!(domain_to_ascii("EXÄMPLE.com"), "xn--exmple-cua.com");
        let long = format!("a@{}example", "ä.".repeat(90));
        assert_eq!(
            Address::parse(&long).map(|of| of.to_string()),
            Ok(long),
            "it has no other form"
        );
    }

    #[test]
    fn ascii_domains_are_decoded_for_display() {
        let rows = [
            (
                "info@xn--exmple-cua.com (3 credits)",
                "info@exämple.com (3 credits)",
            ),
            (
                "a@xn--strae-oqa.de, b@example.com",
                "a@straße.de, b@example.com",
            ),
            ("nothing here", "nothing here"),
            ("kV2s9xn--qTt_6z", "kV2s9xn--qTt_6z"),
            ("xn--", "xn--"),
        ];
        for (text, expect) in rows {
            assert_eq!(decode_domains(text), expect, "{text}");
        }
    }

    #[test]
    fn managed_users_and_telephones_are_recognized_by_their_address() {
        let rows = [
            (
                "alice+cmidditrv0000mza4q93hbcau@example.com",
                Some("alice@example.com"),
                false,
            ),
            ("alice+club@example.com", None, false),
            ("+cmidditrv0000mza4q93hbcau@example.com", None, false),
            ("4915112345678@sms.cal.com", None, true),
            ("+4915112345678@sms.cal.com", None, true),
            ("bo@sms.cal.com", None, false),
        ];
        for (text, managed, telephone) in rows {
            let address = Address::parse(text).expect("an address");
            let base_address = address.without_managed_suffix().map(|of| of.to_string());
            assert_eq!(base_address.as_deref(), managed, "{text}");
            assert_eq!(address.is_telephone(), telephone, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_normal_form_of_a_normal_form_is_itself(text in "[ -~à-ÿΣσςßİıé\u{301}\u{308}。@.]{1,12}@?[a-zA-Zäß.\u{301}-]{0,8}") {
            if let Ok(address) = Address::parse(&text) {
                let again = Address::parse(address.as_str()).map(|of| of.to_string());
                proptest::prop_assert_eq!(again, Ok(address.to_string()));
            }
        }
    }
}
