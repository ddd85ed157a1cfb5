//! Fills placeholders such as `{address}` in URLs and bodies. What a booker wrote cannot add a
//! placeholder, a path or a field.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are percent-encoded: all except those that need no encoding anywhere in a
/// URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The values of placeholders, by the name between the braces.
pub type TemplateValues = BTreeMap<String, String>;

/// Fills the placeholders of a URL; the values are percent-encoded.
pub fn fill_url(template: &str, values: &TemplateValues) -> String {
    fill(template, values, |value| {
        utf8_percent_encode(value, ENCODED).to_string()
    })
}

/// Fills the placeholders of a JSON text; the values are written as they stand within quotes.
pub fn fill_json(template: &str, values: &TemplateValues) -> String {
    fill(template, values, |value| {
        let quoted = serde_json::Value::from(value).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    })
}

fn fill(template: &str, values: &TemplateValues, encode: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = values.iter().find(|(name, _)| {
            let inner = rest[1..].strip_prefix(name.as_str());
            inner.is_some_and(|after| after.starts_with('}'))
        });
        match known {
            Some((name, value)) => {
                filled.push_str(&encode(value));
                rest = &rest[name.len() + 2..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> TemplateValues {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn values_of_a_url_are_percent_encoded() {
        let rows = [
            ("ann@example.com", "https://h/m?of=ann%40example.com&k=1"),
            (
                "a+b&c@example.com",
                "https://h/m?of=a%2Bb%26c%40example.com&k=1",
            ),
            (
                "../x?y#z@example.com",
                "https://h/m?of=..%2Fx%3Fy%23z%40example.com&k=1",
            ),
            ("ä@example.com", "https://h/m?of=%C3%A4%40example.com&k=1"),
        ];
        for (address, expect) in rows {
            let values = values(&[("address", address)]);
            assert_eq!(fill_url("https://h/m?of={address}&k=1", &values), expect);
        }
    }

    #[test]
    fn values_of_a_body_stay_within_their_quotes_and_are_not_filled_again() {
        let template = r#"{"mail": "{address}", "number": "{answer.number}", "x": {"y": 1}}"#;
        let values = values(&[
            ("address", "a\"b@example.com"),
            ("answer.number", "{address}\n"),
        ]);
        let expect = r#"{"mail": "a\"b@example.com", "number": "{address}\n", "x": {"y": 1}}"#;
        assert_eq!(fill_json(template, &values), expect);
    }
}
