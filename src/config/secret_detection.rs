//! Detects what looks like a secret. If a configuration holds a secret by mistake, no message may
//! show it: neither the value nor its line. It is better to hide too often than to show a secret
//! once. Line number, column and key are shown all the same.

/// Words in a key's name that say its value is a secret.
const SECRET_WORDS: [&str; 6] = ["key", "secret", "password", "passwd", "token", "credential"];

/// The suffix of keys whose value is a path to a secret, not the secret itself.
const PATH_SUFFIX: &str = "file";

/// The prefix that Cal.com gives its keys unless an operator changed it.
const KEY_PREFIX: &str = "cal_";

/// The fewest characters after the prefix: `cal_` alone is a name like any other.
const MIN_KEY_BODY: usize = 8;

/// The length from which letters mixed with digits are taken for a key. Self-hosted servers may use
/// any prefix, and names that people choose are shorter or have separators.
const MIN_KEY_RUN: usize = 24;

/// Returns true if any line of the text that is not a comment looks like a secret. One such line
/// hides all lines, because a value can continue over several lines.
pub(super) fn text_has_secret(text: &str) -> bool {
    text.lines()
        .filter(|l| !l.trim_start().starts_with('#'))
        .any(line_has_secret)
}

/// Returns true if the line assigns something to a secret name, or holds something that looks like
/// a secret.
pub(super) fn line_has_secret(line: &str) -> bool {
    value_looks_secret(line) || assigns_secret_name(line)
}

/// Returns true if the URL or the argument of a command contains a secret. A text that is merely
/// long and random may be a name as well.
pub(super) fn argument_has_secret(text: &str) -> bool {
    contains_api_key(text) || has_userinfo(text) || assigns_secret_name(text)
}

fn assigns_secret_name(text: &str) -> bool {
    text.char_indices()
        .filter(|(_, c)| matches!(c, '=' | ':'))
        .any(|(at, _)| is_secret_name(last_word(&text[..at])) && !text[at + 1..].trim().is_empty())
}

/// Returns true if the key's name says that its value is a secret.
pub(super) fn is_secret_name(key: &str) -> bool {
    let plain: String = key
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    !plain.ends_with(PATH_SUFFIX) && SECRET_WORDS.iter().any(|mark| plain.contains(mark))
}

/// Returns true if the text holds something that looks like a secret.
pub(super) fn value_looks_secret(text: &str) -> bool {
    contains_api_key(text)
        || text.to_ascii_lowercase().contains("apikey=")
        || has_userinfo(text)
        || has_key_like_run(text)
}

/// Returns true if the text holds what looks like one of Cal.com's API keys.
pub(super) fn contains_api_key(text: &str) -> bool {
    text.match_indices(KEY_PREFIX).any(|(at, _)| {
        let body = &text[at + KEY_PREFIX.len()..];
        body.chars().take_while(|c| is_key_character(*c)).count() >= MIN_KEY_BODY
    })
}

fn has_userinfo(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        text[at + 3..]
            .chars()
            .take_while(|c| !matches!(c, '/' | '"' | '\'' | ' ' | '?' | '#'))
            .any(|c| c == '@')
    })
}

fn has_key_like_run(text: &str) -> bool {
    text.split(|c| !is_key_character(c)).any(|run| {
        run.len() >= MIN_KEY_RUN
            && run.contains(|c: char| c.is_ascii_digit())
            && run.contains(|c: char| c.is_ascii_alphabetic())
    })
}

fn is_key_character(c: char) -> bool {
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
    fn lines_with_secrets_are_detected() {
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
            assert_eq!(line_has_secret(text), expect, "{text}");
        }
    }

    #[test]
    fn one_secret_hides_every_line_and_a_comment_hides_none() {
        assert!(text_has_secret("poll = 15\napi-key = '''\nx'''\n"));
        assert!(!text_has_secret("# api-key = \"x\"\npoll = 15\n"));
    }
}
