//! One reason in several languages.

use super::template::Template;

/// Templates by language tag (`en`, `de`, `pt-BR`), in the order of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub by_language: Vec<(String, Template)>,
}

impl Words {
    /// The template for a booker's language: of the same tag, else of its primary language, else
    /// the first there is.
    pub fn pick(&self, language: Option<&str>) -> Option<&Template> {
        let first = self.by_language.first();
        let wanted = language.map(plain).unwrap_or_default();
        let primary = wanted.split('-').next().unwrap_or_default();
        let of = |tag: &str| {
            self.by_language
                .iter()
                .find(|(known, _)| plain(known) == tag)
        };
        let found = of(&wanted).or_else(|| of(primary)).or(first);
        found.map(|(_, template)| template)
    }
}

/// Tags compare without regard to case, and some write `pt_BR`.
fn plain(tag: &str) -> String {
    tag.trim().to_lowercase().replace('_', "-")
}
