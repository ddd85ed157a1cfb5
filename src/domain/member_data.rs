//! What a tier, a tag and an attribute may be, given by an operator, a file, or a source.

/// The longest tier, tag or attribute name, in characters: each is a single word.
pub const MAX_WORD: usize = 64;

/// The longest attribute value, in characters.
pub const MAX_VALUE: usize = 500;

/// Most tags of one account: every pass may load all of them.
pub const MAX_TAGS: usize = 50;

/// Most attributes of one account: every pass may load all of them.
pub const MAX_ATTRIBUTES: usize = 50;

/// Checks a tier, a tag or an attribute name, and returns it without blanks around it.
///
/// # Errors
/// Returns what is wrong with it, beginning with the subject.
pub fn parse_word(subject: &str, word: &str) -> Result<String, String> {
    let word = word.trim();
    if word.is_empty() {
        return Err(format!("{subject} is empty"));
    }
    if word.chars().count() > MAX_WORD {
        return Err(format!("{subject} is longer than {MAX_WORD} characters"));
    }
    match word.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) => Err(format!(
            "{subject} {word:?} contains a space or a control character ({c:?}): write it as in \
             gold-member"
        )),
        None => Ok(word.to_owned()),
    }
}

/// Checks the value of an attribute, and returns it without blanks around it.
///
/// # Errors
/// Returns what is wrong with it.
pub fn parse_attribute_value(name: &str, value: &str) -> Result<String, String> {
    let value = value.trim();
    if value.chars().count() > MAX_VALUE {
        return Err(format!(
            "the attribute {name} is longer than {MAX_VALUE} characters"
        ));
    }
    match value.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!(
            "the attribute {name} contains a control character ({c:?})"
        )),
        None => Ok(value.to_owned()),
    }
}
