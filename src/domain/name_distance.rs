//! Finds the known word that is nearest to a mistyped one.

use strsim::osa_distance;

/// A longer word is not compared, because it cannot be near any known word.
const MAX_WORD: usize = 64;

/// Returns the known word that was most likely meant, if one is near enough: a third of its letters
/// may be wrong. The first of several equally near words wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_WORD {
        return None;
    }
    let word = normalize(word);
    candidates
        .into_iter()
        .map(|candidate| (osa_distance(&word, &normalize(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Normalizes case and the kind of separator. These are the most frequent mistakes, and neither
/// counts as one.
fn normalize(word: &str) -> String {
    word.chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c == '_' { '-' } else { c })
        .collect()
}

/// Returns how many letters must be inserted, removed, replaced, or swapped with a neighbour to
/// turn one word into the other. Case does not count.
pub fn edit_distance(a: &str, b: &str) -> usize {
    osa_distance(&normalize(a), &normalize(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_finds_the_nearest_known_one() {
        let candidates = ["poll", "watch", "api-key-file", "base-url", "event-types"];
        let rows = [
            ("pol", Some("poll")),
            ("plol", Some("poll")),
            ("POLL", Some("poll")),
            ("base_url", Some("base-url")),
            ("url", None),
            ("event-type", Some("event-types")),
            ("api-key", None),
            ("colour", None),
            ("", None),
        ];
        for (word, expect) in rows {
            assert_eq!(nearest(word, candidates), expect, "{word}");
        }
    }
}
