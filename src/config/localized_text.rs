//! Reads the operator's own texts for bookers: one template, or one for each language.

use serde_json::{Value, json};

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Decisions;
use super::key::KeyValue::Example;
use super::key::{KeyField, KeyRow, ReadContext, Section};
use super::model::Config;
use super::reader::toml_value::TomlValue;
use super::value_type::SpecialType;
use super::{compile, secret_detection};
use crate::domain::decision::ReasonCode;
use crate::domain::rule::localized_text::{LocalizedText, is_same_language};

/// The most languages that one reason may have.
const MAX_LANGUAGES: usize = 50;

/// The longest language tag: `zh-Hant-TW` and similar.
const MAX_TAG: usize = 35;

const EXAMPLE: &str = "\"…\" or { en = \"…\", de = \"…\" }";

/// The texts for the reasons that maitred itself gives to bookers, in the order in which requests
/// are judged. The reason of a rule is a key of the rule.
pub(super) const REASONS: Section<Config> = Section {
    path: "reasons",
    doc: "Your own texts for bookers: texts as in a rule's reason, by reason code. Everybody who \
        types the address reads your own texts, and Cal.com shows them on the public page of the \
        booking: think twice before you name a balance. These are the default texts, a little \
        simplified. For a series, {{ request.occurrence }} is the start of the occurrence that \
        failed.",
    keys: &[&[
        reason(
            "blocked",
            "\"Requests from this address are not accepted.\"",
            &ReasonText(ReasonCode::Blocked),
        ),
        reason(
            "not-allowed",
            "\"These bookings are by invitation only.\"",
            &ReasonText(ReasonCode::NotAllowed),
        ),
        reason(
            "too-many-requests",
            "\"There were too many requests today. Please ask again tomorrow.\"",
            &ReasonText(ReasonCode::TooManyRequests),
        ),
        reason(
            "unknown-booker",
            NOT_ACCEPTED,
            &ReasonText(ReasonCode::UnknownBooker),
        ),
        reason("wrong-pin", NOT_ACCEPTED, &ReasonText(ReasonCode::WrongPin)),
        reason(
            "notice-too-short",
            "\"Bookings must be requested earlier.\"",
            &ReasonText(ReasonCode::NoticeTooShort),
        ),
        reason(
            "notice-too-long",
            "\"Bookings cannot be requested so far ahead.\"",
            &ReasonText(ReasonCode::NoticeTooLong),
        ),
        reason(
            "outside-hours",
            "\"No bookings are taken at this time. Please choose another one.\"",
            &ReasonText(ReasonCode::OutsideHours),
        ),
        reason(
            "taken",
            "\"This time has been given to somebody who asked earlier. \
                Please choose another time.\"",
            &ReasonText(ReasonCode::TimeTaken),
        ),
        reason("over-cap", NOT_ACCEPTED, &ReasonText(ReasonCode::OverCap)),
        reason(
            "host-full",
            "\"No more bookings are taken on that day. Please choose another time.\"",
            &ReasonText(ReasonCode::HostFull),
        ),
        reason(
            "unanswered",
            "\"Your request was not answered in time. Please choose another time.\"",
            &ReasonText(ReasonCode::Unanswered),
        ),
        reason(
            "lookup-failed",
            NOT_ACCEPTED,
            &ReasonText(ReasonCode::LookupFailed),
        ),
        reason(
            "price-unknown",
            NOT_ACCEPTED,
            &ReasonText(ReasonCode::PriceUnknown),
        ),
        reason(
            "short-of-credit",
            NOT_ACCEPTED,
            &ReasonText(ReasonCode::ShortOfCredit),
        ),
    ]],
    renamed: &[],
    complete: |_, _, _, _| {},
};

/// The text of every reason that would reveal something about an account.
const NOT_ACCEPTED: &str = "\"This request cannot be accepted for the e-mail address you gave.\"";

const fn reason(
    name: &'static str,
    example: &'static str,
    field: &'static ReasonText,
) -> KeyRow<Config> {
    KeyRow {
        name,
        value: Example(example),
        affects: Decisions,
        doc: "",
        field,
    }
}

/// The operator's text for one reason.
struct ReasonText(ReasonCode);

impl KeyField<Config> for ReasonText {
    fn describe(&self) -> String {
        TEXT.description.to_owned()
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        config: &mut Config,
        _: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) {
        if let Some(text) = read(item, report) {
            config.policy.global.reason_texts.push((self.0, text));
        }
    }

    fn to_json(&self, config: &mut Config) -> Value {
        let text = config.policy.global.reason_text(self.0);
        text.map_or(Value::Null, text_to_json)
    }
}

/// A text for bookers.
pub(super) const TEXT: SpecialType<LocalizedText> = SpecialType {
    description: "a text, or a table of texts by language",
    read: |item, _, report| read(item, report),
    to_json: text_to_json,
};

/// Returns the texts in their order, because the first language is used for all other languages.
fn text_to_json(text: &LocalizedText) -> Value {
    match &text.by_language[..] {
        [(tag, only)] if tag.is_empty() => only.text().into(),
        texts => { texts.iter() }
            .map(|(tag, text)| json!({ "language": tag, "text": text.text() }))
            .collect(),
    }
}

/// Reads one text for all languages, or texts by language.
fn read(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<LocalizedText> {
    if item.as_text().is_some() {
        let by_language = vec![(String::new(), compile::compile_template(item, report)?)];
        return Some(LocalizedText { by_language });
    }
    if item.as_table().is_none() {
        item.report_type_mismatch("a text or a table", &format!("write {EXAMPLE}"), report);
        return None;
    }
    let items = item.named_values(report);
    if items.is_empty() || items.len() > MAX_LANGUAGES {
        let problem = format!("this has {} languages", items.len());
        let help = format!("give 1 to {MAX_LANGUAGES}, as in {EXAMPLE}");
        report.error(&item.path, problem, help);
        return None;
    }
    let mut by_language: Vec<(String, _)> = Vec::new();
    for (tag, item) in items {
        if !is_tag(tag) {
            if secret_detection::name_looks_secret(tag) {
                report.hide_name_of(&item.path);
            }
            let shown = match report.show_key(&item.path) {
                Some(_) => report.show(tag),
                None => "this".to_owned(),
            };
            let help = "write the language's tag, as in `en`, `de` or `pt-BR`";
            report.error(&item.path, format!("{shown} is no language"), help);
            continue;
        }
        if by_language
            .iter()
            .any(|(known, _)| is_same_language(known, tag))
        {
            let problem = "this language stands here twice".to_owned();
            report.error(&item.path, problem, "leave out one of the two");
        }
        if let Some(template) = compile::compile_template(&item, report) {
            by_language.push((tag.to_owned(), template));
        }
    }
    Some(LocalizedText { by_language })
}

fn is_tag(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    text.len() <= MAX_TAG
        && (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evaluation::built_in_rule::ReasonTrait;
    use crate::domain::evaluation::rules;

    #[test]
    fn the_reasons_are_those_that_the_rules_give_to_bookers() {
        let codes = rules::reasons_with(ReasonTrait::HasTextKey).chain([ReasonCode::Unanswered]);
        let mut codes: Vec<&str> = codes.map(ReasonCode::as_str).collect();
        let keys = REASONS.documentation().keys;
        let mut keys: Vec<&str> = keys.iter().map(|key| key.name).collect();
        codes.sort_unstable();
        keys.sort_unstable();
        assert_eq!(codes, keys);
    }

    /// The name of a key is the code that the key is for.
    #[test]
    fn a_text_is_stored_for_the_reason_that_its_key_names() {
        for key in REASONS.documentation().keys {
            let text = format!("[reasons]\n{} = 'A text.'\n", key.name);
            let loaded = crate::config::parse::parse(&text, "config.toml").expect(key.name);
            let texts = &loaded.config.policy.global.reason_texts;
            let codes: Vec<&str> = texts.iter().map(|(code, _)| code.as_str()).collect();
            assert_eq!(codes, [key.name]);
        }
    }
}
