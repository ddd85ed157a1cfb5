//! Removes secrets and personal addresses from texts that come from outside: server messages,
//! transport errors, targets of redirects. The key is found by its value, in every spelling in
//! which it is known to come back, and must never survive, whatever surrounds it.
//! Hand-written, because crates such as `secrecy` guard values of our own, and here the secret comes
//! back within a text of somebody else.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// The longest server text that is shown or stored, in characters: a sentence or two, not a page.
const MAX_CHARS: usize = 300;

/// The shortest tail of the key after an underscore that is hidden too, because servers cut
/// prefixes off before they repeat a token. Shorter tails are no secret and may be ordinary words.
const MIN_TAIL: usize = 8;

const KEY_MASK: &str = "[key]";
const ADDRESS_MASK: &str = "[address]";

/// Removes one key from texts. Its `Debug` does not show the key.
pub struct Redactor {
    /// The key and its tails, the longest first.
    secrets: Vec<SecretString>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// Creates the redactor for this key.
    pub fn new(key: &SecretString) -> Self {
        let key = key.expose_secret();
        let mut secrets = vec![key];
        secrets.extend(key.strip_prefix("cal_").filter(|rest| !rest.is_empty()));
        let tails = key.match_indices('_').map(|(at, _)| &key[at + 1..]);
        secrets.extend(tails.filter(|tail| tail.len() >= MIN_TAIL));
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self {
            secrets: secrets.into_iter().map(SecretString::from).collect(),
        }
    }

    /// Returns the text in a form that may be shown and stored: no key, no e-mail address, no
    /// control characters, on one line, at most [`MAX_CHARS`] characters. Returns an empty text if
    /// the key cannot be removed from it.
    pub(super) fn redact(&self, text: &str) -> String {
        // Unprintable characters are removed first: a key with such a character inside would be
        // whole again without it.
        let text = remove_unprintable(text);
        let text = self.mask_key(&text);
        let text = mask_addresses(&text);
        let text = shorten(&text);
        if self.contains_key(&text) {
            return String::new();
        }
        text
    }

    fn mask_key(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            let secret = secret.expose_secret().as_bytes();
            let mut masked = String::with_capacity(text.len());
            let mut rest = text.as_str();
            while let Some((at, length)) = find_secret(rest.as_bytes(), secret) {
                masked.push_str(&rest[..at]);
                masked.push_str(KEY_MASK);
                rest = &rest[at + length..];
            }
            masked.push_str(rest);
            text = masked;
        }
        text
    }

    fn contains_key(&self, text: &str) -> bool {
        let mut secrets = self.secrets.iter();
        secrets
            .any(|secret| find_secret(text.as_bytes(), secret.expose_secret().as_bytes()).is_some())
    }
}

/// Returns the position of the secret in the text, and how many bytes the secret takes there. Keys
/// are ASCII, so both ends are character boundaries.
fn find_secret(text: &[u8], secret: &[u8]) -> Option<(usize, usize)> {
    (0..text.len()).find_map(|at| {
        let length = match_length(&text[at..], secret, true);
        let length = length.or_else(|| match_length(&text[at..], secret, false));
        length.map(|length| (at, length))
    })
}

/// Returns how many bytes the secret takes at the start of the text, in either case. Each byte may
/// stand as it is or, if `decode` is set, percent-encoded: servers and proxies differ in what they
/// encode.
fn match_length(text: &[u8], secret: &[u8], decode: bool) -> Option<usize> {
    let mut at = 0;
    for byte in secret {
        let encoded = text
            .get(at..at + 3)
            .filter(|_| decode)
            .and_then(decode_percent);
        at += match encoded {
            Some(found) if found.eq_ignore_ascii_case(byte) => 3,
            _ if text.get(at)?.eq_ignore_ascii_case(byte) => 1,
            _ => return None,
        };
    }
    Some(at)
}

/// Returns the byte that a sequence such as `%41` encodes.
fn decode_percent(three: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match three {
        [b'%', high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    }
}

/// Turns line breaks into blanks, removes other control characters and those that hide or turn
/// text, and joins runs of blanks into one.
fn remove_unprintable(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(4 * MAX_CHARS));
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        let hidden = c.is_control() || is_invisible_or_bidi(c);
        if hidden || (c == ' ' && (out.is_empty() || out.ends_with(' '))) {
            continue;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out
}

/// Returns true for characters that take no room or turn the direction of what follows.
fn is_invisible_or_bidi(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{FEFF}'
    )
}

fn mask_addresses(text: &str) -> String {
    let parts = text.split_inclusive(|c: char| " <>()[]{}\"'`,;:=&?|/".contains(c));
    let mut out = String::with_capacity(text.len());
    for part in parts {
        let word = part.trim_end_matches(|c: char| " <>()[]{}\"'`,;:=&?|/".contains(c));
        if word.contains('@') || word.contains("%40") {
            out.push_str(ADDRESS_MASK);
            out.push_str(&part[word.len()..]);
        } else {
            out.push_str(part);
        }
    }
    out
}

fn shorten(text: &str) -> String {
    if text.chars().nth(MAX_CHARS).is_none() {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(MAX_CHARS - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn redactor(key: &str) -> Redactor {
        Redactor::new(&SecretString::from(key))
    }

    #[test]
    fn keys_addresses_and_control_characters_are_removed() {
        let rows = [
            ("plain words stay", "plain words stay"),
            ("token=cal_live_0123456789abcdef.", "token=[key]."),
            ("access token=live_0123456789abcdef", "access token=[key]"),
            ("0123456789ABCDEF", "[key]"),
            ("a\u{7}b\r\n\tc\u{202e}", "ab c"),
            ("cal_live_\u{0}0123456789abcdef", "[key]"),
            (
                "no bo@example.com, <al+x@example.com>",
                "no [address], <[address]>",
            ),
            (
                "?attendeeEmail=bo%40example.com&a=b",
                "?attendeeEmail=[address]&a=b",
            ),
            ("", ""),
        ];
        let redactor = redactor("cal_live_0123456789abcdef");
        for (text, expect) in rows {
            assert_eq!(redactor.redact(text), expect, "{text:?}");
        }
    }

    #[test]
    fn a_percent_encoded_key_is_removed() {
        let redactor = redactor("cal_a+b/c=d%e");
        for text in [
            "/v1/me?apiKey=cal_a%2Bb/c%3Dd%25e",
            "/v1/me?apiKey=cal_a%2bb%2fc%3dd%25e",
            "/v1/me?apiKey=cal%5Fa%2Bb%2Fc%3Dd%25e",
            "/v1/me?apiKey=%63al_a+b%2fc=d%e",
        ] {
            assert_eq!(redactor.redact(text), "/v1/me?apiKey=[key]");
        }
    }

    #[test]
    fn long_texts_are_cut_after_the_key_was_removed() {
        let key = "cal_live_0123456789abcdef";
        let text = format!("{}{key}", "x".repeat(MAX_CHARS - 10));
        let clean = redactor(key).redact(&text);
        assert!(!clean.contains("live"), "{clean}");
        let long = redactor(key).redact(&"ä".repeat(5000));
        assert_eq!(long.chars().count(), MAX_CHARS);
    }

    #[test]
    fn a_key_that_hides_in_the_placeholder_leaves_nothing() {
        for key in ["key", "[key]", "e", "]", "address", "…"] {
            let clean = redactor(key).redact(&format!("a {key} b@c {}", "y".repeat(400)));
            assert!(!clean.contains(key), "{key:?} in {clean:?}");
        }
    }

    proptest! {
        #[test]
        fn the_key_never_survives(
            key in "(cal_|acme_)?[!-~]{1,40}",
            before in "\\PC{0,400}",
            after in ".{0,400}",
            noise in "[\\x00-\\x1f\u{200b}]{0,2}",
            at in 0usize..40,
        ) {
            let redactor = redactor(&key);
            let tail = key.strip_prefix("cal_").filter(|t| !t.is_empty()).unwrap_or(&key);
            let (head, rest) = key.split_at(at.min(key.len()));
            let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string();
            let texts = [
                format!("{before}{key}{after}"),
                format!("{before}{tail}{after}"),
                format!("{before}{encoded}{after}"),
                format!("{before}{head}{noise}{rest}{after}"),
                format!("{key}{key}{before}{key}"),
                format!("{head}{key}{rest}"),
            ];
            for text in texts {
                let clean = redactor.redact(&text);
                prop_assert!(!clean.contains(&key), "{key:?} in {clean:?}");
                prop_assert!(!clean.contains(tail), "{tail:?} in {clean:?}");
                prop_assert!(!clean.contains(&encoded), "{encoded:?} in {clean:?}");
                prop_assert!(!clean.contains(char::is_control));
                prop_assert!(clean.chars().count() <= MAX_CHARS);
            }
        }
    }
}
