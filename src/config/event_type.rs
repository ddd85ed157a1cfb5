//! Reads the key of an event type.

use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::toml_value::TomlValue;
use super::value;
use crate::domain::id::{EventTypeId, EventTypeKey, MAX_NAME};

pub(super) fn read_event_type(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<EventTypeKey> {
    let help = "give the event type's number at Cal.com (77), or its slug, the last part of its \
        address (\"book-club\")";
    if let Some(number) = item.as_number() {
        if number > 0 {
            return Some(EventTypeKey::Id(EventTypeId(number)));
        }
        let problem = "an event type's number is 1 or more".to_owned();
        report.error(&item.path, problem, help);
        return None;
    }
    let Some(text) = item.as_text() else {
        item.report_type_mismatch("a number or a text in quotes", help, report);
        return None;
    };
    if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(is_slug) {
        let problem = format!("{} is not a slug", report.show(text));
        report.error(&item.path, problem, help);
        return None;
    }
    if text.chars().all(|c| c.is_ascii_digit()) {
        let problem = format!("{} in quotes is a slug, not a number", report.show(text));
        report.warn(
            &item.path,
            problem,
            "leave out the quotes to name the event type by number",
        );
    }
    if text.chars().any(char::is_uppercase) {
        let problem = format!(
            "{} has capitals; Cal.com's slugs have none",
            report.show(text)
        );
        report.warn(
            &item.path,
            problem,
            "write it as in the address of the event type",
        );
    }
    Some(EventTypeKey::Slug(text.to_owned()))
}

/// Returns the event types in the form in which they are read.
pub(super) fn to_json(event_types: &[EventTypeKey]) -> Value {
    value::sorted(event_types.iter().map(|key| match key {
        EventTypeKey::Slug(slug) => slug.as_str().into(),
        EventTypeKey::Id(id) => id.0.into(),
    }))
}

/// Returns true if the character can be part of a slug. Cal.com makes slugs of letters of any
/// script, digits and a few signs, but never of the characters excluded here.
fn is_slug(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || "/?#\\".contains(c))
}
