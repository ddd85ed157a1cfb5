//! Names of keys that are not as they should be: old names, and mistyped ones.

use super::secret_detection;
use crate::domain::name_distance;

/// A key that another one has replaced.
pub(super) struct RenamedKey {
    /// The name that is refused.
    pub(super) old: &'static str,
    /// The key that has the same values now; `None` if no key has.
    pub(super) new: Option<&'static str>,
    /// What to write instead.
    pub(super) help: &'static str,
}

/// Words that other words of the same keys have replaced.
const RENAMED_WORDS: [(&str, &str); 1] = [("house", "schedule")];

/// Returns the known name that was most likely meant.
pub(super) fn suggest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let nearest = name_distance::nearest(name, known.iter().copied());
    // A secret under such a name is a mistake of its own.
    nearest.or_else(|| match secret_detection::is_secret_name(name) {
        true => None,
        false => only_name_with_same_words(name, known),
    })
}

/// Returns the word that replaced this one, if it is among the known words.
pub(super) fn new_word(old: &str, known: &[&'static str]) -> Option<&'static str> {
    let renamed = RENAMED_WORDS.iter().find(|(word, _)| *word == old);
    renamed
        .map(|(_, new)| *new)
        .filter(|new| known.contains(new))
}

/// Returns the only known name that begins or ends with all words of the name, or the other way
/// round: `base-url` for `url`.
fn only_name_with_same_words(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let name = name.to_lowercase().replace('_', "-");
    let contains = |long: &str, short: &str| {
        !short.is_empty()
            && (long.starts_with(&format!("{short}-")) || long.ends_with(&format!("-{short}")))
    };
    let mut similar = known
        .iter()
        .filter(|known| contains(known, &name) || contains(&name, known));
    let first = similar.next()?;
    similar.next().is_none().then_some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_suggests_the_nearest_one_or_the_only_one_with_its_words() {
        let known = ["base-url", "api-key-file", "ca-file", "timeout", "socket"];
        let rows = [
            ("url", Some("base-url")),
            ("base_url", Some("base-url")),
            ("timeuot", Some("timeout")),
            ("socket-path", Some("socket")),
            // Two names end with the word.
            ("file", None),
            // A key does not belong into the configuration at all.
            ("api-key", None),
            ("colour", None),
            ("", None),
        ];
        for (name, expect) in rows {
            assert_eq!(suggest(name, &known), expect, "{name}");
        }
    }

    #[test]
    fn an_old_word_has_a_new_one_where_the_new_one_is_known() {
        assert_eq!(new_word("house", &["schedule", "booker"]), Some("schedule"));
        assert_eq!(new_word("house", &["each", "once"]), None);
        assert_eq!(new_word("booker", &["schedule", "booker"]), None);
    }
}
