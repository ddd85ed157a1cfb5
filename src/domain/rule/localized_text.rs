//! One reason in several languages, and the choice of the language for a booker. `icu_locale`
//! provides the relations between languages from Unicode's CLDR.

use icu_locale::{DataLocale, Locale, LocaleCanonicalizer, LocaleFallbacker};

use super::template::Template;

/// Templates by language tag (`en`, `de`, `pt-BR`), in the order of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalizedText {
    /// The language tags and their templates.
    pub by_language: Vec<(String, Template)>,
}

impl LocalizedText {
    /// Returns the template in the language that is nearest to the booker's (see `nearest`), or
    /// else the first template.
    pub fn for_language(&self, language: Option<&str>) -> Option<&Template> {
        let first = self.by_language.first();
        if self.by_language.len() < 2 {
            return first.map(|(_, template)| template);
        }
        let tags = self.by_language.iter().map(|(tag, _)| tag.as_str());
        let position = language.and_then(|wanted| nearest(wanted, tags));
        let entry = position.and_then(|place| self.by_language.get(place));
        entry.or(first).map(|(_, template)| template)
    }
}

/// The most languages to which one tag falls back.
const MAX_FALLBACKS: usize = 8;

/// Returns the index of the tag whose language is nearest to the wanted one: the same language
/// under another code (`iw` is `he`), a more general one (`de` for `de-AT`, `no` for `nb`), a more
/// specific one (`pt-BR` for `pt`), or another variety of the same (`en-US` for `en-GB`). Languages
/// in different scripts are not near each other. Of equally near ones, the first counts.
fn nearest<'a>(wanted: &str, tags: impl Iterator<Item = &'a str>) -> Option<usize> {
    let wanted = fallbacks(wanted);
    let distance_to = |tag: &str| {
        let known = fallbacks(tag);
        let pairs = wanted.iter().enumerate().filter_map(|(steps, language)| {
            let position = known.iter().position(|other| other == language)?;
            Some(steps + position)
        });
        pairs.min()
    };
    let distances = tags
        .enumerate()
        .filter_map(|(place, tag)| Some((distance_to(tag)?, place)));
    distances.min().map(|(_, place)| place)
}

/// Returns the language in its canonical form, and those to which it falls back; empty if the text
/// is not a language tag. Accepts `_` too, because some write `pt_BR`.
fn fallbacks(tag: &str) -> Vec<DataLocale> {
    let Ok(mut locale) = tag.trim().replace('_', "-").parse::<Locale>() else {
        return Vec::new();
    };
    LocaleCanonicalizer::new_extended().canonicalize(&mut locale);
    let fallbacker = LocaleFallbacker::new().for_config(Default::default());
    let mut steps = fallbacker.fallback_for(DataLocale::from(&locale));
    let mut languages = Vec::new();
    while !steps.get().is_unknown() && languages.len() < MAX_FALLBACKS {
        languages.push(*steps.get());
        steps.step();
    }
    languages
}

/// Returns true if two tags name the same language, such as `iw` and `he`.
pub fn is_same_language(first: &str, second: &str) -> bool {
    let (one, other) = (fallbacks(first), fallbacks(second));
    !one.is_empty() && one.first() == other.first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_match_as_their_speakers_read_them() {
        // the booker's language, the languages of the templates, the index of the chosen one
        let rows: [(&str, &[&str], Option<usize>); 24] = [
            ("en", &["de", "en"], Some(1)),
            ("no", &["en", "nb"], Some(1)),
            ("nb", &["en", "no"], Some(1)),
            ("nn", &["en", "no"], Some(1)),
            ("nn", &["en", "nb", "nn"], Some(2)),
            ("iw", &["en", "he"], Some(1)),
            ("he", &["en", "iw"], Some(1)),
            ("in", &["en", "id"], Some(1)),
            ("de-AT", &["en", "de"], Some(1)),
            ("de_AT", &["en", "de", "de-AT"], Some(2)),
            ("DE", &["en", "de"], Some(1)),
            ("pt", &["en", "pt-BR"], Some(1)),
            ("pt-BR", &["en", "pt"], Some(1)),
            ("pt-PT", &["en", "pt-BR", "pt-PT"], Some(2)),
            ("en-GB", &["de", "en-US"], Some(1)),
            ("zh-TW", &["en", "zh-Hant"], Some(1)),
            ("zh-TW", &["en", "zh-CN", "zh-Hant"], Some(2)),
            ("zh-TW", &["en", "zh-CN"], None),
            ("zh-CN", &["en", "zh"], Some(1)),
            ("zh-Hans-CN", &["en", "zh"], Some(1)),
            ("sr-Latn", &["en", "sr"], None),
            ("fr", &["en", "de"], None),
            ("", &["en", "de"], None),
            ("not a language", &["en", "de"], None),
        ];
        for (wanted, known, expect) in rows {
            assert_eq!(
                nearest(wanted, known.iter().copied()),
                expect,
                "{wanted} {known:?}"
            );
        }
    }

    #[test]
    fn a_language_is_the_same_under_its_old_code() {
        for (first, second, expect) in [
            ("iw", "he", true),
            ("pt_BR", "pt-br", true),
            ("nb", "nn", false),
            ("de", "de-AT", false),
            ("", "", false),
        ] {
            assert_eq!(is_same_language(first, second), expect, "{first} {second}");
        }
    }
}
