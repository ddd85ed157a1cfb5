//! Reads the operator's own texts for bookers: one template, or one for each language.

use super::compile;
use super::diagnostic_collector::DiagnosticCollector;
use super::reader::{TomlTable, TomlValue};
use crate::domain::decision::ReasonCode;
use crate::domain::evaluation::built_in_rule::ReasonTrait;
use crate::domain::evaluation::rules;
use crate::domain::rule::localized_text::{LocalizedText, is_same_language};

/// The most languages that one reason may have.
const MAX_LANGUAGES: usize = 50;

/// The longest language tag: `zh-Hant-TW` and similar.
const MAX_TAG: usize = 35;

const EXAMPLE: &str = "\"…\" or { en = \"…\", de = \"…\" }";

/// Returns the reasons that maitred itself gives to bookers. The reason of an operator's rule is a
/// key of the rule.
fn booker_reasons() -> impl Iterator<Item = ReasonCode> {
    rules::reasons_with(ReasonTrait::HasTextKey).chain([ReasonCode::Unanswered])
}

/// Reads the section `[reasons]`.
pub(super) fn read_reasons(
    mut table: TomlTable<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<(ReasonCode, LocalizedText)> {
    let mut reasons = Vec::new();
    for code in booker_reasons() {
        if let Some(item) = table.get(code.as_str(), report)
            && let Some(words) = read(&item, report)
        {
            reasons.push((code, words));
        }
    }
    table.report_unknown_keys(report);
    reasons
}

/// Reads one text for all languages, or texts by language.
pub(super) fn read(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<LocalizedText> {
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
            let shown = report.show(tag);
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
