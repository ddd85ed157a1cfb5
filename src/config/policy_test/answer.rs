//! Reads values as Cal.com's JSON would hold them: answers to booking questions, metadata, and
//! answers of other systems.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::config::diagnostic_collector::DiagnosticCollector;
use crate::config::reader::toml_value::TomlValue;
use crate::domain::booking::Answer;

/// Reads a table of free keys into values as Cal.com's JSON would hold them.
pub(super) fn read_answers(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> BTreeMap<String, Answer> {
    if item.as_table().is_none() {
        item.report_type_mismatch("a table", "for example { company = \"Acme\" }", report);
    }
    let named = item.named_values(report);
    let answers = named.into_iter().filter_map(|(name, item)| {
        let answer = to_answer(item.raw());
        if answer.is_none() {
            let expected = "a text, a number, a flag, a list or a table";
            item.report_type_mismatch(expected, "put dates in quotes", report);
        }
        let answer = answer?;
        Some((name.to_owned(), answer))
    });
    answers.collect()
}

/// The recursion is as deep as the text is nested, which the parser limits.
fn to_answer(value: &DeValue<'_>) -> Option<Answer> {
    Some(match value {
        DeValue::String(text) => Answer::Text(text.to_string()),
        // Numbers in JSON are doubles, and so are numbers in answers.
        DeValue::Integer(number) => {
            let whole = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            Answer::Number(whole as f64)
        }
        DeValue::Float(number) => Answer::Number(number.as_str().parse().ok()?),
        DeValue::Boolean(flag) => Answer::Bool(*flag),
        DeValue::Datetime(_) => return None,
        DeValue::Array(values) => {
            let answers = values.iter().map(|value| to_answer(value.get_ref()));
            Answer::List(answers.collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let entries = table.iter().map(|(name, value)| {
                Some((name.get_ref().to_string(), to_answer(value.get_ref())?))
            });
            Answer::Map(entries.collect::<Option<_>>()?)
        }
    })
}
