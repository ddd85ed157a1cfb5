//! Texts for people that several parts use. The default text of a rule is next to its check in
//! `evaluation`, and `evaluation::booker_message` composes what a booker reads.

use chrono::DateTime;
use chrono_tz::Tz;

use super::decision::{Credits, Reason};
use super::pause::Pause;
use super::time::{Span, Time, format_instant};

/// The longest text sent to a booker, in characters. Mail clients show more, but people do not read
/// more.
pub const MAX_BOOKER_TEXT: usize = 1_000;

/// Why nothing is decided while a restored backup waits. The text follows "would be confirmed,
/// but".
pub const RESTORE_OPEN: &str = "a restored backup waits for an operator, and what was decided and spent \
     after it was made is not in the ledger: look at `maitred run --once --dry-run --watch`, then run \
     `maitred ledger accept-restore --reason TEXT`";

/// Why a request that would be confirmed after its start is left.
pub const ALREADY_BEGUN: &str = "it has started, and nothing is confirmed after its start";

/// Formats an amount: `1 credit`, `2 credits`.
pub fn format_credits(amount: Credits) -> String {
    if amount == 1 {
        "1 credit".to_owned()
    } else {
        format!("{amount} credits")
    }
}

/// Says that nothing is decided about the requests of a gate, until when, and why.
pub fn gate_paused(gate: &str, pause: &Pause) -> String {
    format!("gate {gate} is {}", pause.describe())
}

/// Returns the text for a booker whose request got no answer before its deadline.
pub fn request_unanswered() -> String {
    "Your request was not answered in time. Please choose another time.".to_owned()
}

/// Formats a length of time in words, with its two largest units.
pub fn format_span(span: Span) -> String {
    let seconds = span.num_seconds().max(0);
    let units = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let words: Vec<String> = units
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| match count {
            1 => format!("1 {unit}"),
            _ => format!("{count} {unit}s"),
        })
        .collect();
    if words.is_empty() {
        return "no time".to_owned();
    }
    words.join(" ")
}

/// Returns the text for a booker whose request waited until its deadline.
pub fn waited_too_long() -> String {
    "The request has waited for the longest allowed time.".to_owned()
}

/// Returns why no call is sent for an intent: an earlier call had no answer.
pub fn call_still_running(until: Time) -> String {
    format!(
        "a call that had no answer may still be running at Cal.com: until {} the booking is only read",
        format_instant(until)
    )
}

/// Returns why no call is sent for an intent yet: too many calls failed.
pub fn next_call(failures: u32, at: Time) -> String {
    format!(
        "{failures} calls failed; the next one is sent at {}",
        format_instant(at)
    )
}

/// The longest server text that is stored with a decision, in characters. A title is only for
/// reading, and the log refuses lines beyond its own limit.
const MAX_SERVER_TEXT: usize = 300;

/// Shortens a server's text to the stored length.
pub fn truncate_server_text(text: &str) -> String {
    if text.len() <= MAX_SERVER_TEXT {
        return text.to_owned();
    }
    text.chars().take(MAX_SERVER_TEXT).collect()
}

/// Joins all reasons into one text.
pub fn join_reasons(reasons: &[Reason]) -> String {
    let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
    truncate_booker_text(&join_sentences(&texts))
}

/// Joins texts as sentences: a text that does not end like a sentence gets a full stop before the
/// next one.
pub fn join_sentences(texts: &[&str]) -> String {
    let mut joined = String::new();
    for text in texts {
        if !joined.is_empty() {
            let ends_sentence = joined
                .trim_end()
                .ends_with(['.', '!', '?', '…', ':', ';', '。', '！', '？']);
            joined.push_str(if ends_sentence { " " } else { ". " });
        }
        joined.push_str(text);
    }
    joined
}

/// Shortens a text to the longest one that is sent to a booker.
pub fn truncate_booker_text(text: &str) -> String {
    text.chars().take(MAX_BOOKER_TEXT).collect()
}

/// The only text for all reasons that would reveal something about an account. The text is the same
/// whether an account exists or not, and mentions what the booker gave: an address or a telephone
/// number, and a PIN if the gate asks for one.
pub fn not_accepted(by_telephone: bool, pin: bool) -> String {
    let identifier = if by_telephone {
        "telephone number"
    } else {
        "e-mail address"
    };
    let credentials = match (by_telephone, pin) {
        (_, true) => "its e-mail address and its PIN",
        (false, false) => "its e-mail address",
        (true, false) => "its e-mail address or telephone number",
    };
    format!(
        "This request cannot be accepted for the {identifier} you gave. If you have an account with us, \
         please book with {credentials}, and see that the account covers the booking."
    )
}

/// Names the booking of a series that caused a decline.
pub fn about_occurrence(start: DateTime<Tz>) -> String {
    let zone = start.timezone().name();
    let start = start.format("%Y-%m-%d at %H:%M");
    format!("This is about the booking on {start} ({zone}).")
}

/// Why an accepted booking is cancelled that was cancelled or moved before.
pub fn revived_cancelled() -> String {
    "This booking had been cancelled or moved to another time before it was confirmed, so it is \
     cancelled again."
        .to_owned()
}

/// Why a booking that others accepted is cancelled.
pub fn unmanaged_cancelled() -> String {
    "This booking was accepted without being paid for with credits, so it was cancelled. Please \
     request it again."
        .to_owned()
}

/// Returns true for control characters, marks that change the reading direction, and characters
/// without width. Joiners do not count, because words and emoji need them.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_separated_once() {
        let rows: [(&[&str], &str); 6] = [
            (&[], ""),
            (&["no dog"], "no dog"),
            (&["no dog", "no cat"], "no dog. no cat"),
            (&["No dog.", "No cat!", "No."], "No dog. No cat! No."),
            (&["No dog. ", "No cat"], "No dog.  No cat"),
            (&["", "No cat"], "No cat"),
        ];
        for (texts, expect) in rows {
            assert_eq!(join_sentences(texts), expect, "{texts:?}");
        }
    }
}
