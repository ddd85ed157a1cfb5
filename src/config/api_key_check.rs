//! Finds API keys that an operator wrote into a configuration.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::{KEY_ADVICE, join};
use super::secret_detection;

/// Reports every text in the tree that is one of Cal.com's API keys, under any key.
pub(super) fn refuse_keys(table: &DeTable<'_>, path: &str, report: &mut DiagnosticCollector<'_>) {
    for (name, value) in table {
        refuse_key(value, &join(path, name.get_ref()), report);
    }
}

/// The recursion is as deep as the text is nested, which the parser limits.
fn refuse_key(value: &Spanned<DeValue<'_>>, path: &str, report: &mut DiagnosticCollector<'_>) {
    match value.get_ref() {
        DeValue::String(text) if secret_detection::contains_api_key(text) => {
            report.record_span(path, value.span());
            let problem = "this looks like an API key".to_owned();
            report.error(path, problem, KEY_ADVICE);
        }
        DeValue::Table(table) => refuse_keys(table, path, report),
        DeValue::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                refuse_key(value, &format!("{path}[{number}]"), report);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}
