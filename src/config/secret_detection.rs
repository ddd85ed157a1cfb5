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

/// The length from which letters and digits are taken for a key if they alternate as in random text.
const MIN_RANDOM_RUN: usize = 16;

/// The length from which a name that is no key of the configuration is taken for a secret if it mixes
/// letters and digits. No key of the configuration has a digit.
const MIN_UNKNOWN_NAME: usize = 8;

/// Returns true if any line of the text that is not a comment looks like a secret. One such line
/// hides all lines, because a value can continue over several lines. A value that ends on its line
/// and stands where the path of a secret belongs hides only that line.
pub(super) fn text_has_secret(text: &str) -> bool {
    text.lines()
        .filter(|l| !l.trim_start().starts_with('#'))
        .any(|line| {
            value_looks_secret(line)
                || assigns_secret_name(line)
                || secret_values(line).any(|value| value.is_empty() || !ends_on_its_line(value))
        })
}

/// Returns true if the line assigns something to a secret name, assigns something that is not a path
/// to the place of a secret, or holds something that looks like a secret.
pub(super) fn line_has_secret(line: &str) -> bool {
    value_looks_secret(line)
        || assigns_secret_name(line)
        || secret_values(line).any(|value| !value.is_empty())
}

/// Returns true if a line that is not TOML may hold a secret: also as a name, or outside of quotes.
pub(super) fn invalid_line_has_secret(line: &str) -> bool {
    let is_separator = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_'));
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    let bare_value = match value.trim().starts_with(['"', '\'', '[', '{']) {
        true => "",
        false => value,
    };
    let mut names = name.split(is_separator);
    let mut words = names.clone().chain(bare_value.split(is_separator));
    line_has_secret(line)
        || words.any(name_looks_secret)
        || (!line.contains('=') && names.any(is_secret_name))
}

/// Returns the values on the line that may be a secret because of their names. The value of a name
/// that says where a secret is may be a secret unless it is plainly a path.
fn secret_values(line: &str) -> impl Iterator<Item = &str> {
    let assignments = line
        .char_indices()
        .filter(|(_, c)| matches!(c, '=' | ':'))
        .map(|(at, _)| (last_word(&line[..at]), line[at + 1..].trim()));
    let may_be_secret = |(name, value): &(&str, &str)| {
        is_secret_name(name) || (is_secret_place_name(name) && !is_path_or_nothing(value))
    };
    assignments.filter(may_be_secret).map(|(_, value)| value)
}

/// Returns true if the value is a text in quotes that is empty or plainly a path.
fn is_path_or_nothing(value: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| {
        let text = value.strip_prefix(quote).unwrap_or_default();
        match text.split_once(quote) {
            // Three quotes begin a text of several lines.
            Some(("", rest)) => !rest.starts_with(quote),
            Some((text, _)) => is_plain_path(text),
            None => false,
        }
    })
}

/// Returns true if the value is a text in quotes that ends on its line.
fn ends_on_its_line(value: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| {
        let text = value.strip_prefix(quote).unwrap_or_default();
        text.contains(quote) && !text.starts_with(quote)
    })
}

/// Returns true if the text can only be the path of a file: it says where it starts.
pub(super) fn is_plain_path(text: &str) -> bool {
    let starts = ["/", "./", "../", "~/"];
    starts.iter().any(|start| text.starts_with(start)) && !value_looks_secret(text)
}

/// Returns true if a name that is not known may be a secret that an operator pasted.
pub(super) fn name_looks_secret(name: &str) -> bool {
    let plain: Vec<char> = name.chars().filter(|c| c.is_alphanumeric()).collect();
    let is_mixed =
        plain.iter().any(char::is_ascii_digit) && plain.iter().any(|c| c.is_alphabetic());
    value_looks_secret(name) || (plain.len() >= MIN_UNKNOWN_NAME && is_mixed)
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
    let plain = letters_and_digits(key);
    !plain.ends_with(PATH_SUFFIX) && SECRET_WORDS.iter().any(|mark| plain.contains(mark))
}

/// Returns true if the key's name says that its value is the path of a secret.
fn is_secret_place_name(key: &str) -> bool {
    let plain = letters_and_digits(key);
    let name = plain.strip_suffix(PATH_SUFFIX);
    name.is_some_and(|name| SECRET_WORDS.iter().any(|mark| name.contains(mark)))
}

fn letters_and_digits(key: &str) -> String {
    key.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
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
        run.contains(|c: char| c.is_ascii_digit())
            && run.contains(|c: char| c.is_ascii_alphabetic())
            && (run.len() >= MIN_KEY_RUN || looks_random(run))
    })
}

/// Returns true if the letters and digits are hexadecimal, or if new words and numbers begin in them
/// more often than in a name: at three of ten places. A capital begins a word.
fn looks_random(run: &str) -> bool {
    let kind = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_lowercase());
    let begins_word = |pair: &&[u8]| {
        kind(pair[0]) != kind(pair[1])
            && !(pair[0].is_ascii_uppercase() && pair[1].is_ascii_lowercase())
    };
    let plain: Vec<u8> = run.bytes().filter(|byte| *byte != b'_').collect();
    let beginnings = plain.windows(2).filter(begins_word).count();
    let is_hexadecimal = plain.iter().all(u8::is_ascii_hexdigit);
    plain.len() >= MIN_RANDOM_RUN && (is_hexadecimal || beginnings * 10 >= plain.len() * 3)
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
            ("api-key-file = \"hunter2\"", true),
            ("api_key_file = 'hunter2'", true),
            ("token-file = \"hunter2/Zq9\"", true),
            ("api-key-file = hunter2", true),
            ("calcom = { api-key-file = \"hunter2\", timeout = 3 }", true),
            (
                "calcom = { api-key-file = \"/etc/key\", timeout = 3 }",
                false,
            ),
            ("api-key-file = \"\"", false),
            ("api-key-file = \"./key\" # here", false),
            ("api-key-file = '''hunter2'''", true),
            ("ca-file = \"ca.pem\"", false),
            ("timeout = \"Zq9xK3vTt7LmPw2sRbYc\"", true),
            ("timeout = \"4f1d09ab8c77e2a1\"", true),
            ("name = \"BookClubOfTheYear2026\"", false),
            ("name = \"member_of_the_club_2026\"", false),
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
        let hidden = [
            "poll = 15\napi-key = @\nx@\n",
            "api-key =\nhunter2\n",
            "api-key-file =\nhunter2\n",
            "api-key-file = @\nhunter2@\n",
            "api-key-file = [\"hunter2\"]\n",
        ];
        for text in hidden {
            assert!(text_has_secret(&text.replace('@', "'''")), "{text}");
        }
        // The value ends on its line, which is hidden alone.
        assert!(!text_has_secret("api-key-file = \"hunter2\"\n"));
        assert!(!text_has_secret("# api-key = \"x\"\npoll = 15\n"));
    }
    #[test]
    fn unknown_names_and_lines_that_are_not_toml_are_hidden_if_they_may_be_secrets() {
        let rows = [
            ("hunter2Zq9", true),
            ("4f1d09ab-8c77", true),
            ("colour", false),
            ("requests-per-day", false),
            ("v2", false),
        ];
        for (name, expect) in rows {
            assert_eq!(name_looks_secret(name), expect, "{name}");
        }
        let rows = [
            ("hunter2Zq9xK3vTt7LmP", true),
            ("[hunter2Zq9", true),
            ("hunter2Zq9 =", true),
            ("timeout = hunter2Zq9", true),
            ("api-key hunter", true),
            ("api-key: hunter", true),
            ("poll = 15s", false),
            ("poll = \"15s", false),
            ("[[gate", false),
            ("colour red", false),
        ];
        for (line, expect) in rows {
            assert_eq!(invalid_line_has_secret(line), expect, "{line}");
        }
    }
}
