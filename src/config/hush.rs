//! What looks like a secret. Where a configuration holds one, by mistake, no message may show it:
//! neither the value nor the line it stands in. Better hidden too often than shown once; line,
//! column and key are told all the same.

/// Words in a key's name that say its value is a secret.
const MARKS: [&str; 6] = ["key", "secret", "password", "passwd", "token", "credential"];

/// What names end in that say where the secret is kept, and not what it is.
const KEPT: &str = "file";

/// The prefix that Cal.com gives its keys unless an operator changed it.
const KEY_PREFIX: &str = "cal_";

/// How long what follows the prefix has to be: `cal_` alone is a name like any other.
const KEY_BODY: usize = 8;

/// From this length on, letters mixed with digits are taken for a key: self-hosted servers may use
/// any prefix, and names that people give are shorter or have separators.
const KEY_RUN: usize = 24;

/// Whether any line of the text that is not a comment looks like a secret. One is enough to show no
/// line at all: a value can go on over several lines.
pub(super) fn text(text: &str) -> bool {
    text.lines()
        .filter(|l| !l.trim_start().starts_with('#'))
        .any(line)
}

/// Whether the line gives something a secret name, or holds something that looks like one.
pub(super) fn line(line: &str) -> bool {
    value(line) || named(line)
}

/// Whether the address or the argument of a command brings a secret along. What is merely long and
/// random may be a name as well.
pub(super) fn carried(text: &str) -> bool {
    key(text) || userinfo(text) || named(text)
}

fn named(text: &str) -> bool {
    text.char_indices()
        .filter(|(_, c)| matches!(c, '=' | ':'))
        .any(|(at, _)| name(last_word(&text[..at])) && !text[at + 1..].trim().is_empty())
}

/// Whether the key's name says that its value is a secret.
pub(super) fn name(key: &str) -> bool {
    let plain: String = key
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    !plain.ends_with(KEPT) && MARKS.iter().any(|mark| plain.contains(mark))
}

/// Whether the text holds something that looks like a secret.
pub(super) fn value(text: &str) -> bool {
    key(text) || text.to_ascii_lowercase().contains("apikey=") || userinfo(text) || runs(text)
}

/// Whether the text holds what looks like one of Cal.com's keys.
pub(super) fn key(text: &str) -> bool {
    text.match_indices(KEY_PREFIX).any(|(at, _)| {
        let body = &text[at + KEY_PREFIX.len()..];
        body.chars().take_while(|c| is_run(*c)).count() >= KEY_BODY
    })
}

fn userinfo(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        text[at + 3..]
            .chars()
            .take_while(|c| !matches!(c, '/' | '"' | '\'' | ' ' | '?' | '#'))
            .any(|c| c == '@')
    })
}

fn runs(text: &str) -> bool {
    text.split(|c| !is_run(c)).any(|run| {
        run.len() >= KEY_RUN
            && run.contains(|c: char| c.is_ascii_digit())
            && run.contains(|c: char| c.is_ascii_alphabetic())
    })
}

fn is_run(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn last_word(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'', ' ', '\t']);
    text.rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')))
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_never_shown() {
        let rows = [
            ("api-key = \"x\"", true),
            ("\"api_key\" = 'x'", true),
            ("calcom = { API-Key = \"x\" }", true),
            ("apikey: x", true),
            ("calcom.key = \"x\"", true),
            ("password=\"hunter2\"", true),
            ("poll = \"cal_live_0123456789\"", true),
            ("poll = \"15s\" # cal_0123456789ab", true),
            ("base-url = \"https://bo:pw@cal.example.com\"", true),
            ("base-url = \"https://cal.example.com?apiKey=x\"", true),
            ("name = \"4f1d09ab8c774f1d09ab8c77\"", true),
            ("api-key-file = \"/etc/maitred/calcom-api-key\"", false),
            ("credential-file = \"/etc/maitred/members\"", false),
            ("credential = \"x\"", true),
            ("api-key =", false),
            ("poll = \"15s\"", false),
            ("base-url = \"https://api.cal.com\"", false),
            ("hosts = [\"bo@example.com\"]", false),
            ("path = \"cal_data\"", false),
            (
                "event-types = [\"introduction-to-the-book-club\", 77]",
                false,
            ),
        ];
        for (text, expect) in rows {
            assert_eq!(line(text), expect, "{text}");
        }
    }

    #[test]
    fn one_secret_hides_every_line_and_a_comment_hides_none() {
        assert!(text("poll = 15\napi-key = '''\nx'''\n"));
        assert!(!text("# api-key = \"x\"\npoll = 15\n"));
    }
}
