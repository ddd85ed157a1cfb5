//! The names of an erased person: how a text is searched for them, and what stands there instead.

use icu_normalizer::ComposingNormalizerBorrowed;

use super::super::id::{decode_domains, may_have_legacy_form};

/// The beginning of every pseudonym.
pub const PREFIX: &str = "erased-";

/// The domain of the addresses that stand in place of a person's addresses. No mail server and no
/// booking has it (RFC 2606).
const DOMAIN: &str = "erased.invalid";

/// Part of a name that an old log may hold in several spellings.
const LEGACY_MARK: &str = "xn--";

/// What a person is called from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudonym {
    name: String,
    /// Whether the account's name may have several spellings in an old log.
    is_legacy: bool,
}

impl Pseudonym {
    /// Creates the pseudonym of the account or address `id` from random digits.
    pub fn new(digits: &str, id: &str) -> Self {
        Self {
            name: format!("{PREFIX}{digits}"),
            is_legacy: may_have_legacy_form(id),
        }
    }

    /// Returns the pseudonym that was given before.
    pub fn existing(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_legacy: false,
        }
    }

    /// Returns the name of the account.
    pub fn account(&self) -> String {
        match self.is_legacy {
            true => format!("{}-{LEGACY_MARK}", self.name),
            false => self.name.clone(),
        }
    }

    /// Returns the name of a further account, which was merged into the account.
    pub fn further_account(&self, number: usize, id: &str) -> String {
        let mark = if may_have_legacy_form(id) {
            LEGACY_MARK
        } else {
            ""
        };
        format!("{}.{number}{mark}", self.name)
    }

    /// Returns the address in place of the person's address with this number.
    pub fn alias(&self, number: usize, address: &str) -> String {
        let local = match number {
            0 => self.name.clone(),
            number => format!("{}.{number}", self.name),
        };
        // The ledger accepts a name twice only where old logs may have it twice.
        match may_have_legacy_form(address) {
            true => format!("{local}@{LEGACY_MARK}{DOMAIN}"),
            false => format!("{local}@{DOMAIN}"),
        }
    }
}

/// Where a name is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameUse {
    /// In references only. A short name such as `bo` is a word of other texts, too.
    References,
    /// In references and texts.
    Everywhere,
}

impl NameUse {
    /// Returns where an account's name is searched for.
    pub fn of_id(id: &str) -> Self {
        match id.contains('@') {
            true => Self::Everywhere,
            false => Self::References,
        }
    }
}

/// A name, and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedName {
    text: String,
    /// The forms that are searched for, in lower case.
    forms: Vec<String>,
    replacement: String,
    used_in: NameUse,
}

impl ErasedName {
    pub(super) fn new(text: &str, replacement: String, used_in: NameUse) -> Self {
        let mut forms = vec![text.to_lowercase(), decode_domains(text).to_lowercase()];
        forms.dedup();
        Self {
            text: text.to_owned(),
            forms,
            replacement,
            used_in,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn replacement(&self) -> &str {
        &self.replacement
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// Returns the text with every name replaced; `None` if it has none of them.
pub(super) fn replace(names: &[ErasedName], text: &str, within: NameUse) -> Option<String> {
    let mut replaced: Option<String> = None;
    for name in names {
        if within == NameUse::Everywhere && name.used_in == NameUse::References {
            continue;
        }
        for form in &name.forms {
            let current = replaced.as_deref().unwrap_or(text);
            if let Some(next) = replace_form(current, form, &name.replacement) {
                replaced = Some(next);
            }
        }
    }
    replaced
}

fn replace_form(text: &str, form: &str, replacement: &str) -> Option<String> {
    if form.is_empty() {
        return None;
    }
    let composed = match text.is_ascii() {
        true => std::borrow::Cow::Borrowed(text),
        false => ComposingNormalizerBorrowed::new_nfc().normalize(text),
    };
    let (lower, offsets) = to_lower(&composed);
    let mut output = String::new();
    let (mut copied, mut searched) = (0, 0);
    while let Some(found) = lower.get(searched..).and_then(|rest| rest.find(form)) {
        let begin = searched + found;
        let end = begin + form.len();
        let (from, to) = (offsets[begin], offsets[end]);
        searched = end;
        if is_whole_name(&composed[..from], &composed[to..]) && from >= copied {
            output.push_str(&composed[copied..from]);
            output.push_str(replacement);
            copied = to;
        }
    }
    if copied == 0 {
        return None;
    }
    output.push_str(&composed[copied..]);
    Some(output)
}

/// Returns the text in lower case and, for each of its bytes and for its end, the offset in the text.
fn to_lower(text: &str) -> (String, Vec<usize>) {
    let mut lower = String::with_capacity(text.len());
    let mut offsets = Vec::with_capacity(text.len() + 1);
    for (at, c) in text.char_indices() {
        lower.extend(c.to_lowercase());
        offsets.resize(lower.len(), at);
    }
    offsets.push(text.len());
    (lower, offsets)
}

/// Returns true if what stands before and after a name does not make it part of another name.
fn is_whole_name(before: &str, after: &str) -> bool {
    let mut after = after.chars();
    let next = after.next();
    let continues = match next {
        // The domain of another address continues here, or a sentence ends.
        Some('.') => after.next().is_some_and(char::is_alphabetic),
        Some(c) => c.is_alphanumeric(),
        None => false,
    };
    !before.ends_with(char::is_alphanumeric) && !continues
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_replaced_where_it_stands_whole() {
        let names = [
            ErasedName::new("bo@example.com", "X".to_owned(), NameUse::Everywhere),
            ErasedName::new("jos\u{e9}@example.com", "J".to_owned(), NameUse::Everywhere),
            ErasedName::new("bo", "Y".to_owned(), NameUse::References),
        ];
        let rows = [
            ("bo@example.com", Some("X")),
            (
                "by Bo@Example.COM, twice: bo@example.com.",
                Some("by X, twice: X."),
            ),
            ("dues-bo@example.com-2026", Some("dues-X-2026")),
            ("jimbo@example.com", None),
            ("bo@example.com.au", None),
            ("bo@example.com2", None),
            ("bo comes", None),
            ("Äé bo@example.com ß", Some("Äé X ß")),
            ("from JOSE\u{301}@example.com", Some("from J")),
            ("", None),
        ];
        for (text, expect) in rows {
            let replaced = replace(&names, text, NameUse::Everywhere);
            assert_eq!(replaced.as_deref(), expect, "{text}");
        }
        let reference = replace(&names, "dues-bo-2026", NameUse::References);
        assert_eq!(reference.as_deref(), Some("dues-Y-2026"));
    }
}
