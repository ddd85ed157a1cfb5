//! Parses numbers of credits as people write them.

/// The most credits that can be given or taken at once. The ledger has the same limit and checks
/// again.
pub const MAX_CREDITS_AT_ONCE: u64 = 1_000_000_000;

/// Why a text is no number of credits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreditsError {
    /// The text is empty.
    #[error("the number of credits is missing")]
    Missing,
    /// The number has a minus sign.
    #[error("credits cannot be negative; `maitred credits revoke` takes some back")]
    Negative,
    /// The text, which is the payload, is a number with a fraction.
    #[error("credits are whole numbers; {0:?} is not")]
    NotWhole(String),
    /// The text, which is the payload, has separators between its digits.
    #[error("write {0:?} without separators, as in 1000")]
    Separators(String),
    /// The text, which is the payload, is no number.
    #[error("{0:?} is not a number; write digits only, as in 4")]
    NotANumber(String),
    /// The number is 0 or too large; the payload is the text.
    #[error("one command grants 1 to {MAX_CREDITS_AT_ONCE} credits, and not {0}")]
    OutOfRange(String),
}

/// Parses digits, with blanks around them at most.
///
/// # Errors
/// Returns an error if the text holds anything else, or if the number is 0 or more than
/// [`MAX_CREDITS_AT_ONCE`].
pub fn parse(text: &str) -> Result<u64, CreditsError> {
    match parse_or_zero(text)? {
        0 => Err(CreditsError::OutOfRange(shorten(text.trim()))),
        credits => Ok(credits),
    }
}

/// Parses digits as [`parse`] does, and also 0: a row of an import with 0 credits opens an account.
///
/// # Errors
/// Returns an error if the text holds anything else, or if the number is more than
/// [`MAX_CREDITS_AT_ONCE`].
pub fn parse_or_zero(text: &str) -> Result<u64, CreditsError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(CreditsError::Missing);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(credits) if credits <= MAX_CREDITS_AT_ONCE => Ok(credits),
            Ok(_) | Err(_) => Err(CreditsError::OutOfRange(shorten(text))),
        };
    }
    if let Some(rest) = text.strip_prefix(['-', '\u{2212}'])
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(CreditsError::Negative);
    }
    let is_numeric = |c: char| c.is_ascii_digit() || ".,'_ \u{a0}\u{202f}".contains(c);
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(is_numeric) {
        return Err(CreditsError::NotANumber(shorten(text)));
    }
    if has_thousands_separators(text) {
        Err(CreditsError::Separators(shorten(text)))
    } else {
        Err(CreditsError::NotWhole(shorten(text)))
    }
}

/// Returns true if every group after the first has three digits. `1,000` then means a thousand, and
/// `1.000` may mean that too. Both are refused, because the meaning is not certain.
fn has_thousands_separators(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit())
        .skip(1)
        .all(|group| group.len() == 3)
}

/// Shortens a text for an error message.
fn shorten(text: &str) -> String {
    const MAX_SHOWN: usize = 40;
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_number_of_credits_and_everything_else_is_explained() {
        let text = |text: &str| text.to_owned();
        let rows = [
            ("1", Ok(1)),
            (" 5 ", Ok(5)),
            ("007", Ok(7)),
            ("1000000000", Ok(MAX_CREDITS_AT_ONCE)),
            ("", Err(CreditsError::Missing)),
            ("  ", Err(CreditsError::Missing)),
            ("0", Err(CreditsError::OutOfRange(text("0")))),
            (
                "1000000001",
                Err(CreditsError::OutOfRange(text("1000000001"))),
            ),
            (
                "99999999999999999999999",
                Err(CreditsError::OutOfRange(text("99999999999999999999999"))),
            ),
            ("-1", Err(CreditsError::Negative)),
            ("\u{2212}1", Err(CreditsError::Negative)),
            ("3.5", Err(CreditsError::NotWhole(text("3.5")))),
            ("3,5", Err(CreditsError::NotWhole(text("3,5")))),
            ("3.", Err(CreditsError::NotWhole(text("3.")))),
            ("1,000", Err(CreditsError::Separators(text("1,000")))),
            ("1.000", Err(CreditsError::Separators(text("1.000")))),
            ("1 000", Err(CreditsError::Separators(text("1 000")))),
            ("+5", Err(CreditsError::NotANumber(text("+5")))),
            ("1e3", Err(CreditsError::NotANumber(text("1e3")))),
            ("five", Err(CreditsError::NotANumber(text("five")))),
            ("٣", Err(CreditsError::NotANumber(text("٣")))),
            ("-", Err(CreditsError::NotANumber(text("-")))),
        ];
        for (text, expect) in rows {
            assert_eq!(parse(text), expect, "{text:?}");
        }
        assert_eq!(parse_or_zero(" 0 "), Ok(0));
        assert_eq!(parse_or_zero("-1"), Err(CreditsError::Negative));
    }
}
