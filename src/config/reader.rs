//! Reads the spanned tree of a TOML text key by key. The caller asks for every value by key and by
//! type. A wrong type is reported, and so is a key that the caller did not ask for. No mistake
//! stops the reading. The tree is that of the crate `toml`, which reports all syntax errors of a
//! text and not only the first.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostic_collector::DiagnosticCollector;
use super::secret_detection;
use crate::domain::name_distance;

/// Where an operator should keep an API key that they wrote into the configuration.
pub(super) const KEY_ADVICE: &str = "keep the API key out of this file (and make a new one if \
    others could read it): put it alone into the file that `api-key-file` names, or into systemd's \
    credential `calcom-api-key`, or into the variable MAITRED_API_KEY";

/// One table, and which of its keys are known.
pub(super) struct TomlTable<'t> {
    path: String,
    entries: Option<&'t DeTable<'t>>,
    known_keys: Vec<&'static str>,
    /// Where an operator should keep a secret that they wrote into this table.
    secret_advice: &'static str,
}

/// One value and its path.
#[derive(Clone)]
pub(super) struct TomlValue<'t> {
    pub(super) path: String,
    value: &'t DeValue<'t>,
}

impl<'t> TomlTable<'t> {
    pub(super) fn new(path: &str, entries: Option<&'t DeTable<'t>>) -> Self {
        Self {
            path: path.to_owned(),
            entries,
            known_keys: Vec::new(),
            secret_advice: KEY_ADVICE,
        }
    }

    /// Returns the same table, with other advice to operators who write a secret into it.
    pub(super) fn with_secret_advice(self, secrets_belong: &'static str) -> Self {
        Self {
            secret_advice: secrets_belong,
            ..self
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Returns true if the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.peek(key).is_some()
    }

    /// Returns the value of a key that has been read before.
    pub(super) fn peek(&self, key: &str) -> Option<TomlValue<'t>> {
        let value = self.entries?.get(key)?.get_ref();
        let path = join(&self.path, key);
        Some(TomlValue { path, value })
    }

    /// Returns the key's value, if the key is there.
    pub(super) fn get(
        &mut self,
        key: &'static str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<TomlValue<'t>> {
        self.known_keys.push(key);
        let path = join(&self.path, key);
        report.register_key(&path);
        let value = self.entries?.get(key)?;
        report.record_span(&path, value.span());
        Some(TomlValue {
            path,
            value: value.get_ref(),
        })
    }

    /// Returns the key's value, or reports that the key is missing.
    pub(super) fn get_required(
        &mut self,
        key: &'static str,
        example: &str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<TomlValue<'t>> {
        let item = self.get(key, report);
        if item.is_none() {
            let problem = format!("there is no `{key}` here");
            report.error(&self.path, problem, format!("add {key} = {example}"));
        }
        item
    }

    /// Returns the table at the key, or an empty one if there is none.
    pub(super) fn table(
        &mut self,
        key: &'static str,
        report: &mut DiagnosticCollector<'_>,
    ) -> TomlTable<'t> {
        let path = join(&self.path, key);
        let entries = self.get(key, report).and_then(|item| match item.value {
            DeValue::Table(entries) => Some(entries),
            _ => {
                item.report_type_mismatch(
                    "a table",
                    &format!("write [{path}] on a line of its own"),
                    report,
                );
                None
            }
        });
        TomlTable::new(&path, entries)
    }

    /// Refuses a key that another one has replaced.
    pub(super) fn refuse_replaced_key(
        &mut self,
        key: &'static str,
        help: &str,
        report: &mut DiagnosticCollector<'_>,
    ) {
        let Some((name, _)) = self
            .entries
            .into_iter()
            .flatten()
            .find(|(name, _)| name.get_ref().as_ref() == key)
        else {
            return;
        };
        let path = join(&self.path, key);
        report.record_span(&path, name.span());
        self.known_keys.push(key);
        report.error(&path, format!("`{key}` is no longer used"), help);
    }

    /// Reports the keys that the caller did not ask for.
    pub(super) fn report_unknown_keys(self, report: &mut DiagnosticCollector<'_>) {
        for (key, value) in self.entries.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if self.known_keys.contains(&name) {
                continue;
            }
            let path = join(&self.path, name);
            report.record_span(&path, key.span());
            let nearest = name_distance::nearest(name, self.known_keys.iter().copied());
            if nearest.is_none()
                && secret_detection::is_secret_name(name)
                && !value.get_ref().is_table()
            {
                let problem = "a secret does not belong in the configuration".to_owned();
                report.error(&path, problem, self.secret_advice);
                continue;
            }
            let help = match (nearest, report.find_section(name)) {
                (Some(nearest), _) => format!("did you mean `{nearest}`?"),
                (None, Some(section)) => format!("it belongs under {section}"),
                (None, None) => format!("known here: {}", self.known_keys.join(", ")),
            };
            let shown = match report.show_key(name) {
                Some(shown) => format!("unknown key `{shown}`"),
                None => "unknown key".to_owned(),
            };
            report.error(&path, shown, help);
        }
    }
}

impl<'t> TomlValue<'t> {
    pub(super) fn as_text(&self) -> Option<&'t str> {
        self.value.as_str()
    }

    pub(super) fn as_flag(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(super) fn as_table(&self) -> Option<&'t DeTable<'t>> {
        self.value.as_table()
    }

    /// Returns the text, or reports a wrong type.
    pub(super) fn text(
        &self,
        example: &str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<&'t str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.report_type_mismatch(
                "a text in quotes",
                &format!("for example \"{example}\""),
                report,
            );
        }
        text
    }

    /// Returns the whole number, if the value is one that fits.
    pub(super) fn as_number(&self) -> Option<i64> {
        let number = self.value.as_integer()?;
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// Returns the whole number, or reports that the value is none within the range.
    pub(super) fn number(
        &self,
        range: RangeInclusive<u64>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<u64> {
        let (least, most) = (range.start(), range.end());
        let help = format!("give a whole number from {least} to {most}");
        let Some(integer) = self.value.as_integer() else {
            self.report_type_mismatch("a whole number", &help, report);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let shown = report.show(&integer.to_string());
            report.error(&self.path, format!("{shown} is out of range"), help);
        }
        number
    }

    /// Returns the value of a keyword, or reports that the word is unknown.
    pub(super) fn keyword<T: Copy>(
        &self,
        words: &[(&'static str, T)],
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<T> {
        let known_words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let choice = format!("give one of \"{}\"", known_words.join("\", \""));
        let Some(text) = self.as_text() else {
            self.report_type_mismatch("a text in quotes", &choice, report);
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let shown = report.show(text);
            let help = match name_distance::nearest(text, known_words.iter().copied()) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => choice,
            };
            report.error(&self.path, format!("{shown} is not known here"), help);
        }
        found.map(|(_, value)| *value)
    }

    /// Returns the items of the list, or reports a wrong type and returns none.
    pub(super) fn list(
        &self,
        example: &str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<TomlValue<'t>> {
        let Some(values) = self.value.as_array() else {
            self.report_type_mismatch("a list", &format!("for example {example}"), report);
            return Vec::new();
        };
        let item = |(number, value): (usize, &'t Spanned<DeValue<'t>>)| {
            let path = format!("{}[{number}]", self.path);
            report.record_span(&path, value.span());
            TomlValue {
                path,
                value: value.get_ref(),
            }
        };
        values.iter().enumerate().map(item).collect()
    }

    /// Returns `true` or `false`, or reports a wrong type.
    pub(super) fn flag(&self, report: &mut DiagnosticCollector<'_>) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.report_type_mismatch("true or false", "without quotes", report);
        }
        flag
    }

    /// Returns the table, or reports a wrong type.
    pub(super) fn table(
        &self,
        example: &str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<TomlTable<'t>> {
        let entries = self.value.as_table();
        if entries.is_none() {
            self.report_type_mismatch("a table", &format!("for example {example}"), report);
        }
        entries.map(|entries| TomlTable::new(&self.path, Some(entries)))
    }

    /// Returns the tables of a list, and reports items that are no tables. More than `most` items
    /// are refused.
    pub(super) fn rows(
        &self,
        example: &str,
        most: usize,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<TomlTable<'t>> {
        let items = self.limit_count(self.list(&format!("[{example}]"), report), most, report);
        let rows = items.iter().map(|item| item.table(example, report));
        rows.flatten().collect()
    }

    /// Returns the tables of a list in which each table has a header, and reports items that are no
    /// tables. More than `most` items are refused.
    pub(super) fn sections(
        &self,
        header: &str,
        most: usize,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<TomlTable<'t>> {
        if self.as_table().is_some() {
            let help = format!("write {header}, with two brackets");
            self.report_type_mismatch("a list of tables", &help, report);
            return Vec::new();
        }
        let example = format!("{header} on a line of its own");
        let items = self.limit_count(self.list(&example, report), most, report);
        let section = |item: &TomlValue<'t>| {
            let entries = item.value.as_table();
            if entries.is_none() {
                item.report_type_mismatch("a table", &format!("write {example}"), report);
            }
            entries.map(|entries| TomlTable::new(&item.path, Some(entries)))
        };
        items.iter().filter_map(section).collect()
    }

    /// Returns the items, or reports that there are more than `most`.
    pub(super) fn limit_count(
        &self,
        items: Vec<TomlValue<'t>>,
        most: usize,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<TomlValue<'t>> {
        if items.len() <= most {
            return items;
        }
        let problem = format!("{} entries are more than {most}", items.len());
        report.error(&self.path, problem, "leave out some");
        Vec::new()
    }

    /// Returns the values of a table whose keys are free, with their names, in the order of the
    /// text.
    pub(super) fn named_values(
        &self,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<(&'t str, TomlValue<'t>)> {
        let mut entries: Vec<_> = self.value.as_table().into_iter().flatten().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let to_named_value =
            |(name, value): (&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>)| {
                let name: &'t str = name.get_ref();
                let path = join(&self.path, name);
                report.record_span(&path, value.span());
                let value = value.get_ref();
                (name, TomlValue { path, value })
            };
        entries.into_iter().map(to_named_value).collect()
    }

    /// Returns the value as the parser gives it.
    pub(super) fn raw(&self) -> &'t DeValue<'t> {
        self.value
    }

    /// Reports that the value has the wrong type.
    pub(super) fn report_type_mismatch(
        &self,
        expected: &str,
        help: &str,
        report: &mut DiagnosticCollector<'_>,
    ) {
        let found_type = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        report.error(
            &self.path,
            format!("expected {expected}, found {found_type}"),
            help,
        );
    }
}

/// Returns the path of the key in the table with this path.
pub(super) fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}
