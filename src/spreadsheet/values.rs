//! What the cell of a spreadsheet means. A cell with two meanings is refused.

use chrono::{DateTime, Days, NaiveDate};
use chrono_tz::Tz;

use super::problems::shorten;
use crate::domain::credit_number::{self, CreditsError};
use crate::domain::time::{start_of_day, to_rfc3339};

/// The longest account or reference in bytes. The ledger has the same limit and checks again.
const MAX_NAME: usize = 320;

/// The longest reason in characters.
const MAX_REASON: usize = 500;

/// The longest local part, domain, and part of a domain, as RFC 5321 and RFC 1035 have them.
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 253;
const MAX_LABEL: usize = 63;

/// Parses a whole number. A fraction of one or two zeros is how spreadsheets write one; three digits
/// after a sign may be thousands.
pub(super) fn credits(text: &str) -> Result<u64, String> {
    let whole = text
        .split_once([',', '.'])
        .filter(|(_, fraction)| matches!(*fraction, "0" | "00"))
        .map(|(whole, _)| whole)
        .filter(|whole| !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()));
    credit_number::parse_or_zero(whole.unwrap_or(text)).map_err(|error| match &error {
        CreditsError::Separators(shown) if shown.contains([',', '.']) => format!(
            "{shown:?} has two meanings, because its sign may separate thousands or a fraction; \
             write digits only, as in 1000"
        ),
        _ => error.to_string(),
    })
}

/// Parses the time at which credits expire: RFC 3339, or a day, which counts to its end in the zone.
pub(super) fn expiry(text: &str, zone: Tz) -> Result<String, String> {
    let too_far = || {
        format!(
            "{:?} is outside the range of times that can be stored",
            shorten(text)
        )
    };
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return to_rfc3339(at.to_utc()).ok_or_else(too_far);
    }
    let day = parse_day(text)?;
    day.checked_add_days(Days::new(1))
        .and_then(|next| start_of_day(next, zone))
        .and_then(to_rfc3339)
        .ok_or_else(too_far)
}

/// Parses `2099-12-31`, `31.12.2099`, and a day with slashes if only one day can be meant.
fn parse_day(text: &str) -> Result<NaiveDate, String> {
    let shown = shorten(text);
    let unknown = || {
        Err(format!(
            "{shown:?} is not a time; write 2026-12-31, 31.12.2026 or 2026-12-31T18:00:00Z"
        ))
    };
    let sign = match text.chars().find(|c| !c.is_ascii_digit()) {
        Some(sign @ ('-' | '.' | '/')) => sign,
        Some(_) | None => return unknown(),
    };
    let parts: Vec<&str> = text.split(sign).collect();
    let [first, second, third] = parts.as_slice() else {
        return unknown();
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !parts.iter().all(|part| is_number(part) && part.len() <= 4) {
        return unknown();
    }
    let number = |part: &str| part.parse::<u32>().unwrap_or_default();
    let day = |year: &str, month: &str, day: &str| {
        let year = i32::try_from(number(year)).ok()?;
        NaiveDate::from_ymd_opt(year, number(month), number(day))
    };
    let no_day = || format!("{shown:?} is no day of the calendar");
    match sign {
        '-' if first.len() == 4 && second.len() == 2 && third.len() == 2 => {
            day(first, second, third).ok_or_else(no_day)
        }
        '.' | '/' if third.len() == 2 && first.len() <= 2 => Err(format!(
            "{shown:?} has a year of two digits; write all four"
        )),
        '.' if third.len() == 4 => day(third, second, first).ok_or_else(no_day),
        '/' if third.len() == 4 => match (day(third, second, first), day(third, first, second)) {
            (Some(one), Some(other)) if one != other => Err(format!(
                "{shown:?} has two meanings, because the day or the month may be first; write \
                     {one} or {other}"
            )),
            (Some(only), _) | (None, Some(only)) => Ok(only),
            (None, None) => Err(no_day()),
        },
        _ => unknown(),
    }
}

/// Returns the account in lower case, as accounts are compared.
pub(super) fn account(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the account is missing".to_owned());
    }
    if text.len() > MAX_NAME {
        return Err(format!("the account is longer than {MAX_NAME} bytes"));
    }
    if text.contains('@') {
        address(text)?;
    } else if text.chars().any(char::is_whitespace) {
        return Err(format!("the account {:?} contains a space", shorten(text)));
    }
    Ok(text.to_lowercase())
}

/// Checks that a mail server can have such an address.
pub(super) fn address(text: &str) -> Result<(), String> {
    let problem = |what: &str| {
        Err(format!(
            "{:?} cannot be an e-mail address: {what}",
            shorten(text)
        ))
    };
    let Some((local, domain)) = text.rsplit_once('@') else {
        return problem("it has no @");
    };
    let unusual = |c: &char| c.is_whitespace() || "<>()[]\\,;:\"@".contains(*c);
    if let Some(c) = local.chars().chain(domain.chars()).find(unusual) {
        return problem(&format!("it contains {c:?}"));
    }
    if local.is_empty() {
        return problem("nothing is before the @");
    }
    if local.len() > MAX_LOCAL {
        return problem("more than 64 bytes are before the @");
    }
    if domain.is_empty() {
        return problem("nothing is after the @");
    }
    if domain.len() > MAX_DOMAIN {
        return problem("its domain is too long");
    }
    if domain.split('.').any(|label| !is_label(label)) {
        return problem("its domain has a part that is empty, too long, or no name");
    }
    Ok(())
}

/// Returns true for a part of a domain: letters of any language, digits, and hyphens within.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii())
}

/// Says what is doubtful about an address that mail servers can have.
pub(super) fn doubt(account: &str) -> Option<String> {
    let (_, domain) = account.rsplit_once('@')?;
    (!domain.contains('.')).then(|| {
        format!(
            "{:?} has a domain without a dot, as only local networks have",
            shorten(account)
        )
    })
}

pub(super) fn reason(text: &str) -> Result<String, String> {
    if text.chars().count() > MAX_REASON {
        return Err(format!("the reason is longer than {MAX_REASON} characters"));
    }
    Ok(text.to_owned())
}

pub(super) fn reference(text: &str) -> Result<String, String> {
    if text.len() > MAX_NAME {
        return Err(format!("the reference is longer than {MAX_NAME} bytes"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_one_meaning_are_read_and_others_are_refused() {
        for (text, expect) in [
            ("3", 3),
            ("3,00", 3),
            ("3.00", 3),
            ("3.0", 3),
            ("3,0", 3),
            ("0,00", 0),
            ("1000", 1000),
            ("1000.00", 1000),
        ] {
            assert_eq!(credits(text), Ok(expect), "{text}");
        }
        for (text, expect) in [
            ("1,000", "has two meanings"),
            ("1.000", "has two meanings"),
            ("12.345,00", "not"),
            ("3,5", "whole numbers"),
            ("3,50", "whole numbers"),
            ("3.", "whole numbers"),
            (",00", "not a number"),
            ("-3,00", "negative"),
            ("1 000", "separators"),
            ("3,000,00", "not"),
            ("", "missing"),
        ] {
            let error = credits(text).expect_err(text);
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    #[test]
    fn days_with_one_meaning_are_read_and_others_are_refused() {
        for (text, expect) in [
            ("2099-12-31", "2100-01-01T00:00:00Z"),
            ("31.12.2099", "2100-01-01T00:00:00Z"),
            ("1.2.2099", "2099-02-02T00:00:00Z"),
            ("31/12/2099", "2100-01-01T00:00:00Z"),
            ("12/31/2099", "2100-01-01T00:00:00Z"),
            ("02/02/2099", "2099-02-03T00:00:00Z"),
            ("2099-12-31T18:00:00+01:00", "2099-12-31T17:00:00Z"),
        ] {
            assert_eq!(expiry(text, Tz::UTC).as_deref(), Ok(expect), "{text}");
        }
        for (text, expect) in [
            ("01/02/2099", "write 2099-02-01 or 2099-01-02"),
            ("31.12.99", "write all four"),
            ("31/12/99", "write all four"),
            ("31.02.2099", "no day of the calendar"),
            ("2099-13-01", "no day of the calendar"),
            ("13/13/2099", "no day of the calendar"),
            ("2099/12/31", "is not a time"),
            ("2099.12.31", "is not a time"),
            ("31-12-2099", "is not a time"),
            ("20991231", "is not a time"),
            ("31.12.2099 18:00", "is not a time"),
            ("30d", "is not a time"),
            ("9999-12-31", "outside the range"),
        ] {
            let error = expiry(text, Tz::UTC).expect_err(text);
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_that_no_mail_server_can_have_is_refused() {
        for text in [
            "bo@example.com",
            "bo+x.y@mail.example.co.uk",
            "info@exämple.com",
            "o'brien@example.com",
            "+4915112345678@sms.cal.com",
            "bo@localhost",
            "acme-ltd",
        ] {
            assert_eq!(account(text).as_deref(), Ok(text), "{text}");
        }
        assert!(doubt("bo@localhost").is_some());
        assert_eq!(doubt("bo@example.com"), None);
        assert_eq!(doubt("acme-ltd"), None);
        for (text, expect) in [
            ("bo@@example.com", "contains '@'"),
            ("@example.com", "nothing is before"),
            ("bo@", "nothing is after"),
            ("bo@example..com", "its domain"),
            ("bo@example.com.", "its domain"),
            ("bo@-example.com", "its domain"),
            ("bo@exa mple.com", "contains ' '"),
            ("Bo <bo@example.com>", "contains ' '"),
            ("bo@example.com;al@example.com", "contains"),
            ("mailto:bo@example.com", "contains ':'"),
        ] {
            let error = account(text).expect_err(text);
            assert!(error.contains(expect), "{text}: {error}");
        }
        let long = format!("{}@example.com", "x".repeat(65));
        assert!(account(&long).is_err());
    }

    proptest::proptest! {
        /// A reader who takes the sign for that of thousands, and one who takes it for that of a
        /// fraction, read the same number, or the text is refused.
        #[test]
        fn no_number_with_two_meanings_is_read(
            digits in "[0-9]{1,6}", sign in "[.,]", rest in "[0-9]{1,6}"
        ) {
            let text = format!("{digits}{sign}{rest}");
            let as_fraction = rest.bytes().all(|b| b == b'0').then(|| digits.parse::<u64>().ok());
            let as_thousands = (rest.len() == 3 && digits.len() <= 3)
                .then(|| format!("{digits}{rest}").parse::<u64>().ok());
            if let Ok(read) = credits(&text) {
                proptest::prop_assert_eq!(as_fraction, Some(Some(read)));
                proptest::prop_assert!(as_thousands.is_none() || as_thousands == as_fraction);
            }
        }

        /// The day first, or the month first: both readers read the same day, or the text is refused.
        #[test]
        fn no_day_with_two_meanings_is_read(
            first in 1_u32..40, second in 1_u32..40, year in 2026_i32..2100
        ) {
            let text = format!("{first:02}/{second:02}/{year}");
            let day_first = NaiveDate::from_ymd_opt(year, second, first);
            let month_first = NaiveDate::from_ymd_opt(year, first, second);
            if let Ok(read) = parse_day(&text) {
                for other in [day_first, month_first].into_iter().flatten() {
                    proptest::prop_assert_eq!(other, read);
                }
            }
        }
    }
}
