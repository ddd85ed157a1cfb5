//! Converts instants within texts. Records, JSON and logs hold them in UTC
//! (`2026-12-01T09:00:00Z`); people read them in the configured time zone.

use chrono::{DateTime, Timelike as _};
use chrono_tz::Tz;

/// Returns the text with each instant that is a word of its own shown in the zone. A text that is
/// nothing but an instant is a value and stays as it is; the code that prints the value chooses its
/// form.
pub fn localize_instants(text: &str, zone: Tz) -> String {
    if !text.contains(char::is_whitespace) {
        return text.to_owned();
    }
    text.split_inclusive(char::is_whitespace)
        .map(|part| {
            let word = part.trim_end();
            let instant = word.trim_end_matches([',', ';', ':', '.', ')']);
            match localize_instant(instant, zone) {
                Some(localized) => format!("{localized}{}", &part[instant.len()..]),
                None => part.to_owned(),
            }
        })
        .collect()
}

/// Formats a UTC instant in the zone, to the second if the instant has seconds. `None` for any
/// other word.
fn localize_instant(word: &str, zone: Tz) -> Option<String> {
    let is_utc = word.ends_with('Z');
    let at = DateTime::parse_from_rfc3339(word).ok().filter(|_| is_utc)?;
    let format = match at.second() {
        0 => "%Y-%m-%d %H:%M %Z",
        _ => "%Y-%m-%d %H:%M:%S %Z",
    };
    Some(at.with_timezone(&zone).format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_within_texts_are_shown_in_the_zone() {
        let rows = [
            (
                "over; final at 2026-12-02T10:00:00.000Z",
                "over; final at 2026-12-02 11:00 CET",
            ),
            (
                "until 2026-07-01T22:30:05Z, then again",
                "until 2026-07-02 00:30:05 CEST, then again",
            ),
            (
                "(since 2026-12-02T10:00:00Z)",
                "(since 2026-12-02 11:00 CET)",
            ),
            // Values, names, and words that are not instants.
            ("2026-12-02T10:00:00.000Z", "2026-12-02T10:00:00.000Z"),
            (
                "dues-2026-12-02T10:00:00Z of bo",
                "dues-2026-12-02T10:00:00Z of bo",
            ),
            ("at 2026-13-02T10:00:00Z", "at 2026-13-02T10:00:00Z"),
            (
                "at 2026-12-02T10:00:00+01:00",
                "at 2026-12-02T10:00:00+01:00",
            ),
            ("", ""),
        ];
        for (text, expect) in rows {
            assert_eq!(localize_instants(text, Tz::Europe__Berlin), expect);
        }
    }
}
